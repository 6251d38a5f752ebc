"""Marked steps: a process is killed at one named step, once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from candela_processes.telemetry.faults import FaultSteps

WALK = (
    "import sys\n"
    "from candela_processes.telemetry import faults\n"
    "faults.arm(sys.argv[1], sys.argv[2])\n"
    "for name in ('first', 'second', 'third'):\n"
    "    faults.step(name)\n"
    "    print(name, flush=True)\n"
)


def walk(step: str, marker: Path | str) -> tuple[int, list[str]]:
    """Walk three steps in a process of their own; return its exit code and the steps that were passed."""
    done = subprocess.run(
        [sys.executable, "-c", WALK, step, str(marker)], capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout.split()


def test_the_process_dies_at_the_named_step_and_only_the_first_time(tmp_path: Path) -> None:
    marker = tmp_path / "happened"
    assert walk("second", marker) == (-signal.SIGKILL, ["first"])
    assert marker.exists()
    assert walk("second", marker) == (0, ["first", "second", "third"])


def test_other_names_pass(tmp_path: Path) -> None:
    marker = tmp_path / "happened"
    assert walk("seco", marker) == (0, ["first", "second", "third"])
    assert not marker.exists()


def test_nothing_is_armed_without_a_step_or_a_marker(tmp_path: Path) -> None:
    assert walk("", tmp_path / "happened") == (0, ["first", "second", "third"])
    assert walk("second", "") == (0, ["first", "second", "third"])
    FaultSteps()("")
