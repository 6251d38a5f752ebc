"""Every process of the catalog keeps the contract; a new one is tested here without a line of its own."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from jsonschema.validators import validator_for
from pydantic import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from candela_processes import catalog
from candela_processes.errors import ProcessesError, SettingsError
from candela_processes.execution.inline import run_inline
from candela_processes.execution.verify import verify
from candela_processes.jobs.directory import JobDirectory, JobInputs, Staging
from candela_processes.jobs.record import new_job_id
from candela_processes.ogc.describe import describe, summarize
from candela_processes.process import Process, Run
from candela_processes.references.resolve import resolve
from candela_processes.service.submission import check_inputs

HERE = Path(__file__).parent
HEAVY = ("numpy", "rasterio", "numba", "pygeoapi", "scipy", "PIL", "pyproj", "shapely", "kubernetes", "sqlalchemy")
PROCESSES = list(catalog.load())

every_process = pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.id)


@pytest.fixture(scope="session")
def process_schema() -> Any:
    """The schema of a process description, OGC 18-062r2, with the files that it refers to."""
    schemas = {path.name: json.loads(path.read_text()) for path in (HERE / "schemas").glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(schema, default_specification=DRAFT202012)) for name, schema in schemas.items()
    )
    kind = validator_for(schemas["process.json"])
    kind.check_schema(schemas["process.json"])
    return kind(schemas["process.json"], registry=registry)


def parts(document: Any) -> Iterator[Any]:
    """Yield a JSON document and everything in it."""
    yield document
    members = document.values() if isinstance(document, Mapping) else document if isinstance(document, list) else ()
    for member in members:
        yield from parts(member)


def test_there_are_processes() -> None:
    assert {process.id for process in PROCESSES} >= {"echo", "ChangeDetection", "AssessChange"}


def test_loading_the_catalog_is_light() -> None:
    code = "import sys; from candela_processes import catalog; catalog.load(); print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "candela_processes.processes.change_detection" in loaded
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


def test_names_are_unique() -> None:
    names = Counter(name for process in PROCESSES for name in (process.id, *process.aliases))
    assert not {name for name, count in names.items() if count > 1}
    with pytest.raises(SettingsError, match=PROCESSES[0].id):
        catalog.build([PROCESSES[0], PROCESSES[0]])


@every_process
def test_the_description_is_valid(process: Process, process_schema: Any) -> None:
    description = json.loads(json.dumps(describe(process), allow_nan=False))
    process_schema.validate(description)
    process_schema.validate(summarize(process))
    assert list(description["inputs"]) == list(process.inputs.model_fields)
    assert list(description["outputs"]) == [output.id for output in process.outputs]


@every_process
def test_the_description_is_in_the_dialect_of_openapi_3_0(process: Process) -> None:
    for part in parts(describe(process)):
        assert part is not None
        if isinstance(part, Mapping):
            assert not part.keys() & {"$ref", "$defs", "prefixItems", "const", "examples"}
            assert part.get("type") != "null"


@every_process
def test_everything_is_described(process: Process) -> None:
    assert process.title and process.description and process.version
    for name, field in process.inputs.model_fields.items():
        assert field.title, name
        # echo is what the conformance suite wants it to be, without words
        assert field.description or process.id == "echo", name
    for output in process.outputs:
        assert output.title, output.id


@every_process
def test_the_run_reference_can_be_imported(process: Process) -> None:
    module, _, function = process.run.partition(":")
    run: Run = getattr(importlib.import_module(module), function)
    assert callable(run)
    assert run.__doc__


@every_process
def test_unknown_inputs_are_refused(process: Process) -> None:
    with pytest.raises(ProcessesError, match="surprise"):
        check_inputs(process, {**process.example, "surprise": 1})
    with pytest.raises(ValidationError, match="surprise"):
        process.inputs.model_validate_json(json.dumps({**process.example, "surprise": 1}))


@every_process
def test_the_example_goes_through_json_and_back(process: Process) -> None:
    model = process.inputs.model_validate_json(json.dumps(process.example))
    again = process.inputs.model_validate_json(model.model_dump_json(exclude_none=True))
    assert again == model


@every_process
def test_the_example_fits_the_published_schema(process: Process) -> None:
    inputs = describe(process)["inputs"]
    for name, value in process.example.items():
        Draft7Validator(_draft_7(inputs[name]["schema"])).validate(value)
    required = {name for name, described in inputs.items() if described["minOccurs"]}
    assert required <= process.example.keys()


@every_process
def test_the_example_runs(process: Process, data: Path, tmp_path: Path) -> None:
    checked = check_inputs(process, process.example)
    directory = JobDirectory.of(tmp_path, new_job_id())
    directory.path.mkdir(parents=True)
    staged = tuple(resolve(name, reference, (data,)) for name, reference, _ in checked.all_references())
    inputs = JobInputs(
        job=directory.job_id,
        process=process.id,
        process_version=process.version,
        inputs=checked.values,
        seconds=process.limits.seconds,
        memory=process.resources.memory,
        scratch=process.resources.scratch,
        pixels=process.limits.pixels,
        input_bytes=process.limits.input_bytes,
    )
    directory.write_inputs(inputs, Staging(references=staged))
    with directory.locked() as free:
        assert free
        outcome = run_inline(process, directory, 1)
    assert outcome.error is None
    verify(directory.attempt(1), outcome, process)
    outputs = describe(process)["outputs"]
    for entry in outcome.outputs:
        if entry.media_type == "application/json":
            document = json.loads((directory.attempt(1).outputs / entry.path).read_text())
            Draft7Validator(_draft_7(outputs[entry.output]["schema"])).validate(document)


def _draft_7(schema: Any) -> Any:
    """Return a schema of OpenAPI 3.0 as one of draft 7: flags of exclusive bounds become bounds."""
    if isinstance(schema, list):
        return [_draft_7(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    plain = {name: _draft_7(part) for name, part in schema.items()}
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if plain.get(flag) is True:
            plain[flag] = plain.pop(bound)
    return plain


def test_the_schema_refuses_what_is_wrong(process_schema: Any) -> None:
    right = json.loads(json.dumps(describe(PROCESSES[0])))
    assert process_schema.is_valid(right)
    assert not process_schema.is_valid({name: value for name, value in right.items() if name != "id"})
    assert not process_schema.is_valid({**right, "jobControlOptions": ["now"]})
    assert not process_schema.is_valid({**right, "inputs": {"text": {"title": "without schema"}}})
    assert not process_schema.is_valid({**right, "inputs": {"text": {"schema": {"type": ["string", "null"]}}}})
