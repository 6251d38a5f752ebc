"""A site: a workspace with an SQLite store, a service in this process and dispatchers in processes of their own."""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from candela_processes import catalog, settings
from candela_processes.dispatch.steps import Step
from candela_processes.identity import ANONYMOUS
from candela_processes.jobs.migrations import create_if_empty
from candela_processes.jobs.processes import kill_marked, marked
from candela_processes.jobs.record import Job, Phase
from candela_processes.jobs.sql import SqlStore
from candela_processes.service.service import Service
from candela_processes.service.submission import Submission
from candela_processes.telemetry.metrics import Metrics

LEDGER_FOLDER = Path(__file__).parent / "ledger_processes"
LIMIT = 60.0


def wait_until(condition: Callable[[], Any], what: str, limit: float = LIMIT) -> Any:
    """Return what `condition` gives once it is true; fails after a generous limit."""
    pause = threading.Event()
    until = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"never came true: {what}")
        pause.wait(0.02)
    return value


def free_port() -> int:
    """Return a loopback port below the ephemeral range that nobody listens on now."""
    candidates = list(range(20000, 32000))
    random.shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


class Offspring:
    """A process that the nursery forked."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._nursery.ask({"status": self.pid})
        return self._status

    def wait(self) -> int:
        wait_until(lambda: self.poll() is not None, "the process ended")
        assert self._status is not None
        return self._status

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """Forks commands from a process that has imported everything (see ledger_processes/nursery.py)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ledger_processes.nursery"],
            env={**os.environ, "PYTHONPATH": str(LEDGER_FOLDER)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, question: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Offspring:
        question = {"start": list(arguments), "environment": dict(environment), "log": str(log)}
        return Offspring(self, self.ask(question))

    def close(self) -> None:
        self._process.communicate()


class Site:
    """One workspace and everything that runs on it."""

    def __init__(self, folder: Path, nursery: Nursery, **overrides: Any) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        self.ledger = folder / "ledger"
        self.marker = folder / "fault"
        for made in (self.workspace, self.ledger):
            made.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            "workspace": self.workspace,
            "round_seconds": 0.1,
            "stop_grace_seconds": 0.5,
            "orphan_seconds": 0.5,
            "parallel_jobs": 2,
            "free_space_floor": 0,
        }
        self.overrides = {**values, **overrides}
        self.settings = settings.load(**self.overrides)
        create_if_empty(self.settings.store_url)
        self.store = SqlStore(self.settings.store_url)
        self.catalog = catalog.build((*catalog.BUILT_IN, ledger_process()))
        self.service = Service(settings=self.settings, catalog=self.catalog, store=self.store, metrics=Metrics())
        self.nursery = nursery
        self.offspring: list[Offspring] = []
        self.jobs: list[str] = []

    @staticmethod
    def wait_until(condition: Callable[[], Any], what: str) -> Any:
        return wait_until(condition, what)

    def environment(self) -> dict[str, str]:
        values = {f"CANDELA_{name.upper()}": str(value) for name, value in self.overrides.items()}
        return {**os.environ, "PYTHONPATH": str(LEDGER_FOLDER), **values}

    def start_dispatcher(self, step: Step | str = "") -> Offspring:
        """Start `candela dispatcher`; with `step` it kills itself there, once."""
        return self.start("dispatcher", step=step)

    def start(self, *arguments: str, step: Step | str = "") -> Offspring:
        """Start a command in a process of its own; with `step` it, or what it starts, kills itself there, once."""
        fault = {"CANDELA_FAULT_STEP": str(step), "CANDELA_FAULT_MARKER": str(self.marker)} if step else {}
        process = self.nursery.start(arguments, {**self.environment(), **fault}, self.folder / "commands.log")
        self.offspring.append(process)
        return process

    def submit(self, act: str = "finish") -> Job:
        inputs = {"folder": str(self.ledger), "act": act}
        job = self.service.submit(Submission(process_id="ledger", inputs=inputs))
        self.jobs.append(job.id)
        return job

    def dismiss(self, job: Job) -> Job:
        return self.service.dismiss(ANONYMOUS, job.id)

    def row(self, job: Job) -> Job:
        row = self.store.get(job.id)
        assert row is not None
        return row

    def wait_for_phase(self, job: Job, phase: Phase) -> Job:
        wait_until(lambda: self.row(job).phase is phase, f"the job is {phase}, not {self.row(job)}")
        return self.row(job)

    def wait_for_event(self, word: str, count: int = 1) -> None:
        wait_until(lambda: self.events().count(word) >= count, f"{count} x {word} in the ledger")

    def let_go(self) -> None:
        (self.ledger / "go").touch()

    def events(self) -> list[str]:
        try:
            return (self.ledger / "events").read_text().split()
        except FileNotFoundError:
            return []

    def directory(self, job: Job) -> Path:
        return self.workspace / "executions" / job.id

    def remains(self) -> list[str]:
        """Return all that should not be there once every job has ended."""
        found = [f"process {pid}" for job_id in self.jobs for pid in marked(job_id)]
        for folder in ("running", "trash"):
            found += [f"{folder}/{name}" for name in names_in(self.workspace / folder)]
        rows = self.store.known(names_in(self.workspace / "executions"))
        found += [f"executions/{name}" for name in names_in(self.workspace / "executions") if name not in rows]
        for job_id in self.jobs:
            row = self.store.get(job_id)
            if row is not None and row.phase is not Phase.DONE:
                found.append(f"job in {row.phase}")
        return found

    def wait_for_rest(self) -> None:
        wait_until(lambda: not self.remains(), "nothing is left over")

    def close(self) -> None:
        for process in self.offspring:
            process.kill()
            process.wait()
        for job_id in self.jobs:
            wait_until(lambda job_id=job_id: kill_marked(job_id) == 0, "workers are gone")  # type: ignore[misc]
        self.store.close()


def names_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []


def ledger_process() -> Any:
    """Return the declaration that dispatchers and workers find by its entry point."""
    sys.path.insert(0, str(LEDGER_FOLDER))
    try:
        return importlib.import_module("ledger_processes").LEDGER
    finally:
        sys.path.remove(str(LEDGER_FOLDER))


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def new_site(tmp_path: Path, nursery: Nursery) -> Iterator[Callable[..., Site]]:
    """Build sites with the given settings; all that runs on them is ended afterwards."""
    sites: list[Site] = []

    def build(**overrides: Any) -> Site:
        sites.append(Site(tmp_path / f"site{len(sites)}", nursery, **overrides))
        return sites[-1]

    yield build
    for site in sites:
        site.close()


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """A site with usual settings."""
    return new_site()
