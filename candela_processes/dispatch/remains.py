"""Signals to the processes of one attempt, each through a descriptor opened before the process was checked.

A supervisor is named by pid, start time and boot id together, everything else by the mark in its environment: a pid
that was given to somebody else is never hit. Sources: proc(5), pidfd_open(2).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from candela_processes.jobs.processes import MARK, boot_id, mark, marked, start_of


@dataclass(frozen=True, kw_only=True)
class ProcessIdentity:
    """One process for all time: `start` in clock ticks since the boot `boot`."""

    pid: int
    start: int
    boot: str

    @classmethod
    def from_data(cls, data: Any) -> ProcessIdentity | None:
        """Return the identity that a `worker.json` tells, or None where it tells none."""
        try:
            process = cls(pid=int(data["pid"]), start=int(data["start"]), boot=str(data["boot"]))
        except (KeyError, TypeError, ValueError):
            return None
        return process if process.pid > 1 else None

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of a process, or None where there is no such process."""
        start = start_of(pid)
        return None if start is None else cls(pid=pid, start=start, boot=boot_id())

    def lives(self) -> bool:
        """Return whether exactly this process runs; a zombie does not."""
        return _with_process(self.pid, self._is_present, lambda descriptor: None)

    def send(self, number: signal.Signals) -> bool:
        """Signal exactly this process; return whether it was there."""
        return _with_process(
            self.pid, self._is_present, lambda descriptor: signal.pidfd_send_signal(descriptor, number)
        )

    def _is_present(self) -> bool:
        return ProcessIdentity.of(self.pid) == self


def _with_process(pid: int, is_meant: Callable[[], bool], act: Callable[[int], None]) -> bool:
    """Act on a living process that is still the one meant while a descriptor of it is held; return whether it was."""
    try:
        descriptor = os.pidfd_open(pid)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if poll.poll(0) or not is_meant():  # readable: it has ended
            return False
        act(descriptor)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def carries_mark(pid: int, job_id: str, attempt: int) -> bool:
    """Return whether the environment of a process carries the mark of this attempt."""
    with contextlib.suppress(OSError):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return f"{MARK}={mark(job_id, attempt)}".encode() in environment
    return False


def session_leader(job_id: str, attempt: int) -> ProcessIdentity | None:
    """Return the marked process that leads a session: the supervisor, when it has not said so itself yet."""
    for pid in marked(job_id, attempt):
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) == pid:
                return ProcessIdentity.of(pid)
    return None


def kill_attempt(job_id: str, attempt: int, supervisor: ProcessIdentity | None = None) -> int:
    """Kill the supervisor and all that carries the mark of an attempt; return how many processes there were.

    Nobody is waited for, and a process that is started meanwhile is found the next time: callers ask until the answer
    is 0.
    """
    killed = int(supervisor is not None and supervisor.send(signal.SIGKILL))
    for pid in marked(job_id, attempt):
        killed += _with_process(
            pid,
            lambda pid=pid: carries_mark(pid, job_id, attempt),  # type: ignore[misc]
            lambda descriptor: signal.pidfd_send_signal(descriptor, signal.SIGKILL),
        )
    return killed
