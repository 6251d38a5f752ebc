"""Running an instant process inside the calling process: the same record, directory and checks, no subprocess."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

from candela_processes import settings
from candela_processes.errors import Interrupted
from candela_processes.execution.attempt import Attempt, execute
from candela_processes.execution.result import write_result
from candela_processes.execution.staging import FETCHED
from candela_processes.jobs.directory import AttemptDirectory, JobDirectory, Outcome
from candela_processes.jobs.outcomes import failed
from candela_processes.jobs.processes import claim
from candela_processes.process import Process, Progress
from candela_processes.references.policy import FetchPolicy


def run_inline(process: Process, directory: JobDirectory, attempt: int, progress: Progress | None = None) -> Outcome:
    """Run one attempt here and now, write its `result.json` and return it; the caller holds the directory's lock.

    Time and memory are not limited, so only processes declared `inline` belong here. An attempt that was started
    before is not run again: its outcome is an `Interrupted` error. Raises OSError when the disk is full.
    """
    folder = directory.attempt(attempt)
    folder.create()
    if not claim(folder):
        said = Interrupted("The attempt was started before and is not run twice.")
        return failed(directory.job_id, attempt, said, retriable=True)
    with _user_log(folder) as log:
        outcome = execute(
            Attempt(
                directory=directory,
                number=attempt,
                find=lambda _: process,
                policy=lambda: FetchPolicy.from_settings(settings.load()),
                say=lambda line: print(line, file=log),
                hear=progress,
                alone=False,
            )
        )
    write_result(folder, outcome)
    for leftover in (folder.scratch, folder.path / FETCHED):
        shutil.rmtree(leftover, ignore_errors=True)
    return outcome


def _user_log(folder: AttemptDirectory) -> TextIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(folder.process_log, flags, 0o644), "w", encoding="utf-8", buffering=1)
