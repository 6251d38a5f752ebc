"""One HTTP request to one judged address: connected there and nowhere else, whatever a name server says meanwhile."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Final, NoReturn, Self

from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from candela_processes.references.guard import Target

CONNECT_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 30.0
"""Longest wait for the next bytes; the whole exchange has its own limit."""

_BLOCK: Final = 256 * 1024
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "candela_processes", "Accept": "*/*"}
_FAILURES: Final = (exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


class Broken(Exception):
    """The exchange failed; the text is for the client and names no address. `may_pass`: another try may do better."""

    def __init__(self, said: str, *, may_pass: bool = True) -> None:
        """Keep the sentence."""
        super().__init__(said)
        self.may_pass = may_pass


class Exchange:
    """A GET request that is cut off after `seconds`, however slowly the other side drips; raises Broken."""

    def __init__(self, target: Target, seconds: float) -> None:
        """Remember whom to ask; nothing is opened yet."""
        self._target = target
        self._seconds = seconds
        self._connection: HTTPConnection | None = None
        self._response: HTTPResponse | None = None
        self._watchdog = threading.Timer(seconds, self._cut)
        self._watchdog.daemon = True

    def __enter__(self) -> Self:
        """Connect, ask, and read the head of the answer."""
        self._watchdog.start()
        try:
            self._connection = self._connected()
            headers = _HEADERS | {"Host": self._target.authority}
            self._connection.request(
                "GET", self._target.path, headers=headers, preload_content=False, decode_content=False
            )
            self._response = self._connection.getresponse()
        except _FAILURES as error:
            self.__exit__(None, None, None)
            _explain(error)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._watchdog.cancel()
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()

    @property
    def status(self) -> int:
        """Return the status of the answer."""
        return self._answer.status

    def header(self, name: str) -> str | None:
        """Return a header of the answer."""
        return self._answer.headers.get(name)

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as it comes, content encodings left as they are; raises Broken when it breaks off."""
        while True:
            try:
                block = self._answer.read1(_BLOCK, decode_content=False)
            except _FAILURES as error:
                _explain(error)
            if not block:
                return
            yield block

    @property
    def _answer(self) -> HTTPResponse:
        if self._response is None:
            raise Broken("there is no answer")
        return self._response

    def _connected(self) -> HTTPConnection:
        """Return a connection to the first of the judged addresses that can be reached."""
        for address in self._target.addresses[:-1]:
            with suppress(exceptions.NewConnectionError, exceptions.ConnectTimeoutError):
                return self._open(address)
        return self._open(self._target.addresses[-1])

    def _open(self, address: str) -> HTTPConnection:
        connection = self._unopened(address)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            connection.sock.settimeout(min(QUIET_SECONDS, self._seconds))
        return connection

    def _unopened(self, address: str) -> HTTPConnection:
        """Return a connection that presents, and for https checks, the host's own name."""
        timeout = min(CONNECT_SECONDS, self._seconds)
        if self._target.scheme == "http":
            return HTTPConnection(address, self._target.port, timeout=timeout)
        return HTTPSConnection(
            address,
            self._target.port,
            timeout=timeout,
            cert_reqs=ssl.CERT_REQUIRED,
            server_hostname=self._target.host,
        )

    def _cut(self) -> None:
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(2)


def _explain(error: Exception) -> NoReturn:
    """Say in words what went wrong; the error's own text names addresses and stays in the log."""
    if isinstance(error, exceptions.SSLError | ssl.SSLError):
        raise Broken("the server's certificate or encryption is not valid", may_pass=False) from error
    if isinstance(error, exceptions.NewConnectionError):  # which is a kind of timeout to urllib3
        raise Broken("the server cannot be reached") from error
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        raise Broken("the server did not answer in time") from error
    raise Broken("the connection failed or broke off") from error
