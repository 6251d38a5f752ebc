"""What the user reads in `process.log`: the standard output of a run."""

from __future__ import annotations


def say(line: str) -> None:
    """Write one line; no paths and no secrets."""
    print(line, flush=True)  # noqa: T201 - standard output is the log of the user
