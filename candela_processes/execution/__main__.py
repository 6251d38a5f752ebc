"""`python -m candela_processes.execution <jobdir> <attempt>`: the child of the worker, which executes one attempt.

Run by the worker only, which holds the lock, has claimed the attempt and limits what this process may use.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from candela_processes.execution.surroundings import prepare_gdal, prepare_logs, prepare_threads
from candela_processes.jobs.directory import EXIT_INTERNAL, JobDirectory
from candela_processes.jobs.outcomes import exit_code
from candela_processes.telemetry import faults

if TYPE_CHECKING:
    from candela_processes.process import Process
    from candela_processes.references.policy import FetchPolicy


def main(path: str, number: int) -> int:
    """Execute the attempt, write `result.json` and return the worker's exit code."""
    faults.arm(os.environ.get("CANDELA_FAULT_STEP", ""), os.environ.get("CANDELA_FAULT_MARKER", ""))
    directory = JobDirectory(Path(path))
    folder = directory.attempt(number)
    prepare_logs(folder, os.environ.get("CANDELA_LOG_LEVEL") or "INFO")
    prepare_gdal()
    from candela_processes.execution.attempt import Attempt, execute
    from candela_processes.execution.result import write_result

    outcome = execute(Attempt(directory=directory, number=number, find=_find, policy=_policy, say=_say))
    write_result(folder, outcome)
    faults.step("execution.result-written")
    return exit_code(outcome)


def _find(process_id: str) -> Process | None:
    from candela_processes import catalog

    process = catalog.load().get(process_id)
    if process is not None:
        prepare_threads(process.resources.cpu)
    return process


def _policy() -> FetchPolicy:
    from candela_processes import settings
    from candela_processes.references.policy import FetchPolicy

    return FetchPolicy.from_settings(settings.load())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    code = EXIT_INTERNAL
    try:
        code = main(sys.argv[1], int(sys.argv[2]))
    except BaseException:
        # before the logs are prepared this goes to the user's log, which shows no paths of the workspace
        logging.getLogger(__name__).exception("the attempt could not be executed")
    finally:
        # threads or libraries that hang at exit must not hold a finished job; the worker ends what is left over
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
