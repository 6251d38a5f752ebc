"""Starting the analytic: a clean environment, a process group of its own, and the promise to die with its parent."""

from __future__ import annotations

import ctypes
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from candela_processes.jobs.directory import JobDirectory
from candela_processes.jobs.processes import MARK, mark

PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
SETTINGS_PASSED_ON: Final = (
    "CANDELA_ALLOWED_HOSTS",
    "CANDELA_PRIVATE_HOSTS",
    "CANDELA_FETCH_SECONDS",
    "CANDELA_FETCH_BYTES",
    "CANDELA_LOG_LEVEL",
    "CANDELA_FAULT_STEP",
    "CANDELA_FAULT_MARKER",
)
"""What execution needs of the settings; never the database's address."""

_OOM_SCORE: Final = Path("/proc/self/oom_score_adj")
_FIRST_TO_GO: Final = "500"
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


def environment(parent: Mapping[str, str], directory: JobDirectory, attempt: int) -> dict[str, str]:
    """Return all that the child inherits: an allow-list, folders of this attempt, and the mark of the attempt.

    GDAL_*, CPL_* and AWS_* of the server are left out; the child sets GDAL's own before it is loaded.
    """
    kept = {name: parent[name] for name in (*PASSED_ON, *SETTINGS_PASSED_ON) if name in parent}
    if parent.get("PYTHONPATH"):
        # the child runs in another folder
        entries = parent["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in entries if entry)
    scratch = str(directory.attempt(attempt).scratch)
    cache = parent.get("XDG_CACHE_HOME") or str(Path(parent.get("HOME") or scratch) / ".cache")
    return kept | {
        "HOME": scratch,
        "TMPDIR": scratch,
        "NUMBA_CACHE_DIR": parent.get("NUMBA_CACHE_DIR") or str(Path(cache) / "candela_processes" / _kernels()),
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        MARK: mark(directory.job_id, attempt),
    }


def _kernels() -> str:
    """Return a name for compiled kernels that changes with any source file of `analytics`.

    numba looks at the file of a kernel only, not at those it takes constants and inlined functions from: after an
    upgrade it could run yesterday's code with today's.
    """
    digest = hashlib.sha256()
    for source in sorted((Path(__file__).parents[1] / "analytics").glob("*.py")):
        digest.update(source.read_bytes())
    return f"numba-{digest.hexdigest()[:16]}"


def become_subreaper() -> None:
    """Make orphaned descendants children of this process, so that none escapes by `setsid`; raises OSError."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def start(
    directory: JobDirectory, attempt: int, lock: int, output: int, blocked: Collection[signal.Signals]
) -> subprocess.Popen[bytes]:
    """Start the execution of an attempt; it prints into the descriptor `output` and holds a copy of the lock.

    Call it before any thread runs, from the thread that lives as long as the supervisor. Raises OSError.
    """
    scratch = directory.attempt(attempt).scratch
    return subprocess.Popen(  # noqa: S603 - this interpreter, and a folder of our own
        [sys.executable, "-P", "-m", "candela_processes.execution", str(directory.path), str(attempt)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=scratch,
        env=environment(os.environ, directory, attempt),
        pass_fds=(lock,),
        process_group=0,
        preexec_fn=_in_child(os.getpid(), blocked),
    )


def _in_child(parent: int, blocked: Collection[signal.Signals]) -> Callable[[], None]:
    """Return what the child does between fork and exec."""

    def prepare() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the supervisor died before the line above
            os.kill(os.getpid(), signal.SIGKILL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # where the machine runs out of memory the kernel ends the analytic, not the server or the supervisor
        with suppress(OSError):
            _OOM_SCORE.write_text(_FIRST_TO_GO, encoding="ascii")

    return prepare


def _prctl(option: int, value: int) -> None:
    if _LIBRARY.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_LIBRARY: Final = ctypes.CDLL(None, use_errno=True)
