"""The JSON files of a job directory: whole or not at all, and read with suspicion."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_processes.jobs import documents
from candela_processes.jobs.directory import (
    CONTRACT,
    AttemptDirectory,
    ContractError,
    JobDirectory,
    JobInputs,
    Outcome,
    OutputFile,
    StagedReference,
    Staging,
    read_json,
    write_json,
)

KILLED = """
    import os, sys
    from pathlib import Path
    from candela_processes.jobs import documents
    step = sys.argv[2]
    target, name = (Path, "replace") if step == "rename" else (os, step)
    setattr(target, name, lambda *_: os.kill(os.getpid(), 9))
    documents.write_json(Path(sys.argv[1]), {"contract": 1, "value": "new"})
"""


def inputs() -> JobInputs:
    return JobInputs(
        job="j", process="echo", process_version="1", inputs={"a": [1, None, "ü"]}, seconds=1.5, memory=1, scratch=2,
        pixels=3, input_bytes=4,
    )  # fmt: skip


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_writer_killed_before_the_rename_leaves_the_old_file(tmp_path: Path, step: str) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"contract": 1, "value": "old"})
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(path), step], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert read_json(path)["value"] == "old"
    write_json(path, {"contract": 1, "value": "next"})
    assert read_json(path)["value"] == "next"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"contract": 1, "value": "old"})
    with pytest.raises(TypeError):
        write_json(path, {"contract": 1, "value": object()})
    assert list(tmp_path.iterdir()) == [path]
    assert read_json(path)["value"] == "old"


def test_links_are_replaced_when_written_and_refused_when_read(tmp_path: Path) -> None:
    secret, path = tmp_path / "secret.json", tmp_path / "result.json"
    secret.write_text('{"contract": 1, "value": "secret"}')
    path.symlink_to(secret)
    with pytest.raises(ContractError, match=r"result\.json cannot be read"):
        read_json(path)
    write_json(path, {"contract": 1, "value": "mine"})
    assert not path.is_symlink() and read_json(path)["value"] == "mine"
    assert json.loads(secret.read_text())["value"] == "secret"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"contract"',
        b"{}",
        b'{"contract": 2}',
        b'{"contract": -1}',
        b'{"contract": "1"}',
        b'{"contract": true}',
        b'{"contract": 1.0}',
        b'{"contract": null}',
        b"\xff\xfe\xfd",
        b'{"contract": 1, "deep": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"contract": 1, "digits": ' + b"9" * 100_000 + b"}",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_not_a_document_of_a_known_contract_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"result\.json") as caught:
        read_json(path)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("contract", [CONTRACT, CONTRACT - 1])
def test_this_contract_and_the_one_before_are_read(tmp_path: Path, contract: int) -> None:
    path = tmp_path / "inputs.json"
    path.write_text(json.dumps({"contract": contract, "x": 1}))
    assert read_json(path)["x"] == 1


def test_a_document_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    document = b'{"contract": 1, "x": "' + b"x" * 100 + b'"}'
    path.write_bytes(document)
    monkeypatch.setattr(documents, "MAX_JSON_BYTES", len(document))
    assert len(read_json(path)["x"]) == 100
    monkeypatch.setattr(documents, "MAX_JSON_BYTES", len(document) - 1)
    with pytest.raises(ContractError, match="larger"):
        read_json(path)


def test_a_sparse_giant_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with path.open("wb") as giant:
        giant.truncate(2**40)
    with pytest.raises(ContractError, match="larger"):
        read_json(path)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder, tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(ContractError):
            read_json(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
        | st.text(st.characters(codec=None)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
def test_any_json_comes_back(tmp_path: Path, value: object) -> None:
    path = tmp_path / "any.json"
    write_json(path, {"contract": CONTRACT, "value": value}, durable=False)
    assert read_json(path)["value"] == value


def test_foreign_bytes_in_names_survive(tmp_path: Path) -> None:
    path = tmp_path / "inputs.json"
    write_json(path, {"contract": CONTRACT, "name": os.fsdecode(b"caf\xe9.tif")})
    assert os.fsencode(read_json(path)["name"]) == b"caf\xe9.tif"


def test_inputs_and_staging_come_back(tmp_path: Path) -> None:
    directory = JobDirectory(tmp_path)
    staging = Staging(references=(StagedReference(href="h", name="n", path="inputs/0"),))
    directory.write_inputs(inputs(), staging)
    assert directory.read_inputs() == inputs()
    assert directory.read_staging() == staging


@pytest.mark.parametrize(
    "document",
    [
        {"contract": CONTRACT},
        {"contract": CONTRACT, "references": 7, "job": 1},
        {"contract": CONTRACT, "references": [{"nothing": 1}]},
        {"contract": CONTRACT, "references": ["text"]},
    ],
)
def test_documents_of_another_shape_are_refused(tmp_path: Path, document: dict[str, object]) -> None:
    directory = JobDirectory(tmp_path)
    write_json(tmp_path / "inputs.json", document)
    write_json(tmp_path / "staging.json", document)
    with pytest.raises(ContractError, match=r"inputs\.json has the wrong shape"):
        directory.read_inputs()
    with pytest.raises(ContractError, match=r"staging\.json has the wrong shape"):
        directory.read_staging()


def attempt(tmp_path: Path) -> AttemptDirectory:
    made = JobDirectory(tmp_path).attempt(2)
    made.create()
    return made


def test_an_outcome_comes_back(tmp_path: Path) -> None:
    made = attempt(tmp_path)
    assert made.read_outcome() is None
    output = OutputFile(output="changes", path="a.tif", media_type="image/tiff", size=1, sha256="0" * 64, n=1)
    outcome = Outcome(job="j", attempt=2, outputs=(output,), software={"numpy": "2"}, usage={"seconds": 1.5})
    write_json(made.result, outcome)
    assert made.read_outcome() == outcome
    write_json(made.result, replace(outcome, outputs=(), error={"type": "urn:x"}))
    kept = made.read_outcome()
    assert kept is not None and kept.outputs == () and kept.error == {"type": "urn:x"}


@pytest.mark.parametrize(
    "outputs", [7, "text", ["text"], [{"output": "a"}], {"output": "a"}, [None], None, [{"path": "../x", "more": 1}]]
)
def test_an_outcome_of_another_shape_is_refused(tmp_path: Path, outputs: object) -> None:
    made = attempt(tmp_path)
    write_json(made.result, {"contract": CONTRACT, "job": "j", "attempt": 2, "outputs": outputs})
    with pytest.raises(ContractError, match=r"result\.json has the wrong shape"):
        made.read_outcome()


def test_an_outcome_that_is_a_dangling_link_is_broken_not_missing(tmp_path: Path) -> None:
    made = attempt(tmp_path)
    made.result.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ContractError):
        made.read_outcome()


def test_progress_is_only_a_report(tmp_path: Path) -> None:
    made = attempt(tmp_path)
    assert made.read_progress() is None
    made.write_progress(12.5, "step 1")
    report = made.read_progress()
    assert report is not None and (report.percent, report.message) == (12.5, "step 1")
    (made.path / "progress.json").write_text('{"contract": 1, "percent": "x"}')
    assert made.read_progress() is None
