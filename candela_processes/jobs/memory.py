"""The store that forgets: jobs in the memory of one process, for tests and for runs without a server."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from candela_processes.jobs.cursor import Position
from candela_processes.jobs.moments import MOMENTS, duration, span_microseconds
from candela_processes.jobs.record import Job, Phase, Status, plain_json
from candela_processes.jobs.store import JobPage, JobQuery, Tally, check_replacement, error_type


class MemoryStore:
    """A `JobStore` in memory; safe for many threads, seen by one process."""

    def __init__(self) -> None:
        """Start empty."""
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        """Insert a new job; raises ValueError when its id exists."""
        kept = _kept(job)
        with self._lock:
            if job.id in self._jobs:
                raise ValueError(f"job {job.id} exists")
            self._jobs[job.id] = kept

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        with self._lock:
            job = self._jobs.get(job_id)
        return None if job is None else _kept(job)

    def replace(self, old: Job, new: Job) -> bool:
        """Write `new` if the stored revision is still `old.revision`; return whether it was written."""
        check_replacement(old, new)
        kept = _kept(new)
        with self._lock:
            if not self._is_current(old):
                return False
            self._jobs[old.id] = kept
            return True

    def remove(self, job: Job) -> bool:
        """Delete the row if its revision is still `job.revision`; return whether it was deleted."""
        with self._lock:
            if not self._is_current(job):
                return False
            del self._jobs[job.id]
            return True

    def find(self, query: JobQuery) -> JobPage:
        """Return one page of the jobs that match, newest first."""
        after = Position.decoded(query.after) if query.after else None
        now = query.now or datetime.now(UTC)
        with self._lock:
            jobs = list(self._jobs.values())
        matching = [job for job in jobs if _matches(job, query, now) and (after is None or Position.of(job) < after)]
        matching.sort(key=Position.of, reverse=True)
        page = tuple(_kept(job) for job in matching[: query.limit])
        return JobPage(jobs=page, next=Position.of(page[-1]).encoded() if len(matching) > query.limit else "")

    def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Return which of these ids have a row."""
        with self._lock:
            return frozenset(job_ids) & self._jobs.keys()

    def tally(self) -> tuple[Tally, ...]:
        """Return counts for the metrics."""
        with self._lock:
            jobs = list(self._jobs.values())
        counts = Counter(_group(job) for job in jobs)
        oldest = {_group(job): job.created for job in sorted(jobs, key=Position.of, reverse=True)}
        return tuple(
            Tally(phase=phase, status=status, process_id=process, error_type=error, count=count, oldest=oldest[key])
            for key, count in sorted(counts.items())
            for phase, status, process, error in (key,)
        )

    def ping(self) -> None:
        """Return at once: memory is always in reach."""

    def _is_current(self, job: Job) -> bool:
        """Return whether the stored revision is that of `job`; the lock is held."""
        stored = self._jobs.get(job.id)
        return stored is not None and stored.revision == job.revision


def _kept(job: Job) -> Job:
    """Return a copy as a database would give it back: JSON as JSON, times in UTC, nothing shared."""
    moments: dict[str, Any] = {
        name: getattr(job, name).astimezone(UTC) for name in MOMENTS if getattr(job, name) is not None
    }
    return replace(job, request=plain_json(job.request), error=plain_json(job.error), **moments)


def _group(job: Job) -> tuple[Phase, Status, str, str]:
    """Return what a tally groups by."""
    return job.phase, job.status, job.process_id, error_type(job)


def _matches(job: Job, query: JobQuery, now: datetime) -> bool:
    """Return whether a job passes every filter."""
    return all(
        (
            query.owner is None or job.owner == query.owner,
            not query.process_ids or job.process_id in query.process_ids,
            not query.statuses or job.status in query.statuses,
            not query.phases or job.phase in query.phases,
            query.created_from is None or job.created >= query.created_from,
            query.created_to is None or job.created <= query.created_to,
            query.finished_before is None or (job.finished is not None and job.finished < query.finished_before),
            _lasts(job, query, now),
        )
    )


def _lasts(job: Job, query: JobQuery, now: datetime) -> bool:
    """Return whether the duration is within the bounds, both inclusive."""
    if query.min_duration is None and query.max_duration is None:
        return True
    lasted = duration(job, now)
    if lasted is None:
        return False
    if query.min_duration is not None and lasted < span_microseconds(query.min_duration):
        return False
    return query.max_duration is None or lasted <= span_microseconds(query.max_duration)
