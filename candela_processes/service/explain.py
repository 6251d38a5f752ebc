"""What is true about one job, for an operator at night: row, process, directory, and one verdict in words."""

from __future__ import annotations

from pathlib import Path

from candela_processes.dispatch.runner import Observation, Runner, WorkerState
from candela_processes.jobs.directory import ContractError, JobDirectory, Outcome
from candela_processes.jobs.record import Job, Phase, Status


def explain(job: Job, runner: Runner, workspace: Path, life: tuple[bool, str]) -> str:
    """Return a few lines of text about a job; looks only, changes nothing.

    `life` says whether a dispatcher works, and in words when it last did (`heartbeat.sign_of_life`).
    """
    directory = JobDirectory.of(workspace, job.id)
    seen = next((entry for entry in runner.observe() if entry.handle.job_id == job.id), None)
    outcome = _outcome(directory, job)
    sentence = verdict(job, seen, outcome, exists=directory.path.is_dir())
    works, words = life
    if not works and job.phase is not Phase.DONE:
        sentence = f"No dispatcher works here, so nothing is started, recorded or removed. With one: {sentence}"
    lines = [
        *_row(job),
        f"process    {_process(seen)}",
        f"directory  {directory.path} ({'held by a worker' if directory.is_alive() else _presence(directory)})",
        f"outcome    {_outcome_words(outcome)}",
        f"dispatcher {words}",
        "",
        f"verdict    {sentence}",
    ]
    return "\n".join(lines)


def _row(job: Job) -> list[str]:
    due = f", not before {job.next_attempt_at.isoformat()}" if job.next_attempt_at else ""
    lines = [
        f"job        {job.id} of {job.process_id} {job.process_version}, owner {job.owner}",
        f"row        {job.status}, phase {job.phase}, attempt {job.attempt}, {job.interruptions} interruptions{due}",
        f"message    {job.message} ({job.progress} %)",
        f"times      created {job.created.isoformat()}, updated {job.updated.isoformat()}",
    ]
    return lines + ([f"last error {job.last_error} ({job.tries} tries)"] if job.last_error else [])


def _process(seen: Observation | None) -> str:
    return (
        f"{seen.state} (attempt {seen.handle.attempt}) {seen.detail}".rstrip() if seen else "none known to the runner"
    )


def _presence(directory: JobDirectory) -> str:
    return "no worker" if directory.path.is_dir() else "does not exist"


def _outcome(directory: JobDirectory, job: Job) -> Outcome | str | None:
    try:
        return directory.attempt(job.accepted_attempt or job.attempt).read_outcome()
    except ContractError as error:
        return str(error)


def _outcome_words(outcome: Outcome | str | None) -> str:
    if outcome is None:
        return "no result.json"
    if isinstance(outcome, str):
        return outcome
    return f"{len(outcome.outputs)} output files" if outcome.error is None else f"error: {outcome.error.get('detail')}"


def verdict(job: Job, seen: Observation | None, outcome: Outcome | str | None, *, exists: bool) -> str:
    """Return one sentence: what state the job is truly in and what will happen next."""
    if job.phase is Phase.DONE:
        return _done_verdict(job, exists=exists)
    if job.phase is Phase.DISMISSING:
        return "Dismissed; the dispatcher still has to end its worker or remove its files."
    if job.last_error:
        return f"Stuck on {job.phase}: {job.last_error}; the dispatcher tries again."
    if job.phase is not Phase.PUBLISHING and not exists:
        return "Its files are gone; the next dispatcher round fails it."
    if job.phase is Phase.QUEUED:
        return _queued_verdict(job)
    if job.phase is Phase.PUBLISHING:
        return "The process is done; its outputs are being verified."
    return _running_verdict(seen, outcome)


def _done_verdict(job: Job, *, exists: bool) -> str:
    if job.status is Status.SUCCESSFUL and not exists:
        return "Finished, but its files are gone: results answer 410."
    return f"Finished ({job.status}); nothing is left to do before it expires."


def _queued_verdict(job: Job) -> str:
    if job.next_attempt_at is not None:
        return f"Its worker was lost; it waits until {job.next_attempt_at:%H:%M:%S} UTC, then for a free place."
    return "Waits for a free place; if none of the running jobs ends, look at CANDELA_PARALLEL_JOBS."


def _running_verdict(seen: Observation | None, outcome: Outcome | str | None) -> str:
    if seen is not None and seen.state is WorkerState.ABANDONED:
        return "Its supervisor is gone, its process is not; the next dispatcher round ends it and starts it again."
    if seen is not None and seen.state is not WorkerState.ENDED:
        return "Runs: its worker holds the job's lock."
    if isinstance(outcome, Outcome):
        return "The worker has ended with an outcome; the next dispatcher round records it."
    return "The worker is gone without an outcome; the next dispatcher round starts it again or fails it."
