"""Inputs on the command line: a JSON file, `-i name=value`, or one option per declared input."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from candela_processes.errors import InvalidInput
from candela_processes.process import Process


def gather(
    process: Process | None, file: Path | None, pairs: Iterable[str], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge inputs from a JSON file, from `name=value` pairs and from options; the later ones win.

    A name given several times in pairs or options becomes an array. Raises InvalidInput for what cannot be read.
    """
    texts: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInput(pair[:80], "write it as name=value")
        texts.setdefault(name, []).append(value)
    for name, value in options.items():
        if value:
            texts[name] = list(value) if isinstance(value, (list, tuple)) else [value]
    given = {name: _value(process, name, values) for name, values in texts.items()}
    return _from_file(file) | given


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput("--inputs", f"the file cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InvalidInput("--inputs", "the file is not JSON") from error
    if isinstance(document, dict) and isinstance(document.get("inputs"), dict):
        document = document["inputs"]
    if not isinstance(document, dict):
        raise InvalidInput("--inputs", "must hold an object of inputs, or an execute request")
    return document


def _value(process: Process | None, name: str, texts: list[str]) -> Any:
    """Turn texts into the JSON value that the declared type takes: as JSON, as text, or as an array of either."""
    field = process.inputs.model_fields.get(name) if process else None
    candidates = _candidates([_readings(text) for text in texts])
    if field is None:
        return candidates[0]
    declared: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    closest = candidates[-1] if declared.json_schema().get("type") == "array" else candidates[0]
    return next((candidate for candidate in candidates if _fits(declared, candidate)), closest)


def _candidates(readings: list[list[Any]]) -> list[Any]:
    arrays = [[reading[0] for reading in readings], [reading[-1] for reading in readings]]
    return [*readings[0], *arrays] if len(readings) == 1 else arrays


def _fits(declared: TypeAdapter[Any], candidate: Any) -> bool:
    try:
        declared.validate_json(json.dumps(candidate), strict=True)
    except ValidationError:
        return False
    return True


def _readings(text: str) -> list[Any]:
    """Return the text as JSON, where it is JSON but not a mere string, and as it stands."""
    try:
        value = json.loads(text)
    except ValueError:
        return [text]
    return [text] if isinstance(value, str) else [value, text]


def input_options(process: Process) -> list[click.Option]:
    """Return one option per declared input; every one may be repeated to make an array."""
    return [
        click.Option(
            [f"--{name.replace('_', '-')}", f"input_{name}"],
            multiple=True,
            metavar="VALUE",
            help=(field.description or field.title or "") + (" [required]" if field.is_required() else ""),
        )
        for name, field in process.inputs.model_fields.items()
    ]
