"""What an operator is told about one job."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from candela_processes.dispatch.runner import Handle, Observation, WorkerState
from candela_processes.jobs.record import Job, Mode, new_job
from candela_processes.service.explain import explain
from candela_processes.service.heartbeat import Heartbeat, sign_of_life

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALIVE = (True, "last round 0 s ago")


class Sight:
    """A runner that is only looked at."""

    name = "local"
    places = 1

    def __init__(self, *seen: Observation) -> None:
        self._seen = seen

    def submit(self, handle: Handle) -> bool:
        raise AssertionError("explaining changes nothing")

    def observe(self) -> Iterable[Observation]:
        return self._seen

    def stop(self, handle: Handle) -> None:
        raise AssertionError("explaining changes nothing")

    def release(self, handle: Handle) -> None:
        raise AssertionError("explaining changes nothing")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = new_job(process_id="echo", process_version="1", owner="a", mode=Mode.ASYNC, request={}, now=NOON)
    (tmp_path / "executions" / made.id).mkdir(parents=True)
    return made


def beat(**changes: object) -> Heartbeat:
    usual = Heartbeat(
        pid=7, leader=True, time=1000.0, lag_seconds=0.0, round_seconds=0.1, rounds=3, failed_rounds=0, last_error=""
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def verdict_of(job: Job, workspace: Path, *seen: Observation, life: tuple[bool, str] = ALIVE) -> str:
    return explain(job, Sight(*seen), workspace, life).rpartition("verdict    ")[2]


def test_without_a_dispatcher_no_next_round_is_promised(job: Job, tmp_path: Path) -> None:
    silent = (False, "last round 900 s ago (pid 7)")
    assert verdict_of(job, tmp_path, life=silent).startswith("No dispatcher works here")
    assert "900 s ago" in explain(job, Sight(), tmp_path, silent)
    assert "No dispatcher" not in verdict_of(job, tmp_path)


def test_a_finished_job_needs_no_dispatcher(job: Job, tmp_path: Path) -> None:
    failed = job.failed(NOON, {"detail": "It was told to."})
    assert verdict_of(failed, tmp_path, life=(False, "no sign of life")).startswith("Finished (failed)")


def test_a_job_that_rests_after_a_lost_worker_is_told_from_one_that_waits_for_a_place(job: Job, tmp_path: Path) -> None:
    lost = job.starting(NOON, "local").requeued(NOON, "lost", NOON + timedelta(seconds=4))
    assert "until 12:00:04 UTC" in verdict_of(lost, tmp_path)
    assert "free place" in verdict_of(job, tmp_path)


def test_an_abandoned_process_is_not_called_running(job: Job, tmp_path: Path) -> None:
    running = job.starting(NOON, "local").running(NOON)
    handle = Handle(job_id=job.id, attempt=1)
    left = Observation(handle=handle, state=WorkerState.ABANDONED)
    assert "supervisor is gone" in verdict_of(running, tmp_path, left)
    assert "Runs" in verdict_of(running, tmp_path, Observation(handle=handle, state=WorkerState.RUNNING))


def test_a_directory_that_was_deleted_by_hand_is_told(job: Job, tmp_path: Path) -> None:
    (tmp_path / "executions" / job.id).rmdir()
    assert "files are gone" in verdict_of(job, tmp_path)


@pytest.mark.parametrize(
    ("changes", "now", "well", "words"),
    [
        ({}, 1005.0, True, "last round 5 s ago (pid 7)"),
        ({}, 1031.0, False, "31 s ago"),
        ({}, 900.0, False, "-100 s ago"),  # the clock was set back: nobody knows
        ({"failed_rounds": 2, "last_error": "No store."}, 1005.0, False, "then 2 cut short: No store."),
    ],
)
def test_a_sign_of_life_is_recent_and_without_trouble(
    tmp_path: Path, changes: dict[str, object], now: float, well: bool, words: str
) -> None:
    beat(**changes).write(tmp_path)
    seen = sign_of_life(tmp_path, now, 30.0)
    assert seen[0] is well
    assert words in seen[1]


def test_no_heartbeat_is_no_sign_of_life(tmp_path: Path) -> None:
    assert sign_of_life(tmp_path, 0.0, 30.0) == (False, "no sign of life in this workspace")
