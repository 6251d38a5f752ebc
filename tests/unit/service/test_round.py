"""Rounds against a runner that does what it is told, on a memory store."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from candela_processes import catalog
from candela_processes.dispatch.runner import Handle, Observation, WorkerState
from candela_processes.dispatch.wake import wake
from candela_processes.errors import Unavailable
from candela_processes.execution.inline import run_inline
from candela_processes.jobs.directory import JobDirectory, JobInputs, Outcome, OutputFile, Staging, write_json
from candela_processes.jobs.memory import MemoryStore
from candela_processes.jobs.record import Job, Mode, Phase, Status, new_job
from candela_processes.jobs.store import JobPage, JobQuery
from candela_processes.reconcile import Policy
from candela_processes.service.heartbeat import Heartbeat
from candela_processes.service.round import Dispatcher
from candela_processes.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
CATALOG = catalog.load()


def wait_until(condition: Callable[[], Any], what: str) -> None:
    pause, until = threading.Event(), time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, f"never came true: {what}"
        pause.wait(0.002)


class StandInRunner:
    """Keeps what was submitted in a dictionary; tests say how each attempt goes on."""

    name = "local"

    def __init__(self, workspace: Path, places: int) -> None:
        self.places = places
        self.workspace = workspace
        self.states: dict[Handle, WorkerState] = {}
        self.submitted: list[Handle] = []
        self.stopped: list[Handle] = []
        self.hung: set[str] = set()
        self.broken: dict[str, Exception] = {}
        self.gate = threading.Event()

    def submit(self, handle: Handle) -> bool:
        if handle.job_id in self.hung:
            self.gate.wait()
        if handle.job_id in self.broken:
            raise self.broken[handle.job_id]
        self.submitted.append(handle)
        self.states[handle] = WorkerState.RUNNING
        return True

    def observe(self) -> Iterator[Observation]:
        return iter([Observation(handle=handle, state=state) for handle, state in dict(self.states).items()])

    def stop(self, handle: Handle) -> None:
        self.stopped.append(handle)
        self.states[handle] = WorkerState.ENDED

    def release(self, handle: Handle) -> None:
        self.states.pop(handle, None)

    def finish(self, handle: Handle) -> None:
        """Do what the worker does, and end."""
        echo = CATALOG.require("echo")
        run_inline(echo, JobDirectory.of(self.workspace, handle.job_id), handle.attempt)
        self.states[handle] = WorkerState.ENDED


class Lead:
    """Leadership that the test gives and takes."""

    def __init__(self) -> None:
        self.held = True
        self.asked = 0

    def acquire(self) -> bool:
        self.asked += 1
        return self.held

    def release(self) -> None:
        self.held = False


class FlakyStore(MemoryStore):
    """A store that is out of reach when told; `refused` counts the calls it turned away."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.refused = 0
        self.finds = 0

    def find(self, query: JobQuery) -> JobPage:
        self.finds += 1
        if self.down:
            self.refused += 1
            raise Unavailable("The store is out of reach.")
        return super().find(query)

    def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        return super().known(job_ids)


class Stage:
    """A dispatcher with all its parts; time moves when told."""

    def __init__(self, workspace: Path, places: int = 10, **overrides: Any) -> None:
        self.settings = Settings(**{"workspace": workspace, "round_seconds": 0.05, "action_seconds": 10.0, **overrides})
        self.store = FlakyStore()
        self.runner = StandInRunner(workspace, places)
        self.lead = Lead()
        self.now = START
        self.ticks = 0.0
        self.dispatcher = Dispatcher(
            settings=self.settings,
            catalog=CATALOG,
            store=self.store,
            runner=self.runner,
            leadership=self.lead,
            clock=lambda: self.now,
            monotonic=lambda: self.ticks + time.monotonic(),
            policy=Policy(max_interruptions=1),
        )

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.ticks += seconds

    def job(self, created: datetime = START, process_id: str = "echo") -> Job:
        job = new_job(process_id=process_id, process_version="1", owner="a", mode=Mode.ASYNC, request={}, now=created)
        self.directory(job).path.mkdir(parents=True)
        inputs = JobInputs(
            job=job.id,
            process=process_id,
            process_version="1",
            inputs={"text": "hello"},
            seconds=60,
            memory=2**30,
            scratch=2**30,
            pixels=1,
            input_bytes=1,
        )
        self.directory(job).write_inputs(inputs, Staging())
        self.store.add(job)
        return job

    def directory(self, job: Job) -> JobDirectory:
        return JobDirectory.of(self.settings.workspace, job.id)

    def row(self, job: Job) -> Job:
        row = self.store.get(job.id)
        assert row is not None
        return row

    def rounds_until(self, condition: Callable[[], Any], what: str) -> None:
        def turned() -> Any:
            self.dispatcher.round()
            return condition()

        wait_until(turned, what)

    def rounds_until_phase(self, job: Job, phase: Phase) -> Job:
        self.rounds_until(lambda: self.row(job).phase is phase, f"{phase}: {self.row(job)}")
        return self.row(job)

    def count(self, action: str, outcome: str) -> int:
        return self.dispatcher.pulse.actions.get(action, {}).get(outcome, 0)


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    built: list[Stage] = []

    def build(**overrides: Any) -> Stage:
        built.append(Stage(tmp_path / f"w{len(built)}", **overrides))
        return built[-1]

    yield build
    for stage in built:
        stage.runner.gate.set()


@pytest.fixture
def stage(stages: Callable[..., Stage]) -> Stage:
    return stages()


def test_a_job_from_the_queue_to_its_end(stage: Stage) -> None:
    job = stage.job()
    running = stage.rounds_until_phase(job, Phase.RUNNING)
    assert (running.attempt, running.status, running.runner) == (1, Status.RUNNING, "local")
    stage.runner.finish(Handle(job_id=job.id, attempt=1))
    done = stage.rounds_until_phase(job, Phase.DONE)
    assert (done.status, done.accepted_attempt, done.progress) == (Status.SUCCESSFUL, 1, 100)
    stage.rounds_until(lambda: not stage.runner.states, "it was released")
    assert stage.runner.submitted == [Handle(job_id=job.id, attempt=1)]
    assert stage.count("verify", "ok") == 1


def test_the_oldest_start_first_on_free_places(stages: Callable[..., Stage]) -> None:
    stage = stages(places=2)
    jobs = [stage.job(created=START + timedelta(seconds=second)) for second in (3, 1, 2, 0)]
    stage.rounds_until(lambda: len(stage.runner.submitted) == 2, "two were submitted")
    for _ in range(5):
        stage.dispatcher.round()
    assert {handle.job_id for handle in stage.runner.submitted} == {jobs[3].id, jobs[1].id}
    stage.runner.finish(Handle(job_id=jobs[3].id, attempt=1))
    stage.rounds_until(lambda: len(stage.runner.submitted) == 3, "the next was submitted")
    assert stage.runner.submitted[-1].job_id == jobs[2].id
    assert stage.row(jobs[0]).phase is Phase.QUEUED


def test_a_queue_longer_than_a_page(stages: Callable[..., Stage]) -> None:
    stage = stages(places=1)
    oldest = stage.job()
    for second in range(1, 1200):
        created = START + timedelta(seconds=second)
        stage.store.add(
            new_job(process_id="echo", process_version="1", owner="a", mode=Mode.ASYNC, request={}, now=created)
        )
    stage.rounds_until(lambda: stage.runner.submitted, "one was submitted")
    assert [handle.job_id for handle in stage.runner.submitted] == [oldest.id]


def test_one_hung_action_stalls_no_other_job(stage: Stage) -> None:
    hung = stage.job()
    stage.runner.hung.add(hung.id)
    stage.rounds_until(lambda: stage.row(hung).phase is Phase.STARTING, "it is being submitted")
    others = [stage.job() for _ in range(6)]
    for job in others:
        stage.rounds_until_phase(job, Phase.RUNNING)
    stage.passes(11)
    stage.rounds_until(lambda: stage.row(hung).tries == 1, "the time-out was noted")
    assert "ActionTimeout" in stage.row(hung).last_error
    assert stage.count("submit", "timeout") == 1
    stage.runner.hung.clear()
    stage.runner.gate.set()
    stage.rounds_until_phase(hung, Phase.RUNNING)
    assert [handle.job_id for handle in stage.runner.submitted].count(hung.id) == 1


def test_more_hung_actions_than_slots_leave_the_other_kinds_alone(stage: Stage) -> None:
    running = stage.job()
    stage.rounds_until_phase(running, Phase.RUNNING)
    hung = [stage.job() for _ in range(8)]
    stage.runner.hung |= {job.id for job in hung}
    stage.rounds_until(lambda: all(stage.row(job).phase is Phase.STARTING for job in hung), "all hang")
    stage.runner.finish(Handle(job_id=running.id, attempt=1))
    assert stage.rounds_until_phase(running, Phase.DONE).status is Status.SUCCESSFUL
    assert sum(thread.name.startswith("submit") for thread in threading.enumerate()) == 4


def test_a_failing_action_is_recorded_and_tried_again_later(stage: Stage) -> None:
    job = stage.job()
    stage.runner.broken[job.id] = OSError(errno.EAGAIN, "no more processes")
    stage.rounds_until(lambda: stage.row(job).tries == 1, "the failure was noted")
    row = stage.row(job)
    assert "no more processes" in row.last_error
    assert row.next_attempt_at is not None and row.next_attempt_at > stage.now
    for _ in range(5):
        stage.dispatcher.round()
    assert stage.row(job).tries == 1
    stage.runner.broken.clear()
    stage.passes(2)
    stage.rounds_until_phase(job, Phase.RUNNING)
    assert stage.row(job).tries == 0


def test_refused_outputs_fail_the_job_with_a_sentence(stage: Stage) -> None:
    job = stage.job()
    stage.rounds_until_phase(job, Phase.RUNNING)
    handle = Handle(job_id=job.id, attempt=1)
    entry = OutputFile(output="text", path="../../inputs.json", media_type="application/json", size=1, sha256="0" * 64)
    attempt = stage.directory(job).attempt(1)
    attempt.create()
    write_json(attempt.result, Outcome(job=job.id, attempt=1, outputs=(entry,)))
    stage.runner.states[handle] = WorkerState.ENDED
    done = stage.rounds_until_phase(job, Phase.DONE)
    assert (done.status, done.accepted_attempt) == (Status.FAILED, None)
    assert done.message.endswith(".") and "inputs.json" not in done.message


def test_a_result_that_is_a_link_fails_the_job(stage: Stage) -> None:
    job = stage.job()
    stage.rounds_until_phase(job, Phase.RUNNING)
    attempt = stage.directory(job).attempt(1)
    attempt.create()
    target = stage.settings.workspace / "elsewhere.json"
    write_json(target, Outcome(job=job.id, attempt=1))
    attempt.result.symlink_to(target)
    done = stage.rounds_until_phase(job, Phase.DONE)
    assert (done.status, done.message) == (Status.FAILED, "The worker left an outcome that cannot be read.")
    stage.rounds_until(lambda: not stage.runner.states, "its worker was stopped and released")


def test_a_process_that_is_no_longer_offered_fails_the_job(stage: Stage) -> None:
    job = stage.job(process_id="gone")
    stage.rounds_until_phase(job, Phase.RUNNING)
    attempt = stage.directory(job).attempt(1)
    attempt.create()
    write_json(attempt.result, Outcome(job=job.id, attempt=1))
    done = stage.rounds_until_phase(job, Phase.DONE)
    assert done.message == "The process of this job is no longer offered by the server."


def test_a_lost_job_is_started_again_with_the_next_number(stage: Stage) -> None:
    job = stage.job()
    stage.rounds_until_phase(job, Phase.RUNNING)
    stage.runner.states[Handle(job_id=job.id, attempt=1)] = WorkerState.ENDED
    stage.rounds_until_phase(job, Phase.QUEUED)
    stage.passes(2)
    stage.rounds_until(lambda: Handle(job_id=job.id, attempt=2) in stage.runner.states, "it runs again")
    assert Handle(job_id=job.id, attempt=1) not in stage.runner.states


def test_dismissing_stops_releases_and_removes(stage: Stage) -> None:
    job = stage.job()
    stage.rounds_until_phase(job, Phase.RUNNING)
    stage.store.replace(stage.row(job), stage.row(job).dismissed(stage.now))
    done = stage.rounds_until_phase(job, Phase.DONE)
    assert (done.status, stage.directory(job).path.exists()) == (Status.DISMISSED, False)
    assert stage.runner.stopped == [Handle(job_id=job.id, attempt=1)]
    assert stage.runner.states == {}


def test_what_runs_without_a_row_is_stopped_and_released(stage: Stage) -> None:
    unknown = Handle(job_id="9b1d7b1e-0000-4000-8000-000000000000", attempt=4)
    stage.runner.states[unknown] = WorkerState.RUNNING
    stage.rounds_until(lambda: not stage.runner.states, "it is gone")
    assert stage.runner.stopped == [unknown]


def test_one_job_that_cannot_be_looked_at_holds_up_no_other(stage: Stage) -> None:
    odd, job = stage.job(), stage.job()
    lock = stage.directory(odd).path / "lock"
    lock.mkdir()
    stage.rounds_until_phase(job, Phase.RUNNING)
    assert stage.row(odd).phase is Phase.QUEUED
    assert stage.count("attend", "error") > 0


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_step_harms_no_running_job(stage: Stage, days: int) -> None:
    job = stage.job()
    stage.rounds_until_phase(job, Phase.RUNNING)
    stage.now += timedelta(days=days)
    for _ in range(3):
        stage.dispatcher.round()
    assert stage.row(job).phase is Phase.RUNNING
    stage.runner.finish(Handle(job_id=job.id, attempt=1))
    done = stage.rounds_until_phase(job, Phase.DONE)
    assert done.status is Status.SUCCESSFUL
    assert done.started is not None and done.finished is not None and done.started <= done.finished


def test_two_dispatchers_submit_each_job_once(stage: Stage) -> None:
    jobs = [stage.job() for _ in range(20)]
    second = Dispatcher(
        settings=stage.settings,
        catalog=CATALOG,
        store=stage.store,
        runner=stage.runner,
        leadership=Lead(),
        clock=lambda: stage.now,
    )
    stop = threading.Event()

    def rounds() -> None:
        while not stop.is_set():
            second.round()

    stage.runner.places = 100
    thread = threading.Thread(target=rounds)
    thread.start()
    for job in jobs:
        stage.rounds_until_phase(job, Phase.RUNNING)
    stop.set()
    thread.join()
    assert {handle.attempt for handle in stage.runner.states} == {1}
    assert {job.id for job in jobs} == {handle.job_id for handle in stage.runner.states}


class Running:
    """A dispatcher that runs in a thread of its own."""

    def __init__(self, stage: Stage) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=stage.dispatcher.run, args=(self.stop,))

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop.set()
        self.thread.join()


def test_a_wake_starts_a_round_long_before_its_time(stages: Callable[..., Stage]) -> None:
    stage = stages(round_seconds=60.0)
    with Running(stage):
        wait_until((stage.settings.workspace / "dispatcher.wake").exists, "it listens")
        wait_until(lambda: stage.store.finds > 0, "the first round")
        job = stage.job()
        wake(stage.settings.workspace)
        wait_until(lambda: stage.row(job).phase is not Phase.QUEUED, "the job was taken")


def test_only_the_leader_acts(stage: Stage) -> None:
    stage.lead.held = False
    job = stage.job()
    with Running(stage):
        wait_until(lambda: stage.lead.asked >= 3, "it asked three times for the lead")
        assert stage.store.finds == 0
        assert not (stage.settings.workspace / "dispatcher.wake").exists()
        stage.lead.held = True
        wait_until(lambda: stage.row(job).phase is Phase.RUNNING, "it leads and acts")
        stage.lead.held = False
        asked = stage.lead.asked
        wait_until(lambda: stage.lead.asked > asked + 1, "it noticed")
        asked, finds = stage.lead.asked, stage.store.finds
        wait_until(lambda: stage.lead.asked > asked + 3, "it asks on")
        assert stage.store.finds == finds


def test_an_outage_of_the_store_is_survived(stage: Stage) -> None:
    stage.store.down = True
    with Running(stage):
        wait_until(lambda: stage.store.refused >= 2, "two rounds failed")
        stage.store.down = False
        job = stage.job()
        wait_until(lambda: stage.row(job).phase is Phase.RUNNING, "it recovered")
    assert stage.count("round", "error") >= 2


def test_the_heartbeat_tells_how_it_goes(stage: Stage) -> None:
    job = stage.job()
    with Running(stage):
        wait_until(lambda: stage.row(job).phase is Phase.RUNNING, "a job runs")
        wait_until(
            lambda: (beat := Heartbeat.read(stage.settings.workspace)) and beat.actions.get("submit"), "a heartbeat"
        )
    beat = Heartbeat.read(stage.settings.workspace)
    assert beat is not None
    assert (beat.leader, beat.failed_rounds, beat.actions["submit"]) == (True, 0, {"ok": 1})
    assert beat.time == stage.now.timestamp()


def test_there_is_no_heartbeat_before_the_first(tmp_path: Path) -> None:
    assert Heartbeat.read(tmp_path) is None
    (tmp_path / "dispatcher.json").write_text('{"contract": 1, "pid": 1}')
    assert Heartbeat.read(tmp_path) is None


def test_the_log_of_a_defect_shows_where_it_is(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    job = stage.job()
    stage.runner.broken[job.id] = defect = RuntimeError("a defect")
    stage.rounds_until(lambda: stage.count("submit", "error"), "the defect is counted")
    told = [record.exc_info for record in caplog.records if record.exc_info]
    assert [error[1] for error in told] == [defect]
