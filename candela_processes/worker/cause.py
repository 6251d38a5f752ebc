"""Why a child ended without a result: one sentence for the user, and whether the system is to blame."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from candela_processes.errors import InsufficientStorage, Interrupted, LimitExceeded, ProcessesError, ProcessFailed
from candela_processes.jobs.directory import AttemptDirectory
from candela_processes.jobs.outcomes import DISK_FULL, is_disk_full

_FROM_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


@dataclass(frozen=True)
class Evidence:
    """How many processes the kernel has killed for lack of memory: on the machine, and in our own control group."""

    machine: int
    group: int

    @classmethod
    def now(cls) -> Evidence:
        """Read the kernel's counters; 0 where there is none."""
        return cls(_counter(Path("/proc/vmstat"), "oom_kill"), _counter(own_group() / "memory.events", "oom_kill"))


def own_group() -> Path:
    """Return the folder of the control group (version 2) that this process is in."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    name = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return Path("/sys/fs/cgroup") / name.lstrip("/")


def _counter(path: Path, name: str) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)


def cause_of(attempt: AttemptDirectory, status: int | None, before: Evidence) -> tuple[ProcessesError, bool]:
    """Return the error of a child that ended by itself without a result, and whether the system is to blame.

    Signals to kill or to end come from outside: from the kernel for lack of memory, from an operator, or from a machine
    that shuts down and reaches the child before us. Where our own control group ran out of memory the job needs more
    than it may have here and would do so again. Everything else that a process dies of is its own doing: no retry.
    """
    if is_disk_full(attempt.path):
        return InsufficientStorage(DISK_FULL), False
    if status is None or status >= 0:
        return ProcessFailed(f"The process ended with code {status} without a result."), False
    name = signal.Signals(-status).name.removeprefix("SIG") if -status in set(signal.Signals) else str(-status)
    if -status not in _FROM_OUTSIDE:
        return ProcessFailed(f"The process was ended by signal {name}."), False
    now = Evidence.now()
    if -status == signal.SIGKILL and now.group > before.group:
        return LimitExceeded("The job needed more memory than the machine gives it and was ended."), False
    if -status == signal.SIGKILL and now.machine > before.machine:
        return Interrupted("The machine ran out of memory and ended the job."), True
    return Interrupted(f"The process was ended by signal {name} from outside."), True
