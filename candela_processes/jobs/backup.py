"""Safe copies of an SQLite job store while it is in use."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs.database import SETTING, is_sqlite, sqlite_path


def backup(url: str, target: Path) -> None:
    """Write a consistent, compact copy of the database to a new file; readers and writers go on meanwhile.

    Copying the database file itself would miss what still is in its write-ahead log. The copy is checked, flushed and
    only then given its name. Raises SettingsError for PostgreSQL (use pg_dump) or when `target` exists, Unavailable
    when the database cannot be read or the copy not be written.
    """
    if not is_sqlite(url):
        raise SettingsError(f"{SETTING}: only SQLite is copied by this command; use pg_dump for PostgreSQL.")
    if os.path.lexists(target):
        raise SettingsError("The file for the copy exists already; name a new one.")
    source, temporary = sqlite_path(url), target.with_name(f".{target.name}.tmp")
    if not source.is_file():
        raise Unavailable("There is no job database to copy.")
    temporary.unlink(missing_ok=True)
    try:
        _copy(source, temporary)
        os.link(temporary, target)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable("The copy of the job database could not be made; see the log.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Copy and check a database file, and flush the copy to disk."""
    with closing(sqlite3.connect(source, timeout=30)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    with closing(sqlite3.connect(target)) as connection:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError("the copy is damaged")
    with target.open("rb") as copy:
        os.fsync(copy.fileno())
