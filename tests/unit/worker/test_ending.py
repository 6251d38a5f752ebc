from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from candela_processes.jobs.directory import AttemptDirectory, JobDirectory, Outcome, write_json
from candela_processes.worker import ending
from candela_processes.worker.cause import Evidence
from candela_processes.worker.child import environment
from candela_processes.worker.ending import Verdict, decide, write
from candela_processes.worker.supervisor import take_lock
from candela_processes.worker.wake import poke

CALM = Evidence(0, 0)


@pytest.fixture
def directory(tmp_path: Path) -> JobDirectory:
    directory = JobDirectory.of(tmp_path / "workspace", "job")
    directory.attempt(1).create()
    return directory


@pytest.fixture
def attempt(directory: JobDirectory) -> AttemptDirectory:
    return directory.attempt(1)


def detail(outcome: Outcome) -> str:
    assert outcome.error is not None
    return str(outcome.error["detail"])


def test_written_result_stands(attempt: AttemptDirectory) -> None:
    own = Outcome(job="job", attempt=1)
    write_json(attempt.result, own)
    for verdict in (Verdict(), Verdict(breach="x"), Verdict(stopped=True)):
        assert decide(attempt, verdict, -signal.SIGKILL, CALM, {}) == own


@pytest.mark.parametrize(
    "other",
    [
        Outcome(job="other", attempt=1),
        Outcome(job="job", attempt=2),
        Outcome(job="job", attempt=1, error={}),
        Outcome(job="job", attempt=1, error=["x"]),  # type: ignore[arg-type]
    ],
)
def test_result_of_another_attempt_does_not_count(attempt: AttemptDirectory, other: Outcome) -> None:
    write_json(attempt.result, other)
    assert detail(decide(attempt, Verdict(), 0, CALM, {})) == "The process ended with code 0 without a result."


@pytest.mark.parametrize(
    ("now", "words", "retriable"),
    [
        (Evidence(0, 0), "ended by signal KILL from outside", True),
        (Evidence(1, 0), "The machine ran out of memory", True),
        (Evidence(1, 1), "needed more memory than the machine gives it", False),
    ],
)
def test_killed_from_outside(
    attempt: AttemptDirectory, monkeypatch: pytest.MonkeyPatch, now: Evidence, words: str, retriable: bool
) -> None:
    monkeypatch.setattr(Evidence, "now", classmethod(lambda cls: now))
    outcome = decide(attempt, Verdict(), -signal.SIGKILL, CALM, {"seconds": 1.0})
    assert words in detail(outcome)
    assert outcome.retriable is retriable
    assert outcome.usage == {"seconds": 1.0}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_shutdown_that_reaches_the_child_first_may_be_retried(
    attempt: AttemptDirectory, number: signal.Signals
) -> None:
    outcome = decide(attempt, Verdict(), -number, CALM, {})
    assert detail(outcome) == f"The process was ended by signal {number.name.removeprefix('SIG')} from outside."
    assert outcome.retriable


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL])
def test_crash_is_not_retried(attempt: AttemptDirectory, number: signal.Signals) -> None:
    outcome = decide(attempt, Verdict(), -number, CALM, {})
    assert detail(outcome) == f"The process was ended by signal {number.name.removeprefix('SIG')}."
    assert not outcome.retriable


def _as_folder(path: Path) -> None:
    (path / "inner").mkdir(parents=True)


@pytest.mark.parametrize(
    "make", [_as_folder, os.mkfifo, lambda path: path.symlink_to("/etc/passwd"), lambda path: path.write_text("{")]
)
def test_anything_in_place_of_the_result_is_replaced(attempt: AttemptDirectory, make: Callable[[Path], None]) -> None:
    make(attempt.result)
    outcome = decide(attempt, Verdict(), 0, CALM, {})
    assert detail(outcome) == "The process ended with code 0 without a result."
    assert write(attempt, outcome) is None
    assert attempt.read_outcome() == outcome
    assert attempt.result.is_file()
    assert not attempt.result.is_symlink()


def test_real_time_signal_has_no_name(attempt: AttemptDirectory) -> None:
    assert detail(decide(attempt, Verdict(), -40, CALM, {})) == "The process was ended by signal 40."


def test_outcome_that_cannot_be_written_is_told_by_the_code(
    attempt: AttemptDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ending, "write_json", full)
    assert write(attempt, Outcome(job="job", attempt=1, error={"detail": "x"})) == 30
    assert not attempt.outputs.exists()
    assert not attempt.scratch.exists()


def test_lock_of_another_job_is_not_taken(directory: JobDirectory, tmp_path: Path) -> None:
    other = JobDirectory.of(tmp_path / "workspace", "other")
    other.attempt(1).create()
    lock = other.try_lock()
    assert lock is not None
    directory.try_lock()
    assert take_lock(directory, lock) is None
    assert take_lock(other, lock) == lock
    assert take_lock(other, 999_999) is None
    assert not os.get_inheritable(lock)
    os.close(lock)


@pytest.mark.parametrize("prepare", [lambda workspace: None, lambda workspace: (workspace / "dispatcher.wake").touch()])
def test_poke_without_a_dispatcher_is_of_no_consequence(
    directory: JobDirectory, prepare: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(directory.path.parent.parent)
    poke(directory)
    assert capsys.readouterr() == ("", "")


def test_environment_is_an_allow_list(directory: JobDirectory) -> None:
    parent = {
        "PATH": "/bin",
        "HOME": "/var/people/user",
        "PYTHONPATH": "plugins:/absolute",
        "CANDELA_DATABASE_URL": "secret",
        "CANDELA_PRIVATE_HOSTS": "geo.local",
        "AWS_ACCESS_KEY_ID": "secret",
        "GDAL_DATA": "/data",
        "LD_PRELOAD": "/evil.so",
        "PYTHONSTARTUP": "/evil.py",
    }
    scratch = str(directory.attempt(1).scratch)
    found = environment(parent, directory, 1)
    assert found.pop("NUMBA_CACHE_DIR").startswith("/var/people/user/.cache/candela_processes/numba-")
    assert found == {
        "PATH": "/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "PYTHONPATH": f"{Path('plugins').absolute()}:/absolute",
        "CANDELA_PRIVATE_HOSTS": "geo.local",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "CANDELA_ATTEMPT": "job/1",
    }
