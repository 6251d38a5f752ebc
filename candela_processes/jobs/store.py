"""What every job store promises. Two stores keep it: `jobs.memory` and `jobs.sql`; one test class checks both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from candela_processes.jobs.record import Job, Phase, Status


@dataclass(frozen=True, kw_only=True)
class JobQuery:
    """Filters of a job list (OGC 18-062r2 clause 11); None means any. Newest first, keyset paging by `after`.

    `owner` None is for the dispatcher and the operator only. `created_from` and `created_to` are inclusive.
    Durations are seconds from start to end (to `now` for a job that still runs; a job never started has none).
    """

    owner: str | None = None
    process_ids: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    phases: tuple[Phase, ...] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    finished_before: datetime | None = None
    min_duration: float | None = None
    max_duration: float | None = None
    now: datetime | None = None
    limit: int = 10
    after: str = ""

    def __post_init__(self) -> None:
        """Refuse what has no meaning in any store: no page of at least one job, times without an offset."""
        if self.limit < 1:
            raise ValueError("a page holds at least one job")
        for moment in (self.created_from, self.created_to, self.finished_before, self.now):
            if moment is not None and moment.utcoffset() is None:
                raise ValueError("times of a query carry an offset")


@dataclass(frozen=True, kw_only=True)
class JobPage:
    """One page of a list; `next` is the cursor for `JobQuery.after`, empty on the last page."""

    jobs: tuple[Job, ...]
    next: str = ""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many jobs share a phase, a status, a process and, when failed, an error type URI."""

    phase: Phase
    status: Status
    process_id: str
    error_type: str
    count: int
    oldest: datetime


class JobStore(Protocol):
    """Owner of the truth about jobs; safe for use by many threads and processes at once.

    Every method raises `errors.Unavailable` when the store is out of reach. A cursor that is not one of the store's
    own raises `errors.InvalidParameter("cursor", ...)`.
    """

    def add(self, job: Job) -> None:
        """Insert a new job; raises ValueError when its id exists."""

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""

    def replace(self, old: Job, new: Job) -> bool:
        """Write `new` if the stored revision is still `old.revision`; return whether it was written.

        Where `new` is `old` (dismissing again) nothing is written, and the answer says whether `old` is still what
        is stored. Raises ValueError when `new` is not the next revision of the same job: a defect of the caller.
        """

    def remove(self, job: Job) -> bool:
        """Delete the row if its revision is still `job.revision`; return whether it was deleted."""

    def find(self, query: JobQuery) -> JobPage:
        """Return one page of the jobs that match, newest first."""

    def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Return which of these ids have a row."""

    def tally(self) -> tuple[Tally, ...]:
        """Return counts for the metrics."""

    def ping(self) -> None:
        """Check that the store is reachable and of this version's schema; raises `errors.Unavailable`."""


def check_replacement(old: Job, new: Job) -> None:
    """Raise ValueError unless `new` is `old` or its next revision; every store calls it before it writes."""
    if new.id != old.id:
        raise ValueError("a job is replaced by itself only")
    if new != old and new.revision != old.revision + 1:
        raise ValueError(f"revision {old.revision} is followed by {old.revision + 1}, not by {new.revision}")


def error_type(job: Job) -> str:
    """Return the error type URI of a failed job, else an empty text."""
    return str((job.error or {}).get("type", ""))
