"""Fetching from servers on loopback that misbehave; every one speaks to a plain socket."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from candela_processes.errors import InvalidInput
from candela_processes.references.fetch import MAX_REDIRECTS, fetch
from candela_processes.references.policy import FetchPolicy

HOST = "files.local"
type Answer = Callable[[socket.socket], None]


class Server:
    """Answers one connection after the other with the given answers, the last one again and again."""

    def __init__(self, *answers: bytes | Answer, context: ssl.SSLContext | None = None) -> None:
        self._answers = list(answers)
        self._context = context
        self.requests: list[bytes] = []
        self.released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def url(self, path: str = "/a.tif", scheme: str = "http") -> str:
        return f"{scheme}://{HOST}:{self.port}{path}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(4096) or b"\r\n\r\n"
        self.requests.append(received)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, bytes):
            connection.sendall(answer)
        else:
            answer(connection)
        if self._context is not None:
            connection.close()

    def close(self) -> None:
        self.released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*answers: bytes | Answer, context: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(*answers, context=context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ok(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(location: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


class Fetcher:
    """Fetches with a resolver that knows one host only, and without real pauses."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "target.tif"
        self.pauses: list[float] = []

    def __call__(
        self, url: str, *, private: tuple[str, ...] = (HOST,), most: int = 10**6, seconds: float = 60
    ) -> bytes:
        policy = FetchPolicy(private_hosts=frozenset(private), seconds=seconds, most_bytes=most)
        fetch("images/0", url, self.target, policy, resolver=self.resolver, sleep=self.pauses.append)
        assert [path.name for path in self.target.parent.iterdir()] == [self.target.name]
        return self.target.read_bytes()

    def refused(self, url: str, **options: object) -> str:
        with pytest.raises(InvalidInput) as caught:
            self(url, **options)  # type: ignore[arg-type]
        assert list(self.target.parent.iterdir()) == []
        assert caught.value.name == "images/0"
        assert "127.0.0.1" not in caught.value.detail
        return caught.value.problem

    @staticmethod
    def resolver(host: str, port: int) -> tuple[str, ...]:
        return ("127.0.0.1",)


@pytest.fixture
def fetching(tmp_path: Path) -> Fetcher:
    (tmp_path / "out").mkdir()
    return Fetcher(tmp_path / "out")


def test_file_is_stored(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(ok(b"pixels"))
    assert fetching(server.url("/a%20b.tif?x=1")) == b"pixels"
    request = server.requests[0]
    assert request.startswith(b"GET /a%20b.tif?x=1 HTTP/1.1\r\n")
    assert request.count(b"Host: ") == 1
    assert f"Host: {HOST}:{server.port}\r\n".encode() in request
    assert b"Accept-Encoding: identity\r\n" in request


def test_chunked_file_is_stored(serve: Callable[..., Server], fetching: Fetcher) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert fetching(serve(head + b"3\r\npix\r\n3\r\nels\r\n0\r\n\r\n").url()) == b"pixels"


def test_loopback_needs_to_be_a_private_host(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(ok(b"pixels"))
    assert "no public address" in fetching.refused(server.url(), private=())
    assert server.requests == []


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{port}/x", "http://[::1]/x", "file:///etc/passwd", "//0x7f.1/x"]
)
def test_redirect_passes_the_guard(serve: Callable[..., Server], fetching: Fetcher, location: str) -> None:
    server = serve(b"")
    server._answers = [redirect(location.format(port=server.port)), ok(b"secret")]
    assert fetching.refused(server.url()) == "the server redirects to an address that is not allowed"
    assert len(server.requests) == 1


def test_redirect_is_followed(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(redirect("../b/c.tif"), ok(b"pixels"))
    assert fetching(server.url("/a/x")) == b"pixels"
    assert server.requests[1].startswith(b"GET /b/c.tif HTTP/1.1\r\n")


def test_redirects_end(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(redirect("/again"))
    assert fetching.refused(server.url()) == f"the server redirects more than {MAX_REDIRECTS} times"
    assert len(server.requests) == MAX_REDIRECTS + 1


def test_rebinding_gains_nothing(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(redirect("http://rebind.example/x"), ok(b"secret"))
    asked: list[str] = []

    def resolver(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    fetching.resolver = resolver  # type: ignore[method-assign]
    assert fetching.refused(server.url()) == "the server redirects to an address that is not allowed"
    assert asked == [HOST, "rebind.example"]
    assert len(server.requests) == 1


def test_second_address_is_tried(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(ok(b"pixels"))
    fetching.resolver = lambda host, port: ("::1", "127.0.0.1")  # type: ignore[method-assign]
    assert fetching(server.url()) == b"pixels"


def test_announced_size_is_limited(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(ok(b"", length=11))
    assert fetching.refused(server.url(), most=10) == "the file is larger than the 10 bytes allowed"


def test_received_size_is_limited(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 10_000)
    assert fetching.refused(server.url(), most=9_999) == "the file is larger than the 9999 bytes allowed"


def test_body_longer_than_announced_is_cut_where_it_ends(serve: Callable[..., Server], fetching: Fetcher) -> None:
    assert fetching(serve(ok(b"pixelsSMUGGLED", length=6)).url()) == b"pixels"


def test_truncated_body_is_an_error(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(ok(b"pix", length=6))
    assert fetching.refused(server.url()) == "the file could not be fetched: the connection failed or broke off"
    assert len(server.requests) == 3
    assert fetching.pauses == [1.0, 3.0]


def test_truncated_chunks_are_an_error(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\npix\r\n")
    assert fetching.refused(server.url()) == "the file could not be fetched: the connection failed or broke off"


def test_second_try_may_do_better(serve: Callable[..., Server], fetching: Fetcher) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    server = serve(busy, lambda connection: None, ok(b"pixels"))
    assert fetching(server.url()) == b"pixels"
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [204, 206, 304, 401, 403, 404, 410])
def test_refusal_is_not_tried_again(serve: Callable[..., Server], fetching: Fetcher, status: int) -> None:
    server = serve(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
    assert fetching.refused(server.url()) == f"the file could not be fetched: the server answered {status}"
    assert len(server.requests) == 1


def test_no_http_at_all(serve: Callable[..., Server], fetching: Fetcher) -> None:
    assert "broke off" in fetching.refused(serve(b"SSH-2.0-OpenSSH\r\n").url())


def test_nobody_listens(fetching: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert fetching.refused(f"http://{HOST}:{port}/") == "the file could not be fetched: the server cannot be reached"


def test_content_encoding_is_not_decoded(serve: Callable[..., Server], fetching: Fetcher) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    assert fetching(serve(ok(bomb, "Content-Encoding: gzip")).url(), most=len(bomb)) == bomb


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"]
)
def test_drip_ends_with_the_time(serve: Callable[..., Server], fetching: Fetcher, start: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        while not server.released.wait(0.02):
            connection.sendall(b"x")

    server = serve(drip)
    problem = fetching.refused(server.url(), seconds=0.5)
    assert problem == "the file could not be fetched in the time allowed for a download"


def test_write_error_is_not_the_servers_fault(serve: Callable[..., Server], fetching: Fetcher) -> None:
    server = serve(ok(b"pixels"))
    fetching.target = fetching.target.parent / "missing" / "target.tif"
    with pytest.raises(FileNotFoundError):
        fetching(server.url())
    assert len(server.requests) == 1


def test_certificate_of_the_name_is_asked_for(
    serve: Callable[..., Server], fetching: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, so there is no certificate to test with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={HOST}"]
    subprocess.run([*command, "-addext", f"subjectAltName=DNS:{HOST}"], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, asked: names.append(name)
    server = serve(ok(b"pixels"), context=context)

    unknown = fetching.refused(server.url(scheme="https"))
    assert unknown == "the file could not be fetched: the server's certificate or encryption is not valid"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert fetching(server.url(scheme="https")) == b"pixels"
    fetching.target.unlink()
    other = f"https://other.local:{server.port}/a.tif"
    assert "certificate" in fetching.refused(other, private=("other.local",))
    assert names == [HOST, HOST, "other.local"]
