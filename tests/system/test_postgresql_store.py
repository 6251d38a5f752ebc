"""The same tests as for the other stores, on PostgreSQL, and what only PostgreSQL can do."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, make_url, text

from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs.database import Database
from candela_processes.jobs.leadership import PostgresLeadership
from candela_processes.jobs.migrations import check, migrate
from candela_processes.jobs.schema import METADATA, VERSION_TABLE
from candela_processes.jobs.sql import SqlStore
from candela_processes.jobs.store import JobStore
from tests.unit.jobs.store_contract import ComparesAndSets, FindsAsAPlainLoopDoes, FindsJobs, KeepsJobs, queued
from tests.unit.jobs.store_races import RacesEndLegally

pytestmark = pytest.mark.system


@pytest.fixture
def store(postgresql_url: str) -> Iterator[JobStore]:
    migrate(postgresql_url)
    sql = SqlStore(postgresql_url)
    yield sql
    sql.close()


class TestPostgresqlStore(KeepsJobs, ComparesAndSets, FindsJobs, FindsAsAPlainLoopDoes, RacesEndLegally):
    """The one test class of all stores."""


@pytest.fixture
def administrator(postgresql_server: str) -> Iterator[Engine]:
    engine = create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


def end_sessions(administrator: Engine, url: str) -> None:
    """End every session on a database, as a restart of the server would."""
    with administrator.connect() as connection:
        statement = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        connection.execute(statement, {"name": make_url(url).database})


def test_servers_that_start_together_all_find_the_schema(postgresql_url: str) -> None:
    code = "import sys; from candela_processes.jobs.migrations import migrate; migrate(sys.argv[1])"
    starting = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, postgresql_url], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [(server.communicate(timeout=120)[1], server.returncode) for server in starting] == [("", 0)] * 4
    check(postgresql_url)


def test_an_empty_database_is_refused(postgresql_url: str) -> None:
    store = SqlStore(postgresql_url)
    with pytest.raises(Unavailable, match="is empty"):
        store.ping()
    with pytest.raises(Unavailable, match="cannot be reached"):
        store.get("x")
    with pytest.raises(SettingsError, match="candela db upgrade"):
        check(postgresql_url)
    store.close()


def test_a_newer_schema_is_refused(postgresql_url: str) -> None:
    migrate(postgresql_url)
    engine = create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    for refused in (check, migrate):
        with pytest.raises(SettingsError, match="install the newer version"):
            refused(postgresql_url)


def test_migrations_and_tables_agree(postgresql_url: str) -> None:
    migrate(postgresql_url)
    database = Database(postgresql_url)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_the_store_goes_on_after_all_its_connections_were_cut(
    store: JobStore, postgresql_url: str, administrator: Engine
) -> None:
    store.add(job := queued())
    end_sessions(administrator, postgresql_url)
    assert store.get(job.id) == job


def test_a_server_out_of_reach_is_unavailable_and_tells_nothing() -> None:
    store = SqlStore("postgresql+psycopg://user:secret@127.0.0.1:1/none")
    with pytest.raises(Unavailable) as caught:
        store.ping()
    assert caught.value.detail == "The job store cannot be reached now; try again later."


def test_statements_and_locks_have_limits(postgresql_url: str) -> None:
    database = Database(postgresql_url + "?options=-c%20work_mem%3D8MB")
    with database.reading() as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "work_mem")
        ]
    database.close()
    assert shown == ["30s", "30s", "1min", "8MB"]


def test_one_leader_at_a_time(postgresql_url: str) -> None:
    first, second, other = (PostgresLeadership(postgresql_url, key) for key in (7, 7, 8))
    assert not first.held
    assert first.acquire() and first.acquire() and first.held
    assert not second.acquire() and not second.held
    assert other.acquire()
    first.release()
    first.release()
    assert not first.held and second.acquire()
    second.release()
    other.release()


def test_a_leader_that_lost_its_connection_notices(postgresql_url: str, administrator: Engine) -> None:
    first, second = PostgresLeadership(postgresql_url), PostgresLeadership(postgresql_url)
    assert first.acquire()
    end_sessions(administrator, postgresql_url)
    assert not first.held
    assert second.acquire() and not first.acquire()
    second.release()
    assert first.acquire()
    first.release()


def test_leadership_out_of_reach_is_unavailable() -> None:
    leadership = PostgresLeadership("postgresql+psycopg://user:secret@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        leadership.acquire()
    assert not leadership.held
