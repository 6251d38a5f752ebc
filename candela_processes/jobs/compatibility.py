"""Whether a database is of the schema that this version needs; cheap, so that every readiness check may ask."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from candela_processes.jobs.schema import SCHEMA_VERSION, VERSION_TABLE


def mismatch(connection: Connection) -> str:
    """Return one sentence that says how the schema differs from what this version needs, empty when it does not."""
    found = current(connection)
    if found == SCHEMA_VERSION:
        return ""
    place = f"at schema {found}" if found else "empty"
    remedy = "install the newer version" if is_newer(found) else "run `candela db upgrade`"
    return f"The job database is {place}, this version needs {SCHEMA_VERSION}; {remedy}."


def current(connection: Connection) -> str:
    """Return the name of the migration that the database is at, empty when it has none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return str(connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) or "")  # noqa: S608 - a constant


def is_newer(version: str) -> bool:
    """Return whether a migration came after the one that this version needs; names are numbers of equal length."""
    return version > SCHEMA_VERSION
