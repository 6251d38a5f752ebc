from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from candela_processes.jobs.directory import JobDirectory
from candela_processes.service.removal import empty_trash, remove_files

NOBODY = 65534
JOB = "9b1d7b1e-0000-4000-8000-000000000000"


@pytest.fixture
def directory(tmp_path: Path) -> JobDirectory:
    made = JobDirectory.of(tmp_path, JOB)
    made.attempt(1).create()
    (made.attempt(1).outputs / "image.tif").write_bytes(b"x")
    return made


def trash(workspace: Path) -> list[str]:
    return [path.name for path in (workspace / "trash").iterdir()]


def test_a_directory_is_removed_and_removing_again_is_fine(tmp_path: Path, directory: JobDirectory) -> None:
    for _ in range(2):
        remove_files(tmp_path, JOB)
        assert not directory.path.exists()
    assert trash(tmp_path) == []


def test_nothing_is_removed_while_something_lives_there(tmp_path: Path, directory: JobDirectory) -> None:
    with directory.locked(), pytest.raises(BlockingIOError):
        remove_files(tmp_path, JOB)
    assert (directory.attempt(1).outputs / "image.tif").exists()


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder of a user whom modes bind; root gives its rights away meanwhile."""
    folder = Path(tempfile.mkdtemp())
    before = os.geteuid()
    if before == 0:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(before)
    shutil.rmtree(folder)


def test_folders_that_forbid_it_are_removed_too(own_folder: Path) -> None:
    directory = JobDirectory.of(own_folder, JOB)
    locked = directory.attempt(1).outputs / "deep" / "deeper"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    for path in (locked, locked.parent, directory.attempt(1).outputs):
        path.chmod(0o000)
    with pytest.raises(PermissionError):
        shutil.rmtree(directory.attempt(1).path)
    remove_files(own_folder, JOB)
    assert trash(own_folder) == []


def test_links_are_removed_not_followed(tmp_path: Path, directory: JobDirectory) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (directory.path / "link").symlink_to(outside)
    remove_files(tmp_path, JOB)
    JobDirectory.of(tmp_path, JOB).path.symlink_to(outside)
    remove_files(tmp_path, JOB)
    assert not JobDirectory.of(tmp_path, JOB).path.is_symlink()
    assert (outside / "precious").exists()


def test_the_trash_is_emptied(tmp_path: Path) -> None:
    empty_trash(tmp_path)
    (tmp_path / "trash" / "left" / "attempts").mkdir(parents=True)
    (tmp_path / "trash" / "file").touch()
    empty_trash(tmp_path)
    assert trash(tmp_path) == []
