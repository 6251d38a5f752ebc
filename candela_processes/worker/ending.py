"""How an attempt began and ended: the lock, the outcome the supervisor decides on, and what is cleared away."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from candela_processes.errors import InsufficientStorage, Interrupted, LimitExceeded, ProcessesError, ProcessFailed
from candela_processes.jobs.directory import (
    EXIT_INTERNAL,
    AttemptDirectory,
    ContractError,
    JobDirectory,
    Outcome,
    write_json,
)
from candela_processes.jobs.lock import lock_inherited
from candela_processes.jobs.outcomes import STOPPED, failed

LOGGER = logging.getLogger(__name__)

WAKE_SOCKET: Final = "dispatcher.wake"
_FROM_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_LITTLE_SPACE: Final = 1024 * 1024
_DISK_FULL: Final = "The disk of the server is full; the job could not write its results."


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why the supervisor ended the attempt: `breach` is the sentence of an exceeded limit."""

    breach: str = ""
    stopped: bool = False


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


def take_lock(directory: JobDirectory, inherited: int) -> int | None:
    """Return the descriptor of the directory's lock, held; None when somebody else holds it or there is no directory.

    An inherited descriptor counts only if it is open on this directory's lock file and holds the lock.
    """
    try:
        if inherited < 0:
            return directory.try_lock()
        if not lock_inherited(inherited, directory.path / "lock"):
            return None
    except OSError:
        return None
    os.set_inheritable(inherited, False)
    return inherited


def start_log(attempt: AttemptDirectory) -> None:
    """Send the supervisor's own log lines to `worker.log`; times are UTC."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    sink = os.fdopen(os.open(attempt.worker_log, flags, 0o644), "w", encoding="utf-8", buffering=1)
    handler = logging.StreamHandler(sink)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level="INFO", force=True)


def hidden_paths(directory: JobDirectory) -> dict[str, str]:
    """Return which paths of the server are shown to the user as what: job, workspace, software, files it was given."""
    hidden = {f"{directory.path}/": "", str(directory.path): ".", f"{directory.path.parent.parent}": "..."}
    software = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]))
    hidden |= {path: "<software>" for path in software if path != "/"}
    try:
        references = directory.read_staging().references
    except ContractError:
        references = ()  # the child will say so
    return hidden | {entry.path: entry.name for entry in references if entry.path.startswith("/")}


def decide(
    attempt: AttemptDirectory, verdict: Verdict, status: int | None, before: Evidence, usage: Mapping[str, float]
) -> Outcome:
    """Return the outcome: the child's own if it wrote one before its end, else why there is none."""
    job = attempt.path.parent.parent.name
    try:
        written = attempt.read_outcome()
    except ContractError as error:
        LOGGER.error("the child's result is damaged: %s", error)
        written = None
    if written is not None and (written.job, written.attempt) == (job, attempt.number):
        return written
    if verdict.breach:
        return failed(job, attempt.number, LimitExceeded(verdict.breach), usage=usage)
    if verdict.stopped:
        # whoever stops a worker (a shutdown, an eviction) is not the process: it may run again
        return failed(job, attempt.number, Interrupted(STOPPED), retriable=True, usage=usage)
    cause, retriable = _cause(attempt, status, before)
    LOGGER.error("the child ended with status %s and without a result: %s", status, cause.detail)
    return failed(job, attempt.number, cause, retriable=retriable, usage=usage)


def _cause(attempt: AttemptDirectory, status: int | None, before: Evidence) -> tuple[ProcessesError, bool]:
    """Return the error of a child that ended by itself without a result, and whether the system is to blame.

    Signals to kill or to end come from outside: from the kernel for lack of memory, from an operator, or from a machine
    that shuts down and reaches the child before us. Where our own control group ran out of memory the job needs more
    than it may have here and would do so again. Everything else that a process dies of is its own doing: no retry.
    """
    if _is_disk_full(attempt.path):
        return InsufficientStorage(_DISK_FULL), False
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


def _is_disk_full(path: Path) -> bool:
    try:
        space = os.statvfs(path)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < _LITTLE_SPACE


def write(attempt: AttemptDirectory, outcome: Outcome) -> int | None:
    """Write the outcome unless the child did; return the exit code that says it could not be written, else None.

    Outputs, scratch and downloads of a failed attempt are removed first, which also makes room on a full disk.
    """
    if outcome.error is not None:
        for folder in (attempt.outputs, attempt.path / "collected"):
            shutil.rmtree(folder, ignore_errors=True)
        remove_leftovers(attempt)
    try:
        if not _is_written(attempt, outcome):
            if attempt.result.is_dir() and not attempt.result.is_symlink():
                shutil.rmtree(attempt.result)  # a run made a folder of that name
            write_json(attempt.result, outcome)
    except OSError:
        LOGGER.exception("the outcome cannot be written; the dispatcher will find an ended attempt without one")
        return EXIT_INTERNAL
    return None


def _is_written(attempt: AttemptDirectory, outcome: Outcome) -> bool:
    try:
        return attempt.read_outcome() == outcome
    except ContractError:
        return False


def remove_leftovers(attempt: AttemptDirectory) -> None:
    """Remove scratch and downloads; what cannot be removed goes with the job directory."""
    for name in ("scratch", "inputs"):
        shutil.rmtree(attempt.path / name, ignore_errors=True)


def poke(directory: JobDirectory) -> None:
    """Tell the dispatcher that something happened. It only makes it faster: its rounds find everything by themselves.

    So whatever goes wrong here (no dispatcher, no socket, a full queue) is of no consequence. Addresses of unix
    sockets hold 107 bytes, hence the way through a descriptor of the folder.
    """
    try:
        folder = os.open(directory.path.parent.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(b"worker", f"/proc/self/fd/{folder}/{WAKE_SOCKET}")
        finally:
            os.close(folder)
    except OSError as error:
        LOGGER.debug("no dispatcher listens (%s)", error)
