"""A parent that keeps its children alive: starts them, notices their death, starts them again, ends them."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

import urllib3

LOG = logging.getLogger("candela.serve")

PR_SET_PDEATHSIG: Final = 1
FIRST_BACK_OFF: Final = 0.2
LONGEST_BACK_OFF: Final = 30.0
STEADY_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1


def _die_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the parent ends, however it ends; runs in the new child."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One child process; `descriptors` are inherited."""

    name: str
    command: Sequence[str]
    descriptors: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    back_off: float = FIRST_BACK_OFF
    next_start: float = 0.0

    def start(self) -> None:
        """Start the child in a process group of its own."""
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            self.command, pass_fds=self.descriptors, preexec_fn=_die_with_parent, process_group=0
        )
        self.started = time.monotonic()
        LOG.info("%s started (pid %s)", self.name, self.process.pid)

    def keep_alive(self) -> None:
        """Start the child when it is due; notice when it has died."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.next_start:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        self.back_off = FIRST_BACK_OFF if now - self.started > STEADY_SECONDS else self.back_off * 2
        self.back_off = min(self.back_off, LONGEST_BACK_OFF)
        self.next_start = now + self.back_off
        self.process = None
        LOG.error("%s ended with %s; it is started again in %.1f s", self.name, code, self.back_off)

    def signal(self, number: int) -> None:
        """Send a signal to the child's group, if it still lives."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    @property
    def alive(self) -> bool:
        """Return whether the child lives."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Family:
    """All children of one parent."""

    children: Sequence[Child]
    grace_seconds: float
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, on_ready: Callable[[], None], ready_url: str) -> None:
        """Keep the children alive until SIGTERM, SIGINT or the terminal's end; call `on_ready` once it answers."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means what it says
            signal.signal(signal.SIGHUP, self._end)
        ready = False
        try:
            while not self.stop.wait(_LOOK_SECONDS):
                for child in self.children:
                    child.keep_alive()
                if not ready and _answers(ready_url):
                    ready = True
                    on_ready()
        finally:
            self.end()

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.stop.set()

    def end(self) -> None:
        """End every child: SIGTERM, then after the grace period SIGKILL."""
        for child in self.children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + self.grace_seconds + 5
        while any(child.alive for child in self.children) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        for child in self.children:
            child.signal(signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, timeout=1.0, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False
