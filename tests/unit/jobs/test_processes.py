from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from candela_processes.errors import InvalidInput, LimitExceeded, ProcessFailed
from candela_processes.jobs.directory import JobDirectory, Outcome
from candela_processes.jobs.outcomes import exit_code, failed
from candela_processes.jobs.processes import MARK, boot_id, claim, descendants, kill_marked, mark, marked, start_of

WAITING = "import sys; print(flush=True); sys.stdin.read()"


@contextmanager
def waiting(value: str, code: str = WAITING) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, MARK: value},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_attempt_is_claimed_once(tmp_path: Path) -> None:
    attempt = JobDirectory(tmp_path).attempt(1)
    attempt.create()
    assert claim(attempt)
    assert not claim(attempt)
    hints = json.loads(attempt.worker.read_text())
    assert hints == {"contract": 1, "pid": os.getpid(), "start": start_of(os.getpid()), "boot": boot_id()}


def test_marked_processes_are_found_by_job_and_attempt() -> None:
    with waiting(mark("unit-job", 1)) as first, waiting(mark("unit-job", 12)) as second, waiting("unit-job-2/1"):
        assert sorted(marked("unit-job")) == sorted([first.pid, second.pid])
        assert marked("unit-job", 1) == [first.pid]
        assert marked("unit-job", 2) == []
        assert kill_marked("unit-job", 12) == 1
        assert second.wait() == -9
        assert marked("unit-job") == [first.pid]


def test_descendants_are_found_and_zombies_are_not() -> None:
    code = "import os, sys\nif os.fork(): print(flush=True)\nsys.stdin.read()"
    with waiting("unit-tree/1", code) as child:
        found = descendants(os.getpid())
        assert child.pid in found
        assert len(descendants(child.pid)) == 1
        assert found.index(child.pid) < found.index(descendants(child.pid)[0])
    with subprocess.Popen([sys.executable, "-c", ""]) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert zombie.pid not in descendants(os.getpid())
    assert start_of(zombie.pid) is None


def test_exit_codes_follow_the_outcome() -> None:
    def code(error: Exception) -> int:
        return exit_code(failed("job", 1, error))  # type: ignore[arg-type]

    assert exit_code(Outcome(job="job", attempt=1)) == 0
    assert code(InvalidInput("a", "b")) == 10
    assert code(LimitExceeded("a")) == 20
    assert code(ProcessFailed("a")) == 30
