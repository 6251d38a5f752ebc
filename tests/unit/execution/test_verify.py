from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from candela_processes.execution import beneath
from candela_processes.execution.verify import OutputsRejected, open_output, verify
from candela_processes.jobs.directory import AttemptDirectory, JobDirectory, Outcome, OutputFile
from candela_processes.process import COG, Inputs, Output, Process

PROCESS = Process(
    id="p",
    version="1",
    title="",
    description="",
    inputs=Inputs,
    outputs=(
        Output(id="image", title="", media_types=(COG,)),
        Output(id="images", title="", media_types=(COG,), many=True),
        Output(id="extra", title="", schema={}, optional=True),
    ),
    run="x:y",
    example={},
)


def entry(path: str, content: bytes, output: str = "image", n: int = 0) -> OutputFile:
    digest = hashlib.sha256(content).hexdigest()
    return OutputFile(output=output, path=path, media_type=COG, size=len(content), sha256=digest, n=n)


@pytest.fixture(params=["openat2", "walk"])
def attempt(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AttemptDirectory:
    """An attempt with outputs, looked at by the system call and by its replacement."""
    if request.param == "walk":
        monkeypatch.setattr(beneath, "_openat2", lambda root, path: None)
    attempt = JobDirectory(tmp_path / "job").attempt(1)
    attempt.create()
    for name in ("image.tif", "images_1.tif", "images_2.tif"):
        (attempt.outputs / name).write_bytes(name.encode())
    return attempt


def outcome(**changes: Any) -> Outcome:
    files = (
        entry("image.tif", b"image.tif"),
        entry("images_1.tif", b"images_1.tif", "images", 1),
        entry("images_2.tif", b"images_2.tif", "images", 2),
    )
    return replace(Outcome(job="job", attempt=1, outputs=files), **changes)


def with_first(**changes: Any) -> Outcome:
    first, *rest = outcome().outputs
    return outcome(outputs=(replace(first, **changes), *rest))


def test_right_outputs_pass(attempt: AttemptDirectory) -> None:
    verify(attempt, outcome(), PROCESS)
    with open_output(attempt, outcome().outputs[0]) as source:
        assert source.read() == b"image.tif"


@pytest.mark.parametrize(
    "changed",
    [
        outcome(job="other"),
        outcome(attempt=2),
        outcome(error={"detail": "x"}),
        outcome(outputs=()),
        outcome(outputs=outcome().outputs[1:]),
        outcome(outputs=outcome().outputs[:1] + outcome().outputs[2:]),
        outcome(outputs=(*outcome().outputs, entry("image.tif", b"image.tif"))),
        outcome(outputs=(*outcome().outputs, entry("x.tif", b"x", "undeclared"))),
        with_first(size=8),
        with_first(size=None),
        with_first(sha256="0" * 64),
        with_first(sha256=None),
        with_first(sha256="x"),
        with_first(media_type="text/html"),
        with_first(n=1),
        with_first(output=["image"]),
        with_first(metadata=[]),
        with_first(path=None),
        with_first(path=""),
        with_first(path="missing.tif"),
        with_first(path="../outputs/image.tif"),
        with_first(path="./image.tif"),
        with_first(path="images_1.tif"),
        with_first(path="/etc/passwd"),
        with_first(path="image.tif\x00"),
        with_first(path="image.tif\n"),
        with_first(path="a//b"),
    ],
)
def test_what_is_not_as_stated_is_rejected(attempt: AttemptDirectory, changed: Outcome) -> None:
    with pytest.raises(OutputsRejected) as caught:
        verify(attempt, changed, PROCESS)
    assert caught.value.reason
    assert (
        caught.value.as_data()["detail"] == "The outputs of the job did not pass the server's check; tell the operator."
    )


def _link(path: Path, beside: Path) -> None:
    beside.write_bytes(b"image.tif")
    path.symlink_to(beside)


def _second_name(path: Path, beside: Path) -> None:
    beside.write_bytes(b"image.tif")
    os.link(beside, path)


def _folder(path: Path, beside: Path) -> None:
    path.mkdir()


def _pipe(path: Path, beside: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [_link, _second_name, _folder, _pipe])
def test_only_plain_unshared_files_pass(
    attempt: AttemptDirectory, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    (attempt.outputs / "image.tif").unlink()
    make(attempt.outputs / "image.tif", tmp_path / "beside")
    with pytest.raises(OutputsRejected):
        verify(attempt, outcome(), PROCESS)


def test_linked_folders_are_rejected(attempt: AttemptDirectory, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "image.tif").write_bytes(b"image.tif")
    (attempt.outputs / "inner").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputsRejected):
        verify(attempt, with_first(path="inner/image.tif"), PROCESS)
    attempt.outputs.rename(tmp_path / "moved")
    attempt.outputs.symlink_to(tmp_path / "moved")
    with pytest.raises(OutputsRejected):
        verify(attempt, outcome(), PROCESS)


def test_inner_folder_is_opened(attempt: AttemptDirectory) -> None:
    (attempt.outputs / "inner").mkdir()
    (attempt.outputs / "image.tif").rename(attempt.outputs / "inner" / "image.tif")
    verify(attempt, with_first(path="inner/image.tif"), PROCESS)
