"""What every runner promises: `submit`, `observe`, `stop`, `release`; each may be repeated and may be cut short."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class WorkerState(StrEnum):
    """What a runner sees of one attempt."""

    STARTING = "starting"  # handed over, not running yet
    RUNNING = "running"
    ABANDONED = "abandoned"  # something of it runs, but nothing supervises it any more
    ENDED = "ended"  # nothing of it runs any more; the job directory says how it ended


@dataclass(frozen=True, kw_only=True)
class Handle:
    """Names one attempt of one job on a runner; derived from the two, never remembered."""

    job_id: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What is seen of an attempt now; `detail` is for the operator, `message` one sentence for the user (or empty)."""

    handle: Handle
    state: WorkerState
    message: str = ""
    detail: str = ""


class Runner(Protocol):
    """Starts workers somewhere. All methods raise OSError (or a subclass) for what may pass; the caller tries again."""

    name: str
    places: int
    """How many attempts it runs at once."""

    def submit(self, handle: Handle) -> bool:
        """Start the worker of this attempt unless it was started before; False when no place is free now."""

    def observe(self) -> Iterable[Observation]:
        """Return every attempt that this instance started and that was not released, known to the store or not."""

    def stop(self, handle: Handle) -> None:
        """Ask the attempt to end; asked again after the grace period it is killed. Does not wait."""

    def release(self, handle: Handle) -> None:
        """Forget an ended attempt: nothing of it remains on the runner; its job directory stays."""
