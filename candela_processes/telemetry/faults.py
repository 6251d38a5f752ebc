"""Marked steps at which a test may kill the process, to show that what follows repairs it."""

from __future__ import annotations

import os
import signal
from pathlib import Path


class FaultSteps:
    """Kills this process with SIGKILL at one named step, once: the marker file says that it has happened."""

    def __init__(self, step: str = "", marker: str = "") -> None:
        """Watch for `step`; an empty name never fires."""
        self._step = step
        self._marker = Path(marker) if marker else None

    def __call__(self, name: str) -> None:
        """Pass the marked step `name`."""
        if not self._step or name != self._step or self._marker is None:
            return
        try:
            self._marker.touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


_steps = FaultSteps()


def arm(step_name: str, marker: str) -> None:
    """Arm one fault for this process (settings `fault_step`, `fault_marker`)."""
    global _steps
    _steps = FaultSteps(step_name, marker)


def step(name: str) -> None:
    """Mark a step at which the process may be killed; every such step is walked by the fault tests."""
    _steps(name)
