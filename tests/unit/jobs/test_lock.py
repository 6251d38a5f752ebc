"""The lock of a job directory: evidence that somebody lives."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from candela_processes.jobs.directory import JobDirectory


@pytest.fixture
def directory(tmp_path: Path) -> JobDirectory:
    return JobDirectory(tmp_path)


def taken(directory: JobDirectory) -> int:
    descriptor = directory.try_lock()
    assert descriptor is not None
    return descriptor


def test_one_holds_it_at_a_time(directory: JobDirectory) -> None:
    assert not directory.is_alive()
    descriptor = taken(directory)
    assert directory.is_alive()
    assert directory.try_lock() is None
    os.close(descriptor)
    assert not directory.is_alive()
    os.close(taken(directory))


def test_looking_neither_takes_nor_drops_it(directory: JobDirectory) -> None:
    assert not directory.is_alive() and not (directory.path / "lock").exists()
    descriptor = taken(directory)
    for _ in range(3):
        assert directory.is_alive()  # classic POSIX locks would be lost when the looker closes its file
    assert directory.try_lock() is None
    os.close(descriptor)
    assert not directory.is_alive()
    os.close(taken(directory))


def test_a_child_keeps_it_until_the_last_holder_is_dead(directory: JobDirectory) -> None:
    descriptor = taken(directory)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor])
    with child:
        os.close(descriptor)
        assert directory.is_alive() and directory.try_lock() is None
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=60)
        assert not directory.is_alive()
    os.close(taken(directory))


def test_a_child_that_was_not_given_it_does_not_keep_it(directory: JobDirectory) -> None:
    descriptor = taken(directory)
    child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], stdin=-1, stdout=-1)
    with child:
        assert child.stdout is not None and child.stdout.readline() == b"1\n"
        os.close(descriptor)
        assert not directory.is_alive()
        child.communicate(b"\n", timeout=60)


def test_the_block_says_whether_it_was_free(directory: JobDirectory) -> None:
    with directory.locked() as free:
        assert free and directory.is_alive()
        with directory.locked() as again:
            assert not again
        assert directory.is_alive()
    assert not directory.is_alive()


def test_the_lock_is_let_go_when_the_block_fails(directory: JobDirectory) -> None:
    with pytest.raises(ZeroDivisionError), directory.locked():
        raise ZeroDivisionError
    assert not directory.is_alive()


def test_a_directory_that_is_gone_cannot_be_locked(tmp_path: Path) -> None:
    directory = JobDirectory(tmp_path / "none")
    assert not directory.is_alive()
    with pytest.raises(FileNotFoundError):
        directory.try_lock()


def test_a_link_is_not_followed(directory: JobDirectory, tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    for refused in (directory.try_lock, directory.is_alive):
        with pytest.raises(OSError, match="symbolic"):
            refused()
    assert not (tmp_path / "elsewhere").exists()
