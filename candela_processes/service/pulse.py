"""How the dispatcher is: times, counts and the last error of its rounds, told by the heartbeat."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from candela_processes.errors import ProcessesError
from candela_processes.service.heartbeat import Heartbeat

BEAT_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


class Pulse:
    """Counts rounds and actions of one dispatcher."""

    def __init__(self, workspace: Path, clock: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        """Start before the first round."""
        self._workspace = workspace
        self._clock = clock
        self._monotonic = monotonic
        self._due = self._began = monotonic()
        self._beat_at = float("-inf")
        self._last_round = 0.0
        self._round_seconds = 0.0
        self._rounds = 0
        self._last_error = ""
        self._silent = False
        self.actions: dict[str, dict[str, int]] = {}
        self.failures = 0

    def expect(self, due: float) -> None:
        """Note when the next round is due (monotonic seconds)."""
        self._due = due

    def begin(self) -> None:
        """Note that a round begins."""
        self._began = self._monotonic()

    def end(self, leads: bool) -> None:
        """Note that a round ended well; the leader's heartbeat is written about once a second."""
        self.failures, self._last_error = 0, ""
        if not leads:
            return
        now = self._monotonic()
        self._rounds += 1
        self._round_seconds = now - self._began
        self._last_round = self._clock().timestamp()
        self._beat()

    def fail(self, error: Exception) -> None:
        """Note that a round was cut short."""
        self.failures += 1
        self._last_error = error.detail if isinstance(error, ProcessesError) else type(error).__name__
        self.count("round", "error")
        if self._rounds:  # it led before; a dispatcher that never did leaves the heartbeat to the leader
            self._beat()

    def count(self, action: str, outcome: str) -> None:
        """Count an action by what came of it (`ok`, `error`, `timeout`)."""
        kind = self.actions.setdefault(action, {})
        kind[outcome] = kind.get(outcome, 0) + 1

    def _beat(self) -> None:
        if self._monotonic() - self._beat_at < BEAT_SECONDS:
            return
        self._beat_at = self._monotonic()
        beat = Heartbeat(
            pid=os.getpid(),
            leader=True,
            time=self._last_round,
            lag_seconds=round(max(0.0, self._began - self._due), 3),
            round_seconds=round(self._round_seconds, 3),
            rounds=self._rounds,
            failed_rounds=self.failures,
            last_error=self._last_error,
            actions=self.actions,
        )
        try:
            beat.write(self._workspace)
            self._silent = False
        except OSError as error:
            level = logging.DEBUG if self._silent else logging.WARNING  # once, not every second
            _log.log(level, "the heartbeat was not written: %s", error.strerror or type(error).__name__)
            self._silent = True
