"""Instant processes run in the process that took the request, by the same record, directory and checks as any job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from candela_processes.errors import Interrupted
from candela_processes.execution.inline import run_inline
from candela_processes.execution.verify import OutputsRejected, verify
from candela_processes.jobs.directory import JobDirectory
from candela_processes.jobs.record import Job
from candela_processes.jobs.store import JobStore
from candela_processes.process import Process
from candela_processes.telemetry.faults import step


def run_inline_job(
    store: JobStore, process: Process, directory: JobDirectory, job: Job, clock: Callable[[], datetime]
) -> Job:
    """Run the job now and record its end; the caller holds the directory's lock, the evidence that it lives.

    Where this process dies in between, the dispatcher finds the lock free and carries on. A dismissal recorded
    meanwhile wins: the job is returned as the store has it.
    """
    outcome = run_inline(process, directory, job.attempt)
    step("inline.ran")
    if outcome.error is not None:
        return _written(store, job, job.failed(clock(), outcome.error))
    accepted = job.accepted(clock())
    if not store.replace(job, accepted):
        return store.get(job.id) or job
    step("inline.accepted-written")
    try:
        verify(directory.attempt(job.attempt), outcome, process)
    except OutputsRejected as error:
        return _written(store, accepted, accepted.failed(clock(), error.as_data()))
    return _written(store, accepted, accepted.succeeded(clock()))


def _written(store: JobStore, old: Job, new: Job) -> Job:
    """Return the new record if it won the race, else what the store has."""
    if store.replace(old, new):
        return new
    stored = store.get(old.id)
    if stored is None:
        raise Interrupted("The job was removed while it ran.")
    return stored
