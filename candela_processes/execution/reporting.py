"""Progress of a run: throttled, never backwards, the last report always written."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from candela_processes.jobs.directory import AttemptDirectory
from candela_processes.process import Progress

LOGGER = logging.getLogger(__name__)

STAGING_SHARE: Final = 5.0
CHECKING: Final = 99.0
"""Percent of the whole when stage-in has ended and when `run` has; what is left is the check of the outputs."""

INTERVAL: Final = 0.2
MAX_MESSAGE: Final = 200

type Say = Callable[[str], None]


class ProgressWriter:
    """Writes `progress.json` at most every 0.2 s; a report held back is written when that time is over.

    Percent is of the whole attempt and never falls. `say` gets one line for the user's log per new message.
    """

    def __init__(
        self,
        attempt: AttemptDirectory,
        say: Say,
        hear: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write into this attempt's folder; `hear` is told of every written report too."""
        self._attempt = attempt
        self._say = say
        self._hear = hear
        self._clock = clock
        self._guard = threading.Lock()
        self._percent = 0.0
        self._message = ""
        self._written_at = -math.inf
        self._written = (-1.0, "")
        self._timer: threading.Timer | None = None

    def __call__(self, percent: float, message: str) -> None:
        """Report percent (0..100) of the whole attempt; values out of range are moved to its ends."""
        with self._guard:
            if math.isfinite(percent):
                self._percent = max(self._percent, min(100.0, max(0.0, percent)))
            line = " ".join(message.split())[:MAX_MESSAGE]
            if line and line != self._message:
                self._message = line
                self._say(f"{self._percent:3.0f} % {line}")
            wait = self._written_at + INTERVAL - self._clock()
            if wait <= 0:
                self._write()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self._write_late)
                self._timer.daemon = True
                self._timer.start()

    def of_staging(self, percent: float, message: str) -> None:
        """Report percent of stage-in."""
        self(percent * STAGING_SHARE / 100.0, message)

    def of_run(self, percent: float, message: str) -> None:
        """Report percent of `run`."""
        self(STAGING_SHARE + percent * (CHECKING - STAGING_SHARE) / 100.0, message)

    def of_checking(self) -> None:
        """Report that the outputs are being checked."""
        self(CHECKING, "checking outputs")

    def close(self) -> None:
        """Write what was held back; nothing is written afterwards."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            self._write()

    def _write_late(self) -> None:
        with self._guard:
            if self._timer is not None:
                self._timer = None
                self._write()

    def _write(self) -> None:
        report = (self._percent, self._message)
        if report == self._written:
            return
        self._written = report
        self._written_at = self._clock()
        if self._hear is not None:
            self._hear(*report)
        try:
            self._attempt.write_progress(round(self._percent, 1), self._message)
        except OSError:
            # a report that is lost must not end the work; a full disk will show where the work itself writes
            LOGGER.warning("progress could not be written", exc_info=True)
