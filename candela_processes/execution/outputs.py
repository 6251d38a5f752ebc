"""From what `run` returned to the files of a result: checked against the declaration, named, hashed, on disk."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from candela_processes.jobs.directory import AttemptDirectory, OutputFile
from candela_processes.process import JSON, File, Output, OutputValue, Process

EXTENSIONS: Final = {
    "image/tiff": ".tif",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "application/json": ".json",
    "application/geo+json": ".geojson",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "text/html": ".html",
    "application/zip": ".zip",
    "application/pdf": ".pdf",
    "application/geopackage+sqlite3": ".gpkg",
    "application/x-netcdf": ".nc",
}
_DATE: Final = re.compile(r"[0-9A-Za-z-]{1,32}")


class WrongOutputs(Exception):
    """What `run` returned does not fit its declaration: a defect of the process; the text is for the operator."""


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One file or value of the result to be."""

    output: Output
    value: OutputValue
    n: int
    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def collect(process: Process, attempt: AttemptDirectory, returned: Mapping[str, OutputValue]) -> tuple[OutputFile, ...]:
    """Give every returned output its public name, size and sha256, and flush it to disk; raises WrongOutputs.

    Afterwards `outputs/` holds exactly these files. JSON values are written compactly, as UTF-8, without NaN.
    """
    items = tuple(_items(process, returned))
    sources = [_checked_source(attempt, item.output.id, item.value) for item in items if isinstance(item.value, File)]
    if len(set(sources)) != len(sources):
        raise WrongOutputs("one file was returned twice")
    # a returned file may already have the public name of another one: park all of them first
    parked = attempt.path / "collected"
    parked.mkdir()
    entries = tuple(_placed(parked, item) for item in items)
    shutil.rmtree(attempt.outputs)
    parked.rename(attempt.outputs)
    for folder in (attempt.outputs, attempt.path):
        _flush(folder)
    return entries


def _items(process: Process, returned: Mapping[str, OutputValue]) -> Iterator[_Item]:
    declared = {output.id for output in process.outputs}
    missing = {output.id for output in process.outputs if not output.optional} - returned.keys()
    if missing or returned.keys() - declared:
        raise WrongOutputs(f"missing: {sorted(missing)}, not declared: {sorted(returned.keys() - declared)}")
    for output in process.outputs:
        if output.id not in returned:
            continue
        value = returned[output.id]
        if not output.many:
            yield _item(output, value, 0)
            continue
        if not isinstance(value, tuple):
            raise WrongOutputs(f"{output.id} is declared as many; return a tuple")
        for n, member in enumerate(value, start=1):
            yield _item(output, member, n)


def _item(output: Output, value: OutputValue, n: int) -> _Item:
    if output.is_value == isinstance(value, File):
        raise WrongOutputs(f"{output.id} is declared as {'a value' if output.is_value else 'a file'}")
    name = f"{output.id}_{n}" if n else output.id
    if not isinstance(value, File):
        return _Item(output=output, value=value, n=n, name=f"{name}.json")
    dates = {"start": value.start, "end": value.end}
    if any(date and not _DATE.fullmatch(date) for date in dates.values()):
        raise WrongOutputs(f"{output.id} has a start or end that cannot be part of a file name")
    if n and value.start and value.end:
        name = f"{name}_{value.start}_{value.end}"
    metadata = {key: date for key, date in dates.items() if date} | dict(value.metadata)
    return _Item(output=output, value=value, n=n, name=name + extension(output.media_types[0]), metadata=metadata)


def extension(media_type: str) -> str:
    """Return the file name extension of a media type, its parameters left out; `.bin` for an unknown one."""
    bare = media_type.partition(";")[0].strip().lower()
    return EXTENSIONS.get(bare) or mimetypes.guess_extension(bare) or ".bin"


def _checked_source(attempt: AttemptDirectory, output_id: str, file: File) -> Path:
    """Return the path of a returned file below `outputs/`; raises WrongOutputs for a link or one from elsewhere."""
    path = file.path
    if not os.path.lexists(path):
        raise WrongOutputs(f"{output_id}: {path.name} was not written")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise WrongOutputs(f"{output_id}: {path.name} is not a regular file")
    resolved = path.resolve()
    if not resolved.is_relative_to(attempt.outputs.resolve()):
        raise WrongOutputs(f"{output_id}: {path.name} lies outside the outputs folder")
    return resolved


def _placed(folder: Path, item: _Item) -> OutputFile:
    target = folder / item.name
    if target.exists():
        raise WrongOutputs(f"two outputs are called {item.name}")
    if not isinstance(item.value, File):
        target.write_bytes(_as_json(item))
    elif item.value.path.stat().st_nlink > 1:
        # its second name could change it later
        shutil.copyfile(item.value.path, target, follow_symlinks=False)
    else:
        item.value.path.rename(target)
    with target.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        os.fsync(source.fileno())
        size = os.fstat(source.fileno()).st_size
    return OutputFile(
        output=item.output.id,
        path=item.name,
        media_type=item.output.media_types[0] if item.output.media_types else JSON,
        size=size,
        sha256=digest,
        n=item.n,
        metadata=_plain(item),
    )


def _as_json(item: _Item) -> bytes:
    try:
        text = json.dumps(item.value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongOutputs(f"{item.output.id} is not a JSON value: {error}") from error


def _plain(item: _Item) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(item.metadata), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongOutputs(f"{item.output.id}: its metadata is not JSON: {error}") from error
    return plain


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
