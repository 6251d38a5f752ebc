"""Fetching one file over HTTP: only through the guard, bounded in time, size and tries, never decoded."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

from candela_processes.errors import InvalidInput
from candela_processes.references.connection import Broken, Exchange
from candela_processes.references.guard import Guard, Resolver, Target, system_resolver
from candela_processes.references.policy import FetchPolicy

LOGGER = logging.getLogger(__name__)

MAX_REDIRECTS: Final = 5
PAUSES: Final = (1.0, 3.0)
"""Seconds before the second and the third try."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAY_PASS: Final = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class _Download:
    """One file to be fetched until `deadline` (monotonic seconds)."""

    name: str
    target: Path
    guard: Guard
    most_bytes: int
    deadline: float
    clock: Callable[[], float]

    def left(self) -> float:
        """Return the seconds that are left; raises InvalidInput when there are none."""
        seconds = self.deadline - self.clock()
        if seconds <= 0:
            raise InvalidInput(self.name, "the file could not be fetched in the time allowed for a download")
        return seconds

    def too_large(self) -> InvalidInput:
        """Return the error of a file that is too large."""
        return InvalidInput(self.name, f"the file is larger than the {self.most_bytes} bytes allowed")


def fetch(
    name: str,
    url: str,
    target: Path,
    policy: FetchPolicy,
    *,
    most_bytes: int | None = None,
    resolver: Resolver = system_resolver,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Download a URL to `target`, under a temporary name first; what the server sends is stored as it is.

    Redirects pass the guard again, at most five. Server errors and broken connections are tried three times within
    the time allowed for all of it. Raises InvalidInput with the input's `name` for everything that is wrong with the
    address, the server or the file, and OSError when the file cannot be written.
    """
    download = _Download(
        name=name,
        target=target,
        guard=Guard(policy, resolver),
        most_bytes=policy.most_bytes if most_bytes is None else min(most_bytes, policy.most_bytes),
        deadline=clock() + policy.seconds,
        clock=clock,
    )
    for pause in (*PAUSES, None):
        try:
            _follow(download, url)
            return
        except Broken as error:
            LOGGER.warning("%s: fetching failed: %s", name, error, exc_info=error)
            left = download.left()
            if pause is None or not error.may_pass:
                raise InvalidInput(name, f"the file could not be fetched: {error}") from error
            sleep(min(pause, left))


def _follow(download: _Download, url: str) -> None:
    target = download.guard.judge(download.name, url)
    for _ in range(MAX_REDIRECTS + 1):
        location = _ask(download, target)
        if location is None:
            return
        target = _next(download, target, location)
    raise InvalidInput(download.name, f"the server redirects more than {MAX_REDIRECTS} times")


def _next(download: _Download, target: Target, location: str) -> Target:
    """Judge where a server redirects to; the answer does not repeat an address that the client did not name."""
    url = urljoin(f"{target.scheme}://{target.authority}{target.path}", location)
    try:
        found = download.guard.judge(download.name, url)
    except InvalidInput as error:
        LOGGER.warning("redirect refused: %s", error.detail)
        raise InvalidInput(download.name, "the server redirects to an address that is not allowed") from error
    if (target.scheme, found.scheme) == ("https", "http"):
        raise InvalidInput(download.name, "the server redirects from https to http, which is not allowed")
    return found


def _ask(download: _Download, target: Target) -> str | None:
    """Ask once; return where the server redirects to, or None when the file was stored."""
    with Exchange(target, download.left()) as exchange:
        location = exchange.header("Location")
        if exchange.status in _REDIRECTS and location:
            return location
        if exchange.status in _MAY_PASS:
            raise Broken(f"the server answered {exchange.status}")
        if exchange.status != 200:
            raise InvalidInput(download.name, f"the file could not be fetched: the server answered {exchange.status}")
        _store(download, exchange)
    return None


def _store(download: _Download, exchange: Exchange) -> None:
    announced = exchange.header("Content-Length")
    length = int(announced) if announced and announced.isascii() and announced.isdecimal() else None
    if length is not None and length > download.most_bytes:
        raise download.too_large()
    temporary = download.target.with_name(f".{download.target.name}.part")
    try:
        with temporary.open("wb") as sink:
            received = 0
            for block in exchange.blocks():
                download.left()
                received += len(block)
                if received > download.most_bytes:
                    raise download.too_large()
                sink.write(block)
            sink.flush()
            os.fsync(sink.fileno())
        download.left()
        if length is not None and received != length:
            raise Broken(f"{received} bytes came where {length} were announced")
        temporary.replace(download.target)
    finally:
        temporary.unlink(missing_ok=True)
