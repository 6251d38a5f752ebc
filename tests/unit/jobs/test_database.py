"""Which databases are allowed, and how SQLite behaves under many processes, forks and troubles."""

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs import database as databases
from candela_processes.jobs.backup import backup
from candela_processes.jobs.database import Database, parse
from candela_processes.jobs.migrations import check, migrate
from candela_processes.jobs.sql import SqlStore
from candela_processes.jobs.store import JobQuery

from .store_contract import NOON, queued


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    migrate(address)
    return address


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    sql = SqlStore(url)
    yield sql
    sql.close()


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=240)
    assert (process.returncode, error) == (0, "")
    return out


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///jobs.sqlite?mode=memory",
        "sqlite+aiosqlite:///jobs.sqlite",
        "postgresql://user:secret@host/db",
        "postgresql+psycopg2://user:secret@host/db",
        "mysql://user:secret@host/db",
        "secret",
        "postgresql+psycopg://user:secret@host:port/db",
        "",
    ],
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(SettingsError, match="CANDELA_DATABASE_URL") as caught:
        SqlStore(url)
    assert "secret" not in caught.value.detail


def test_the_constructor_opens_nothing(tmp_path: Path) -> None:
    SqlStore(f"sqlite:///{tmp_path / 'none' / 'jobs.sqlite'}")
    assert list(tmp_path.iterdir()) == []
    SqlStore("postgresql+psycopg://nobody@nowhere.invalid/none")


def test_a_relative_file_is_allowed() -> None:
    assert parse("sqlite:///jobs.sqlite").database == "jobs.sqlite"


def test_sqlite_on_a_network_file_system_is_refused(url: str, store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "network_file_system", lambda path: "nfs4")
    for refused in (partial(migrate, url), partial(check, url), partial(store.get, "x")):
        with pytest.raises(SettingsError, match=r"network file system \(nfs4\)"):
            refused()
    with pytest.raises(Unavailable, match="nfs4"):
        store.ping()


def test_writes_are_durable_and_logged_ahead(url: str) -> None:
    database = Database(url)
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    database.close()


def test_a_writer_takes_its_lock_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "LOCK_SECONDS", 0.05)
    first, second = Database(url), Database(url)
    with first.writing():
        with second.reading() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM jobs").scalar() == 0
        with pytest.raises(Unavailable), second.writing():
            pytest.fail("two writers at once")
    with second.writing():
        pass
    first.close()
    second.close()


def test_a_failed_transaction_leaves_nothing(url: str, store: SqlStore) -> None:
    store.add(job := queued())
    database = Database(url)
    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM jobs")
        raise ZeroDivisionError
    database.close()
    assert store.get(job.id) == job


@pytest.mark.parametrize("trouble", ["missing folder", "not a database", "no tables"])
def test_troubles_are_unavailable_and_tell_nothing(
    tmp_path: Path, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ("none/secret.sqlite" if trouble == "missing folder" else "secret.sqlite")
    if trouble == "not a database":
        path.write_bytes(b"secret" * 1000)
    store = SqlStore(f"sqlite:///{path}")
    job = queued()
    calls: list[Callable[[], object]] = [
        partial(store.add, job),
        partial(store.get, job.id),
        partial(store.replace, job, job.dismissed(NOON)),
        partial(store.remove, job),
        partial(store.find, JobQuery()),
        partial(store.known, [job.id]),
        store.tally,
        store.ping,
    ]
    for call in calls:
        with pytest.raises(Unavailable) as caught:
            call()
        assert "secret" not in caught.value.detail and "sqlite" not in caught.value.detail.lower()
    assert "the job store cannot be used" in caplog.text
    store.close()


def test_broken_words_cannot_be_stored(url: str, store: SqlStore) -> None:
    store.add(queued())
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for wrong in ("status = 'finished'", "phase = 'x'", "mode = 'x'", "progress = 101", "owner = NULL"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(f"UPDATE jobs SET {wrong}")


WRITER = """
    import sys
    from datetime import UTC, datetime
    from candela_processes.jobs.sql import SqlStore
    store, won = SqlStore(sys.argv[1]), 0
    while won < 25:
        job = store.get(sys.argv[2])
        now = datetime.now(UTC)
        won += store.replace(job, job.deferred(now, sys.argv[3], now))
    store.close()
"""


def test_eight_processes_lose_no_update(url: str, store: SqlStore) -> None:
    store.add(job := queued())
    writers = [python(WRITER, url, job.id, str(number)) for number in range(8)]
    for writer in writers:
        output(writer)
    kept = store.get(job.id)
    assert kept is not None
    assert (kept.revision, kept.tries) == (200, 200)


FORKING = """
    import os, sys
    from candela_processes.jobs.sql import SqlStore
    store = SqlStore(sys.argv[1])
    job = store.get(sys.argv[2])
    before = {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name > "2"
              and os.path.lexists(f"/proc/self/fd/{name}")}
    child = os.fork()
    if child == 0:
        held = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
                if os.path.lexists(f"/proc/self/fd/{name}")]
        print(sum("jobs.sqlite" in name for name in held), flush=True)
        code = 0 if store.replace(job, job.dismissed(job.created)) else 1
        store.close()
        os._exit(code)
    assert any("jobs.sqlite" in name for name in before)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get(job.id).revision == 1
    store.close()
"""


def test_no_connection_crosses_a_fork(url: str, store: SqlStore) -> None:
    store.add(job := queued())
    assert output(python(FORKING, url, job.id)) == "0\n"


ABANDONED = """
    import os, sys
    from candela_processes.jobs.database import Database
    with Database(sys.argv[1]).writing() as connection:
        connection.exec_driver_sql("UPDATE jobs SET owner = 'half'")
        os.kill(os.getpid(), 9)
"""


def test_a_writer_killed_in_mid_write_leaves_the_store_usable(url: str, store: SqlStore) -> None:
    store.add(job := queued())
    killed = python(ABANDONED, url)
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    assert store.get(job.id) == job
    assert store.replace(job, job.dismissed(NOON))


def test_a_backup_holds_what_is_still_in_the_log(url: str, store: SqlStore, tmp_path: Path) -> None:
    jobs = [queued() for _ in range(5)]
    for job in jobs:
        store.add(job)
    target = tmp_path / "copy" / "jobs.sqlite"
    target.parent.mkdir()
    backup(url, target)
    assert list(target.parent.iterdir()) == [target]
    check(f"sqlite:///{target}")
    copy = SqlStore(f"sqlite:///{target}")
    assert copy.known([job.id for job in jobs]) == {job.id for job in jobs}
    assert copy.get(jobs[0].id) == jobs[0]
    copy.close()


def test_a_backup_overwrites_nothing_and_needs_a_source(url: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    with pytest.raises(SettingsError, match="exists"):
        backup(url, kept)
    assert kept.read_text() == "mine"
    with pytest.raises(Unavailable):
        backup(f"sqlite:///{tmp_path / 'none.sqlite'}", tmp_path / "copy")
    with pytest.raises(Unavailable):
        backup(url, tmp_path / "none" / "copy")
    with pytest.raises(SettingsError, match="pg_dump"):
        backup("postgresql+psycopg://host/db", tmp_path / "copy")
    assert not (tmp_path / "none.sqlite").exists()
