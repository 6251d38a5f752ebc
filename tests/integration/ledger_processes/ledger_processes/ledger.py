"""What the process does."""

import fcntl
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from candela_processes.errors import InvalidInput
from candela_processes.process import Progress, Workdir
from ledger_processes import LedgerInputs


def run(inputs: LedgerInputs, workdir: Workdir, progress: Progress) -> Mapping[str, Any]:
    folder = Path(inputs.folder)
    with (folder / "lock").open("a") as lock:
        _write(folder, "start" if _is_alone(lock) else "overlap")
        if inputs.act == "fail":
            raise InvalidInput("act", "was told to fail")
        if inputs.act == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if inputs.act == "detach":
            _detach()
        progress(10, "waiting")
        _write(folder, "waiting")
        pause = threading.Event()
        while not (folder / "go").exists():
            pause.wait(0.01)
        _write(folder, "end")
    return {"pid": os.getpid()}


def _is_alone(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(folder: Path, word: str) -> None:
    with (folder / "events").open("a") as events:
        events.write(f"{word}\n")


def _detach() -> None:
    """Leave a process in a session of its own that ignores every polite signal and outlives its parents."""
    if os.fork():
        return
    os.setsid()
    os.closerange(3, 64)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Event().wait()
