"""The user's log: everything the analytic prints, without paths of the server, its middle left out when too long."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from candela_processes.jobs.directory import ContractError, JobDirectory

HEAD: Final = 8 * 1024 * 1024
TAIL: Final = 2 * 1024 * 1024
_CHUNK: Final = 64 * 1024


class ProcessLog:
    """Copies a pipe into `process.log` in a thread of its own, so that the writer never waits for anything else.

    The first `head` bytes are written as they come; of the rest the last `tail` bytes are kept and written at the
    end, after a line saying how much was left out. `hidden` maps paths to what is shown instead.
    """

    def __init__(self, pipe: int, path: Path, hidden: Mapping[str, str], head: int = HEAD, tail: int = TAIL) -> None:
        """Open the log (never through a link); raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._sink = os.open(path, flags, 0o644)
        self._pipe = pipe
        self._hidden = sorted(
            ((os.fsencode(old), os.fsencode(new)) for old, new in hidden.items()), key=lambda pair: -len(pair[0])
        )
        self._overlap = max((len(old) for old, _ in self._hidden), default=1) - 1
        self._head = head
        self._tail = tail
        self._ends: deque[bytes] = deque()
        self._kept = 0
        self._left_out = 0
        self._thread = threading.Thread(target=self._copy, name="process.log", daemon=True)

    def start(self) -> None:
        """Begin to copy; call it after the child was started, for a process with threads must not fork."""
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Wait until the pipe is at its end (at most `seconds`: a lost process may hold it) and write the tail."""
        self._thread.join(seconds)
        if not self._thread.is_alive():
            os.close(self._pipe)
            os.close(self._sink)

    def _copy(self) -> None:
        rest = b""
        while chunk := os.read(self._pipe, _CHUNK):
            text = self._shown(rest + chunk)
            # a path may be cut in two by the end of a chunk; a whole line cannot
            cut = text.rfind(b"\n") + 1 or max(0, len(text) - self._overlap)
            if len(text) - cut > _CHUNK:
                cut = len(text) - self._overlap
            self._take(text[:cut])
            rest = text[cut:]
        self._take(rest)
        self._finish()

    def _shown(self, text: bytes) -> bytes:
        for old, new in self._hidden:
            text = text.replace(old, new)
        return text

    def _take(self, text: bytes) -> None:
        direct = text[: self._head]
        self._head -= len(direct)
        self._write(direct)
        rest = text[len(direct) :]
        if not rest:
            return
        self._ends.append(rest)
        self._kept += len(rest)
        while self._kept - len(self._ends[0]) >= self._tail:
            dropped = len(self._ends.popleft())
            self._kept -= dropped
            self._left_out += dropped

    def _finish(self) -> None:
        tail = b"".join(self._ends)
        cut = max(0, len(tail) - self._tail)
        self._left_out += cut
        if self._left_out:
            self._write(f"\n... {self._left_out} bytes left out ...\n".encode())
        self._write(tail[cut:])

    def _write(self, text: bytes) -> None:
        """Write all of it; what does not fit on a full disk counts as left out, for the log must not end the job."""
        while text:
            try:
                text = text[os.write(self._sink, text) :]
            except OSError:
                self._left_out += len(text)
                return


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
