"""The command line for real: local runs with the contract's exit codes, and the client of a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import candela_processes
from candela_processes.errors import InvalidInput
from candela_processes.jobs.directory import EXIT_BAD_INPUT, EXIT_INTERNAL, EXIT_LIMIT

from .conftest import Site
from .test_serve import Serving

pytestmark = pytest.mark.integration

FAULTY = Path(__file__).parents[1] / "faulty_processes"


def candela(*arguments: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "candela_processes", *arguments],
        env={**os.environ, "PYTHONPATH": str(FAULTY), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_local_run_writes_its_outputs_and_the_result(tmp_path: Path) -> None:
    answer = candela(
        "run", "echo", "--text", "hi", "-i", "numbers=1", "-i", "numbers=2", "--out", "out", folder=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads((tmp_path / "out" / "numbers.json").read_text()) == [1, 2]
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [*(entry["path"] for entry in result["outputs"]), "result.json"]
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "sentence"),
    [
        (["run", "echo", "-i", "pause=99"], {}, EXIT_BAD_INPUT, "text: is required"),
        (["run", "faulty-refuse"], {}, EXIT_BAD_INPUT, ""),
        (["run", "faulty-sleep", "-i", "number=60"], {"CANDELA_JOB_SECONDS": "1"}, EXIT_LIMIT, "ran for more than"),
        (["run", "faulty-fail"], {}, EXIT_INTERNAL, "failed with an error of its own"),
    ],
)
def test_exit_codes_are_those_of_the_contract(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], code: int, sentence: str
) -> None:
    answer = candela(*arguments, "--out", "out", folder=tmp_path, **environment)
    assert answer.returncode == code, answer.stderr
    assert sentence in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_failure_inside_leaves_the_operators_log(tmp_path: Path) -> None:
    candela("run", "faulty-fail", "--out", "out", folder=tmp_path)
    assert "Traceback" in (tmp_path / "out" / "worker.log").read_text()


def test_an_unknown_process_is_told(tmp_path: Path) -> None:
    answer = candela("describe", "nope", folder=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.strip() == "candela: There is no process 'nope'; /processes lists all of them."


def test_the_description_is_the_ogc_one() -> None:
    document = json.loads(candela("describe", "ChangeDetection").stdout)
    assert document["id"] == "ChangeDetection"
    assert document["inputs"]["images"]["schema"]["minItems"] == 2


def test_from_python_a_run_gives_paths_and_raises_what_is_wrong(tmp_path: Path, data: Path) -> None:
    images = [data / "landsat_taizhou" / "2000TM", data / "landsat_taizhou" / "2003TM"]
    run = candela_processes.run("ChangeDetection", images=images, method="mad", out=tmp_path / "out")
    assert isinstance(run.outputs["report"], Path)
    assert isinstance(run.outputs["changes"], tuple)
    assert all(path.is_file() for path in run.paths)
    with pytest.raises(InvalidInput, match="images/1"):
        candela_processes.run("ChangeDetection", images=[images[0], tmp_path / "none.tif"], out=tmp_path / "out")


@pytest.fixture
def serving(site: Site) -> Iterator[Serving]:
    serving = Serving(site)
    yield serving
    serving.close()


def test_the_client_submits_looks_fetches_and_dismisses(serving: Serving, tmp_path: Path) -> None:
    def ask(*arguments: str) -> str:
        answer = candela(*arguments, CANDELA_SERVER=serving.url)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    job = ask("submit", "echo", "-i", "text=hi", "--wait").strip()
    assert json.loads(ask("status", job))["status"] == "successful"
    assert json.loads(ask("results", job))["text"] == "hi"
    ask("results", job, "--out", str(tmp_path / "fetched"))
    assert json.loads((tmp_path / "fetched" / "text.json").read_text()) == "hi"
    assert job in ask("jobs", "--process", "echo")
    assert "running" in ask("logs", job)
    assert json.loads(ask("dismiss", job))["status"] == "dismissed"
    refused = candela("results", job, CANDELA_SERVER=serving.url)
    assert refused.returncode == 2
    assert "dismissed" in refused.stderr


def test_explain_and_doctor_look_at_the_workspace(serving: Serving, site: Site) -> None:
    job = serving.submit()
    site.wait_for_event("start")
    workspace = str(site.workspace)
    said = candela("jobs", "explain", job.id, CANDELA_WORKSPACE=workspace).stdout
    assert "Runs: its worker holds the job's lock." in said
    doctor = candela("doctor", CANDELA_WORKSPACE=workspace)
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert "last round" in doctor.stdout
    site.let_go()
    job.wait()
    assert "nothing is left to do" in candela("jobs", "explain", job.id, CANDELA_WORKSPACE=workspace).stdout


def test_a_server_that_is_not_there_is_told() -> None:
    answer = candela("jobs", CANDELA_SERVER="http://127.0.0.1:9")
    assert answer.returncode == 2
    assert answer.stderr.startswith("candela: The server does not answer")
