"""JSON Schema of a report, derived from its pydantic model in the form that OpenAPI 3.0 takes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def report_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of the model's JSON: definitions in place, no null (absent members are left out), no titles."""
    document = model.model_json_schema(mode="serialization")
    return dict(_plain(document, document.get("$defs", {})))


def _plain(node: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema node with references replaced by what they point to and the null alternative removed."""
    if isinstance(node, list):
        return [_plain(member, definitions) for member in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        return _plain(target | {key: value for key, value in node.items() if key != "$ref"}, definitions)
    choices = [choice for choice in node.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        rest = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        return _plain(choices[0] | rest, definitions)
    return {key: _members(key, value, definitions) for key, value in node.items() if key not in ("$defs", "title")}


def _members(key: str, value: Any, definitions: dict[str, Any]) -> Any:
    """Return the value of one keyword; under `properties` the keys are names and not keywords."""
    if key == "properties":
        return {name: _plain(member, definitions) for name, member in value.items()}
    return _plain(value, definitions)
