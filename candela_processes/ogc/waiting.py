"""Keeps threads free: only so many requests of this web process may wait for jobs at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

QUEUE_SECONDS: Final = 5.0
RESERVED_SHARE: Final = 8


class WaitingRoom:
    """Half of the threads may wait for jobs, most others stand in line for a short time, an eighth stays free."""

    def __init__(self, threads: int, queue_seconds: float = QUEUE_SECONDS) -> None:
        """Divide `threads`; a request stands in line for at most `queue_seconds`."""
        seats = max(1, threads // 2)
        self._seats = threading.Semaphore(seats)
        self._line = threading.Semaphore(max(0, threads - seats - max(2, threads // RESERVED_SHARE)))
        self._queue_seconds = queue_seconds

    @contextmanager
    def seat(self) -> Iterator[bool]:
        """Hold a seat for a block; yields whether there was one."""
        seated = self._seats.acquire(blocking=False) or self._stand_in_line()
        try:
            yield seated
        finally:
            if seated:
                self._seats.release()

    def _stand_in_line(self) -> bool:
        if not self._line.acquire(blocking=False):
            return False
        try:
            return self._seats.acquire(timeout=self._queue_seconds)
        finally:
            self._line.release()
