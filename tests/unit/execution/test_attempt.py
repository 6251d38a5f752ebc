from __future__ import annotations

import errno
from pathlib import Path

import pytest

from candela_processes.errors import InvalidInput
from candela_processes.execution.attempt import _as_error
from candela_processes.execution.outputs import WrongOutputs
from candela_processes.jobs.directory import AttemptDirectory, ContractError, JobDirectory


@pytest.fixture
def folder(tmp_path: Path) -> AttemptDirectory:
    folder = JobDirectory(tmp_path).attempt(1)
    folder.create()
    return folder


def _wrapped() -> Exception:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/secret/path")
        except OSError as error:
            raise RuntimeError("writing failed") from error
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (InvalidInput("images/1", "is too small"), 400, "images/1: is too small"),
        (ContractError("secret"), 500, "damaged"),
        (MemoryError("secret"), 500, "more memory at once"),
        (OSError(errno.EDQUOT, "secret"), 507, "disk of the server is full"),
        (_wrapped(), 507, "disk of the server is full"),
        (WrongOutputs("secret"), 500, "error of its own"),
        (ValueError("secret"), 500, "error of its own"),
        (SystemExit("secret"), 500, "error of its own"),
        (FileNotFoundError(errno.ENOENT, "secret", "/secret/path"), 500, "error of its own"),
    ],
)
def test_error_says_what_a_client_may_read(
    folder: AttemptDirectory, error: BaseException, status: int, words: str
) -> None:
    said = _as_error(error, folder)
    assert said.status == status
    assert words in said.detail
    assert "secret" not in said.detail
