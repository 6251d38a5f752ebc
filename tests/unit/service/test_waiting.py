from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from candela_processes.jobs.memory import MemoryStore
from candela_processes.jobs.record import Job, Mode, new_job
from candela_processes.jobs.store import JobPage, JobQuery
from candela_processes.service.waiting import WaitingLine

START = datetime(2026, 1, 1, tzinfo=UTC)


class CountingStore(MemoryStore):
    lists = 0

    def find(self, query: JobQuery) -> JobPage:
        self.lists += 1
        return super().find(query)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


def queue(store: MemoryStore, second: int) -> Job:
    created = START + timedelta(seconds=second)
    job = new_job(process_id="echo", process_version="1", owner="a", mode=Mode.ASYNC, request={}, now=created)
    store.add(job)
    return job


def start(store: MemoryStore, job: Job) -> Job:
    started = job.starting(START, "local")
    assert store.replace(job, started)
    return started


def first(line: WaitingLine) -> Job | None:
    with contextlib.closing(iter(line)) as jobs:
        return next(jobs, None)


def test_the_oldest_come_first_and_keep_their_place(store: CountingStore) -> None:
    jobs = {second: queue(store, second) for second in (3, 1, 2)}
    line = WaitingLine(store)
    for _ in range(2):
        assert [job.id for job in line] == [jobs[1].id, jobs[2].id, jobs[3].id]


def test_a_long_line_is_listed_once_while_it_moves(store: CountingStore) -> None:
    jobs = [queue(store, second) for second in range(50)]
    line = WaitingLine(store)
    for expected in jobs[:40]:
        job = first(line)
        assert job is not None and job.id == expected.id
        start(store, job)
    assert store.lists == 1


def test_newcomers_and_the_dismissed_are_noticed(store: CountingStore) -> None:
    old = queue(store, 1)
    line = WaitingLine(store)
    assert first(line) == old
    newcomer = queue(store, 2)
    assert [job.id for job in line] == [old.id, newcomer.id]
    store.replace(old, old.dismissed(START))
    assert [job.id for job in line] == [newcomer.id]
    start(store, newcomer)
    assert list(line) == []


def test_a_job_queued_again_stands_where_its_age_belongs(store: CountingStore) -> None:
    oldest, middle, young = (queue(store, second) for second in (1, 2, 3))
    line = WaitingLine(store)
    assert first(line) == oldest
    started = start(store, oldest)
    assert first(line) == middle
    again = started.requeued(START, "lost", START)
    assert store.replace(started, again)
    line.remember(again)
    assert [job.id for job in line] == [oldest.id, middle.id, young.id]
