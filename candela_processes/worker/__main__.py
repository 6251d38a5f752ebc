"""Entry point of the supervisor."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from candela_processes.jobs.directory import EXIT_INTERNAL, JobDirectory
from candela_processes.telemetry import faults
from candela_processes.worker.supervisor import DEFAULT_GRACE, Supervisor

USAGE = "usage: python -m candela_processes.worker JOBDIR --attempt N [--lock-fd FD] [--grace SECONDS]"


def main(arguments: list[str]) -> int:
    """Run one attempt; return its exit code (contract: 0, 10, 20, 30, 40)."""
    try:
        # no argparse: it takes a tenth of the supervisor's start
        options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
        directory = JobDirectory(Path(arguments[0]).absolute())
        number = int(options.pop("--attempt"))
        lock = int(options.pop("--lock-fd", "-1"))
        grace = float(options.pop("--grace", os.environ.get("CANDELA_STOP_GRACE_SECONDS") or DEFAULT_GRACE))
    except (IndexError, KeyError, ValueError):
        options = {"unreadable": ""}
    if options:
        sys.stderr.write(f"{USAGE}\n")
        return EXIT_INTERNAL
    faults.arm(os.environ.get("CANDELA_FAULT_STEP", ""), os.environ.get("CANDELA_FAULT_MARKER", ""))
    return Supervisor(directory, number, lock, grace).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
