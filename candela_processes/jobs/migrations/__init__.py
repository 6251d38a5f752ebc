"""Creates and upgrades the database of the job store, and refuses one of another version.

The steps are Alembic scripts in `versions/`, shipped with the package and numbered in their order.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from candela_processes.errors import SettingsError
from candela_processes.jobs.compatibility import current, is_newer, mismatch
from candela_processes.jobs.database import Database, is_sqlite, sqlite_path

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER: Final = Path(__file__).parent
_ADVISORY_KEY: Final = 0x63616E64656C6101  # "candela" and the number of this lock

# Alembic keeps the migration that runs in module variables: one at a time in a process.
_ONE_AT_A_TIME: Final = threading.Lock()


def migrate(url: str) -> None:
    """Create the schema or bring it to this version; servers that start together wait for one another.

    All steps run in one transaction: a killed upgrade leaves the old schema. Raises SettingsError for a database of a
    newer version, Unavailable when it is out of reach.
    """
    database = Database(url)
    if is_sqlite(url):
        sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)
    try:
        with _ONE_AT_A_TIME, database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
            _upgrade(connection)
    finally:
        database.close()


def _upgrade(connection: Connection) -> None:
    """Run the steps that are missing; steps back would lose data, so a newer schema is refused."""
    from alembic import command  # takes half a second to load, which only an upgrade has to spend

    if is_newer(current(connection)):
        raise SettingsError(mismatch(connection))
    command.upgrade(configuration(connection), "head")


def create_if_empty(url: str) -> None:
    """Create the schema in a database that has none; any other stays as it is, for `check` to judge."""
    database = Database(url)
    try:
        if is_sqlite(url) and not sqlite_path(url).exists():
            found = ""
        else:
            with database.reading() as connection:
                found = current(connection)
    finally:
        database.close()
    if not found:
        migrate(url)


def check(url: str) -> None:
    """Refuse a database that is not of this version's schema; raises SettingsError, Unavailable when out of reach."""
    database = Database(url)
    try:
        with database.reading() as connection:
            problem = mismatch(connection)
    finally:
        database.close()
    if problem:
        raise SettingsError(problem)


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for these scripts; with a connection they run in its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
