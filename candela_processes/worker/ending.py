"""How an attempt ends: the outcome that the supervisor decides on, and what is cleared away."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from candela_processes.errors import Interrupted, LimitExceeded
from candela_processes.jobs.directory import (
    EXIT_INTERNAL,
    AttemptDirectory,
    ContractError,
    Outcome,
    write_json,
)
from candela_processes.jobs.outcomes import STOPPED, failed
from candela_processes.worker.cause import Evidence, cause_of

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why the supervisor ended the attempt: `breach` is the sentence of an exceeded limit."""

    breach: str = ""
    stopped: bool = False


def decide(
    attempt: AttemptDirectory, verdict: Verdict, status: int | None, before: Evidence, usage: Mapping[str, float]
) -> Outcome:
    """Return the outcome: the child's own if it wrote one before its end, else why there is none."""
    job = attempt.path.parent.parent.name
    written = _own_outcome(attempt, job)
    if written is not None:
        return written
    if verdict.breach:
        return failed(job, attempt.number, LimitExceeded(verdict.breach), usage=usage)
    if verdict.stopped:
        # whoever stops a worker (a shutdown, an eviction) is not the process: it may run again
        return failed(job, attempt.number, Interrupted(STOPPED), retriable=True, usage=usage)
    cause, retriable = cause_of(attempt, status, before)
    LOGGER.error("the child ended with status %s and without a result: %s", status, cause.detail)
    return failed(job, attempt.number, cause, retriable=retriable, usage=usage)


def _own_outcome(attempt: AttemptDirectory, job: str) -> Outcome | None:
    """Return what the child wrote, if it is about this attempt and whole; its outputs are the server's to check."""
    try:
        written = attempt.read_outcome()
    except ContractError as error:
        LOGGER.error("the child's result is damaged: %s", error)
        return None
    if written is None or (written.job, written.attempt) != (job, attempt.number):
        return None
    if written.error is not None and not (isinstance(written.error, dict) and "detail" in written.error):
        LOGGER.error("the child's result has an error without a detail")
        return None
    return written


def write(attempt: AttemptDirectory, outcome: Outcome) -> int | None:
    """Write the outcome unless the child did; return the exit code that says it could not be written, else None.

    Outputs, scratch and downloads of a failed attempt are removed first, which also makes room on a full disk.
    """
    if outcome.error is not None:
        for folder in (attempt.outputs, attempt.path / "collected"):
            shutil.rmtree(folder, ignore_errors=True)
        remove_leftovers(attempt)
    try:
        if not _is_written(attempt, outcome):
            if attempt.result.is_dir() and not attempt.result.is_symlink():
                shutil.rmtree(attempt.result)  # a run made a folder of that name
            write_json(attempt.result, outcome)
    except OSError:
        LOGGER.exception("the outcome cannot be written; the dispatcher will find an ended attempt without one")
        return EXIT_INTERNAL
    return None


def _is_written(attempt: AttemptDirectory, outcome: Outcome) -> bool:
    try:
        return attempt.read_outcome() == outcome
    except ContractError:
        return False


def remove_leftovers(attempt: AttemptDirectory) -> None:
    """Remove scratch and downloads; what cannot be removed goes with the job directory."""
    for name in ("scratch", "inputs"):
        shutil.rmtree(attempt.path / name, ignore_errors=True)
