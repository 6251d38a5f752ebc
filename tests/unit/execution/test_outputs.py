from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from candela_processes.execution.outputs import WrongOutputs, collect, extension
from candela_processes.jobs.directory import AttemptDirectory, JobDirectory
from candela_processes.process import COG, PNG, File, Inputs, Output, Process

IMAGE = Output(id="image", title="Image", media_types=(COG, PNG))
IMAGES = Output(id="images", title="Images", media_types=(COG,), many=True)
VALUE = Output(id="value", title="Value", schema={})
VALUES = Output(id="values", title="Values", schema={}, many=True)


def declared(*outputs: Output) -> Process:
    return Process(id="p", version="1", title="", description="", inputs=Inputs, outputs=outputs, run="x:y", example={})


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptDirectory:
    attempt = JobDirectory(tmp_path / "job").attempt(1)
    attempt.create()
    return attempt


def written(attempt: AttemptDirectory, name: str, content: bytes = b"x") -> Path:
    path = attempt.outputs / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_files_get_their_public_names(attempt: AttemptDirectory) -> None:
    returned = {
        "images": (
            File(path=written(attempt, "images_2.tif", b"first"), start="20200101", end="20210101"),
            File(path=written(attempt, "deep/x", b"second"), start="20210101"),
        ),
        "image": File(path=written(attempt, "images_1_20200101_20210101.tif", b"third"), start="20200101"),
        "values": (1, {"ä": "ü"}),
        "value": [1.5, None],
    }
    written(attempt, "forgotten.tif")
    entries = collect(declared(IMAGE, IMAGES, VALUE, VALUES), attempt, returned)
    contents = {
        "image.tif": b"third",
        "images_1_20200101_20210101.tif": b"first",
        "images_2.tif": b"second",
        "value.json": b"[1.5,null]",
        "values_1.json": b"1",
        "values_2.json": '{"ä":"ü"}'.encode(),
    }
    assert {path.name: path.read_bytes() for path in attempt.outputs.iterdir()} == contents
    assert [entry.path for entry in entries] == list(contents)
    assert [entry.n for entry in entries] == [0, 1, 2, 0, 1, 2]
    assert {entry.path: (entry.size, entry.sha256) for entry in entries} == {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()
    }
    assert [entry.media_type for entry in entries] == [COG, COG, COG, *["application/json"] * 3]
    assert [entry.metadata for entry in entries][:3] == [
        {"start": "20200101"},
        {"start": "20200101", "end": "20210101"},
        {"start": "20210101"},
    ]


def test_optional_output_may_be_missing_and_many_may_be_none(attempt: AttemptDirectory) -> None:
    optional = Output(id="extra", title="", schema={}, optional=True)
    assert collect(declared(IMAGES, optional), attempt, {"images": ()}) == ()


@pytest.mark.parametrize(
    ("outputs", "returned", "problem"),
    [
        ((VALUE,), {}, "missing: \\['value'\\]"),
        ((VALUE,), {"value": 1, "other": 2}, "not declared: \\['other'\\]"),
        ((VALUES,), {"values": [1]}, "return a tuple"),
        ((IMAGE,), {"image": 1}, "declared as a file"),
        ((VALUE,), {"value": File(path=Path("x"))}, "declared as a value"),
        ((VALUE,), {"value": math.nan}, "not a JSON value"),
        ((VALUE,), {"value": {1, 2}}, "not a JSON value"),
        ((VALUE,), {"value": "\ud800"}, "not a JSON value"),
    ],
)
def test_what_does_not_fit_is_refused(
    attempt: AttemptDirectory, outputs: tuple[Output, ...], returned: Mapping[str, Any], problem: str
) -> None:
    with pytest.raises(WrongOutputs, match=problem):
        collect(declared(*outputs), attempt, returned)


def test_wrong_files_are_refused(attempt: AttemptDirectory, tmp_path: Path) -> None:
    def refused(path: Path, problem: str, **names: Any) -> None:
        with pytest.raises(WrongOutputs, match=problem):
            collect(declared(IMAGE), attempt, {"image": File(path=path, **names)})

    outside = tmp_path / "outside.tif"
    outside.write_bytes(b"x")
    refused(outside, "outside the outputs folder")
    refused(attempt.outputs / ".." / ".." / ".." / ".." / "outside.tif", "outside the outputs folder")
    refused(attempt.outputs / "nothing", "was not written")
    refused(attempt.outputs, "not a regular file")
    (attempt.outputs / "link.tif").symlink_to(outside)
    refused(attempt.outputs / "link.tif", "not a regular file")
    (attempt.outputs / "folder").symlink_to(tmp_path)
    refused(attempt.outputs / "folder" / "outside.tif", "outside the outputs folder")
    os.mkfifo(attempt.outputs / "pipe")
    refused(attempt.outputs / "pipe", "not a regular file")
    refused(written(attempt, "a.tif"), "cannot be part of a file name", start="../x")
    refused(written(attempt, "a.tif"), "metadata is not JSON", metadata={"x": object()})


def test_one_file_for_two_outputs_is_refused(attempt: AttemptDirectory) -> None:
    file = File(path=written(attempt, "a.tif"))
    with pytest.raises(WrongOutputs, match="returned twice"):
        collect(declared(IMAGES), attempt, {"images": (file, file)})


def test_file_with_a_second_name_is_copied(attempt: AttemptDirectory, tmp_path: Path) -> None:
    other = tmp_path / "other.tif"
    other.write_bytes(b"before")
    os.link(other, attempt.outputs / "a.tif")
    collect(declared(IMAGE), attempt, {"image": File(path=attempt.outputs / "a.tif")})
    other.write_bytes(b"after")
    assert (attempt.outputs / "image.tif").read_bytes() == b"before"
    assert (attempt.outputs / "image.tif").stat().st_nlink == 1


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [(COG, ".tif"), ("IMAGE/PNG", ".png"), ("application/geo+json", ".geojson"), ("application/x-unheard-of", ".bin")],
)
def test_extension(media_type: str, expected: str) -> None:
    assert extension(media_type) == expected
