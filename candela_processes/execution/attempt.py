"""One attempt from `inputs.json` to an outcome: stage in, validate, run, check outputs. Errors become data here."""

from __future__ import annotations

import errno
import importlib
import logging
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from candela_processes.errors import (
    InsufficientStorage,
    InternalError,
    LimitExceeded,
    ProcessesError,
    ProcessFailed,
)
from candela_processes.execution.inputs import validated
from candela_processes.execution.outputs import WrongOutputs, collect
from candela_processes.execution.reporting import ProgressWriter, Say
from candela_processes.execution.software import software
from candela_processes.execution.staging import PolicySource, Staged, stage_in
from candela_processes.jobs.directory import AttemptDirectory, ContractError, JobDirectory, JobInputs, Outcome
from candela_processes.jobs.outcomes import DISK_FULL, failed, is_disk_full
from candela_processes.process import Limits, OutputValue, Process, Progress, Run, Workdir
from candela_processes.telemetry.faults import step

LOGGER = logging.getLogger(__name__)

_SAID_OF_A_DEFECT: Final = "The process failed with an error of its own; the operator's log has the cause."


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one execution works with; `hear` is told of progress besides the files.

    `alone`: this operating-system process does nothing else, so what it uses is what the job uses.
    """

    directory: JobDirectory
    number: int
    find: Callable[[str], Process | None]
    policy: PolicySource
    say: Say
    hear: Progress | None = None
    alone: bool = True

    @property
    def folder(self) -> AttemptDirectory:
        """Return the folder of this attempt."""
        return self.directory.attempt(self.number)


def execute(attempt: Attempt) -> Outcome:
    """Execute one attempt and return its outcome, good or bad; never raises an `Exception`.

    The caller holds the directory's lock, has claimed the attempt, and writes the outcome.
    """
    began = time.monotonic()
    progress = ProgressWriter(attempt.folder, attempt.say, attempt.hear)
    try:
        outcome = _run(attempt, progress, began)
        progress.close()
        return outcome
    except (Exception, SystemExit) as error:
        progress.close()
        said = _as_error(error, attempt.folder)
        attempt.say(f"failed: {said.detail}")
        LOGGER.error("attempt %d failed: %s", attempt.number, said.title, exc_info=error)
        return failed(attempt.directory.job_id, attempt.number, said, usage=_usage(began, attempt.alone))


def _run(attempt: Attempt, progress: ProgressWriter, began: float) -> Outcome:
    job = attempt.directory.read_inputs()
    process = attempt.find(job.process)
    if process is None:
        raise InternalError(f"The process {job.process} is not installed where the job ran; tell the operator.")
    staged = stage_in(attempt.directory, attempt.folder, job, attempt.policy, progress.of_staging)
    inputs = validated(process, staged.values)
    step("execution.staged")
    progress.of_run(0.0, "running")
    returned = _function(process)(inputs, _workdir(attempt, job, staged), progress.of_run)
    step("execution.run-done")
    progress.of_checking()
    outputs = collect(process, attempt.folder, _mapping(returned))
    _check_size(job, sum(output.size for output in outputs))
    return Outcome(
        job=attempt.directory.job_id,
        attempt=attempt.number,
        outputs=outputs,
        software=software(process.id, process.version),
        inputs=staged.digests,
        usage=_usage(began, attempt.alone),
    )


def _workdir(attempt: Attempt, job: JobInputs, staged: Staged) -> Workdir:
    attempt.directory.steps.mkdir(exist_ok=True)
    return Workdir(
        outputs=attempt.folder.outputs,
        scratch=attempt.folder.scratch,
        steps=attempt.directory.steps,
        staged=staged.files,
        names=staged.names,
        limits=Limits(seconds=job.seconds, pixels=job.pixels, input_bytes=job.input_bytes),
    )


def _function(process: Process) -> Run:
    """Import the run reference "module:function"."""
    module, _, name = process.run.partition(":")
    function: Run = getattr(importlib.import_module(module), name)
    return function


def _mapping(returned: object) -> Mapping[str, OutputValue]:
    if not isinstance(returned, Mapping):
        raise WrongOutputs(f"run returned {type(returned).__name__}, not a mapping of outputs")
    return returned


def _check_size(job: JobInputs, size: int) -> None:
    if size > job.scratch:
        raise LimitExceeded(f"The outputs have {size} bytes; the job may use {job.scratch} bytes of disk.")


def _as_error(error: BaseException, folder: AttemptDirectory) -> ProcessesError:
    """Return what the client is told; never the text of a foreign exception."""
    if isinstance(error, ProcessesError):
        return error
    if isinstance(error, ContractError):
        return InternalError("The files that describe the job are damaged; tell the operator.")
    if isinstance(error, MemoryError):
        return LimitExceeded("The process asked for more memory at once than the machine has.")
    if _filled_the_disk(error, folder):
        return InsufficientStorage(DISK_FULL)
    return ProcessFailed(_SAID_OF_A_DEFECT)


def _filled_the_disk(error: BaseException, folder: AttemptDirectory) -> bool:
    """Return whether a full disk is the cause: libraries hide the error number, so free space counts too."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        cause = cause.__cause__ or cause.__context__
    return is_disk_full(folder.path)


def _usage(began: float, alone: bool) -> dict[str, float]:
    """Return wall seconds and, `alone`, processor seconds and peak resident bytes of this process and its children."""
    if not alone:
        return {"seconds": round(time.monotonic() - began, 3)}
    own, below = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(time.monotonic() - began, 3),
        "cpu_seconds": round(own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime, 3),
        "peak_bytes": float(max(own.ru_maxrss, below.ru_maxrss) * 1024),
    }
