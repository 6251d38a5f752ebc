"""The line of queued jobs, oldest first; the store lists the newest first, so the order is remembered here."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Final

from candela_processes.jobs.record import Job, Phase
from candela_processes.jobs.store import JobQuery, JobStore

PAGE: Final = 500


def rows(store: JobStore, *phases: Phase) -> Iterator[Job]:
    """Yield all jobs in these phases, newest first, a page at a time."""
    cursor = ""
    while True:
        page = store.find(JobQuery(phases=phases, limit=PAGE, after=cursor))
        yield from page.jobs
        cursor = page.next
        if not cursor:
            return


class WaitingLine:
    """Remembers ids and ages only; each job is read again when its turn comes.

    All queued rows are listed once in a while, not in every round: those that came meanwhile are younger, and those
    that were queued again are told to `remember`.
    """

    def __init__(self, store: JobStore) -> None:
        """Start with nobody in line."""
        self._store = store
        self._line: list[tuple[datetime, str]] = []

    def remember(self, job: Job) -> None:
        """Put a job that was queued again where its age belongs."""
        if self._line:
            heapq.heappush(self._line, (job.created, job.id))

    def forget(self) -> None:
        """List everything anew the next time."""
        self._line.clear()

    def __iter__(self) -> Generator[Job]:
        """Yield the queued jobs, the oldest first; those that are still queued afterwards keep their place."""
        looked_at: set[tuple[datetime, str]] = set()
        listed = False
        try:
            while self._line or not listed:
                if not self._line:
                    self._list(looked_at)
                    listed = True
                    continue
                place = heapq.heappop(self._line)
                job = self._store.get(place[1])
                if job is not None and job.phase is Phase.QUEUED and place not in looked_at:
                    looked_at.add(place)
                    yield job
        finally:
            self._line = sorted({*self._line, *looked_at})

    def _list(self, known: set[tuple[datetime, str]]) -> None:
        found = {(job.created, job.id) for job in rows(self._store, Phase.QUEUED)}
        self._line = sorted(found - known)
