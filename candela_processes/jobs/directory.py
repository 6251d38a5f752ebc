"""The job directory: the contract between server and worker, on any runner. Every file carries the contract's version.

    <workspace>/executions/<jobID>/
        lock                     held exclusively while a worker (or an inline run) lives: the evidence of life
        inputs.json              what to run (`JobInputs`), written before the row exists
        staging.json             where references are found (`Staging`); private to the system
        inputs/                  pinned copies or hard links of referenced files
        steps/<digest>/          finished intermediates, shared by attempts
        attempts/<n>/            one start; nothing is ever written into another attempt's folder
            worker.json          pid, start time and boot id of the supervisor: hints only
            progress.json        how far the work is (`ProgressReport`)
            outputs/  scratch/   what the run writes; scratch is removed at its end
            inputs/              downloads of this attempt; removed at its end
            logs/process.log     for the user: relative paths only
            logs/worker.log      for the operator
            result.json          the outcome (`Outcome`), written last

Files are written to a temporary name, flushed and renamed. Readers refuse newer contracts and broken files with
`ContractError`; they never guess.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from candela_processes.jobs.documents import CONTRACT as CONTRACT
from candela_processes.jobs.documents import ContractError as ContractError
from candela_processes.jobs.documents import read_json as read_json
from candela_processes.jobs.documents import write_json as write_json
from candela_processes.jobs.lock import is_locked, lock_file
from candela_processes.references.staged import StagedReference as StagedReference

EXIT_DONE: Final = 0
EXIT_BAD_INPUT: Final = 10
EXIT_LIMIT: Final = 20
EXIT_INTERNAL: Final = 30
EXIT_STOPPED: Final = 40
"""Exit codes of the worker: outputs are there; an input is wrong; a limit was exceeded; internal; told to stop."""


@dataclass(frozen=True, kw_only=True)
class JobInputs:
    """`inputs.json`: the process, its inputs as JSON, and the limits in force (seconds, bytes and pixels)."""

    job: str
    process: str
    process_version: str
    inputs: Mapping[str, Any]
    seconds: float
    memory: int
    scratch: int
    pixels: int
    input_bytes: int
    contract: int = CONTRACT


@dataclass(frozen=True, kw_only=True)
class Staging:
    """`staging.json`: the references of a job and where they are found; removed by nobody but expiry and dismiss."""

    references: tuple[StagedReference, ...] = ()
    contract: int = CONTRACT


@dataclass(frozen=True, kw_only=True)
class ProgressReport:
    """`progress.json`: percent (0..100) and the present step."""

    percent: float
    message: str
    contract: int = CONTRACT


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """One file of a result: `path` relative to the attempt's `outputs/`, `n` from 1 for a `many` output, else 0."""

    output: str
    path: str
    media_type: str
    size: int
    sha256: str
    n: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`result.json`: the outputs of a finished attempt, or its error as an OGC exception document.

    `retriable` is true only where the system and not the process failed. `software` maps names to versions, `inputs`
    maps hrefs to sha256 digests, `usage` holds seconds and peak bytes.
    """

    job: str
    attempt: int
    outputs: tuple[OutputFile, ...] = ()
    error: Mapping[str, Any] | None = None
    retriable: bool = False
    software: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    contract: int = CONTRACT

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Rebuild from JSON; raises TypeError or KeyError on a wrong shape."""
        return cls(**(data | {"outputs": tuple(OutputFile(**entry) for entry in data.get("outputs", ()))}))


@dataclass(frozen=True)
class AttemptDirectory:
    """`attempts/<n>/` of a job directory."""

    path: Path
    number: int

    @property
    def outputs(self) -> Path:
        """Folder of the output files."""
        return self.path / "outputs"

    @property
    def scratch(self) -> Path:
        """Folder of temporary files."""
        return self.path / "scratch"

    @property
    def process_log(self) -> Path:
        """Log for the user."""
        return self.path / "logs" / "process.log"

    @property
    def worker_log(self) -> Path:
        """Log for the operator."""
        return self.path / "logs" / "worker.log"

    @property
    def result(self) -> Path:
        """The outcome."""
        return self.path / "result.json"

    @property
    def worker(self) -> Path:
        """Hints about the supervisor's process."""
        return self.path / "worker.json"

    def create(self) -> None:
        """Create the folders of the attempt; existing ones stay."""
        for folder in (self.outputs, self.scratch, self.process_log.parent):
            folder.mkdir(parents=True, exist_ok=True)

    def read_outcome(self) -> Outcome | None:
        """Return the outcome, None while there is none; raises ContractError on a broken one."""
        if not os.path.lexists(self.result):
            return None
        data = read_json(self.result)
        try:
            return Outcome.from_data(data)
        except (TypeError, KeyError, AttributeError) as error:
            raise ContractError("result.json has the wrong shape") from error

    def write_progress(self, percent: float, message: str) -> None:
        """Write `progress.json`; often, so it is not flushed to disk: it is only a report."""
        write_json(self.path / "progress.json", ProgressReport(percent=percent, message=message), durable=False)

    def read_progress(self) -> ProgressReport | None:
        """Return the last progress report; None when there is none or it cannot be read (it is only a report)."""
        try:
            data = read_json(self.path / "progress.json")
            return ProgressReport(percent=float(data["percent"]), message=str(data["message"]))
        except (ContractError, KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class JobDirectory:
    """The directory of one job."""

    path: Path

    @classmethod
    def of(cls, workspace: Path, job_id: str) -> Self:
        """Return the directory of a job id below `<workspace>/executions`."""
        return cls(workspace / "executions" / job_id)

    @property
    def job_id(self) -> str:
        """Id of the job."""
        return self.path.name

    @property
    def inputs(self) -> Path:
        """Folder of pinned references."""
        return self.path / "inputs"

    @property
    def steps(self) -> Path:
        """Folder of finished intermediates."""
        return self.path / "steps"

    def attempt(self, number: int) -> AttemptDirectory:
        """Return the folder of one attempt."""
        return AttemptDirectory(self.path / "attempts" / str(number), number)

    def write_inputs(self, inputs: JobInputs, staging: Staging) -> None:
        """Write `staging.json` and then `inputs.json`."""
        write_json(self.path / "staging.json", staging)
        write_json(self.path / "inputs.json", inputs)

    def read_inputs(self) -> JobInputs:
        """Read `inputs.json`; raises ContractError."""
        try:
            return JobInputs(**read_json(self.path / "inputs.json"))
        except TypeError as error:
            raise ContractError("inputs.json has the wrong shape") from error

    def read_staging(self) -> Staging:
        """Read `staging.json`; raises ContractError."""
        data = read_json(self.path / "staging.json")
        try:
            return Staging(references=tuple(StagedReference(**entry) for entry in data["references"]))
        except (TypeError, KeyError) as error:
            raise ContractError("staging.json has the wrong shape") from error

    def try_lock(self) -> int | None:
        """Take the exclusive lock; return its descriptor (close it to release), or None when a worker lives.

        The lock belongs to the open file, so a descriptor passed to a child keeps it until the last copy is closed.
        Raises FileNotFoundError when the directory does not exist.
        """
        return lock_file(self.path / "lock")

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the lock for a block; yields whether it was free."""
        descriptor = self.try_lock()
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def is_alive(self) -> bool:
        """Return whether somebody holds the lock; only looks, so it never disturbs one who takes it."""
        return is_locked(self.path / "lock")
