"""`<workspace>/dispatcher.json`: what the leading dispatcher says about itself, for `/metrics` and `candela doctor`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

from candela_processes.jobs.directory import CONTRACT, ContractError, read_json

HEARTBEAT: Final = "dispatcher.json"
STALE_ROUNDS: Final = 30
"""After so many missed rounds a dispatcher counts as gone."""


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """One beat; `time` (s since 1970) is of the last good round, `actions` counts what actions came to, by kind."""

    pid: int
    leader: bool
    time: float
    lag_seconds: float  # between the moment the last round was due and the moment it began
    round_seconds: float  # time the last round took
    rounds: int
    failed_rounds: int  # in a row; 0: all is well
    last_error: str = ""
    actions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    contract: int = CONTRACT

    @classmethod
    def read(cls, workspace: Path) -> Self | None:
        """Return the last beat; None where there is none or it cannot be read."""
        try:
            return cls(**read_json(workspace / HEARTBEAT))
        except (ContractError, TypeError):
            return None

    def write(self, workspace: Path) -> None:
        """Replace the last beat; not flushed to disk, for it means nothing after a crash. Raises OSError."""
        path = workspace / HEARTBEAT
        temporary = path.with_name(f".{HEARTBEAT}.{os.getpid()}.tmp")
        try:
            temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def sign_of_life(workspace: Path, now: float, patience: float) -> tuple[bool, str]:
    """Return whether a dispatcher works on this workspace, and in words when it last did and what hinders it.

    `now` is in seconds since 1970; a last round that is further than `patience` seconds away is no sign of life.
    """
    beat = Heartbeat.read(workspace)
    if beat is None:
        return False, "no sign of life in this workspace"
    age = now - beat.time
    words = f"last round {age:.0f} s ago (pid {beat.pid})"
    if beat.failed_rounds:
        words += f", then {beat.failed_rounds} cut short: {beat.last_error}"
    return abs(age) < patience and not beat.failed_rounds, words
