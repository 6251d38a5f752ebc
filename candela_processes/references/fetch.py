"""Fetching one file over HTTP: only through the guard, bounded in time, size and tries, never decoded."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError

from candela_processes.errors import InvalidInput
from candela_processes.references.guard import Guard, Resolver, Target, system_resolver
from candela_processes.references.policy import FetchPolicy

LOGGER = logging.getLogger(__name__)

MAX_REDIRECTS: Final = 5
TRIES: Final = 3
_PAUSES: Final = (1.0, 3.0)
_BLOCK: Final = 256 * 1024
_QUIET_SECONDS: Final = 30.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAY_PASS: Final = frozenset({429, 500, 502, 503, 504})
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "candela_processes", "Accept": "*/*"}


class _MayPass(Exception):
    """A failure that another try may not meet: a reset connection, a busy server."""


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
    the time allowed. Raises InvalidInput with the input's `name` for everything that goes wrong with the address, the
    server or the file, and OSError when the file cannot be written.
    """
    most = policy.most_bytes if most_bytes is None else min(most_bytes, policy.most_bytes)
    download = _Download(
        name=name,
        target=target,
        guard=Guard(policy, resolver),
        most_bytes=most,
        deadline=clock() + policy.seconds,
        clock=clock,
    )
    for pause in (*_PAUSES[: TRIES - 1], None):
        try:
            _follow(download, url)
            return
        except _MayPass as error:
            LOGGER.warning("%s: fetching failed: %s", name, error)
            if pause is None:
                raise InvalidInput(name, f"the file could not be fetched: {error}") from error
            sleep(min(pause, download.left()))


def _follow(download: _Download, url: str) -> None:
    for _ in range(MAX_REDIRECTS + 1):
        target = download.guard.judge(download.name, url)
        location = _ask(download, target)
        if location is None:
            return
        url = urljoin(f"{target.scheme}://{target.authority}{target.path}", location)
        if target.scheme == "https" and url.startswith("http:"):
            raise InvalidInput(download.name, "the server redirects from https to http, which is not allowed")
    raise InvalidInput(download.name, f"the server redirects more than {MAX_REDIRECTS} times")


def _ask(download: _Download, target: Target) -> str | None:
    """Ask once; return where the server redirects to, or None when the file was stored."""
    timeout = urllib3.Timeout(connect=min(10.0, download.left()), read=min(_QUIET_SECONDS, download.left()))
    pool = _pool(target, timeout)
    try:
        response = pool.urlopen(
            "GET",
            target.path,
            headers={**_HEADERS, "Host": target.authority},
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            if response.status in _REDIRECTS and response.headers.get("Location"):
                return response.headers["Location"]
            _check_status(download, response.status)
            _store(download, response)
            return None
        finally:
            response.close()
    except HTTPError as error:
        _refuse(download, error)
    finally:
        pool.close()


def _pool(target: Target, timeout: urllib3.Timeout) -> urllib3.HTTPConnectionPool:
    """Return a connection to the judged address that presents and checks the host's own name."""
    if target.scheme == "http":
        return urllib3.HTTPConnectionPool(target.address, target.port, timeout=timeout, maxsize=1)
    return urllib3.HTTPSConnectionPool(
        target.address,
        target.port,
        timeout=timeout,
        maxsize=1,
        cert_reqs="CERT_REQUIRED",
        server_hostname=target.host,
        assert_hostname=target.host,
    )


def _check_status(download: _Download, status: int) -> None:
    if status in _MAY_PASS:
        raise _MayPass(f"the server answered {status}")
    if status != 200:
        raise InvalidInput(download.name, f"the file could not be fetched: the server answered {status}")


def _store(download: _Download, response: urllib3.BaseHTTPResponse) -> None:
    length = _announced(response.headers.get("Content-Length"))
    if length is not None and length > download.most_bytes:
        _too_large(download)
    temporary = download.target.with_name(f".{download.target.name}.part")
    try:
        with temporary.open("wb") as sink:
            received = 0
            while block := response.read1(_BLOCK):
                download.left()
                received += len(block)
                if received > download.most_bytes:
                    _too_large(download)
                sink.write(block)
            sink.flush()
            os.fsync(sink.fileno())
        if length is not None and received != length:
            raise _MayPass(f"{received} bytes came where {length} were announced")
        temporary.replace(download.target)
    finally:
        temporary.unlink(missing_ok=True)


def _announced(header: str | None) -> int | None:
    return int(header) if header is not None and header.isdecimal() else None


def _too_large(download: _Download) -> NoReturn:
    raise InvalidInput(download.name, f"the file is larger than the {download.most_bytes} bytes allowed")


def _refuse(download: _Download, error: HTTPError) -> NoReturn:
    """Say in words what went wrong; the text of the error stays in the log, it names addresses."""
    LOGGER.info("%s: %s", download.name, type(error).__name__, exc_info=error)
    download.left()
    if isinstance(error, urllib3.exceptions.SSLError):
        raise InvalidInput(download.name, "the server's certificate or encryption is not valid") from error
    if isinstance(error, urllib3.exceptions.TimeoutError):
        raise _MayPass("the server did not answer in time") from error
    raise _MayPass("the connection failed or broke off") from error
