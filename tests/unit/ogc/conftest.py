"""The application on a memory store, with the built-in processes and one that makes every kind of output."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from candela_processes import catalog
from candela_processes.app import create_app
from candela_processes.errors import InvalidInput
from candela_processes.identity import Principal
from candela_processes.jobs.memory import MemoryStore
from candela_processes.jobs.record import Job
from candela_processes.process import Process
from candela_processes.service.service import Service
from candela_processes.settings import Settings
from candela_processes.telemetry.metrics import Metrics

ROOT = "http://localhost"


class Reply(TestResponse):
    """An answer whose JSON may be looked into."""

    @property
    def json(self) -> Any:
        return self.get_json()


class BufferedClient(FlaskClient):
    """Reads each answer to its end and closes it, as a server does."""

    def open(self, *arguments: Any, **named: Any) -> Reply:
        return cast(Reply, super().open(*arguments, **(named | {"buffered": True})))

    def get(self, *arguments: Any, **named: Any) -> Reply:
        return self.open(*arguments, **named, method="GET")

    def head(self, *arguments: Any, **named: Any) -> Reply:
        return self.open(*arguments, **named, method="HEAD")

    def post(self, *arguments: Any, **named: Any) -> Reply:
        return self.open(*arguments, **named, method="POST")

    def delete(self, *arguments: Any, **named: Any) -> Reply:
        return self.open(*arguments, **named, method="DELETE")

    def options(self, *arguments: Any, **named: Any) -> Reply:
        return self.open(*arguments, **named, method="OPTIONS")


@dataclass(frozen=True)
class Site:
    """The application, its parts, and short ways to use it."""

    app: Flask
    service: Service
    store: MemoryStore

    @property
    def client(self) -> BufferedClient:
        return BufferedClient(self.app, Reply, use_cookies=False)

    def get(self, path: str, **headers: str) -> Reply:
        return self.client.get(path.removeprefix(ROOT), headers={k.replace("_", "-"): v for k, v in headers.items()})

    def execute(self, process: str, body: Any, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/processes/{process}/execution", json=body, headers=named)

    def submit(self, process: str = "echo", inputs: Mapping[str, Any] | None = None, **body: Any) -> Job:
        """Submit asynchronously; nothing runs it."""
        default = {"text": "hello"} if process == "echo" else {}
        reply = self.execute(process, {"inputs": inputs or default, **body}, Prefer="respond-async")
        assert reply.status_code == 201, reply.text
        return self.job(reply.json["jobID"])

    def make(self, inputs: Mapping[str, Any] | None = None, **body: Any) -> Job:
        """Run the maker; returns its finished job."""
        reply = self.execute("maker", {"inputs": inputs or {}, "response": "document", **body})
        assert reply.status_code == 200, reply.text
        return self.job(reply.headers["Content-Location"].split("/")[-2])

    def job(self, job_id: str) -> Job:
        job = self.store.get(job_id)
        assert job is not None
        return job

    def move(self, job: Job, *changes: Callable[[Job, datetime], Job]) -> Job:
        """Apply transitions one after another."""
        for change in changes:
            moved = change(job, datetime.now(UTC))
            assert self.store.replace(job, moved)
            job = moved
        return job

    def start(self, job: Job) -> Job:
        return self.move(job, lambda j, now: j.starting(now, "local"), lambda j, now: j.running(now))

    def fail(self, job: Job) -> Job:
        error = InvalidInput("images/0", "has <b>no</b> pixels").as_data()
        return self.move(self.start(job), lambda j, now: j.failed(now, error))


@pytest.fixture(scope="session")
def maker() -> Iterator[Process]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent / "made_processes"))
        process: Process = importlib.import_module("maker").MAKER
        yield process


@pytest.fixture
def make_site(tmp_path: Path, maker: Process) -> Callable[..., Site]:
    def made(**settings: Any) -> Site:
        store = MemoryStore()
        configured = Settings(workspace=tmp_path, free_space_floor=0, **settings)
        processes = catalog.build((*catalog.BUILT_IN, maker))
        service = Service(settings=configured, catalog=processes, store=store, metrics=Metrics())
        app = create_app(
            configured, service, lambda request: Principal(subject=request.headers.get("X-Subject", "anonymous"))
        )
        return Site(app, service, store)

    return made


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
