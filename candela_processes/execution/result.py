"""Writing `result.json`, the last act of an attempt."""

from __future__ import annotations

import shutil

from candela_processes.jobs.directory import AttemptDirectory, Outcome, write_json


def write_result(attempt: AttemptDirectory, outcome: Outcome) -> None:
    """Write the outcome durably; of a failed attempt the outputs are removed first, which also makes room for it.

    Raises OSError when even that cannot be written.
    """
    if outcome.error is not None:
        shutil.rmtree(attempt.outputs, ignore_errors=True)
        shutil.rmtree(attempt.path / "collected", ignore_errors=True)
    write_json(attempt.result, outcome)
