"""A disk that is full holds jobs up and fails none: a tmpfs in a user namespace, which needs no root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import LEDGER_FOLDER

pytestmark = pytest.mark.integration

MOUNTED = 'mount -t tmpfs -o size=8m tmpfs "$1" && shift && exec "$@"'


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder on which a small disk can be mounted in a namespace of its own."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    probe = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", MOUNTED, "sh", str(folder), "true"], capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:
        reason = f"no user namespaces here: {probe.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.mark.parametrize("database", ["on the full disk", "elsewhere"])
def test_a_job_waits_until_there_is_room(disk: Path, tmp_path: Path, database: str) -> None:
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    (ledger / "go").touch()
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}" if database == "elsewhere" else ""
    command = [sys.executable, "-m", "ledger_processes.full_disk", str(disk), str(ledger), url]
    told = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", MOUNTED, "sh", str(disk), *command],
        env={**os.environ, "PYTHONPATH": str(LEDGER_FOLDER)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=240,
        check=True,
    )
    ended = json.loads(told.stdout)
    assert (ended["status"], ended["message"]) == ("successful", "successful")
    assert ended["troubles"] >= 2
    assert (ledger / "events").read_text().split() == ["start", "waiting", "end"]
