"""The OpenAPI 3.0.3 document of this server, made from the catalog: exact request and result schemas per process; pure.

Component names are made of the process id; every process has its own execution path beside the generic parts.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

from candela_processes._version import __version__
from candela_processes.catalog import Catalog
from candela_processes.ogc.describe import input_schemas, output_schema, transmissions
from candela_processes.ogc.dialect import Schema, for_openapi
from candela_processes.process import Output, Process

type Document = dict[str, Any]

_EXCEPTION: Final = {"$ref": "#/components/responses/Exception"}
_FAILURES: Final = ("400", "413", "415", "500", "503", "507")
_COMPONENT: Final = re.compile(r"[^A-Za-z0-9._-]")
_BINARY: Final[Schema] = {"type": "string", "format": "binary"}


@cache
def _skeleton() -> Document:
    text = (files("candela_processes.ogc") / "templates" / "openapi.yaml").read_text("utf-8")
    document: Document = yaml.safe_load(text)
    return document


def build_openapi(catalog: Catalog, title: str, root: str) -> Document:
    """Return the document of the server at `root` (no trailing slash)."""
    document = copy.deepcopy(_skeleton())
    document["info"] |= {"title": title, "version": __version__}
    document["servers"] = [{"url": root or "/"}]
    for process in catalog:
        name = _COMPONENT.sub("_", process.id)
        document["components"]["schemas"] |= {
            f"{name}.execute": execute_schema(process),
            f"{name}.results": results_schema(process),
        }
        document["paths"][f"/processes/{process.id}/execution"] = {"post": _operation(process, name)}
    return document


def execute_schema(process: Process) -> Schema:
    """Return the exact schema of an execute request."""
    declared = input_schemas(process)
    required = [name for name, entry in declared.items() if entry["required"]]
    inputs: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _input(entry) for name, entry in declared.items()},
    }
    outputs = {output.id: {"$ref": "#/components/schemas/outputRequest"} for output in process.outputs}
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "inputs": inputs | ({"required": required} if required else {}),
            "outputs": {"type": "object", "additionalProperties": False, "properties": outputs},
            "response": {"type": "string", "enum": ["raw", "document"], "default": "raw"},
        },
    }
    return schema | ({"required": ["inputs"]} if required else {})


def _input(entry: Mapping[str, Any]) -> Schema:
    """Return an input as a plain value, a qualified value, or a link to its content."""
    value = for_openapi(entry["schema"])
    default = value.pop("default", None)
    qualified = {
        "type": "object",
        "required": ["value"],
        "additionalProperties": False,
        "properties": {"value": value, "mediaType": {"type": "string"}, "encoding": {"type": "string"}, "schema": {}},
    }
    schema: Schema = {
        "title": entry["title"],
        "anyOf": [value, qualified, {"$ref": "#/components/schemas/linkedValue"}],
    }
    schema |= {"description": entry["description"]} if entry["description"] else {}
    return schema | ({"default": default} if default is not None else {})


def results_schema(process: Process) -> Schema:
    """Return the exact schema of the results document."""
    properties = {output.id: _result(process, output) for output in process.outputs}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _result(process: Process, output: Output) -> Schema:
    declared = output_schema(output)
    if output.many:
        return {"type": "array", "items": _result_item(process, declared["items"])}
    return _result_item(process, declared)


def _result_item(process: Process, declared: Schema) -> Schema:
    """Return one output of a document: a value, an object or file as a qualified value, or a link."""
    is_file = "contentMediaType" in declared or any("contentMediaType" in part for part in declared.get("oneOf", ()))
    value = (
        {"type": "string", "format": "byte"} if is_file and declared.get("type") != "object" else for_openapi(declared)
    )
    value.pop("format" if value.get("format") == "binary" else "", None)
    qualified: Schema = {
        "type": "object",
        "required": ["value"],
        "properties": {
            "value": value,
            "mediaType": {"type": "string"},
            "encoding": {"type": "string", "enum": ["base64"]},
        },
    }
    kinds: list[Schema] = [qualified] if is_file else [value, qualified]
    return {"title": declared.get("title", "Result"), "anyOf": [*kinds, {"$ref": "#/components/schemas/linkedValue"}]}


def _operation(process: Process, name: str) -> Document:
    example = {"inputs": dict(process.example)}
    return {
        "operationId": f"execute.{name}",
        "summary": f"Execute {process.title}",
        "description": process.description,
        "tags": ["Processes"],
        "parameters": [{"$ref": "#/components/parameters/Prefer"}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{name}.execute"},
                    "examples": {"example": {"value": example}},
                }
            },
        },
        "responses": _responses(process, name),
    }


def _responses(process: Process, name: str) -> Document:
    raw = [for_openapi(output_schema(output)) for output in process.outputs if _is_json(output) and not output.many]
    content: Document = {
        "application/json": {"schema": {"anyOf": [{"$ref": f"#/components/schemas/{name}.results"}, *raw]}},
        "multipart/related": {"schema": _BINARY},
    }
    for output in process.outputs:
        for media_type in output.media_types:
            content.setdefault(media_type, {"schema": _BINARY})
    responses: Document = {"200": {"description": "The results", "content": content}}
    responses["201"] = {"$ref": "#/components/responses/Created"}
    if "reference" in transmissions(process):
        responses["204"] = {"description": "All outputs by reference; see the headers Link"}
    return responses | dict.fromkeys((*_FAILURES, "default"), _EXCEPTION)


def _is_json(output: Output) -> bool:
    return output.is_value or any(kind == "application/json" or kind.endswith("+json") for kind in output.media_types)
