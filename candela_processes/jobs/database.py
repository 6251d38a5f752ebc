"""The door to the database: which URLs are allowed, one engine per process, transactions, one error for all troubles.

SQLite runs in WAL mode with `synchronous=FULL`: the row is the commit point of a submission, so what was answered to a
client must survive a power cut; NORMAL would lose the last commits. Writes begin with BEGIN IMMEDIATE, so that no
transaction has to turn from reader to writer and fail. PostgreSQL runs READ COMMITTED: every write is one statement.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs.file_system import network_file_system

SETTING: Final = "CANDELA_DATABASE_URL"
LOCK_SECONDS: Final = 30.0
"""How long a write waits for the writers before it, and a thread for a free connection."""

_WRITES: Final = "candela_writes"
_LOG: Final = logging.getLogger(__name__)


def parse(url: str) -> URL:
    """Return an allowed URL in parts; raises SettingsError, which never repeats the URL: it may hold a password."""
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError(f"{SETTING}: is not a database URL.") from None
    if parts.drivername in ("sqlite", "sqlite+pysqlite"):
        if not parts.database or parts.database.startswith((":memory:", "file:")) or parts.query or parts.host:
            raise SettingsError(f"{SETTING}: SQLite needs a plain file, as in sqlite:////srv/candela/jobs.sqlite.")
        return parts
    if parts.drivername != "postgresql+psycopg":
        raise SettingsError(f"{SETTING}: must begin with sqlite:/// or postgresql+psycopg://.")
    return parts


def is_sqlite(url: str) -> bool:
    """Return whether an allowed URL names an SQLite file; raises SettingsError."""
    return parse(url).get_backend_name() == "sqlite"


def sqlite_path(url: str) -> Path:
    """Return the file of an SQLite URL; raises SettingsError for another URL."""
    parts = parse(url)
    if parts.get_backend_name() != "sqlite" or parts.database is None:
        raise SettingsError(f"{SETTING}: is not an SQLite file.")
    return Path(parts.database).absolute()


class Database:
    """One database: an engine per process, made on first use."""

    def __init__(self, url: str) -> None:
        """Keep the URL; nothing is opened. Raises SettingsError for a URL that is not allowed."""
        self._parts = parse(url)
        self._sqlite = self._parts.get_backend_name() == "sqlite"
        self._engine: Engine | None = None
        self._inherited: list[Engine] = []
        self._making = threading.Lock()
        self._turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that reads; raises Unavailable."""
        with translated(), self.engine().connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that writes; raises Unavailable, and lets IntegrityError through."""
        # SQLite has one writer: threads of one process queue up here in order instead of polling the file's lock.
        with translated(), self._turn if self._sqlite else nullcontext(), self.engine().connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def engine(self) -> Engine:
        """Return this process's engine; raises SettingsError where the database can never work."""
        with self._making:
            if self._engine is None:
                self._engine = _sqlite_engine(self._parts) if self._sqlite else _postgresql_engine(self._parts)
                _watch_forks(self)
                weakref.finalize(self, _dispose, self._engine, os.getpid())
            return self._engine

    def close(self) -> None:
        """Close all connections that are not in use; the next use opens new ones."""
        engine = self._engine
        if engine is not None:
            engine.dispose()

    def forget(self) -> None:
        """Leave the parent's engine alone after a fork: its connections are neither used nor closed here."""
        if self._engine is not None:
            self._inherited.append(self._engine)
        self._engine = None
        self._making = threading.Lock()
        self._turn = threading.Lock()


def _dispose(engine: Engine, process: int) -> None:
    """Close the connections of a store that is gone, in the process that opened them."""
    if os.getpid() == process:
        engine.dispose()


def _watch_forks(database: Database) -> None:
    """See to it that no idle connection crosses a fork, and that the child never touches one that was in use."""
    reference = weakref.ref(database)

    def told(action: Callable[[Database], None]) -> Callable[[], None]:
        def tell() -> None:
            living = reference()
            if living is not None:
                action(living)

        return tell

    os.register_at_fork(before=told(Database.close), after_in_child=told(Database.forget))


@contextmanager
def translated() -> Iterator[None]:
    """Turn every trouble of driver and pool into Unavailable without its text, which goes to the log."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        _LOG.error("the job store cannot be used: %s: %s", type(cause).__name__, str(cause).strip()[:500])
        raise Unavailable("The job store cannot be reached now; try again later.") from error


def _sqlite_engine(parts: URL) -> Engine:
    """Return an engine on an SQLite file; raises SettingsError for a file on a network file system."""
    path = Path(str(parts.database)).absolute()
    kind = network_file_system(path)
    if kind:
        raise SettingsError(
            f"{SETTING}: SQLite cannot keep jobs on a network file system ({kind}); "
            "name a file on a local disk or use PostgreSQL."
        )
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": LOCK_SECONDS, "check_same_thread": False},
        pool_size=8,
        max_overflow=56,
        pool_timeout=LOCK_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Set up a new connection; the driver's own habit of opening transactions is switched off."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction; a writer takes its lock at once."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_engine(parts: URL) -> Engine:
    """Return an engine on PostgreSQL; raises SettingsError when its driver is not installed."""
    try:
        return create_engine(
            parts,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=27,
            pool_timeout=LOCK_SECONDS,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args=postgresql_arguments(parts),
        )
    except ImportError:
        raise SettingsError(f"{SETTING}: PostgreSQL needs the extra `candela-processes[postgresql]`.") from None


def postgresql_arguments(parts: URL) -> dict[str, Any]:
    """Return time-outs for a connection, so that neither a lost network nor a lock holds a thread for ever (libpq)."""
    limits = "-c statement_timeout=30s -c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"
    own = parts.query.get("options", "")
    return {
        "application_name": "candela",
        "connect_timeout": 10,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "options": f"{limits} {own if isinstance(own, str) else ' '.join(own)}".strip(),
    }
