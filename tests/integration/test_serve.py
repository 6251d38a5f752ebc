"""`candela serve` as an operator runs it: ready line, end, restart, and the violent death of each of its parts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from candela_processes.api.remote import RemoteJob, Server
from candela_processes.errors import ProcessesError
from candela_processes.jobs.processes import descendants

from .conftest import Site, free_port

pytestmark = pytest.mark.integration


class Serving:
    """One `candela serve` on a site."""

    def __init__(self, site: Site, *options: str, **environment: str) -> None:
        self.site = site
        self._log = (site.folder / "serve.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "candela_processes", "serve", "--port", str(free_port()), *options],
            env={**site.environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.url = self.line.strip().rpartition(" ")[2]

    @property
    def server(self) -> Server:
        return Server(self.url)

    def submit(self, act: str = "finish") -> RemoteJob:
        job = self.server.submit("ledger", {"folder": str(self.site.ledger), "act": act})
        self.site.jobs.append(job.id)
        return job

    def child(self, word: str) -> int:
        """Return the pid of the child whose command line holds `word`."""
        parents = [self.process.pid, *descendants(self.process.pid)]
        for pid in parents[1:]:
            try:
                if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
            except OSError:
                continue
        return 0

    def answers(self) -> bool:
        try:
            return self.server.request("GET", "/readyz").status == 200
        except ProcessesError:
            return False

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()


@pytest.fixture
def serve(site: Site) -> Iterator[Callable[..., Serving]]:
    """Start servers on the site; they end with the test."""
    started: list[Serving] = []

    def start(*options: str, **environment: str) -> Serving:
        started.append(Serving(site, *options, **environment))
        return started[-1]

    yield start
    for serving in started:
        serving.close()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_one_line_says_that_it_is_ready_and_a_term_ends_all_of_it(serve: Callable[..., Serving], site: Site) -> None:
    serving = serve()
    assert serving.line.startswith("candela is ready at http://127.0.0.1:")
    assert serving.answers()
    family = descendants(serving.process.pid)
    assert serving.end() == 0
    site.wait_until(lambda: all(map(is_gone, family)), "all children are gone")


def test_the_end_of_the_terminal_is_an_orderly_end(serve: Callable[..., Serving]) -> None:
    assert serve().end(signal.SIGHUP) == 0


def test_clients_that_send_half_a_request_do_not_hold_the_server(serve: Callable[..., Serving], site: Site) -> None:
    serving = serve(CANDELA_WEB_THREADS="2")
    address = urlsplit(serving.url)
    headers = b"POST /processes/echo/execution HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    halves = [headers, headers + b'Content-Length: 999\r\n\r\n{"inputs"']
    clients = [socket.create_connection((str(address.hostname), address.port or 0)) for _ in halves]
    for client, half in zip(clients, halves, strict=True):
        client.sendall(half)
    site.wait_until(serving.answers, "the server answers others")
    for client in clients:
        client.close()


def test_a_term_leaves_a_running_job_alone_and_the_next_server_finds_it(
    serve: Callable[..., Serving], site: Site
) -> None:
    first = serve()
    job = first.submit()
    site.wait_for_event("start")
    first.end()
    site.let_go()
    site.wait_for_event("end")
    status = serve().server.job(job.id).wait()
    assert status["status"] == "successful"
    assert site.events().count("start") == 1


def test_stop_jobs_ends_workers_and_the_next_server_runs_them_anew(serve: Callable[..., Serving], site: Site) -> None:
    first = serve("--stop-jobs")
    job = first.submit()
    site.wait_for_event("start")
    first.end()
    assert not [name for name in site.remains() if name.startswith("process")]
    site.let_go()
    assert serve().server.job(job.id).wait()["status"] == "successful"
    assert site.events().count("start") == 2


def test_a_killed_parent_takes_its_children_with_it_and_loses_no_job(serve: Callable[..., Serving], site: Site) -> None:
    first = serve()
    job = first.submit()
    site.wait_for_event("start")
    family = [first.child("gunicorn"), first.child("dispatcher")]
    first.end(signal.SIGKILL)
    site.wait_until(lambda: all(map(is_gone, family)), "the children ended with their parent")
    second = serve()
    site.let_go()
    assert second.server.job(job.id).wait()["status"] == "successful"
    assert site.events().count("start") == 1
    site.wait_for_rest()


@pytest.mark.parametrize("part", ["gunicorn", "dispatcher"])
def test_a_killed_child_is_started_again(serve: Callable[..., Serving], site: Site, part: str) -> None:
    serving = serve()
    job = serving.submit()
    site.wait_for_event("start")
    killed = serving.child(part)
    os.kill(killed, signal.SIGKILL)
    site.wait_until(lambda: serving.child(part) not in (0, killed), f"{part} is back")
    site.wait_until(serving.answers, "the server answers again on the same port")
    site.let_go()
    assert serving.server.job(job.id).wait()["status"] == "successful"
    assert site.events().count("start") == 1


def test_web_and_dispatcher_run_apart(serve: Callable[..., Serving], site: Site) -> None:
    serving = serve("--web-only")
    assert not serving.child("dispatcher")
    job = serving.submit()
    assert job.status()["status"] == "accepted"
    site.let_go()
    site.start_dispatcher()
    assert job.wait()["status"] == "successful"


def test_two_servers_on_one_workspace_run_every_job_once(serve: Callable[..., Serving], site: Site) -> None:
    servers = [serve(), serve()]
    site.let_go()
    jobs = [servers[number % 2].submit() for number in range(6)]
    assert {job.wait()["status"] for job in jobs} == {"successful"}
    assert site.events().count("start") == len(jobs)


def refused(site: Site, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "candela_processes", "serve", "--port", "0", *options],
        env={**site.environment(), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"CANDELA_PARALLEL_JOBS": "none"}, "CANDELA_PARALLEL_JOBS"),
        ({"CANDELA_INPUT_ROOTS": "/nowhere/at/all"}, "CANDELA_INPUT_ROOTS: /nowhere/at/all is not a folder."),
        ({"CANDELA_WORKSPACE": "/proc/nowhere"}, "CANDELA_WORKSPACE"),
        ({"CANDELA_DATABASE_URL": "mysql://nowhere/jobs"}, "CANDELA_DATABASE_URL"),
        ({"CANDELA_DATABASE_URL": "sqlite:///:memory:"}, "CANDELA_DATABASE_URL"),
        (
            {"CANDELA_PYGEOAPI_CONFIG": "/nowhere/at/all.yml"},
            "CANDELA_PYGEOAPI_CONFIG: the file cannot be read",
        ),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_sentence(
    site: Site, environment: dict[str, Any], sentence: str
) -> None:
    answer = refused(site, **environment)
    assert answer.returncode == 2
    assert sentence in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert answer.stdout == ""


def test_a_port_that_is_taken_is_told(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = refused(site, "--port", str(taken.getsockname()[1]))
    assert answer.returncode == 2
    assert "cannot be listened on" in answer.stderr


def test_others_can_read_nothing_of_a_workspace(serve: Callable[..., Serving], site: Site) -> None:
    workspace = site.folder / "private"
    serving = serve(CANDELA_WORKSPACE=str(workspace))
    site.let_go()
    assert serving.submit().wait()["status"] == "successful"
    modes = {path: path.lstat().st_mode & 0o027 for path in [workspace, *workspace.rglob("*")]}
    assert len(modes) > 10
    assert {path: oct(mode) for path, mode in modes.items() if mode} == {}
