"""What the dispatcher sees of a job: gathered here, judged by `reconcile`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from candela_processes.dispatch.runner import Observation
from candela_processes.jobs.directory import AttemptDirectory, ContractError, JobDirectory, Outcome
from candela_processes.jobs.record import Job, Phase
from candela_processes.reconcile import Evidence

type _Standing = tuple[Phase, int]


class Witness:
    """Reads job directories and remembers, on a clock that never steps, since when each job stands where it stands."""

    def __init__(self, workspace: Path, runner: str, monotonic: Callable[[], float]) -> None:
        """Remember nothing yet: after a start every job is seen for the first time."""
        self._workspace = workspace
        self._runner = runner
        self._monotonic = monotonic
        self._since: dict[str, tuple[_Standing, float]] = {}
        self._seen: set[str] = set()

    def evidence(self, job: Job, observations: Iterable[Observation]) -> Evidence:
        """Return what is seen of a job now; the observations were made before this reads the directory."""
        present = [one for one in observations if one.handle.attempt == job.attempt]
        others = tuple(one for one in observations if one.handle.attempt != job.attempt)
        directory = JobDirectory.of(self._workspace, job.id)
        locked = directory.is_alive()  # before the outcome: whoever let go of the lock had written it
        attempt = directory.attempt(job.attempt)
        return Evidence(
            runner=self._runner,
            observation=present[0] if present else None,
            others=others,
            outcome=_outcome(attempt) if job.attempt else None,
            progress=attempt.read_progress() if job.phase is Phase.RUNNING else None,
            locked=locked,
            exists=directory.path.is_dir(),
            waited=self._waited(job),
        )

    def forget(self) -> None:
        """Drop the jobs that were not looked at since the last call."""
        self._since = {job_id: entry for job_id, entry in self._since.items() if job_id in self._seen}
        self._seen = set()

    def _waited(self, job: Job) -> float:
        """Return how long the job has been seen in its phase and attempt (s)."""
        now, standing = self._monotonic(), (job.phase, job.attempt)
        self._seen.add(job.id)
        before, since = self._since.get(job.id, (standing, now))
        self._since[job.id] = (standing, since if before == standing else now)
        return now - self._since[job.id][1]


def _outcome(attempt: AttemptDirectory) -> Outcome | ContractError | None:
    try:
        return attempt.read_outcome()
    except ContractError as error:
        return error
