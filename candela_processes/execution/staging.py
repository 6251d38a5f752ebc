"""Stage-in: every reference of a job becomes a local file with a digest, before anything is run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from candela_processes.errors import InvalidInput
from candela_processes.execution.beneath import NotPlain, open_beneath
from candela_processes.execution.inputs import location
from candela_processes.jobs.directory import (
    AttemptDirectory,
    JobDirectory,
    JobInputs,
    StagedReference,
)
from candela_processes.jobs.documents import MAX_JSON_BYTES
from candela_processes.process import Progress

if TYPE_CHECKING:
    from candela_processes.references.policy import FetchPolicy

type PolicySource = Callable[[], FetchPolicy]
"""Gives the rules of fetching; only asked when something has to be fetched, because reading settings takes time."""

FETCHED: Final = "inputs"
"""Folder of an attempt for downloaded files; removed at its end like its scratch."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class Staged:
    """Local files, their names and sha256 digests by href, and the inputs with deferred values filled in."""

    files: Mapping[str, Path]
    names: Mapping[str, str]
    digests: Mapping[str, str]
    values: Mapping[str, Any]


def stage_in(
    directory: JobDirectory, attempt: AttemptDirectory, job: JobInputs, policy: PolicySource, progress: Progress
) -> Staged:
    """Make every reference of the job a local file.

    Raises InvalidInput naming the input for a file that is gone or cannot be fetched, and when the files together
    are larger than the job's `input_bytes`. Progress is percent of stage-in.
    """
    files: dict[str, Path] = {}
    digests: dict[str, str] = {}
    values = dict(job.inputs)
    left = job.input_bytes
    references = directory.read_staging().references
    for number, reference in enumerate(references):
        name = reference.deferred or location(job.inputs, reference.href) or "inputs"
        progress(100.0 * number / len(references), f"reading {reference.name}")
        path = _local(directory, attempt, reference, number, name, policy, left)
        size, digest = _digest(path, name, reference)
        left -= size
        if left < 0:
            raise InvalidInput(name, f"the inputs together are larger than the {job.input_bytes} bytes allowed")
        files[reference.href] = path
        digests[reference.href] = digest
        if reference.deferred:
            values[reference.deferred] = _content(path, name, reference)
    names = {reference.href: reference.name for reference in references}
    found = {href: digest for href, digest in digests.items() if digest}
    return Staged(files=files, names=names, digests=found, values=values)


def _local(
    directory: JobDirectory,
    attempt: AttemptDirectory,
    reference: StagedReference,
    number: int,
    name: str,
    policy: PolicySource,
    left: int,
) -> Path:
    if not reference.url:
        path = Path(reference.path)
        return path if path.is_absolute() else _pinned(directory, reference, name)
    from candela_processes.references.fetch import fetch

    folder = attempt.path / FETCHED
    folder.mkdir(exist_ok=True)
    target = folder / f"{number}_{_UNSAFE.sub('_', reference.name).strip('._')[-100:] or 'file'}"
    fetch(name, reference.url, target, policy(), most_bytes=left)
    return target


def _pinned(directory: JobDirectory, reference: StagedReference, name: str) -> Path:
    """Return a file below the job directory; a link or a path that leads out of it is refused."""
    try:
        os.close(open_beneath(directory.path, reference.path))
    except NotPlain as error:
        raise InvalidInput(name, f"{reference.name} cannot be read any more") from error
    return directory.path / reference.path


def _digest(path: Path, name: str, reference: StagedReference) -> tuple[int, str]:
    """Return size and sha256 of a file; a product that is a folder has neither here."""
    try:
        if path.is_dir():
            return 0, ""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidInput(name, f"{reference.name} cannot be read ({_reason(error)})") from error
    with os.fdopen(descriptor, "rb") as source:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InvalidInput(name, f"{reference.name} is not a file")
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return status.st_size, hashlib.file_digest(source, "sha256").hexdigest()


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it does not exist any more"
    return "the server may not read it" if isinstance(error, PermissionError) else "reading failed"


def _content(path: Path, name: str, reference: StagedReference) -> Any:
    """Return the value that a file holds: JSON, or the text itself where the media type or the content is not JSON."""
    with path.open("rb") as source:
        raw = source.read(MAX_JSON_BYTES + 1)
    if len(raw) > MAX_JSON_BYTES:
        raise InvalidInput(name, f"{reference.name} is larger than the {MAX_JSON_BYTES} bytes allowed for a value")
    declared = "json" in reference.media_type.lower()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(name, f"{reference.name} is not UTF-8 text") from error
    if reference.media_type and not declared:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if declared:
            raise InvalidInput(name, f"{reference.name} is not JSON") from error
        return text
