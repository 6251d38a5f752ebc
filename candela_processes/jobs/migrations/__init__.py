"""Creates and upgrades the database of the job store, and refuses one of another version.

The steps are Alembic scripts in `versions/`, shipped with the package and numbered in their order.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from candela_processes.errors import SettingsError
from candela_processes.jobs.database import Database, is_sqlite, sqlite_path
from candela_processes.jobs.schema import SCHEMA_VERSION, VERSION_TABLE

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
            _refuse_newer(current(connection))
            command.upgrade(configuration(connection), "head")
    finally:
        database.close()


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


def mismatch(connection: Connection) -> str:
    """Return one sentence that says how the schema differs from what this version needs, empty when it does not."""
    found = current(connection)
    if found == SCHEMA_VERSION:
        return ""
    if found > SCHEMA_VERSION:
        return _newer(found)
    place = f"at schema {found}" if found else "empty"
    return f"The job database is {place}, this version needs {SCHEMA_VERSION}; run `candela db upgrade`."


def current(connection: Connection) -> str:
    """Return the name of the migration that the database is at, empty when it has none."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision() or ""


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for these scripts; with a connection they run in its transaction."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _refuse_newer(found: str) -> None:
    """Raise SettingsError for a schema that this version does not know: steps back would lose data."""
    if found > SCHEMA_VERSION:
        raise SettingsError(_newer(found))


def _newer(found: str) -> str:
    """Return the sentence about a schema of a newer version."""
    return f"The job database is at schema {found}, this version needs {SCHEMA_VERSION}; install the newer version."
