from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from candela_processes.errors import InvalidInput
from candela_processes.execution.inputs import location
from candela_processes.execution.staging import Staged, stage_in
from candela_processes.jobs.directory import JobDirectory, JobInputs, StagedReference, Staging
from candela_processes.references.policy import FetchPolicy


class Stage:
    """A job directory whose references are staged in."""

    def __init__(self, folder: Path) -> None:
        self.directory = JobDirectory(folder / "job")
        self.directory.attempt(1).create()
        self.reports: list[tuple[float, str]] = []

    def __call__(
        self, *references: StagedReference, inputs: Mapping[str, Any] | None = None, most: int = 1000
    ) -> Staged:
        job = JobInputs(
            job="job",
            process="p",
            process_version="1",
            inputs=inputs or {},
            seconds=1,
            memory=1,
            scratch=1,
            pixels=1,
            input_bytes=most,
        )
        self.directory.write_inputs(job, Staging(references=references))
        return stage_in(
            self.directory, self.directory.attempt(1), job, FetchPolicy, lambda *report: self.reports.append(report)
        )


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_local_and_pinned_files(stage: Stage, tmp_path: Path) -> None:
    local, pinned = tmp_path / "a.tif", stage.directory.inputs / "0_b.tif"
    pinned.parent.mkdir()
    local.write_bytes(b"a")
    pinned.write_bytes(b"b")
    staged = stage(
        StagedReference(href="a.tif", name="a.tif", path=str(local)),
        StagedReference(href="/jobs/1/results/b", name="b.tif", path="inputs/0_b.tif"),
    )
    assert staged.files == {"a.tif": local, "/jobs/1/results/b": pinned}
    assert staged.digests == {
        "a.tif": hashlib.sha256(b"a").hexdigest(),
        "/jobs/1/results/b": hashlib.sha256(b"b").hexdigest(),
    }
    assert stage.reports == [(0.0, "reading a.tif"), (50.0, "reading b.tif")]


def test_product_folder_has_no_digest(stage: Stage, tmp_path: Path) -> None:
    staged = stage(StagedReference(href="x", name="x", path=str(tmp_path)))
    assert staged.files == {"x": tmp_path}
    assert staged.digests == {}


def test_errors_name_the_input(stage: Stage, tmp_path: Path) -> None:
    inputs = {"images": ["a.tif", {"href": "gone.tif"}]}
    gone = StagedReference(href="gone.tif", name="gone.tif", path=str(tmp_path / "gone.tif"))
    with pytest.raises(InvalidInput) as caught:
        stage(gone, inputs=inputs)
    assert caught.value.detail == "images/1: gone.tif cannot be read (it does not exist any more)"


@pytest.mark.parametrize("path", ["../secret", "inputs/link", "inputs/../../secret", "inputs"])
def test_pinned_path_stays_below_the_job(stage: Stage, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    stage.directory.inputs.mkdir()
    (stage.directory.inputs / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidInput, match="cannot be read any more"):
        stage(StagedReference(href="x", name="x", path=path))


def test_inputs_together_are_limited(stage: Stage, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"x" * 6)
    references = [StagedReference(href=name, name=name, path=str(tmp_path / name)) for name in "ab"]
    assert len(stage(*references, most=12).files) == 2
    with pytest.raises(InvalidInput, match="larger than the 11 bytes allowed") as caught:
        stage(*references, most=11, inputs={"files": ["a", "b"]})
    assert caught.value.name == "files/1"


@pytest.mark.parametrize(
    ("content", "media_type", "value"),
    [
        (b'{"a": 1}', "", {"a": 1}),
        (b"plain text", "", "plain text"),
        (b"12", "text/plain", "12"),
        (b"12", "application/json", 12),
        ('\ufeff"ü"'.encode(), "application/json; charset=utf-8", "ü"),
    ],
)
def test_deferred_value_is_the_content(
    stage: Stage, tmp_path: Path, content: bytes, media_type: str, value: Any
) -> None:
    (tmp_path / "v").write_bytes(content)
    reference = StagedReference(href="v", name="v", path=str(tmp_path / "v"), media_type=media_type, deferred="text")
    assert stage(reference, inputs={"other": 1}).values == {"other": 1, "text": value}


@pytest.mark.parametrize(
    ("content", "media_type", "problem"),
    [
        (b"{", "application/json", "is not JSON"),
        (b"\xff", "", "is not UTF-8"),
        (b"[" * 500, "application/json", "JSON"),
    ],
)
def test_deferred_value_that_cannot_be_read(
    stage: Stage, tmp_path: Path, content: bytes, media_type: str, problem: str
) -> None:
    (tmp_path / "v").write_bytes(content)
    reference = StagedReference(href="v", name="v", path=str(tmp_path / "v"), media_type=media_type, deferred="text")
    with pytest.raises(InvalidInput, match=problem) as caught:
        stage(reference)
    assert caught.value.name == "text"


def test_address_passes_the_guard(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match=r"images/0: the host 127\.0\.0\.1 is not a public address"):
        stage(StagedReference(href="u", name="u", url="http://127.0.0.1/x"), inputs={"images": ["u"]})


def test_location_of_a_reference() -> None:
    inputs = {"n": 1, "a": {"b": [{"href": "x"}, "y"]}, "z": "z"}
    assert [location(inputs, href) for href in ("x", "y", "z", "other")] == ["a/b/0", "a/b/1", "z", ""]
