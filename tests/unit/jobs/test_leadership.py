"""One leader at a time, by a locked file."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs.leadership import FileLeadership, PostgresLeadership, leadership_for

HOLDER = """
    import sys
    from pathlib import Path
    from candela_processes.jobs.leadership import FileLeadership
    leadership = FileLeadership(Path(sys.argv[1]))
    print(leadership.acquire(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dispatcher.lock"


def test_the_place_is_held_by_one_and_given_back(path: Path) -> None:
    first, second = FileLeadership(path), FileLeadership(path)
    assert not first.held and not path.exists()
    assert first.acquire() and first.acquire() and first.held
    assert not second.acquire() and not second.held
    first.release()
    first.release()
    assert not first.held
    assert second.acquire() and not first.acquire()
    second.release()


def test_the_place_is_free_when_its_holder_was_killed(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        mine = FileLeadership(path)
        assert not mine.acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=60)
        assert mine.acquire()
        mine.release()


def test_a_child_of_the_leader_does_not_keep_the_place(path: Path) -> None:
    leader, next_one = FileLeadership(path), FileLeadership(path)
    assert leader.acquire()
    descriptor = leader._descriptor
    assert descriptor is not None
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor])
    with child:
        leader.release()
        assert next_one.acquire()
        child.communicate(b"\n", timeout=60)
    next_one.release()


def test_a_lock_on_a_file_that_is_gone_is_lost(path: Path) -> None:
    first, second = FileLeadership(path), FileLeadership(path)
    assert first.acquire()
    path.unlink()
    assert not first.held
    assert second.acquire() and not first.acquire()
    second.release()


def test_a_lock_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    linked = tmp_path / "link"
    linked.symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "none" / "lock", linked, tmp_path):
        leadership = FileLeadership(path)
        with pytest.raises(Unavailable) as caught:
            leadership.acquire()
        assert str(tmp_path) not in caught.value.detail and not leadership.held
    assert not os.path.lexists(tmp_path / "elsewhere")


def test_the_url_decides(tmp_path: Path) -> None:
    assert isinstance(leadership_for(f"sqlite:///{tmp_path / 'jobs.sqlite'}", tmp_path), FileLeadership)
    assert isinstance(leadership_for("postgresql+psycopg://host/db", tmp_path), PostgresLeadership)
    with pytest.raises(SettingsError):
        leadership_for("mysql://host/db", tmp_path)
    with pytest.raises(SettingsError):
        PostgresLeadership(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
