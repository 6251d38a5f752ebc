"""Several writers on one job: whatever the order of their reads and writes, it ends in one legal state."""

import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_processes.jobs.record import FINAL, IllegalTransition, Job, Mode, Phase, Status, new_job
from candela_processes.jobs.store import JobQuery, JobStore

from .store_contract import NOON, queued, seconds

ERROR = {"type": "urn:x", "title": "x", "status": 500, "detail": "broken"}

MOVES: dict[str, Callable[[Job, datetime], Job]] = {
    "starting": lambda job, now: job.starting(now, "local"),
    "running": lambda job, now: job.running(now),
    "progressed": lambda job, now: job.progressed(now, 50, "half"),
    "requeued": lambda job, now: job.requeued(now, "node lost", now),
    "accepted": lambda job, now: job.accepted(now),
    "succeeded": lambda job, now: job.succeeded(now),
    "failed": lambda job, now: job.failed(now, ERROR),
    "dismissed": lambda job, now: job.dismissed(now),
    "removed": lambda job, now: job.removed(now),
    "deferred": lambda job, now: job.deferred(now, "unreachable", now),
}

STATUS_OF_PHASE = {
    Phase.QUEUED: {Status.ACCEPTED},
    Phase.STARTING: {Status.ACCEPTED},
    Phase.RUNNING: {Status.RUNNING},
    Phase.PUBLISHING: {Status.RUNNING},
    Phase.DISMISSING: {Status.DISMISSED},
    Phase.DONE: FINAL,
}


def check_history(history: list[Job]) -> None:
    """Every stored state, in the order of writing, is legal by itself and after the one before."""
    assert [job.revision for job in history] == list(range(len(history)))
    for job in history:
        assert job.status in STATUS_OF_PHASE[job.phase]
        assert (job.finished is not None) == job.is_final
        assert (job.accepted_attempt is not None) == (job.phase is Phase.PUBLISHING or job.status is Status.SUCCESSFUL)
        assert (job.error is not None) == (job.status is Status.FAILED)
    for before, after in itertools.pairwise(history):
        if before.status is Status.DISMISSED:
            assert after.status is Status.DISMISSED
        if before.is_final:
            assert after.status in (before.status, Status.DISMISSED) and after.finished == before.finished
        assert after.attempt == before.attempt + (after.phase is Phase.STARTING and before.phase is Phase.QUEUED)
        assert after.interruptions >= before.interruptions
        assert before.started is None or after.started == before.started


_STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.just("read") | st.sampled_from(sorted(MOVES))), min_size=1, max_size=60
)


class RacesEndLegally:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=_STEPS)
    def test_any_interleaving_of_three_writers(self, store: JobStore, steps: list[tuple[int, str]]) -> None:
        job = queued()
        store.add(job)
        seen = dict.fromkeys(range(3), job)  # what each writer read last
        history = [job]
        for number, (writer, step) in enumerate(steps, start=1):
            if step == "read":
                current = store.get(job.id)
                assert current == history[-1]
                seen[writer] = history[-1]
                continue
            old = seen[writer]
            try:
                new = MOVES[step](old, NOON + seconds(number))
            except IllegalTransition:
                continue
            won = store.replace(old, new)
            assert won == (old.revision == history[-1].revision)
            if won and new is not old:
                history.append(new)
                seen[writer] = new
        assert store.get(job.id) == history[-1]
        check_history(history)

    def test_one_of_many_threads_wins_each_revision(self, store: JobStore) -> None:
        job = queued()
        store.add(job)
        won: list[Job] = [job]
        troubles: list[BaseException] = []
        begin = threading.Barrier(8)

        def write(seed: int) -> None:
            choice = random.Random(seed)
            try:
                begin.wait(timeout=60)
                for _ in range(25):
                    old = store.get(job.id)
                    assert old is not None
                    move = choice.choice(sorted(MOVES.keys() - {"dismissed", "failed", "succeeded"}))
                    new = attempted(old, move)
                    if new is not None and store.replace(old, new):
                        won.append(new)
            except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
                troubles.append(error)

        run_together([partial(write, seed) for seed in range(8)])
        assert troubles == []
        history = sorted(won, key=lambda state: state.revision)
        assert store.get(job.id) == history[-1]
        assert len(history) > 1
        check_history(history)

    def test_a_dismissal_beside_a_completion(self, store: JobStore) -> None:
        for _ in range(10):
            job = replace(queued().starting(NOON, "local").running(NOON).accepted(NOON), revision=0)
            store.add(job)
            outcomes = race(store, job, ["succeeded", "dismissed"])
            assert sorted(outcomes.values()) == [False, True]
            kept = store.get(job.id)
            assert kept is not None
            assert kept.status is (Status.DISMISSED if outcomes["dismissed"] else Status.SUCCESSFUL)

    def test_readers_see_whole_jobs_while_others_write(self, store: JobStore) -> None:
        owner = str(uuid4())
        troubles: list[BaseException] = []

        def add() -> None:
            try:
                for _ in range(20):
                    job = new_job(
                        process_id="p", process_version="1", owner=owner, mode=Mode.ASYNC, request={}, now=NOON
                    )
                    store.add(job)
                    assert store.replace(job, job.starting(NOON, "local"))
                    assert all(found.attempt == found.revision for found in store.find(JobQuery(owner=owner)).jobs)
            except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
                troubles.append(error)

        run_together([add] * 4)
        assert troubles == []
        assert sum(entry.count for entry in store.tally()) >= 80
        assert len(store.find(JobQuery(owner=owner, limit=100)).jobs) == 80


def attempted(job: Job, move: str) -> Job | None:
    """Return the job after a move, None when its phase does not allow it."""
    try:
        return MOVES[move](job, NOON)
    except IllegalTransition:
        return None


def race(store: JobStore, job: Job, moves: list[str]) -> dict[str, bool]:
    """Write moves from the same state at the same time; return which was written."""
    outcomes: dict[str, bool] = {}
    begin = threading.Barrier(len(moves))

    def write(move: str) -> None:
        begin.wait(timeout=60)
        outcomes[move] = store.replace(job, MOVES[move](job, NOON))

    run_together([partial(write, move) for move in moves])
    return outcomes


def run_together(actions: list[Callable[[], None]]) -> None:
    """Run actions in threads of their own and wait for all."""
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
