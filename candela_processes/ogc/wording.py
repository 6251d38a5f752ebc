"""Schemas, sizes and times in words, for pages; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from candela_processes.ogc.describe import input_schemas, output_schema
from candela_processes.process import Process

_KINDS: Final = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table of inputs or outputs."""

    name: str
    title: str
    description: str
    kind: str
    required: bool = False
    default: str = ""
    allowed: str = ""


def input_rows(process: Process) -> tuple[Row, ...]:
    """Return the table of inputs."""
    return tuple(
        Row(
            name=name,
            title=declared["title"],
            description=declared["description"],
            kind=kind_text(declared["schema"]),
            required=declared["required"],
            default=_default_text(declared["schema"]),
            allowed=allowed_text(declared["schema"]),
        )
        for name, declared in input_schemas(process).items()
    )


def output_rows(process: Process) -> tuple[Row, ...]:
    """Return the table of outputs."""
    return tuple(
        Row(
            name=output.id,
            title=output.title,
            description=output.description,
            kind=", ".join(output.media_types) or kind_text(output_schema(output)),
            allowed="one or more files" if output.many else "may be absent" if output.optional else "",
        )
        for output in process.outputs
    )


def kind_text(schema: Mapping[str, Any]) -> str:
    """Return what kind of value a schema takes, in words."""
    parts = schema.get("oneOf") or schema.get("anyOf")
    if parts:
        return " or ".join(dict.fromkeys(kind_text(part) for part in parts))
    if schema.get("format") == "ogc-bbox":
        return "bounding box"
    if "href" in schema.get("properties", {}):
        return "link"
    if schema.get("contentMediaType"):
        return str(schema["contentMediaType"])
    if schema.get("type") == "array":
        return f"list of: {kind_text(schema.get('items', {}))}"
    return _KINDS.get(str(schema.get("type", "")), str(schema.get("type", "any value")))


def allowed_text(schema: Mapping[str, Any]) -> str:
    """Return what a schema allows beyond its kind: values, bounds, lengths."""
    parts = schema.get("oneOf") or schema.get("anyOf")
    if parts:
        return "; or ".join(text for text in map(allowed_text, parts) if text)
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    texts = [
        _bound(schema, "minimum", "exclusiveMinimum", "at least", "more than"),
        _bound(schema, "maximum", "exclusiveMaximum", "at most", "less than"),
        f"at least {schema['minItems']} entries" if "minItems" in schema else "",
        f"at most {schema['maxItems']} entries" if "maxItems" in schema else "",
        f"pattern {schema['pattern']}" if "pattern" in schema else "",
    ]
    own = ", ".join(text for text in texts if text)
    inner = allowed_text(schema["items"]) if isinstance(schema.get("items"), Mapping) else ""
    return "; each ".join(text for text in (own, inner) if text)


def _bound(schema: Mapping[str, Any], name: str, flag: str, closed: str, exclusive: str) -> str:
    if name not in schema:
        return ""
    return f"{exclusive if schema.get(flag) else closed} {schema[name]:g}"


def _default_text(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default in (None, [], {}, ""):
        return ""
    return default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)


def bytes_text(size: float) -> str:
    """Return a size with its unit: `1.4 MiB`."""
    if size == 1:
        return "1 byte"
    unit = 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def time_text(value: datetime) -> str:
    """Return a time in UTC for people: `2026-01-31 08:15:00 UTC`."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration_text(seconds: float) -> str:
    """Return a duration: `0.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
