"""The server of the demonstration: started, killed and started again as a real operator's would be."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from candela_processes.errors import SettingsError
from candela_processes.jobs.directory import ContractError, JobDirectory, read_json
from candela_processes.jobs.processes import descendants, marked

FIRST_PORT: Final = 5000


def free_port() -> int:
    """Return the first port from 5000 that nobody listens on."""
    for port in range(FIRST_PORT, FIRST_PORT + 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SettingsError("--port: none of 5000..5999 is free; name one.")


class DemoServer:
    """`candela serve` as a child process on a workspace of its own."""

    def __init__(self, workspace: Path, samples: Path, port: int) -> None:
        """Serve `workspace`; inputs may name files below `samples`."""
        self.url = ""
        self._workspace = workspace
        self._samples = samples
        self._port = port or free_port()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End server and jobs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()

    def start(self) -> None:
        """Start the server and wait for the line that says it is ready; the same port every time."""
        self._workspace.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "candela_processes", "serve", "--stop-jobs", "--port", str(self._port)]
        environment = os.environ | {
            "CANDELA_WORKSPACE": str(self._workspace),
            "CANDELA_INPUT_ROOTS": str(self._samples),
            "CANDELA_LOG_LEVEL": "ERROR",
        }
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
        line = self._process.stdout.readline() if self._process.stdout else ""
        if "http://" not in line:
            raise SettingsError("The server of the demonstration did not start.")
        self.url = line.strip().rpartition(" ")[2]

    def kill_everything(self, job_id: str) -> str:
        """Kill server, web, dispatcher, worker and its children with SIGKILL; return who was killed."""
        if self._process is None:
            return "nobody"
        server = [self._process.pid, *descendants(self._process.pid)]
        worker = self._worker_tree(job_id)
        for pid in dict.fromkeys([*server, *worker]):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        return f"server (pids {', '.join(map(str, server))}), worker (pids {', '.join(map(str, worker)) or 'none yet'})"

    def _worker_tree(self, job_id: str) -> list[int]:
        found = marked(job_id)
        attempts = JobDirectory.of(self._workspace, job_id).path / "attempts"
        for hints in attempts.glob("*/worker.json"):
            try:
                found.insert(0, int(read_json(hints)["pid"]))
            except ContractError:
                continue
        return list(dict.fromkeys(found))

    def output_path(self, job_id: str, output_id: str) -> Path:
        """Return where the file of an output lies in the workspace."""
        attempts = JobDirectory.of(self._workspace, job_id).path / "attempts"
        return max(attempts.glob(f"*/outputs/{output_id}*"))

    def serve_until_interrupted(self) -> None:
        """Keep serving until Ctrl-C or SIGTERM."""
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        try:
            while self._process is not None and self._process.poll() is None and not stop.wait(0.5):
                pass
        except KeyboardInterrupt:
            return
