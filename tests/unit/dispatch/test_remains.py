from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from candela_processes.dispatch.remains import ProcessIdentity, carries_mark, kill_attempt, session_leader
from candela_processes.jobs.processes import MARK, mark

WAITS = "import signal; print('ready', flush=True); signal.pause()"


@pytest.fixture
def job_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def child(job_id: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS],
        env={**os.environ, MARK: mark(job_id, 1)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def identity(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    found = ProcessIdentity.of(process.pid)
    assert found is not None
    return found


def test_a_process_is_signalled_by_its_identity(child: subprocess.Popen[bytes]) -> None:
    assert identity(child).lives()
    assert identity(child).send(signal.SIGTERM) is True
    assert child.wait() == -signal.SIGTERM


@pytest.mark.parametrize("changes", [{"start": 1}, {"boot": "another boot"}])
def test_a_stranger_with_the_same_pid_is_never_hit(child: subprocess.Popen[bytes], changes: dict[str, Any]) -> None:
    named = identity(child)
    stranger = replace(named, **changes)
    assert (stranger.lives(), stranger.send(signal.SIGKILL)) == (False, False)
    assert child.poll() is None


def test_a_zombie_does_not_live(child: subprocess.Popen[bytes]) -> None:
    named = identity(child)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert (named.lives(), named.send(signal.SIGKILL)) == (False, False)


@pytest.mark.parametrize(
    "data", [None, {}, [], {"pid": "x", "start": 1, "boot": ""}, {"pid": 1, "start": 1, "boot": "b"}, {"pid": -1}]
)
def test_a_broken_hint_names_nobody(data: object) -> None:
    assert ProcessIdentity.from_data(data) is None


def test_only_the_attempt_itself_is_killed(child: subprocess.Popen[bytes], job_id: str) -> None:
    assert kill_attempt(job_id, 2) == 0
    assert kill_attempt(str(uuid.uuid4()), 1) == 0
    assert child.poll() is None
    assert carries_mark(child.pid, job_id, 1)
    assert kill_attempt(job_id, 1) == 1
    assert child.wait() == -signal.SIGKILL
    assert kill_attempt(job_id, 1) == 0


def test_the_supervisor_is_the_marked_leader_of_a_session(child: subprocess.Popen[bytes], job_id: str) -> None:
    assert session_leader(job_id, 1) == identity(child)
    assert session_leader(job_id, 2) is None
