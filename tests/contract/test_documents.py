"""Every kind of answer against the schemas of OGC 18-062r2, transcribed in `schemas/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import FormatChecker
from jsonschema.validators import validator_for
from referencing import Registry, Resource

from candela_processes import catalog
from candela_processes.app import create_app
from candela_processes.jobs.memory import MemoryStore
from candela_processes.service.service import Service
from candela_processes.settings import Settings
from candela_processes.telemetry.metrics import Metrics

SCHEMAS = {path.name: json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.json")}
REGISTRY: Registry[Any] = Registry().with_resources((name, Resource.from_contents(s)) for name, s in SCHEMAS.items())
EVERYTHING = {
    "text": "teststring",
    "record": {"value": "x"},
    "area": {"bbox": [51.9, 7, 52, 7.1], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
    "numbers": [1, 2, 3],
    "either": True,
}


def check(document: Any, name: str) -> None:
    schema = SCHEMAS[f"{name}.json"]
    validator = validator_for(schema)(schema, registry=REGISTRY, format_checker=FormatChecker())
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    settings = Settings(workspace=tmp_path, free_space_floor=0)
    processes = catalog.build(catalog.BUILT_IN)
    service = Service(settings=settings, catalog=processes, store=MemoryStore(), metrics=Metrics())
    return create_app(settings, service).test_client()


def execute(client: FlaskClient, inputs: dict[str, Any], prefer: str = "", **members: Any) -> Any:
    headers = {"Prefer": prefer} if prefer else {}
    return client.post("/processes/echo/execution", json={"inputs": inputs, **members}, headers=headers)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "landingPage"), ("/conformance", "confClasses"), ("/processes", "processList"), ("/jobs", "jobList")],
)
def test_discovery(client: FlaskClient, path: str, name: str) -> None:
    check(client.get(path).json, name)


@pytest.mark.parametrize("process", catalog.BUILT_IN, ids=lambda process: process.id)
def test_descriptions(client: FlaskClient, process: Any) -> None:
    check(client.get(f"/processes/{process.id}").json, "process")


def test_jobs_in_every_status(client: FlaskClient) -> None:
    created = execute(client, EVERYTHING, "respond-async")
    check(created.json, "statusInfo")
    execute(client, EVERYTHING, response="document")
    assert execute(client, EVERYTHING | {"area": {"bbox": [1, 2, 3, 4, 5]}}).status_code == 400  # refused while it ran
    check(client.delete(f"/jobs/{execute(client, EVERYTHING, 'respond-async').json['jobID']}").json, "statusInfo")
    document: Any = client.get("/jobs").json
    check(document, "jobList")
    assert {job["status"] for job in document["jobs"]} == {"accepted", "successful", "failed", "dismissed"}
    for job in document["jobs"]:
        check(client.get(f"/jobs/{job['jobID']}").json, "statusInfo")


def test_results(client: FlaskClient) -> None:
    reply = execute(client, EVERYTHING, response="document")
    check(reply.json, "results")
    assert reply.json == EVERYTHING | {
        "record": {"value": {"value": "x"}, "mediaType": "application/json"},
        "inputCount": 5,
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/processes/none", 404),
        ("GET", "/jobs/none", 404),
        ("GET", "/jobs/none/results", 404),
        ("POST", "/processes/echo/execution", 400),
        ("PATCH", "/jobs", 405),
        ("GET", "/jobs?limit=0", 400),
        ("GET", "/?f=xml", 400),
    ],
)
def test_exceptions(client: FlaskClient, method: str, path: str, status: int) -> None:
    reply: Any = client.open(path, method=method)
    assert (reply.status_code, reply.json["status"]) == (status, status)
    check(reply.json, "exception")
    assert {"type", "title", "status", "detail"} == reply.json.keys()


def test_the_schemas_themselves_refuse() -> None:
    with pytest.raises(AssertionError):
        check({"jobID": "x", "status": "done", "type": "process"}, "statusInfo")
    with pytest.raises(AssertionError):
        check({"jobID": "x", "status": "failed", "type": "process", "created": "2026-01-01T00:00:00"}, "statusInfo")
    with pytest.raises(AssertionError):
        check({"report": {"km2": 3}}, "results")
