"""One `candela serve` with a workspace of its own, as a client sees it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LEDGER_FOLDER = Path(__file__).parent / "ledger_processes"
LIMIT = 120.0
FINAL = ("successful", "failed", "dismissed")


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Return what `condition` gives once it is true; fails after a generous limit."""
    pause = threading.Event()
    until = time.monotonic() + LIMIT
    while not (value := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"never came true: {what}")
        pause.wait(0.05)
    return value


class Answer:
    """One answer, read to its end."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Web:
    """A running server by its root URL; `folder` holds the ledger of the process `ledger`."""

    url: str
    folder: Path

    def connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT)

    def ask(self, method: str, path: str, body: Any = None, *, chunked: bool = False, **headers: Any) -> Answer:
        """Send one request on its own connection; `Content_Type` stands for Content-Type."""
        connection = self.connect()
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent, encode_chunked=chunked)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def execute(self, process: str, inputs: dict[str, Any], prefer: str = "", **members: Any) -> Answer:
        headers: dict[str, Any] = {"Content_Type": "application/json"} | ({"Prefer": prefer} if prefer else {})
        body = json.dumps({"inputs": inputs, **members})
        return self.ask("POST", f"/processes/{process}/execution", body, **headers)

    def wait_for_end(self, job_id: str) -> dict[str, Any]:
        def status() -> Any:
            document = self.ask("GET", f"/jobs/{job_id}").json
            return document if document["status"] in FINAL else None

        found: dict[str, Any] = wait_until(status, f"the end of job {job_id}")
        return found


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Web]:
    """Start web server and dispatcher; all of it ends with the block."""
    values = {"workspace": folder / "workspace", "free_space_floor": 0, "round_seconds": 0.2, "parallel_jobs": 3}
    values |= {"stop_grace_seconds": 1} | settings
    environment = {f"CANDELA_{name.upper()}": str(value) for name, value in values.items()}
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "candela_processes", "serve", "--port", "0", "--stop-jobs"],
            env={**os.environ, "PYTHONPATH": str(LEDGER_FOLDER), **environment},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (folder / "serve.log").read_text()
        yield Web(line.strip().rpartition(" ")[2], folder)
    finally:
        process.terminate()
        process.wait(LIMIT)
        process.stdout.close()
