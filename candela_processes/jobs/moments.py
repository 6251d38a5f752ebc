"""Moments and durations as whole microseconds: how the stores keep and compare them, exact in both directions."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from candela_processes.jobs.record import Job

MOMENTS: Final = ("created", "updated", "started", "finished", "next_attempt_at")
"""Fields of a job that hold a moment."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LONGEST: Final = 2**61  # 73 000 years; sums and differences of two spans stay within 64 bits


def to_microseconds(moment: datetime) -> int:
    """Return the microseconds from 1970-01-01T00:00Z to an aware moment; exact, negative before."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """Return the moment in UTC; the inverse of `to_microseconds`."""
    return _EPOCH + value * _MICROSECOND


def span_microseconds(seconds: float) -> int:
    """Return a span of seconds in microseconds, held within 64 bits; raises ValueError for NaN."""
    if math.isnan(seconds):
        raise ValueError("a duration is a number of seconds")
    return round(max(-_LONGEST / 1e6, min(_LONGEST / 1e6, seconds)) * 1_000_000)


def duration(job: Job, now: datetime) -> int | None:
    """Return the microseconds from start to end, to `now` for a job that has not ended; None when it never started."""
    if job.started is None:
        return None
    return to_microseconds(job.finished or now) - to_microseconds(job.started)
