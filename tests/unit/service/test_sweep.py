from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from candela_processes.errors import ProcessFailed
from candela_processes.jobs.directory import JobDirectory
from candela_processes.jobs.memory import MemoryStore
from candela_processes.jobs.record import Job, Mode, new_job
from candela_processes.service.sweep import SETTLE_SECONDS, SWEEP_SECONDS, Sweeper
from candela_processes.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)


class Yard:
    """A sweeper whose two clocks move together unless told otherwise."""

    def __init__(self, workspace: Path) -> None:
        self.settings = Settings(workspace=workspace, expiry_days=10.0, orphan_seconds=100.0)
        self.store = MemoryStore()
        self.now = START
        self.monotonic = 0.0
        self.sweeper = Sweeper(self.settings, self.store, lambda: self.now, lambda: self.monotonic)

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds

    def directory(self, job_id: str) -> JobDirectory:
        return JobDirectory.of(self.settings.workspace, job_id)

    def job(self, finished: datetime | None) -> Job:
        job = new_job(process_id="echo", process_version="1", owner="a", mode=Mode.ASYNC, request={}, now=START)
        if finished is not None:
            job = job.failed(finished, ProcessFailed("It broke.").as_data())
        self.store.add(job)
        self.directory(job.id).path.mkdir(parents=True)
        return job

    def is_there(self, job: Job) -> tuple[bool, bool]:
        return self.store.get(job.id) is not None, self.directory(job.id).path.exists()


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def test_finished_jobs_expire_with_their_files_and_others_stay(yard: Yard) -> None:
    old, young, queued = yard.job(START), yard.job(START + timedelta(days=1)), yard.job(None)
    yard.passes(10 * 86400 + 1)
    yard.sweeper.sweep()
    assert (yard.is_there(old), yard.is_there(young), yard.is_there(queued)) == (
        (False, False),
        (True, True),
        (True, True),
    )


def test_more_than_a_page_expires(yard: Yard) -> None:
    for _ in range(450):
        yard.job(START)
    yard.passes(11 * 86400)
    yard.sweeper.sweep()
    assert yard.store.tally() == ()


def test_an_expired_job_in_which_something_lives_waits(yard: Yard) -> None:
    job = yard.job(START)
    yard.passes(11 * 86400)
    with yard.directory(job.id).locked():
        yard.sweeper.sweep()
        assert yard.is_there(job) == (True, True)
    yard.sweeper.sweep()
    assert yard.is_there(job) == (False, False)


def test_nothing_expires_for_an_hour_after_the_clock_stepped(yard: Yard) -> None:
    job = yard.job(START)
    yard.sweeper.sweep()
    yard.now += timedelta(days=365)
    yard.sweeper.sweep()
    assert yard.is_there(job) == (True, True)
    yard.now = START
    yard.passes(SETTLE_SECONDS + 1)
    yard.sweeper.sweep()
    yard.passes(SETTLE_SECONDS - 1)
    yard.sweeper.sweep()
    assert yard.is_there(job) == (True, True), "set back: it is young again"


def test_after_the_hour_jobs_expire_by_the_new_time(yard: Yard) -> None:
    job = yard.job(START)
    yard.sweeper.sweep()
    yard.now += timedelta(days=365)
    yard.sweeper.sweep()
    yard.passes(SETTLE_SECONDS)
    yard.sweeper.sweep()
    assert yard.is_there(job) == (False, False)


def test_an_orphan_is_removed_once_it_was_seen_long_enough(yard: Yard) -> None:
    orphan = yard.directory("9b1d7b1e-0000-4000-8000-000000000000")
    orphan.path.mkdir(parents=True)
    yard.sweeper.sweep()
    yard.now += timedelta(days=2)
    yard.monotonic += 99.0
    yard.sweeper.sweep()
    assert orphan.path.exists(), "the wall clock alone makes nothing old"
    yard.monotonic += 1.0
    yard.sweeper.sweep()
    assert not orphan.path.exists()


def test_an_orphan_that_changes_or_lives_stays(yard: Yard) -> None:
    orphan = yard.directory("9b1d7b1e-0000-4000-8000-000000000000")
    orphan.path.mkdir(parents=True)
    yard.sweeper.sweep()
    yard.passes(60)
    (orphan.path / "inputs.json").touch()
    yard.sweeper.sweep()
    yard.passes(60)
    yard.sweeper.sweep()
    assert orphan.path.exists()
    yard.passes(100)
    with orphan.locked():
        yard.sweeper.sweep()
        yard.passes(100)
        yard.sweeper.sweep()
        assert orphan.path.exists()


def test_a_row_that_came_late_saves_its_directory(yard: Yard) -> None:
    job = new_job(process_id="echo", process_version="1", owner="a", mode=Mode.ASYNC, request={}, now=START)
    yard.directory(job.id).path.mkdir(parents=True)
    yard.sweeper.sweep()
    yard.store.add(job)
    yard.passes(1000)
    yard.sweeper.sweep()
    assert yard.is_there(job) == (True, True)


def test_sweeps_keep_their_pace(yard: Yard) -> None:
    assert yard.sweeper.is_due()
    yard.sweeper.sweep()
    assert not yard.sweeper.is_due()
    yard.passes(min(SWEEP_SECONDS, 50.0))
    assert yard.sweeper.is_due()


def test_an_empty_workspace_is_swept(yard: Yard) -> None:
    yard.sweeper.sweep()
