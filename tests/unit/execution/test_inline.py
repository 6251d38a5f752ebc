from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from candela_processes.execution.inline import run_inline
from candela_processes.execution.verify import verify
from candela_processes.jobs.directory import JobDirectory, JobInputs, Outcome, Staging
from candela_processes.processes.echo import ECHO


@pytest.fixture
def directory(tmp_path: Path) -> JobDirectory:
    return written(tmp_path, {"text": "hällo", "numbers": [1, 2]})


def written(workspace: Path, inputs: dict[str, Any]) -> JobDirectory:
    directory = JobDirectory.of(workspace, str(uuid.uuid4()))
    directory.path.mkdir(parents=True)
    job = JobInputs(
        job=directory.job_id,
        process="echo",
        process_version="1.0.0",
        inputs=inputs,
        seconds=10,
        memory=10**9,
        scratch=10**6,
        pixels=1,
        input_bytes=1,
    )
    directory.write_inputs(job, Staging())
    return directory


def run(directory: JobDirectory) -> Outcome:
    with directory.locked() as free:
        assert free
        return run_inline(ECHO, directory, 1)


def test_same_directory_as_any_job(directory: JobDirectory) -> None:
    outcome = run(directory)
    attempt = directory.attempt(1)
    assert attempt.read_outcome() == outcome
    verify(attempt, outcome, ECHO)
    assert (attempt.outputs / "text.json").read_text() == '"hällo"'
    assert (attempt.outputs / "numbers.json").read_text() == "[1,2]"
    assert attempt.worker.exists()
    assert attempt.process_log.read_text() == "  5 % running\n 99 % checking outputs\n"
    assert not attempt.scratch.exists()
    assert outcome.usage.keys() == {"seconds"}  # memory and processor time are the whole server's


def test_error_is_recorded(tmp_path: Path) -> None:
    directory = written(tmp_path, {"text": 1})
    outcome = run(directory)
    assert outcome.error is not None
    assert outcome.error["status"] == 400
    assert outcome.error["detail"] == "text: Input should be a valid string"
    assert directory.attempt(1).read_outcome() == outcome
    assert directory.attempt(1).process_log.read_text() == f"failed: {outcome.error['detail']}\n"


def test_attempt_is_not_run_twice(directory: JobDirectory) -> None:
    first = run(directory)
    again = run(directory)
    assert again.error is not None
    assert again.retriable
    assert directory.attempt(1).read_outcome() == first


def test_progress_is_heard(directory: JobDirectory) -> None:
    heard: list[float] = []
    with directory.locked():
        run_inline(ECHO, directory, 1, lambda percent, message: heard.append(percent))
    assert heard[-1] >= 5
