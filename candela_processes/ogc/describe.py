"""The OGC description of a process, derived from its declaration (18-062r2 clause 7.10, process description); pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from candela_processes.ogc.dialect import Schema, to_dialect
from candela_processes.process import JSON, Output, Process

type Document = dict[str, Any]
type Link = dict[str, str]

JOB_CONTROL: Final = ("sync-execute", "async-execute")


def summarize(process: Process, links: Sequence[Link] = ()) -> Document:
    """Return what the list of processes says about one."""
    document: Document = {
        "id": process.id,
        "title": process.title,
        "description": process.description,
        "version": process.version,
        "jobControlOptions": list(JOB_CONTROL),
        "outputTransmission": transmissions(process),
        "links": list(links),
    }
    return document | ({"keywords": list(process.keywords)} if process.keywords else {})


def describe(process: Process, links: Sequence[Link] = ()) -> Document:
    """Return the full description with the schemas of all inputs and outputs."""
    return summarize(process, links) | {
        "inputs": {name: describe_input(schema) for name, schema in input_schemas(process).items()},
        "outputs": {output.id: describe_output(output) for output in process.outputs},
    }


def transmissions(process: Process) -> list[str]:
    """Return how outputs may be sent: by reference only where there are files."""
    return ["value"] if all(output.is_value for output in process.outputs) else ["value", "reference"]


def input_schemas(process: Process) -> Mapping[str, Mapping[str, Any]]:
    """Return, for each input, its `title`, `description`, whether it is `required`, and its `schema`."""
    model = process.inputs.model_json_schema()
    required = set(model.get("required", ()))
    definitions = model.get("$defs", {})
    return {
        name: {
            "title": declared.get("title", name),
            "description": declared.get("description", ""),
            "required": name in required,
            "schema": to_dialect(_without_text(declared) | {"$defs": definitions}),
        }
        for name, declared in model["properties"].items()
    }


def _without_text(declared: Mapping[str, Any]) -> Document:
    return {name: value for name, value in declared.items() if name not in ("title", "description")}


def describe_input(declared: Mapping[str, Any]) -> Document:
    """Return one input as the description shows it."""
    document = {"title": declared["title"], "minOccurs": int(declared["required"]), "schema": declared["schema"]}
    return document | ({"description": declared["description"]} if declared["description"] else {})


def describe_output(output: Output) -> Document:
    """Return one output as the description shows it."""
    document: Document = {"title": output.title, "schema": output_schema(output)}
    return document | ({"description": output.description} if output.description else {})


def output_schema(output: Output) -> Schema:
    """Return the schema of one output: a value's own, a file as binary text with its media type; many: an array."""
    if output.is_value:
        one = to_dialect(output.schema or {})
    else:
        kinds = [_file_schema(output, media_type) for media_type in output.media_types]
        one = kinds[0] if len(kinds) == 1 else {"oneOf": kinds}
    return {"type": "array", "minItems": 1, "items": one} if output.many else one


def _file_schema(output: Output, media_type: str) -> Schema:
    if media_type == JSON or media_type.endswith("+json"):
        return to_dialect(output.schema or {"type": "object"}) | {"contentMediaType": media_type}
    return {"type": "string", "contentEncoding": "binary", "contentMediaType": media_type}
