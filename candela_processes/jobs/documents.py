"""The JSON files of a job directory: written whole or not at all, read with suspicion. Standard library only."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

CONTRACT: Final = 1
"""Version of the directory contract that this code writes; it reads this version and the one before."""

MAX_JSON_BYTES: Final = 64 * 1024 * 1024


class ContractError(Exception):
    """A file of the directory is missing, broken, too large, or of an unknown contract version."""


def write_json(path: Path, data: Any, *, durable: bool = True) -> None:
    """Write a dataclass or mapping as JSON under a temporary name, flush it to disk (if `durable`) and rename it.

    A crash leaves the old file or the new one, never a part. Links at either name are replaced, not followed. Foreign
    bytes in a text (lone surrogates) become JSON escapes. Raises OSError, and TypeError or ValueError for no JSON.
    """
    document = data if isinstance(data, Mapping) else asdict(data)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", errors="backslashreplace") as sink:
            json.dump(document, sink, ensure_ascii=False, indent=1)
            sink.flush()
            if durable:
                os.fsync(sink.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _flush_folder(path.parent)


def _flush_folder(path: Path) -> None:
    """Flush a folder to disk, so that a name given in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """Read a contract file without following a link; raises ContractError naming the file, never its folder."""
    try:
        data = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{path.name} is not JSON") from error
    # A JSON true would equal 1.
    if not isinstance(data, dict) or type(data.get("contract")) is not int:
        raise ContractError(f"{path.name} names no contract")
    if data["contract"] not in (CONTRACT, CONTRACT - 1):
        raise ContractError(f"{path.name} is not of contract {CONTRACT}")
    return data


def _read(path: Path) -> bytes:
    """Return the bytes of a regular file of bounded size; raises ContractError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as source:  # noqa: PTH123 - a descriptor, not a path
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ContractError(f"{path.name} is not a regular file")
            content = source.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise ContractError(f"{path.name} cannot be read ({type(error).__name__})") from error
    if len(content) > MAX_JSON_BYTES:
        raise ContractError(f"{path.name} is larger than {MAX_JSON_BYTES} bytes")
    return content
