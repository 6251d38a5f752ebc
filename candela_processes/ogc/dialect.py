"""From the JSON Schema that pydantic writes to the dialect of OGC 18-062r2, which is that of OpenAPI 3.0; pure.

What changes: references are written out, null alternatives and null defaults go (an input is left out instead),
`const` and tuples are written in words of OpenAPI 3.0, exclusive bounds become flags, generated titles go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

type Schema = dict[str, Any]

_NULL: Final[Schema] = {"type": "null"}
_DROPPED: Final = ("title", "$defs", "examples")
_BINARY: Final = ("contentMediaType", "contentEncoding")


def to_dialect(schema: Mapping[str, Any]) -> Schema:
    """Return a self-contained schema of the dialect; `$defs` of `schema` are written out where they are used."""
    return _rewritten(dict(schema), schema.get("$defs", {}))


def for_openapi(schema: Mapping[str, Any]) -> Schema:
    """Return the schema without what OGC adds to the dialect: base64 becomes `format: byte`, media types go."""
    rewritten = {name: value for name, value in schema.items() if name not in _BINARY}
    encoding = schema.get("contentEncoding")
    if encoding:
        rewritten["format"] = "byte" if encoding == "base64" else "binary"
    return _mapped(rewritten, for_openapi)


def _rewritten(schema: Schema, definitions: Mapping[str, Any]) -> Schema:
    if "$ref" in schema:
        target = dict(definitions[schema["$ref"].rpartition("/")[2]])
        target.pop("description", None)  # the docstring of a model, not what this member means
        return _rewritten(target | {name: value for name, value in schema.items() if name != "$ref"}, definitions)
    schema = {name: value for name, value in schema.items() if name not in _DROPPED or not _is_keyword(name, value)}
    for step in (_without_null, _without_const, _without_tuple, _with_flags):
        schema = step(schema)
    if "$ref" in schema:
        return _rewritten(schema, definitions)
    return _mapped(schema, lambda part: _rewritten(dict(part), definitions))


def _is_keyword(name: str, value: Any) -> bool:
    return name != "title" or isinstance(value, str)


def _mapped(schema: Schema, change: Callable[[Mapping[str, Any]], Schema]) -> Schema:
    """Return the schema with `change` applied to every schema directly inside it."""
    result = dict(schema)
    for name in ("oneOf", "anyOf", "allOf"):
        if name in result:
            result[name] = [change(part) for part in result[name]]
    for name in ("items", "additionalProperties", "not"):
        if isinstance(result.get(name), Mapping):
            result[name] = change(result[name])
    if "properties" in result:
        result["properties"] = {member: change(part) for member, part in result["properties"].items()}
    return result


def _without_null(schema: Schema) -> Schema:
    if schema.get("default", ...) is None:
        schema = {name: value for name, value in schema.items() if name != "default"}
    for name in ("anyOf", "oneOf"):
        parts = schema.get(name)
        if parts is None or _NULL not in parts:
            continue
        rest = [part for part in parts if part != _NULL]
        outer = {key: value for key, value in schema.items() if key != name}
        schema = {**rest[0], **outer} if len(rest) == 1 else {**outer, name: rest}
    return schema


def _without_const(schema: Schema) -> Schema:
    if "const" not in schema:
        return schema
    rest = {name: value for name, value in schema.items() if name != "const"}
    return rest | {"enum": [schema["const"]]}


def _without_tuple(schema: Schema) -> Schema:
    if "prefixItems" not in schema:
        return schema
    parts = schema["prefixItems"]
    kinds = [part for number, part in enumerate(parts) if part not in parts[:number]]
    rest = {name: value for name, value in schema.items() if name != "prefixItems"}
    return rest | {"items": kinds[0] if len(kinds) == 1 else {"oneOf": kinds}}


def _with_flags(schema: Schema) -> Schema:
    """Write exclusive bounds as OpenAPI 3.0 does: `minimum: 0, exclusiveMinimum: true`."""
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        limit = schema.get(flag)
        if isinstance(limit, (int, float)) and not isinstance(limit, bool):
            schema = schema | {bound: limit, flag: True}
    return schema
