"""The schema: made, upgraded, compared, refused."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs.database import Database
from candela_processes.jobs.migrations import check, configuration, create_if_empty, migrate
from candela_processes.jobs.schema import METADATA, SCHEMA_VERSION, VERSION_TABLE
from candela_processes.jobs.sql import SqlStore

from .store_contract import queued


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "jobs.sqlite"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    sql = SqlStore(url)
    yield sql
    sql.close()


def set_version(path: Path, version: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = ?", (version,))


def objects(path: Path) -> dict[str, str]:
    """Return tables and indexes with their SQL, spaces and quotes aside."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: "".join(sql.replace('"', "").split()) for name, sql in rows if name != VERSION_TABLE}


def test_an_empty_database_is_refused_then_made_then_accepted(path: Path, url: str, store: SqlStore) -> None:
    path.parent.mkdir()
    sentence = f"The job database is empty, this version needs {SCHEMA_VERSION}; run `candela db upgrade`."
    with pytest.raises(SettingsError) as caught:
        check(url)
    assert caught.value.detail == sentence
    with pytest.raises(Unavailable) as unavailable:
        store.ping()
    assert unavailable.value.detail == sentence
    migrate(url)
    check(url)
    store.ping()


def test_migrating_again_keeps_the_jobs(url: str, store: SqlStore) -> None:
    migrate(url)
    job = queued()
    store.add(job)
    migrate(url)
    assert store.get(job.id) == job


def test_an_older_schema_is_refused(path: Path, url: str, store: SqlStore) -> None:
    migrate(url)
    set_version(path, "0000")
    sentence = f"The job database is at schema 0000, this version needs {SCHEMA_VERSION}; run `candela db upgrade`."
    with pytest.raises(SettingsError) as caught:
        check(url)
    assert caught.value.detail == sentence
    with pytest.raises(Unavailable) as unavailable:
        store.ping()
    assert unavailable.value.detail == sentence


def test_a_newer_schema_is_refused_and_left_alone(path: Path, url: str, store: SqlStore) -> None:
    migrate(url)
    set_version(path, "9999")
    for refused in (check, migrate):
        with pytest.raises(SettingsError, match=r"at schema 9999, this version needs .*; install the newer version"):
            refused(url)
    with pytest.raises(Unavailable, match="install the newer version"):
        store.ping()
    assert "9999" in _versions(path)


def test_tables_of_others_are_left_alone(path: Path, url: str) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('theirs')")
    migrate(url)
    check(url)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("theirs",)]


def test_alembic_sees_no_difference_between_migrations_and_tables(url: str) -> None:
    migrate(url)
    database = Database(url)
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_migrations_make_the_very_tables_of_the_schema(path: Path, url: str, tmp_path: Path) -> None:
    migrate(url)
    direct = tmp_path / "direct.sqlite"
    engine = create_engine(f"sqlite:///{direct}")
    METADATA.create_all(engine)
    engine.dispose()
    assert objects(path) == objects(direct)


def test_the_newest_script_is_the_version_that_is_needed() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert scripts.get_heads() == [SCHEMA_VERSION]
    names = [script.revision for script in scripts.walk_revisions()]
    assert names == sorted(names, reverse=True)
    assert {len(name) for name in names} == {4}  # versions are compared as text


def test_a_failed_upgrade_leaves_nothing(path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = command.upgrade

    def broken(configuration: Config, revision: str) -> None:
        upgrade(configuration, revision)
        raise ZeroDivisionError

    monkeypatch.setattr(command, "upgrade", broken)
    with pytest.raises(ZeroDivisionError):
        migrate(url)
    assert objects(path) == {}
    monkeypatch.undo()
    migrate(url)
    check(url)


def test_only_an_empty_database_is_made_unasked(path: Path, url: str) -> None:
    create_if_empty(url)
    check(url)
    set_version(path, "0000")
    create_if_empty(url)
    assert _versions(path) == ["0000"]


def test_the_store_loads_no_migration_tool() -> None:
    code = (
        "import sys, candela_processes.jobs.sql, candela_processes.jobs.migrations; assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_servers_that_start_together_all_find_the_schema(path: Path, url: str) -> None:
    code = f"from candela_processes.jobs.migrations import check, migrate; migrate({url!r}); check({url!r})"
    starting = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code], stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    assert [(server.wait(timeout=120), server.communicate()[1]) for server in starting] == [(0, "")] * 6
    assert _versions(path) == [SCHEMA_VERSION]


def _versions(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(f"SELECT version_num FROM {VERSION_TABLE}")]
