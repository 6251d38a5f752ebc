"""The worker as a process of its own, with processes that misbehave (tests/faulty_processes)."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from candela_processes.execution.verify import OutputsRejected, verify
from candela_processes.jobs.directory import (
    EXIT_BAD_INPUT,
    EXIT_DONE,
    EXIT_INTERNAL,
    EXIT_LIMIT,
    EXIT_STOPPED,
    JobDirectory,
    JobInputs,
    Outcome,
    StagedReference,
    Staging,
)
from candela_processes.jobs.processes import marked, start_of
from candela_processes.process import Process

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
PATIENCE = 60.0
FAULTY = Path(__file__).parents[1] / "faulty_processes"


def until(condition: Callable[[], object], what: str) -> None:
    """Wait on a condition with a generous limit."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, f"{what} did not happen"
        select.select([], [], [], 0.01)


class Job:
    """One job directory and the workers started on it."""

    def __init__(self, workspace: Path, process: str, **values: Any) -> None:
        self.directory = JobDirectory.of(workspace, str(uuid.uuid4()))
        self.directory.path.mkdir(parents=True)
        self.workers: list[subprocess.Popen[bytes]] = []
        references = values.pop("references", ())
        inputs = JobInputs(
            job=self.directory.job_id,
            process=process,
            process_version="1.0.0",
            inputs=values.pop("inputs", {}),
            seconds=PATIENCE,
            memory=1024 * MIB,
            scratch=1024 * MIB,
            pixels=10**6,
            input_bytes=10 * MIB,
        )
        self.directory.write_inputs(replace(inputs, **values), Staging(references=references))

    def start(self, attempt: int = 1, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "candela_processes.worker", str(self.directory.path)]
        worker = subprocess.Popen(
            [*command, "--attempt", str(attempt), *options],
            env=os.environ | {"PYTHONPATH": str(FAULTY)} | environment,
            pass_fds=[int(options[1])] if "--lock-fd" in options else (),
        )
        self.workers.append(worker)
        return worker

    def run(self, attempt: int = 1, *options: str, **environment: str) -> tuple[int, Outcome]:
        code = self.start(attempt, *options, **environment).wait(PATIENCE)
        return code, self.outcome(attempt)

    def outcome(self, attempt: int = 1) -> Outcome:
        outcome = self.directory.attempt(attempt).read_outcome()
        assert outcome is not None
        return outcome

    def asleep(self) -> None:
        until((self.directory.steps / "asleep").exists, "the process going to sleep")

    def detail(self, attempt: int = 1) -> str:
        error = self.outcome(attempt).error
        assert error is not None
        return str(error["detail"])

    def value(self) -> Any:
        return json.loads((self.directory.attempt(1).outputs / "value.json").read_text())

    def close(self) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.kill()
            worker.wait()
        for pid in marked(self.directory.job_id):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Make jobs; whatever they leave running is ended."""
    made: list[Job] = []

    def make(process: str, **values: Any) -> Job:
        made.append(Job(tmp_path / "workspace", f"faulty-{process}" if process != "echo" else process, **values))
        return made[-1]

    yield make
    for one in made:
        one.close()


def faulty(name: str, monkeypatch: pytest.MonkeyPatch) -> Process:
    monkeypatch.syspath_prepend(str(FAULTY))
    import faulty_processes  # type: ignore[import-not-found]

    process = getattr(faulty_processes, name)
    assert isinstance(process, Process)
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_result_is_complete_and_verified(
    job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given.txt"
    given.write_text("content")
    reference = StagedReference(href="given.txt", name="given.txt", path=str(given))
    one = job("fine", inputs={"files": ["given.txt"], "text": "ü"}, references=(reference,))
    code, outcome = one.run()
    attempt = one.directory.attempt(1)
    assert code == EXIT_DONE
    assert names(attempt.path) == ["logs", "outputs", "progress.json", "result.json", "worker.json"]
    assert names(attempt.outputs) == ["image.tif", "images_1_20200101_20210101.tif", "images_2.tif", "value.json"]
    assert one.value() == {"contents": ["content"], "text": "ü", "umlaut": "ä"}
    # sha256("two"), sha256("content"): sha256sum of coreutils
    digests = {entry.path: entry.sha256 for entry in outcome.outputs}
    assert digests["image.tif"] == "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
    assert outcome.inputs == {"given.txt": "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"}
    assert outcome.usage["seconds"] > 0
    assert {"candela_processes", "python", "pydantic"} <= outcome.software.keys()
    progress = attempt.read_progress()
    assert progress is not None
    assert (progress.percent, progress.message) == (99.0, "checking outputs")
    verify(attempt, outcome, faulty("fine", monkeypatch))


def test_supervisor_imports_little() -> None:
    code = "import sys, candela_processes.worker.__main__; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pydantic", "numpy", "pygeoapi", "kubernetes", "sqlalchemy", "rasterio", "urllib3", "flask", "yaml"}
    assert not heavy & set(loaded)
    own = {name for name in loaded if name.startswith("candela_processes.")}
    rooms = {name.split(".")[1] for name in own}
    assert rooms == {"_version", "errors", "jobs", "references", "telemetry", "worker"}


@pytest.mark.parametrize(
    ("name", "inputs", "code", "sentence"),
    [
        ("fail", {}, EXIT_INTERNAL, "The process failed with an error of its own; the operator's log has the cause."),
        ("leave", {"number": 3}, EXIT_INTERNAL, "The process ended with code 3 without a result."),
        ("leave", {"number": 0}, EXIT_INTERNAL, "The process ended with code 0 without a result."),
        ("crash", {}, EXIT_INTERNAL, "The process was ended by signal SEGV."),
        ("refuse", {}, EXIT_BAD_INPUT, "number: must be another one"),
        ("fine", {"number": "x"}, EXIT_BAD_INPUT, "number: Input should be a valid number"),
        ("fine", {"other": 1}, EXIT_BAD_INPUT, "other: is not an input of faulty-fine; it has number, files, text"),
        ("link", {}, EXIT_INTERNAL, "The process failed with an error of its own; the operator's log has the cause."),
        (
            "outside",
            {},
            EXIT_INTERNAL,
            "The process failed with an error of its own; the operator's log has the cause.",
        ),
        (
            "missing",
            {},
            EXIT_INTERNAL,
            "The process failed with an error of its own; the operator's log has the cause.",
        ),
        (
            "unknown",
            {},
            EXIT_INTERNAL,
            "The process faulty-unknown is not installed where the job ran; tell the operator.",
        ),
    ],
)
def test_failure_has_its_code_and_cause(
    job: Callable[..., Job], name: str, inputs: dict[str, Any], code: int, sentence: str
) -> None:
    one = job(name, inputs=inputs)
    assert one.run()[0] == code
    assert one.detail() == sentence
    assert not one.outcome().retriable
    attempt = one.directory.attempt(1)
    assert not attempt.outputs.exists()
    assert not attempt.scratch.exists()


def test_traceback_is_for_the_operator_only(job: Callable[..., Job]) -> None:
    one = job("fail")
    one.run()
    attempt = one.directory.attempt(1)
    assert "RuntimeError: secret of the process" in attempt.worker_log.read_text()
    assert "secret" not in attempt.process_log.read_text() + attempt.result.read_text()


def test_crash_leaves_a_trace_for_the_operator(job: Callable[..., Job]) -> None:
    one = job("crash")
    one.run()
    assert "Segmentation fault" in one.directory.attempt(1).worker_log.read_text()


def test_user_log_has_no_paths_of_the_server(job: Callable[..., Job], tmp_path: Path) -> None:
    given = tmp_path / "secret-folder" / "given.txt"
    given.parent.mkdir()
    given.write_text("content")
    reference = StagedReference(href="x", name="shown.txt", path=str(given))
    one = job("paths", inputs={"files": ["x"]}, references=(reference,))
    assert one.run()[0] == EXIT_DONE
    log = one.directory.attempt(1).process_log.read_text()
    assert "writing attempts/1/outputs/x.tif\n" in log
    assert "reading shown.txt\n" in log
    assert str(tmp_path) not in log
    assert sys.prefix not in log
    assert "in <software>/" in log
    operator = one.directory.attempt(1).worker_log.read_text()
    assert "for the operator" in operator
    assert "ZeroDivisionError" in operator


@pytest.mark.parametrize(
    ("name", "limits", "words"),
    [
        ("sleep", {"seconds": 0.5}, "The job ran for more than the 0.5 s it may take."),
        ("allocate", {"memory": 200 * MIB}, "The job used more than its 200 MiB of memory ("),
        ("fill", {"scratch": 20 * MIB}, "The job used more than its 20 MiB of disk ("),
    ],
)
def test_limit_ends_the_job(job: Callable[..., Job], name: str, limits: dict[str, Any], words: str) -> None:
    one = job(name, **limits)
    code, outcome = one.run()
    assert code == EXIT_LIMIT
    assert one.detail().startswith(words)
    assert outcome.error is not None
    assert outcome.error["type"] == "urn:candela:exceptions:limit-exceeded"
    assert not outcome.retriable
    assert not one.directory.attempt(1).scratch.exists()
    assert marked(one.directory.job_id) == []


def test_shared_memory_counts_once(job: Callable[..., Job]) -> None:
    # 8 processes with 64 MiB each by resident size are 64 MiB together; plain sums would be above 512 MiB
    one = job("share", inputs={"number": 2.0}, memory=400 * MIB)
    assert one.run()[0] == EXIT_DONE


def test_grandchild_in_its_own_session_is_ended(job: Callable[..., Job]) -> None:
    one = job("orphans")
    assert one.run()[0] == EXIT_DONE
    assert start_of(one.value()["pid"]) is None
    assert not one.directory.is_alive()


def test_stop_kills_what_ignores_it(job: Callable[..., Job]) -> None:
    one = job("stubborn")
    worker = one.start(1, "--grace", "0.3")
    one.asleep()
    worker.terminate()
    assert worker.wait(PATIENCE) == EXIT_STOPPED
    assert one.outcome().retriable
    assert one.detail() == "The job was stopped before it had finished."
    assert marked(one.directory.job_id) == []


def _terminate_again(worker: subprocess.Popen[bytes]) -> bool:
    """Ask once more; return whether it still lives."""
    if worker.poll() is None:
        worker.terminate()
    return worker.returncode is None


def test_second_stop_cuts_the_grace_short(job: Callable[..., Job]) -> None:
    one = job("stubborn")
    worker = one.start(1, "--grace", "3600")
    one.asleep()
    worker.terminate()
    until(lambda: not _terminate_again(worker), "the end")
    assert worker.returncode == EXIT_STOPPED


def test_hangup_is_ignored(job: Callable[..., Job]) -> None:
    one = job("sleep")
    worker = one.start()
    one.asleep()
    worker.send_signal(signal.SIGHUP)
    worker.terminate()
    assert worker.wait(PATIENCE) == EXIT_STOPPED


def test_long_output_keeps_head_and_tail(job: Callable[..., Job]) -> None:
    one = job("chatter", inputs={"number": 1000})  # 100 MB
    assert one.run()[0] == EXIT_DONE
    log = one.directory.attempt(1).process_log.read_bytes()
    assert len(log) < 11 * MIB
    assert b"first line\n" in log[:1000]
    assert b"last line\n" in log[-1000:]
    head, _, rest = log.partition(b"\n... ")
    left_out, _, tail = rest.partition(b" bytes left out ...\n")
    lines = b"  5 % running\nfirst line\n", b"last line\n 99 % checking outputs\n"
    assert len(head) + int(left_out) + len(tail) == 100_000_000 + sum(map(len, lines))


def test_killed_child_may_run_again(job: Callable[..., Job]) -> None:
    one = job("kill")
    assert one.run()[0] == EXIT_INTERNAL
    assert one.detail() == "The process was ended by signal KILL from outside."
    assert one.outcome().retriable


def test_child_dies_with_the_supervisor(job: Callable[..., Job]) -> None:
    one = job("sleep")
    worker = one.start()
    one.asleep()
    assert one.directory.is_alive()
    worker.kill()
    worker.wait()
    until(lambda: not one.directory.is_alive(), "the lock becoming free")
    until(lambda: marked(one.directory.job_id) == [], "the child's end")
    assert one.directory.attempt(1).read_outcome() is None


def test_next_attempt_ends_what_the_last_one_left(job: Callable[..., Job]) -> None:
    one = job("stubborn", seconds=2.0)
    worker = one.start()
    one.asleep()
    grandchild = int((one.directory.steps / "grandchild").read_text())
    worker.kill()
    worker.wait()
    until(lambda: not one.directory.is_alive(), "the lock becoming free")
    assert start_of(grandchild) is not None
    assert one.directory.attempt(1).scratch.exists()
    assert one.run(2)[0] == EXIT_LIMIT
    assert start_of(grandchild) is None
    assert not one.directory.attempt(1).scratch.exists()


def test_attempt_is_never_run_twice(job: Callable[..., Job]) -> None:
    one = job("fine")
    assert one.run()[0] == EXIT_DONE
    before = one.directory.attempt(1).result.read_bytes()
    assert one.start().wait(PATIENCE) == EXIT_INTERNAL
    assert one.directory.attempt(1).result.read_bytes() == before
    assert "started before" in one.directory.attempt(1).worker_log.read_text()


def test_of_many_workers_one_runs_the_attempt(job: Callable[..., Job]) -> None:
    one = job("fine")
    workers = [one.start() for _ in range(4)]
    codes = sorted(worker.wait(PATIENCE) for worker in workers)
    assert codes == [EXIT_DONE, EXIT_INTERNAL, EXIT_INTERNAL, EXIT_INTERNAL]
    assert one.outcome().error is None


def test_locked_directory_is_left_alone(job: Callable[..., Job]) -> None:
    one = job("fine")
    with one.directory.locked():
        assert one.start().wait(PATIENCE) == EXIT_INTERNAL
    assert not (one.directory.path / "attempts").exists()


def test_inherited_lock_is_held_to_the_end(job: Callable[..., Job]) -> None:
    one = job("sleep")
    lock = one.directory.try_lock()
    assert lock is not None
    worker = one.start(1, "--lock-fd", str(lock))
    os.close(lock)
    one.asleep()
    assert one.directory.try_lock() is None
    worker.terminate()
    worker.wait(PATIENCE)
    assert not one.directory.is_alive()


def test_foreign_descriptor_is_no_lock(job: Callable[..., Job], tmp_path: Path) -> None:
    one = job("fine")
    with (tmp_path / "other").open("w") as other:
        assert one.start(1, "--lock-fd", str(other.fileno())).wait(PATIENCE) == EXIT_INTERNAL
    assert not (one.directory.path / "attempts").exists()


def test_child_gets_a_clean_environment(job: Callable[..., Job]) -> None:
    one = job("surroundings")
    secrets = {
        "CANDELA_DATABASE_URL": "postgresql://user:password@host/db",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "GDAL_SKIP": "nothing",
        "GDAL_HTTP_USERPWD": "user:password",
        "TZ": "Europe/Rome",
    }
    assert one.run(1, **secrets)[0] == EXIT_DONE
    found = one.value()
    environment = found["environment"]
    scratch = str(one.directory.attempt(1).scratch)
    assert environment["HOME"] == environment["TMPDIR"] == found["folder"] == scratch
    assert environment["TZ"] == "Europe/Rome"
    assert environment["CANDELA_ATTEMPT"] == f"{one.directory.job_id}/1"
    assert not {"CANDELA_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "GDAL_HTTP_USERPWD"} & environment.keys()
    assert "VRT" in environment["GDAL_SKIP"].split(",")
    assert int(environment["OMP_NUM_THREADS"]) == min(2, len(os.sched_getaffinity(0)))
    assert found["core"] == 0
    assert found["oom"] == "500"
    assert found["blocked"] == []
    assert scratch not in found["path"]
    assert str(FAULTY) in found["path"]


@pytest.mark.parametrize("damage", ["{", "[]", '{"contract": 99}', '{"contract": 1}'])
def test_damaged_inputs_are_said(job: Callable[..., Job], damage: str) -> None:
    one = job("fine")
    (one.directory.path / "inputs.json").write_text(damage)
    assert one.run()[0] == EXIT_INTERNAL
    assert one.detail() == "The files that describe the job are damaged; tell the operator."


def test_forged_result_is_rejected_by_the_server(job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    one = job("forge")
    _, outcome = one.run()
    with pytest.raises(OutputsRejected, match="did not pass"):
        verify(one.directory.attempt(1), outcome, faulty("forge", monkeypatch))


@pytest.fixture
def file_server(tmp_path: Path) -> Iterator[str]:
    """Serve one file on loopback; gives its URL."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file.txt").write_text("from afar")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/file.txt"
        server.shutdown()
        thread.join()


def test_url_is_fetched_where_the_settings_allow_it(job: Callable[..., Job], file_server: str) -> None:
    reference = StagedReference(href=file_server, name="file.txt", url=file_server)
    one = job("fine", inputs={"files": [file_server]}, references=(reference,))
    assert one.run(CANDELA_PRIVATE_HOSTS="127.0.0.1")[0] == EXIT_DONE
    assert one.value()["contents"] == ["from afar"]
    # sha256("from afar"): sha256sum of coreutils
    digest = "6a1c23a9a6970cdbdf36e5e1913fe5ef2e1b6c333f233041af8a8977864654d5"
    assert one.outcome().inputs == {file_server: digest}
    assert not (one.directory.attempt(1).path / "inputs").exists()


def test_url_of_a_private_address_is_refused(job: Callable[..., Job], file_server: str) -> None:
    reference = StagedReference(href=file_server, name="file.txt", url=file_server)
    one = job("fine", inputs={"files": [file_server]}, references=(reference,))
    assert one.run()[0] == EXIT_BAD_INPUT
    assert one.detail() == "files/0: the host 127.0.0.1 is not a public address"


def test_hanging_thread_does_not_hold_a_finished_job(job: Callable[..., Job]) -> None:
    one = job("endless")
    assert one.run()[0] == EXIT_DONE


def test_dispatcher_is_woken(job: Callable[..., Job], tmp_path: Path) -> None:
    one = job("fine")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        folder = os.open(tmp_path / "workspace", os.O_RDONLY)
        bell.bind(f"/proc/self/fd/{folder}/dispatcher.wake")
        os.close(folder)
        one.run()
        bell.setblocking(False)
        heard = 0
        with suppress(BlockingIOError):
            while bell.recv(16):
                heard += 1
    assert heard >= 2


STEPS = {
    "worker.locked": (-signal.SIGKILL, False),
    "worker.child-started": (-signal.SIGKILL, False),
    "worker.child-ended": (-signal.SIGKILL, True),
    "worker.outcome-written": (-signal.SIGKILL, True),
    "execution.staged": (EXIT_INTERNAL, True),
    "execution.run-done": (EXIT_INTERNAL, True),
    "execution.result-written": (EXIT_DONE, True),
}


@pytest.mark.parametrize("step", STEPS)
def test_kill_at_every_step_leaves_a_true_state(job: Callable[..., Job], tmp_path: Path, step: str) -> None:
    code, has_result = STEPS[step]
    one = job("fine")
    marker = tmp_path / "marker"
    armed = {"CANDELA_FAULT_STEP": step, "CANDELA_FAULT_MARKER": str(marker)}
    assert one.start(1, **armed).wait(PATIENCE) == code
    assert marker.exists()
    until(lambda: not one.directory.is_alive() and marked(one.directory.job_id) == [], "the end of everything")
    outcome = one.directory.attempt(1).read_outcome()
    assert (outcome is not None) == has_result
    if outcome is not None and outcome.error is not None:
        assert outcome.retriable
    again = one.run(2)[0] if outcome is None or outcome.error else EXIT_DONE
    assert again == EXIT_DONE


IN_A_SMALL_DISK = """
mount -t tmpfs -o size=16m,mode=777 tmpfs "$1" || exit 99
cp -a "$2/." "$1/"
shift 2
"$@"
code=$?
cp -a "$WORKSPACE/." "$COPY/"
exit $code
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True).returncode != 0,
    reason="this kernel does not let us make a user namespace, so there is no small disk to fill",
)
@pytest.mark.parametrize("name", ["fill", "fill_outputs"])
def test_full_disk_is_said(job: Callable[..., Job], tmp_path: Path, name: str) -> None:
    one = job(name)
    disk, copy, original = tmp_path / "disk", tmp_path / "copy", tmp_path / "workspace"
    disk.mkdir()
    copy.mkdir()
    directory = disk / "executions" / one.directory.job_id
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", IN_A_SMALL_DISK, "sh"]
    command += [str(disk), str(original), sys.executable, "-m", "candela_processes.worker", str(directory)]
    environment = os.environ | {"PYTHONPATH": str(FAULTY), "WORKSPACE": str(disk), "COPY": str(copy)}
    answer = subprocess.run([*command, "--attempt", "1"], env=environment, timeout=PATIENCE)
    assert answer.returncode == EXIT_INTERNAL
    outcome = JobDirectory.of(copy, one.directory.job_id).attempt(1).read_outcome()
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.error["status"] == 507
    assert outcome.error["detail"] == "The disk of the server is full; the job could not write its results."
    assert not outcome.retriable
