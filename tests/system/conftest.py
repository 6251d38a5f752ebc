"""A PostgreSQL for the tests: the one of CANDELA_TEST_POSTGRESQL_URL, or one started from Debian's packages."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

GIVEN = "CANDELA_TEST_POSTGRESQL_URL"
ATTEMPTS = 5
START_SECONDS = 60


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a PostgreSQL database in which databases may be made."""
    given = os.environ.get(GIVEN)
    if given:
        yield given
        return
    binaries = _binaries()
    if binaries is None:
        reason = f"no PostgreSQL: neither {GIVEN} nor /usr/lib/postgresql/*/bin/postgres"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with _started(binaries) as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """URL of an empty database."""
    name = f"candela_{os.getpid()}_{os.urandom(4).hex()}"
    administrator = create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with administrator.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
    with administrator.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    administrator.dispose()


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@contextmanager
def _started(binaries: Path) -> Iterator[str]:
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="candela-postgresql-"))
    try:
        if user:
            shutil.chown(folder, user)
        _initialised(binaries, folder, user)
        process, url = _serving(binaries, folder, user)
        try:
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder)


def _initialised(binaries: Path, folder: Path, user: str | None) -> None:
    """Make the data folder; its language sorts otherwise than by bytes, as a real server's may."""
    language = ["--locale-provider=icu", "--icu-locale=en-US"] if int(binaries.parent.name) >= 15 else []
    options = ["-U", "candela", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", *language]
    done = subprocess.run(
        [str(binaries / "initdb"), "-D", str(folder / "data"), *options],
        user=user,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def _serving(binaries: Path, folder: Path, user: str | None) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server; another process may take the free port first, then the next one is tried."""
    for _ in range(ATTEMPTS):
        port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "100",
        }
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(folder / "data"), *arguments],
                user=user,
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        url = f"postgresql+psycopg://candela@127.0.0.1:{port}/postgres"
        if _answers(process, url):
            return process, url
    raise AssertionError((folder / "log").read_text()[-2000:])


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server answers or ends."""
    engine = create_engine(url, connect_args={"connect_timeout": 2})
    try:
        for _ in range(START_SECONDS * 10):
            try:
                with engine.connect():
                    return True
            except OperationalError:
                try:
                    process.wait(timeout=0.1)
                except subprocess.TimeoutExpired:
                    continue
                return False
        process.kill()
        process.wait()
        return False
    finally:
        engine.dispose()


def _free_port() -> int:
    """Return a free port below the range that outgoing connections take theirs from."""
    for port in range(20_000 + os.getpid() % 10_000, 32_768):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
