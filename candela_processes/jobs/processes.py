"""Live processes as evidence: who started an attempt, and which processes still belong to it; read from /proc.

The lock of the job directory says *whether* somebody lives; this module finds *who*. Processes of an attempt carry
the mark `CANDELA_ATTEMPT=<job>/<n>` in their environment, which descendants inherit even after `setsid` and after
their parents died. Standard library only: the supervisor imports it.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from candela_processes.jobs.directory import CONTRACT, AttemptDirectory

MARK: Final = "CANDELA_ATTEMPT"
_PROC: Final = Path("/proc")
_PARENT_FIELD: Final = 1
_START_FIELD: Final = 19


def mark(job_id: str, attempt: int) -> str:
    """Return the value of `CANDELA_ATTEMPT` for one attempt."""
    return f"{job_id}/{attempt}"


def claim(attempt: AttemptDirectory) -> bool:
    """Write `worker.json` (pid, start time in clock ticks, boot id) if nobody has; return whether this call did.

    Call it while holding the directory's lock. False means that the attempt was started before and must not run
    again: it may have had effects.
    """
    hints = {"contract": CONTRACT, "pid": os.getpid(), "start": start_of(os.getpid()), "boot": boot_id()}
    temporary = attempt.worker.with_name(f".{attempt.worker.name}.{os.getpid()}")
    try:
        with temporary.open("x", encoding="utf-8") as sink:
            json.dump(hints, sink)
            sink.flush()
            os.fsync(sink.fileno())
        # a link appears whole or not at all, and never over a file that is there
        os.link(temporary, attempt.worker)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def boot_id() -> str:
    """Return the id of the present boot: a pid means nothing after the next one."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_of(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when there is no such process."""
    fields = _stat_fields(str(pid))
    return int(fields[_START_FIELD]) if fields else None


def descendants(root: int) -> list[int]:
    """Return the pids of all descendants of a process, zombies left out, parents before children."""
    children: dict[int, list[int]] = {}
    for name in _pids():
        fields = _stat_fields(name)
        if fields:
            children.setdefault(int(fields[_PARENT_FIELD]), []).append(-int(name) if fields[0] == b"Z" else int(name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += [pid for pid in below if pid > 0]
        waiting += [abs(pid) for pid in below]
    return found


def marked(job_id: str, attempt: int | None = None) -> list[int]:
    """Return the pids that carry the mark of an attempt, or of any attempt of the job; never this process itself.

    Processes of other users cannot be read and are left out.
    """
    wanted = f"{MARK}={job_id}/".encode() if attempt is None else f"{MARK}={mark(job_id, attempt)}".encode()
    found = []
    for name in _pids():
        try:
            entries = (_PROC / name / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(entry == wanted or (attempt is None and entry.startswith(wanted)) for entry in entries):
            found.append(int(name))
    return [pid for pid in found if pid != os.getpid()]


def kill_marked(job_id: str, attempt: int | None = None) -> int:
    """Send SIGKILL to every process that carries the mark; return how many there were (call again until 0)."""
    pids = marked(job_id, attempt)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


def _pids() -> list[str]:
    return [name for name in os.listdir(_PROC) if name.isdecimal()]  # noqa: PTH208 - names are all that is needed


def _stat_fields(pid: str) -> list[bytes]:
    """Return the fields of /proc/<pid>/stat after the command name (which may hold spaces and brackets)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as source:  # noqa: PTH123 - read many times a second
            return source.read().rpartition(b") ")[2].split()
    except OSError:
        return []
