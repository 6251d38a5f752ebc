"""A part of the whole progress, so that every step reports its own share from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass

from candela_processes.process import Progress


@dataclass(frozen=True)
class Span:
    """The stretch from `start` to `end` (percent of the whole); `prefix` stands before every message."""

    progress: Progress
    start: float = 0.0
    end: float = 100.0
    prefix: str = ""

    def __call__(self, share: float, message: str) -> None:
        """Report the share (0..1) of this stretch that is done."""
        self.progress(self.start + share * (self.end - self.start), f"{self.prefix}{message}")

    def part(self, start: float, end: float, prefix: str = "") -> Span:
        """Return the stretch from share `start` to share `end` of this one."""
        length = self.end - self.start
        return Span(self.progress, self.start + start * length, self.start + end * length, f"{self.prefix}{prefix}")
