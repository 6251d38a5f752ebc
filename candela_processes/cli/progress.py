"""A progress line on standard error: a bar on a terminal, one line per step elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self, TextIO

WIDTH: Final = 30


class Bar:
    """Shows percent and the present step."""

    def __init__(self, stream: TextIO, label: str = "") -> None:
        """Write to `stream`; nothing is written before the first report."""
        self._stream = stream
        self._label = label
        self._live = stream.isatty()
        self._last = ("", -1)

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the line."""
        if self._live and self._last[1] >= 0:
            self._stream.write("\n")
            self._stream.flush()

    def __call__(self, percent: float, message: str) -> None:
        """Show one report; equal ones are shown once."""
        now = (message, int(percent))
        if now == self._last:
            return
        filled = round(WIDTH * min(100, max(0, percent)) / 100)
        bar = "█" * filled + "░" * (WIDTH - filled)
        if self._live:
            self._stream.write(f"\r\x1b[2K{self._label}{bar} {now[1]:3d} % {message[:60]}")
        elif message != self._last[0] or now[1] == 100:
            self._stream.write(f"{self._label}{now[1]:3d} % {message}\n")
        self._stream.flush()
        self._last = now
