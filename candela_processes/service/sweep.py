"""The slow broom: finished jobs that expired, directories that no job owns, the trash.

A wrong clock must not cost anybody's results: nothing expires for an hour after the clock was seen to step, and the
age of an orphan is measured on a clock that never steps.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from candela_processes.dispatch.steps import Step
from candela_processes.jobs.directory import JobDirectory
from candela_processes.jobs.record import Phase
from candela_processes.jobs.store import JobQuery, JobStore
from candela_processes.service.removal import empty_trash, remove_files
from candela_processes.settings import Settings
from candela_processes.telemetry.faults import step

SWEEP_SECONDS: Final = 60.0
STEP_SECONDS: Final = 60.0
SETTLE_SECONDS: Final = 3600.0
_PAGE: Final = 200

_log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps one workspace; used by one dispatcher, one sweep at a time."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        """Remember what to sweep; the first sweep is due at once."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._next = float("-inf")
        self._offset: float | None = None
        self._settled_at = float("-inf")
        self._orphans: dict[tuple[str, int, int], float] = {}

    def is_due(self) -> bool:
        """Return whether the pause since the last sweep is over."""
        return self._monotonic() >= self._next

    def sweep(self) -> None:
        """Sweep once; raises Unavailable or OSError, the next sweep goes on."""
        self._next = self._monotonic() + min(SWEEP_SECONDS, self._settings.orphan_seconds / 2)
        empty_trash(self._settings.workspace)
        if self._clock_is_settled():
            self._expire()
        self._remove_orphans()

    def _clock_is_settled(self) -> bool:
        """Return whether the clock has not been seen to step within the last hour."""
        now = self._monotonic()
        offset = self._clock().timestamp() - now
        if self._offset is not None and abs(offset - self._offset) > STEP_SECONDS:
            self._settled_at = now + SETTLE_SECONDS
            _log.warning("the clock was set by %.0f s; nothing expires for an hour", offset - self._offset)
        self._offset = offset
        return now >= self._settled_at

    def _expire(self) -> None:
        """Remove finished jobs that are old enough: files first, then the row."""
        before = self._clock() - timedelta(days=self._settings.expiry_days)
        cursor = ""
        while True:
            query = JobQuery(phases=(Phase.DONE,), finished_before=before, limit=_PAGE, after=cursor)
            page = self._store.find(query)
            for job in page.jobs:
                with contextlib.suppress(BlockingIOError):  # somebody is still in there: next time
                    remove_files(self._settings.workspace, job.id)
                    step(Step.EXPIRED_FILES_REMOVED)
                    if self._store.remove(job):
                        step(Step.EXPIRED_ROW_REMOVED)
                        _log.info("expired", extra=job.log_context())
            cursor = page.next
            if not cursor:
                return

    def _remove_orphans(self) -> None:
        """Remove directories without a row that were seen unchanged and unlocked for long enough."""
        now = self._monotonic()
        names = self._without_row(self._directories())
        seen: dict[tuple[str, int, int], float] = {}
        for name in names:
            directory = JobDirectory.of(self._settings.workspace, name)
            with contextlib.suppress(FileNotFoundError):
                status = directory.path.lstat()
                identity = (name, status.st_ino, status.st_mtime_ns)
                seen[identity] = self._orphans.get(identity, now)
        self._orphans = seen
        for (name, _, _), since in seen.items():
            if now - since >= self._settings.orphan_seconds and self._without_row([name]):
                with contextlib.suppress(BlockingIOError):
                    remove_files(self._settings.workspace, name)
                    _log.info("a directory that no job owns was removed", extra={"job": name})

    def _directories(self) -> list[str]:
        try:
            return [path.name for path in Path(self._settings.workspace, "executions").iterdir()]
        except FileNotFoundError:
            return []

    def _without_row(self, names: list[str]) -> list[str]:
        known = self._store.known(names) if names else frozenset()
        return [name for name in names if name not in known]
