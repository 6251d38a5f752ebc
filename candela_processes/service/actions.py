"""Bounded pools of actions, one per kind: a hung one keeps its own slot and nothing else.

Threads cannot be ended, so an action over its time is reported as failed once and not waited for; its slot comes free
when it returns. Until then neither the pool grows nor is the same thing tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST_REST: Final = 300.0
_FIRST_REST: Final = 1.0


class ActionTimeout(Exception):
    """An action took longer than it may; it may still be under way."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """The end of one action: what it returned, or why it failed (ActionTimeout: it may yet return)."""

    key: Hashable
    value: Any = None
    error: Exception | None = None
    seconds: float = 0.0


@dataclass
class _Slot:
    """One action under way."""

    since: float
    overdue: bool = False


@dataclass
class _Rest:
    """Failures of one action in a row, and when it may be tried again."""

    failures: int = 0
    until: float = 0.0


@dataclass
class ActionPool:
    """At most `size` actions of one kind at once, each with `seconds` of time; `on_end` is called from its thread."""

    name: str
    size: int
    seconds: float
    on_end: Callable[[], None]
    monotonic: Callable[[], float] = time.monotonic
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _slots: dict[Hashable, _Slot] = field(default_factory=dict)
    _rests: dict[Hashable, _Rest] = field(default_factory=dict)
    _ended: list[Completion] = field(default_factory=list)

    def start(self, key: Hashable, work: Callable[[], Any]) -> bool:
        """Begin an action unless its like is under way or resting, or the pool is full; return whether it began."""
        now = self.monotonic()
        with self._guard:
            rest = self._rests.get(key)
            if key in self._slots or len(self._slots) >= self.size or (rest is not None and now < rest.until):
                return False
            self._slots[key] = _Slot(since=now)
        thread = threading.Thread(target=self._run, args=(key, work), name=f"{self.name} {key}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads: as if the pool were full
            with self._guard:
                del self._slots[key]
            return False
        return True

    def rest(self, key: Hashable, seconds: float) -> None:
        """Do not begin this action again before so many seconds are over."""
        with self._guard:
            self._rests.setdefault(key, _Rest()).until = self.monotonic() + seconds

    def collect(self) -> Iterator[Completion]:
        """Yield what ended and, once each, what is over its time. Failures rest, longer after each in a row."""
        now = self.monotonic()
        with self._guard:
            ended, self._ended = self._ended, []
            for key, slot in self._slots.items():
                if not slot.overdue and now - slot.since > self.seconds:
                    slot.overdue = True
                    error = ActionTimeout(f"{self.name} took more than {self.seconds:g} s")
                    ended.append(Completion(key=key, error=error, seconds=now - slot.since))
            for completion in ended:
                self._note(completion, now)
            self._rests = {key: rest for key, rest in self._rests.items() if now < rest.until + LONGEST_REST}
        yield from ended

    @property
    def busy(self) -> int:
        """Return how many actions are under way."""
        with self._guard:
            return len(self._slots)

    def _note(self, completion: Completion, now: float) -> None:
        if completion.error is None:
            self._rests.pop(completion.key, None)
            return
        rest = self._rests.setdefault(completion.key, _Rest())
        rest.failures += 1
        rest.until = now + min(LONGEST_REST, _FIRST_REST * 2.0 ** min(rest.failures - 1, 16))

    def _run(self, key: Hashable, work: Callable[[], Any]) -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as problem:  # noqa: BLE001 - handed over: whoever collects it logs and defers
            error = problem
        with self._guard:
            slot = self._slots.pop(key)
            seconds = self.monotonic() - slot.since
            self._ended.append(Completion(key=key, value=value, error=error, seconds=seconds))
        self.on_end()
