"""The local runner with a stand-in for the worker; the real one is run by the integration tests."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from candela_processes.dispatch import local
from candela_processes.dispatch.local import LocalRunner
from candela_processes.dispatch.remains import kill_attempt
from candela_processes.dispatch.runner import Handle, WorkerState
from candela_processes.jobs.directory import JobDirectory

STAND_IN = """
import json, os, signal, sys, threading
from pathlib import Path
from candela_processes.jobs.directory import JobDirectory
from candela_processes.jobs.processes import claim
directory = JobDirectory(Path(sys.argv[1]))
attempt = directory.attempt(int(sys.argv[3]))
behaviour = (directory.path / "behaviour").read_text()
if "child" in behaviour and not os.fork():
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "unlocked" in behaviour:
        os.close(int(sys.argv[5]))
    (directory.path / "child").write_text(str(os.getpid()))
    threading.Event().wait()
if "stubborn" in behaviour:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "silent" not in behaviour:
    claim(attempt)
(directory.path / "arguments").write_text(json.dumps([sys.argv, dict(os.environ), os.getsid(0) == os.getpid()]))
if "end" not in behaviour:
    threading.Event().wait()
"""


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    pause, until = threading.Event(), time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < until, f"never came true: {what}"
        pause.wait(0.01)
    return value


class Bench:
    """A workspace, runners on it, and a clock that moves when told."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder
        self.now = 0.0
        self.handles: list[Handle] = []

    def runner(self, parallel: int = 2) -> LocalRunner:
        environment = {**os.environ, "GREETING": "hello"}
        return LocalRunner(self.workspace, parallel, 5.0, environment, monotonic=lambda: self.now)

    def job(self, behaviour: str = "") -> Handle:
        handle = Handle(job_id=str(uuid.uuid4()), attempt=1)
        self.directory(handle).path.mkdir(parents=True)
        (self.directory(handle).path / "behaviour").write_text(behaviour)
        self.handles.append(handle)
        return handle

    def directory(self, handle: Handle) -> JobDirectory:
        return JobDirectory.of(self.workspace, handle.job_id)

    def labels(self) -> list[str]:
        return sorted(path.name for path in (self.workspace / "running").iterdir())

    def state(self, runner: LocalRunner, handle: Handle) -> WorkerState | None:
        return next((seen.state for seen in runner.observe() if seen.handle == handle), None)

    def wait_for(self, runner: LocalRunner, handle: Handle, state: WorkerState | None) -> None:
        wait_until(lambda: self.state(runner, handle) is state, f"{state}, is {self.state(runner, handle)}")

    def child(self, handle: Handle) -> int:
        path = self.directory(handle).path / "child"
        return int(wait_until(lambda: path.exists() and path.read_text(), "the child is there"))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN)
    monkeypatch.setattr(local, "WORKER", (str(stand_in),))
    made = Bench(tmp_path / "workspace")
    made.workspace.mkdir()
    yield made
    for handle in made.handles:
        for attempt in (1, 2, 3):
            wait_until(lambda h=handle, a=attempt: kill_attempt(h.job_id, a) == 0, "all are gone")  # type: ignore[misc]


def test_a_worker_is_started_in_a_session_of_its_own_with_lock_mark_and_environment(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job()
    assert runner.submit(handle) is True
    bench.wait_for(runner, handle, WorkerState.RUNNING)
    path = bench.directory(handle).path
    wait_until((path / "arguments").exists, "the worker told its arguments")
    arguments, environment, leads = json.loads((path / "arguments").read_text())
    assert arguments[1:4] == [str(path), "--attempt", "1"]
    assert (environment["CANDELA_ATTEMPT"], environment["GREETING"]) == (f"{handle.job_id}/1", "hello")
    assert leads is True
    assert bench.directory(handle).is_alive()
    assert bench.labels() == [f"{handle.job_id}.1"]


def test_submitting_again_starts_nothing(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job()
    runner.submit(handle)
    bench.wait_for(runner, handle, WorkerState.RUNNING)
    hints = bench.directory(handle).attempt(1).worker.read_text()
    assert runner.submit(handle) is True
    assert bench.directory(handle).attempt(1).worker.read_text() == hints


def test_an_attempt_that_ended_and_was_released_is_never_begun_again(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job("end")
    runner.submit(handle)
    bench.wait_for(runner, handle, WorkerState.ENDED)
    runner.release(handle)
    assert list(runner.observe()) == []
    (bench.directory(handle).path / "arguments").unlink()
    assert runner.submit(handle) is True
    assert [seen.state for seen in runner.observe()] == [WorkerState.ENDED]
    assert not (bench.directory(handle).path / "arguments").exists()


def test_an_earlier_attempt_is_not_begun_after_a_later_one(bench: Bench) -> None:
    runner, first = bench.runner(), bench.job("end")
    second = Handle(job_id=first.job_id, attempt=2)
    runner.submit(second)
    bench.wait_for(runner, second, WorkerState.ENDED)
    assert runner.submit(first) is True
    assert not bench.directory(first).attempt(1).path.exists()
    assert {seen.state for seen in runner.observe()} == {WorkerState.ENDED}


def test_another_runner_finds_and_stops_what_the_first_one_started(bench: Bench) -> None:
    first, handle = bench.runner(), bench.job()
    first.submit(handle)
    bench.wait_for(first, handle, WorkerState.RUNNING)
    second = bench.runner()
    assert bench.state(second, handle) is WorkerState.RUNNING
    second.stop(handle)
    bench.wait_for(first, handle, WorkerState.ENDED)
    second.release(handle)
    assert bench.labels() == []


def test_a_label_alone_is_nothing_yet_and_the_attempt_is_begun(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job()
    (bench.workspace / "running").mkdir()
    (bench.workspace / "running" / f"{handle.job_id}.1").touch()
    assert list(runner.observe()) == []
    assert runner.submit(handle) is True
    bench.wait_for(runner, handle, WorkerState.RUNNING)


def test_a_marked_attempt_without_worker_has_ended(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job()
    bench.directory(handle).attempt(1).path.mkdir(parents=True)
    assert runner.submit(handle) is True
    assert bench.state(runner, handle) is WorkerState.ENDED
    assert not (bench.directory(handle).path / "arguments").exists()


def test_a_locked_directory_is_left_alone(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job()
    with bench.directory(handle).locked(), pytest.raises(BlockingIOError):
        runner.submit(handle)
    assert not bench.directory(handle).attempt(1).path.exists()


def test_a_job_without_directory_cannot_be_submitted(bench: Bench) -> None:
    runner, handle = bench.runner(), Handle(job_id=str(uuid.uuid4()), attempt=1)
    with pytest.raises(FileNotFoundError):
        runner.submit(handle)
    assert list(runner.observe()) == []


def test_a_spawn_that_fails_leaves_no_trace_and_may_be_repeated(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, handle = bench.runner(), bench.job()
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nonexistent/python")
        with pytest.raises(OSError, match="nonexistent"):
            runner.submit(handle)
    assert (bench.labels(), bench.directory(handle).is_alive()) == ([], False)
    assert runner.submit(handle) is True
    bench.wait_for(runner, handle, WorkerState.RUNNING)


def test_no_more_than_its_places_are_taken(bench: Bench) -> None:
    runner = bench.runner(parallel=1)
    first, second = bench.job(), bench.job()
    assert runner.submit(first) is True
    assert runner.submit(second) is False
    bench.wait_for(runner, first, WorkerState.RUNNING)
    runner.stop(first)
    bench.wait_for(runner, first, WorkerState.ENDED)
    assert runner.submit(second) is True


def test_concurrent_submits_do_not_exceed_the_places(bench: Bench) -> None:
    runner, handles = bench.runner(parallel=2), [bench.job() for _ in range(6)]
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda h=handle: answers.append(runner.submit(h))) for handle in handles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answers) == len(bench.labels()) <= 2


def test_a_silent_worker_is_starting_and_can_be_stopped(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job("silent")
    runner.submit(handle)
    wait_until((bench.directory(handle).path / "arguments").exists, "it runs")
    assert bench.state(runner, handle) is WorkerState.STARTING
    bench.runner().stop(handle)
    bench.wait_for(runner, handle, WorkerState.ENDED)


def test_a_stubborn_worker_is_killed_with_its_children_after_the_grace(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job("stubborn child")
    runner.submit(handle)
    bench.wait_for(runner, handle, WorkerState.RUNNING)
    child = bench.child(handle)
    runner.stop(handle)
    bench.now = 6.9
    runner.stop(handle)
    assert bench.state(runner, handle) is WorkerState.RUNNING
    bench.now = 7.0
    runner.stop(handle)
    bench.wait_for(runner, handle, WorkerState.ENDED)
    wait_until(lambda: not is_running(child), "the child is gone")


def test_children_that_hold_the_lock_without_supervisor_are_abandoned_and_killed_at_once(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job("child")
    runner.submit(handle)
    bench.wait_for(runner, handle, WorkerState.RUNNING)
    child = bench.child(handle)
    supervisor = json.loads(bench.directory(handle).attempt(1).worker.read_text())["pid"]
    os.kill(supervisor, signal.SIGKILL)
    bench.wait_for(runner, handle, WorkerState.ABANDONED)
    runner.stop(handle)
    bench.wait_for(runner, handle, WorkerState.ENDED)
    wait_until(lambda: not is_running(child), "the child is gone")


def test_release_kills_what_is_left_before_the_label_goes(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job("child unlocked end")
    runner.submit(handle)
    child = bench.child(handle)
    bench.wait_for(runner, handle, WorkerState.ENDED)
    assert is_running(child)
    runner.release(handle)
    assert bench.labels() == [f"{handle.job_id}.1"]
    wait_until(lambda: not is_running(child), "the child is gone")
    runner.release(handle)
    assert bench.labels() == []


def test_release_leaves_a_living_attempt_alone(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job()
    runner.submit(handle)
    bench.wait_for(runner, handle, WorkerState.RUNNING)
    runner.release(handle)
    assert bench.state(runner, handle) is WorkerState.RUNNING


def test_a_removed_job_directory_ends_the_attempt(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job()
    runner.submit(handle)
    bench.wait_for(runner, handle, WorkerState.RUNNING)
    bench.directory(handle).path.rename(bench.workspace / "elsewhere")
    assert bench.state(runner, handle) is WorkerState.ENDED
    wait_until(lambda: kill_attempt(handle.job_id, 1) == 0, "nothing of it runs")
    runner.release(handle)
    assert bench.labels() == []


def test_a_reused_pid_is_not_hit(bench: Bench) -> None:
    runner, handle = bench.runner(), bench.job("stubborn")
    runner.submit(handle)
    bench.wait_for(runner, handle, WorkerState.RUNNING)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        worker = bench.directory(handle).attempt(1).worker
        hints = json.loads(worker.read_text())
        worker.write_text(json.dumps({**hints, "pid": stranger.pid}))
        runner.stop(handle)
        bench.wait_for(runner, handle, WorkerState.ENDED)
        assert stranger.poll() is None
        stranger.kill()


def test_ended_children_are_reaped(bench: Bench) -> None:
    of_others = zombies()
    runner, handle = bench.runner(), bench.job("end")
    runner.submit(handle)
    wait_until(lambda: zombies() - of_others, "the worker ended")
    list(runner.observe())
    assert zombies() <= of_others


def test_what_is_no_label_is_ignored(bench: Bench) -> None:
    (bench.workspace / "running").mkdir()
    for name in ("README", ".1", "x.y", "x."):
        (bench.workspace / "running" / name).touch()
    assert list(bench.runner().observe()) == []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def zombies() -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] == "Z" and int(fields[1]) == os.getpid():
            found.add(int(path.parent.name))
    return found


def test_nothing_is_started_without_room(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, handle = bench.runner(), bench.job()
    with monkeypatch.context() as full:
        full.setattr(local, "ROOM", 2**63)
        with pytest.raises(OSError, match="free") as caught:
            runner.submit(handle)
    assert caught.value.errno == errno.ENOSPC
    assert not bench.directory(handle).attempt(1).path.exists()
    assert runner.submit(handle) is True
