"""What one attempt may use: wall time, memory and disk; measured from outside, for a few percent of a core at most."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from candela_processes.jobs.processes import descendants

_SHARE: Final = 40.0
"""A measurement is repeated no sooner than after forty times its own duration."""

_RESIDENT: Final = (b"RssAnon:", b"RssShmem:", b"VmSwap:")
_PROPORTIONAL: Final = (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")


@dataclass
class Watch:
    """One measurement: made now and then, its largest value remembered."""

    measure: Callable[[], int]
    shortest: float  # seconds between two measurements at least
    longest: float  # and at most
    due: float = 0.0
    peak: int = 0

    def look(self, now: float) -> int:
        """Measure if it is time; return the largest value so far."""
        if now >= self.due:
            began = time.monotonic()
            self.peak = max(self.peak, self.measure())
            cost = time.monotonic() - began
            self.due = now + min(self.longest, max(self.shortest, _SHARE * cost))
        return self.peak


class Meter:
    """Measures one attempt against its limits; all times are monotonic, a step of the clock means nothing."""

    def __init__(self, *, seconds: float, memory: int, scratch: int, root: int, folders: tuple[Path, ...]) -> None:
        """Start counting now; `root` is the pid whose descendants count, `folders` are where they may write."""
        self._seconds = seconds
        self._memory_limit = memory
        self._scratch_limit = scratch
        self._began = time.monotonic()
        self._memory = Watch(lambda: used_memory(descendants(root), memory), shortest=0.1, longest=1.0)
        self._scratch = Watch(lambda: sum(disk_usage(folder) for folder in folders), shortest=0.25, longest=10.0)

    def breach(self) -> str:
        """Return one sentence naming the limit that is exceeded and its use, or an empty string."""
        now = time.monotonic()
        if now - self._began > self._seconds:
            return f"The job ran for more than the {_seconds(self._seconds)} it may take."
        if self._memory.look(now) > self._memory_limit:
            return (
                f"The job used more than its {amount(self._memory_limit)} of memory ({amount(self._memory.peak)} seen)."
            )
        if self._scratch.look(now) > self._scratch_limit:
            return (
                f"The job used more than its {amount(self._scratch_limit)} of disk ({amount(self._scratch.peak)} seen)."
            )
        return ""

    def pause(self) -> float:
        """Return the seconds until the next measurement is due."""
        now = time.monotonic()
        return max(0.001, min(self._memory.due, self._scratch.due, self._began + self._seconds) - now)

    def usage(self) -> dict[str, float]:
        """Return wall seconds and the largest memory and disk seen (bytes)."""
        return {
            "seconds": round(time.monotonic() - self._began, 3),
            "peak_bytes": float(self._memory.peak),
            "disk_bytes": float(self._scratch.peak),
        }


def used_memory(pids: Iterable[int], limit: int) -> int:
    """Return the bytes of memory that processes use together: anonymous and shared pages and swap, no file pages.

    A page that several share counts once (proportional set size). That is costly to ask, so it is only asked when
    the plain sum, which is never smaller, is above `limit`.
    """
    living = list(pids)
    plain = sum(_sum_of(f"/proc/{pid}/status", _RESIDENT) for pid in living)
    if plain <= limit:
        return plain
    return sum(_sum_of(f"/proc/{pid}/smaps_rollup", _PROPORTIONAL) for pid in living)


def _sum_of(path: str, names: tuple[bytes, ...]) -> int:
    """Return the sum (bytes) of lines like `RssAnon:  12 kB`; 0 for a process that has ended."""
    try:
        with open(path, "rb") as source:  # noqa: PTH123 - read many times a second
            return 1024 * sum(int(line.split()[1]) for line in source if line.startswith(names))
    except OSError:
        return 0


def disk_usage(folder: Path) -> int:
    """Return the bytes on disk below a folder: allocated blocks, a file with two names once, links not followed."""
    total = 0
    seen: set[tuple[int, int]] = set()
    waiting = [str(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue  # removed meanwhile
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
            except OSError:
                continue
            if status.st_nlink > 1 and (key := (status.st_dev, status.st_ino)) in seen:
                continue
            if status.st_nlink > 1:
                seen.add(key)
            total += status.st_blocks * 512
    return total


def amount(size: int) -> str:
    """Return a number of bytes in words for people, in binary units."""
    value, unit = float(size), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def _seconds(value: float) -> str:
    return f"{value:g} s"
