"""Waking the dispatcher: a datagram to `<workspace>/dispatcher.wake`. Only a hint; every round looks at everything.

Addresses of unix sockets are limited to 107 bytes, so both ends reach the socket by the descriptor of its folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

WAKE_SOCKET: Final = "dispatcher.wake"

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def _address(workspace: Path) -> Iterator[str]:
    """Yield an address of the socket that is short however deep the workspace lies."""
    folder = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{WAKE_SOCKET}"
    finally:
        os.close(folder)


def wake(workspace: Path) -> None:
    """Ask the dispatcher of this workspace for a round now; never raises: without it the round comes a little later."""
    try:
        with _address(workspace) as address, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(b"w", address)
    except OSError as error:
        _log.debug("the dispatcher was not woken (%s); its next round comes by time", type(error).__name__)


class Bell:
    """What the dispatcher sleeps on: rung from inside by `ring`, and by `wake` from other processes once it listens."""

    def __init__(self) -> None:
        """Start silent and deaf."""
        self._inside = -1
        self._outside: socket.socket | None = None

    def open(self) -> None:
        """Hear `ring` from now on; raises OSError."""
        self._inside = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def listen(self, workspace: Path) -> None:
        """Take over the socket of the workspace, replacing what an earlier leader left; raises OSError."""
        self.ignore()
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            receiver.setblocking(False)
            (workspace / WAKE_SOCKET).unlink(missing_ok=True)
            with _address(workspace) as address:
                receiver.bind(address)
        except BaseException:
            receiver.close()
            raise
        self._outside = receiver

    @property
    def listens(self) -> bool:
        """Return whether other processes can wake it."""
        return self._outside is not None

    def ignore(self) -> None:
        """Stop listening; the socket file stays for the next leader to replace, it may be the next leader's already."""
        if self._outside is not None:
            self._outside.close()
            self._outside = None

    def ring(self) -> None:
        """End the present or the next wait; safe from any thread. Without effect before `open` and after `close`."""
        if self._inside >= 0:
            os.eventfd_write(self._inside, 1)

    def wait(self, seconds: float) -> bool:
        """Sleep until rung or woken, at most `seconds`; return whether it was. A burst ends one wait only."""
        poll = select.poll()
        poll.register(self._inside, select.POLLIN)
        if self._outside is not None:
            poll.register(self._outside, select.POLLIN)
        woken = bool(poll.poll(max(0.0, seconds) * 1000))
        self._drain()
        return woken

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._inside)
        with contextlib.suppress(BlockingIOError):
            while self._outside is not None:
                self._outside.recv(16)

    def close(self) -> None:
        """Release both ends."""
        self.ignore()
        inside, self._inside = self._inside, -1
        if inside >= 0:
            os.close(inside)
