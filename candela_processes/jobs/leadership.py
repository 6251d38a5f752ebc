"""Who of several dispatchers works: one leader per database. It only saves work; safety comes from compare-and-set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs.database import SETTING, is_sqlite, parse, postgresql_arguments, translated
from candela_processes.jobs.lock import lock_file, unlock_file

DISPATCHER_KEY: Final = 0x63616E64656C6102  # "candela" and the number of this lock


class Leadership(Protocol):
    """A place that one process at a time can hold. Used by one thread; a child of a fork never inherits it."""

    def acquire(self) -> bool:
        """Take the place if it is free and return whether it is held; never waits, may be repeated every round.

        Raises `errors.Unavailable` when the place is out of reach; it is not held then.
        """

    def release(self) -> None:
        """Give the place back; without effect when it is not held."""

    @property
    def held(self) -> bool:
        """Whether the place is held now; False as soon as a loss can be seen."""


class FileLeadership:
    """Leadership by a locked file: for the processes of one machine, beside an SQLite database."""

    def __init__(self, path: Path) -> None:
        """Keep the path of the file; nothing is opened."""
        self._path = path
        self._descriptor: int | None = None
        self._process = 0

    def acquire(self) -> bool:
        """Take the lock if it is free and return whether it is held; raises Unavailable when it cannot be opened."""
        if self.held:
            return True
        self.release()
        try:
            self._descriptor = lock_file(self._path)
        except OSError as error:
            raise Unavailable("The lock of the dispatcher cannot be opened; see the log.") from error
        self._process = os.getpid()
        return self.held

    def release(self) -> None:
        """Let the lock go."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._process == os.getpid():
            # Closing alone would leave the lock with a child that was forked meanwhile.
            unlock_file(descriptor)
        os.close(descriptor)

    @property
    def held(self) -> bool:
        """Whether this process holds the lock on the file that is at the path now."""
        if self._descriptor is None or self._process != os.getpid():
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False


class PostgresLeadership:
    """Leadership by a session advisory lock: PostgreSQL frees it when the connection ends, however it ends.

    The URL has to lead to PostgreSQL itself: a pooler that shares sessions would share the lock.
    """

    def __init__(self, url: str, key: int = DISPATCHER_KEY) -> None:
        """Keep URL and key (64 bits, one database wide); nothing is opened. Raises SettingsError for a wrong URL."""
        if is_sqlite(url):
            raise SettingsError(f"{SETTING}: is not a PostgreSQL database.")
        self._parts = parse(url)
        self._key = key
        self._connection: Connection | None = None
        self._process = 0

    def acquire(self) -> bool:
        """Take the lock if it is free and return whether it is held; raises Unavailable when out of reach."""
        if self.held:
            return True
        self.release()
        with translated():
            connection = self._connect()
            try:
                taken = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}))
            except BaseException:
                connection.close()
                raise
        if not taken:
            connection.close()
            return False
        self._connection, self._process = connection, os.getpid()
        return True

    def release(self) -> None:
        """Close the connection, and with it the lock."""
        connection, self._connection = self._connection, None
        if connection is None or self._process != os.getpid():
            return
        connection.invalidate()
        connection.close()

    @property
    def held(self) -> bool:
        """Whether the connection that holds the lock still answers."""
        if self._connection is None or self._process != os.getpid():
            return False
        try:
            return bool(self._connection.scalar(text("SELECT 1")) == 1)
        except DBAPIError:
            self.release()
            return False

    def _connect(self) -> Connection:
        """Open a connection of its own, outside any pool and any transaction."""
        engine = create_engine(
            self._parts,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=postgresql_arguments(self._parts),
        )
        return engine.connect()


def leadership_for(url: str, workspace: Path) -> Leadership:
    """Return the leadership of dispatchers that share this database; raises SettingsError for a wrong URL."""
    return FileLeadership(workspace / "dispatcher.lock") if is_sqlite(url) else PostgresLeadership(url)
