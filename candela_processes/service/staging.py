"""Where the files are that inputs point to: allowed local files, addresses for the worker, outputs of other jobs."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from candela_processes.errors import InvalidInput, ProcessesError
from candela_processes.execution.verify import OutputsRejected, open_output
from candela_processes.identity import Principal
from candela_processes.jobs.directory import AttemptDirectory, JobDirectory, OutputFile, StagedReference
from candela_processes.process import Reference
from candela_processes.references.policy import FetchPolicy
from candela_processes.references.resolve import resolve
from candela_processes.settings import Settings

_JOB_OUTPUT: Final = re.compile(
    r"/jobs/(?P<job>[0-9a-f-]{36})/results/(?P<output>[A-Za-z0-9_.-]+)(?:/(?P<number>\d+))?/?"
)


class OutputFinder(Protocol):
    """Finds one output file of a finished job that the principal may see; raises NotFound and the like."""

    def __call__(
        self, principal: Principal, job_id: str, output_id: str, number: int | None
    ) -> tuple[AttemptDirectory, OutputFile]:
        """Return the attempt and its file."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A file of another job that is hard-linked into `inputs/` when the directory is made; `name` is the input's."""

    name: str
    attempt: AttemptDirectory
    file: OutputFile
    target: str


@dataclass(frozen=True, kw_only=True)
class StagingPlan:
    """The references of one submission, resolved: what `staging.json` will say and which files are pinned."""

    references: tuple[StagedReference, ...]
    pins: tuple[Pin, ...]


@dataclass(frozen=True, kw_only=True)
class Stager:
    """Resolves references for one principal; `root` is the server's own root URL as that client sees it."""

    settings: Settings
    find_output: OutputFinder
    principal: Principal
    root: str

    def plan(self, references: Iterable[tuple[str, Reference, str]]) -> StagingPlan:
        """Resolve (input path, reference, deferred name) triples; raises InvalidInput naming the input."""
        staged: dict[str, StagedReference] = {}
        pins: list[Pin] = []
        for name, reference, deferred in references:
            if reference.href in staged and not deferred:
                continue
            link = self._own_output(reference.href)
            if link is None:
                entry = resolve(name, reference, self.settings.input_roots, policy=self.policy)
            else:
                entry, pin = self._pinned(name, reference, link, len(pins))
                pins.append(pin)
            staged[reference.href] = _deferred(entry, deferred)
        return StagingPlan(references=tuple(staged.values()), pins=tuple(pins))

    @property
    def policy(self) -> FetchPolicy:
        """Return what may be fetched."""
        return FetchPolicy.from_settings(self.settings)

    def _own_output(self, href: str) -> re.Match[str] | None:
        """Match a link to an output of this server, absolute or starting with `/jobs/`."""
        parts = urlsplit(href)
        path = parts.path
        if parts.scheme or parts.netloc:
            root = next((r for r in (self.settings.public_url, self.root) if r and href.startswith(f"{r}/jobs/")), "")
            if not root:
                return None
            path = href.removeprefix(root).partition("?")[0]
        return _JOB_OUTPUT.fullmatch(path)

    def _pinned(self, name: str, reference: Reference, link: re.Match[str], index: int) -> tuple[StagedReference, Pin]:
        number = int(link["number"]) if link["number"] else None
        try:
            attempt, file = self.find_output(self.principal, link["job"], link["output"], number)
        except ProcessesError as error:
            raise InvalidInput(name, f"the linked result cannot be used: {error.detail}") from error
        target = f"inputs/{index}_{file.path}"
        name_shown = reference.title or file.path
        entry = StagedReference(href=reference.href, name=name_shown, path=target, media_type=file.media_type)
        return entry, Pin(name=name, attempt=attempt, file=file, target=target)


def _deferred(entry: StagedReference, deferred: str) -> StagedReference:
    return StagedReference(**(vars(entry) | {"deferred": deferred})) if deferred else entry


def pin_files(directory: JobDirectory, pins: Iterable[Pin]) -> None:
    """Hard-link (or, across file systems, copy) pinned files into the directory, so that expiry cannot take them.

    Raises InvalidInput for a file that is gone by now or is not what the other job's record says.
    """
    for pin in pins:
        target = directory.path / pin.target
        target.parent.mkdir(exist_ok=True)
        try:
            _pin(pin, target)
        except (FileNotFoundError, OutputsRejected) as error:
            raise InvalidInput(pin.name, "the linked result cannot be used: it is not there any more") from error


def _pin(pin: Pin, target: Path) -> None:
    """Link what was opened and checked, nothing that took its place meanwhile."""
    with open_output(pin.attempt, pin.file) as source:
        try:
            os.link(pin.attempt.outputs / pin.file.path, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                raise
            with target.open("xb") as sink:
                shutil.copyfileobj(source, sink)
            return
        if not os.path.samestat(os.fstat(source.fileno()), target.lstat()):
            raise OutputsRejected("the linked file was replaced")
