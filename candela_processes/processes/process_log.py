"""What the user reads in `process.log`: the standard output of a run."""

from __future__ import annotations


def say(line: str) -> None:
    """Write one line, whatever names of users are in it; no paths and no secrets."""
    text = "".join(letter if letter.isprintable() else " " for letter in line)
    print(text, flush=True)  # noqa: T201 - standard output is the log of the user
