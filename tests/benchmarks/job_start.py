"""How long a local job takes to start: from the POST to the worker's first sign of life, and to the end of echo.

python tests/benchmarks/job_start.py [--jobs 30]
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measured import machine

from candela_processes.api.remote import Server


def main() -> None:
    """Start a server, submit echo jobs one after the other, print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        environment = os.environ | {"CANDELA_WORKSPACE": name, "CANDELA_LOG_LEVEL": "ERROR"}
        command = [sys.executable, "-m", "candela_processes", "serve", "--port", "0"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip().rpartition(" ")[2]
            times = [one_job(Server(url), workspace) for _ in range(options.jobs + 1)][1:]
            server.send_signal(signal.SIGTERM)
    starts, ends = zip(*times, strict=True)
    print(f"{options.jobs} echo jobs one after the other. {machine()}\n")
    print("| from the POST to | median s | 95 % s |\n|---|---|---|")
    for what, values in (("worker started", starts), ("status successful", ends)):
        print(f"| {what} | {statistics.median(values):.3f} | {statistics.quantiles(values, n=20)[-1]:.3f} |")


def one_job(server: Server, workspace: Path) -> tuple[float, float]:
    """Return seconds from the POST to `worker.json` and to the final status."""
    before = time.time()
    job = server.submit("echo", {"text": "x"})
    while job.status()["status"] not in ("successful", "failed"):
        time.sleep(0.005)
    done = time.time()
    hints = workspace / "executions" / job.id / "attempts" / "1" / "worker.json"
    return hints.stat().st_mtime - before, done - before


if __name__ == "__main__":
    main()
