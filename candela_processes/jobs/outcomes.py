"""Outcomes without outputs and what the worker's exit code says of an outcome; standard library only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from candela_processes.errors import Interrupted, LimitExceeded, ProcessesError
from candela_processes.jobs.directory import (
    EXIT_BAD_INPUT,
    EXIT_DONE,
    EXIT_INTERNAL,
    EXIT_LIMIT,
    EXIT_STOPPED,
    Outcome,
)

DISK_FULL = "The disk of the server is full; the job could not write its results."
_LITTLE_SPACE = 1024 * 1024
STOPPED = "The job was stopped before it had finished."


def failed(
    job: str, attempt: int, error: ProcessesError, *, retriable: bool = False, usage: Mapping[str, float] | None = None
) -> Outcome:
    """Return the outcome of an attempt that ended with an error."""
    return Outcome(job=job, attempt=attempt, error=error.as_data(), retriable=retriable, usage=usage or {})


def exit_code(outcome: Outcome) -> int:
    """Return the worker's exit code for an outcome (contract: 0, 10, 20, 30, 40)."""
    if outcome.error is None:
        return EXIT_DONE
    if outcome.error.get("status") == 400:
        return EXIT_BAD_INPUT
    if outcome.error.get("type") == LimitExceeded.type:
        return EXIT_LIMIT
    stopped = outcome.error.get("type") == Interrupted.type and outcome.error.get("detail") == STOPPED
    return EXIT_STOPPED if stopped else EXIT_INTERNAL


def is_disk_full(path: Path) -> bool:
    """Return whether less than 1 MiB is free where `path` lies; False where it cannot be told."""
    try:
        space = os.statvfs(path)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < _LITTLE_SPACE
