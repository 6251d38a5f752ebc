"""The OpenAPI document: valid, complete, and true to the routes, the declarations and the answers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from candela_processes import catalog
from candela_processes.ogc.openapi import build_openapi
from candela_processes.ogc.routes import ROUTES
from candela_processes.process import Process

PROCESSES = catalog.build(catalog.BUILT_IN)
DOCUMENT = build_openapi(PROCESSES, "Title", "https://eo.example")
NAMES = {"process_id": "processID", "job_id": "jobID", "output_id": "outputID"}


def schema_of(process: Process, part: str) -> OAS30Validator:
    """Return the validator of one component, with what it refers to."""
    component = DOCUMENT["components"]["schemas"][f"{process.id}.{part}"]
    return OAS30Validator(component | {"components": DOCUMENT["components"]})


def test_the_document_is_valid_openapi_3_0() -> None:
    assert DOCUMENT["openapi"] == "3.0.3"
    OpenAPIV30SpecValidator(DOCUMENT).validate()


def test_every_route_is_described_and_nothing_else() -> None:
    described = {
        (path, method)
        for path, operations in DOCUMENT["paths"].items()
        for method in operations
        if not path.endswith("/execution")
    }
    rules = {
        (re.sub(r"<(\w+)>", lambda found: "{" + NAMES.get(found[1], found[1]) + "}", route.rule), route.method.lower())
        for route in ROUTES
        if not route.rule.startswith("/assets/")
    }
    assert described == rules - {("/processes/{processID}/execution", "post")}
    executions = {path for path in DOCUMENT["paths"] if path.endswith("/execution")}
    assert executions == {f"/processes/{process.id}/execution" for process in PROCESSES}


@pytest.mark.parametrize("process", PROCESSES.processes, ids=lambda process: process.id)
def test_the_example_fits_its_schema_plain_qualified_and_linked(process: Process) -> None:
    validator = schema_of(process, "execute")
    example = dict(process.example)
    validator.validate({"inputs": example})
    validator.validate({"inputs": {name: {"value": value} for name, value in example.items()}, "response": "document"})
    first, *_ = example
    validator.validate({"inputs": example | {first: {"href": "https://eo.example/value.json"}}})


@pytest.mark.parametrize("process", PROCESSES.processes, ids=lambda process: process.id)
@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"inputs": {"unknown": 1}},
        {"response": "zip"},
        {"outputs": {"unknown": {}}},
        {"outputs": {"report": {"transmissionMode": "mail"}, "text": {"transmissionMode": "mail"}}},
    ],
)
def test_what_the_server_refuses_does_not_fit(process: Process, change: dict[str, Any]) -> None:
    assert not schema_of(process, "execute").is_valid({"inputs": dict(process.example)} | change)


def test_the_results_schema_tells_values_links_and_arrays() -> None:
    echo, change = PROCESSES.require("echo"), PROCESSES.require("ChangeDetection")
    link = {"href": "https://eo.example/x", "type": "image/png"}
    assert schema_of(echo, "results").is_valid({"text": "x", "inputCount": 1, "record": {"value": {"value": "x"}}})
    assert not schema_of(echo, "results").is_valid({"inputCount": "one"})
    assert schema_of(change, "results").is_valid({"changes": [link, link], "quicklook": link})
    assert not schema_of(change, "results").is_valid({"changes": link})
    assert not schema_of(change, "results").is_valid({"unknown": link})


def test_files_are_among_the_raw_answers() -> None:
    answers = DOCUMENT["paths"]["/processes/ChangeDetection/execution"]["post"]["responses"]
    assert {"application/json", "multipart/related", "image/png"} <= answers["200"]["content"].keys()
    assert {"201", "204", "400", "413", "415"} <= answers.keys()
    assert "204" not in DOCUMENT["paths"]["/processes/echo/execution"]["post"]["responses"]
