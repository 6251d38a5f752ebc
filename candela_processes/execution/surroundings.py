"""The surroundings of a run in a worker: GDAL's limits, thread counts, and where logs go. Before anything is loaded."""

from __future__ import annotations

import faulthandler
import logging
import math
import os
import sys
import threading
from typing import Final

from candela_processes.jobs.directory import AttemptDirectory
from candela_processes.raster.environment import gdal_environment
from candela_processes.telemetry.operator_log import log_to

LOGGER = logging.getLogger(__name__)

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def prepare_gdal() -> None:
    """Set the environment that GDAL reads when it is first used."""
    os.environ.update(gdal_environment())


def prepare_threads(cpu: float) -> None:
    """Give numeric libraries as many threads as the process declares cores, at most what the machine has."""
    count = str(max(1, min(math.ceil(cpu), len(os.sched_getaffinity(0)))))
    os.environ.update(dict.fromkeys((*_THREADS, "GDAL_NUM_THREADS"), count))


def prepare_logs(attempt: AttemptDirectory, level: str) -> None:
    """Send log lines, warnings, tracebacks of threads and of crashes to `worker.log`; the user's log gets prints only.

    Times are UTC.
    """
    sink = log_to(attempt.worker_log, level, _is_news)
    logging.captureWarnings(True)
    faulthandler.enable(sink)
    threading.excepthook = _thread_failed
    sys.unraisablehook = _not_raised
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a line is worth keeping: GDAL warns of every driver to be skipped that it never had."""
    return "to unload from GDAL_SKIP" not in record.getMessage()


def _thread_failed(problem: threading.ExceptHookArgs) -> None:
    LOGGER.error("a thread failed", exc_info=problem.exc_value)


def _not_raised(problem: sys.UnraisableHookArgs) -> None:
    LOGGER.error("an error could not be raised", exc_info=problem.exc_value)
