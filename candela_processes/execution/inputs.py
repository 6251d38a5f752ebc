"""Inputs as the process's model has them; whatever does not fit is said by the input's name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from candela_processes.errors import InvalidInput
from candela_processes.process import Inputs, Process

type Path = tuple[int | str, ...]

# What pydantic says in Python's words, in JSON's.
_SENTENCES: Final = {
    "missing": "is required",
    "model_type": "must be an object, or for a file a string or a link object with href",
    "tuple_type": "must be an array",
}


def validated(process: Process, values: Mapping[str, Any]) -> Inputs:
    """Return the inputs as the process's frozen model; raises InvalidInput naming every input that is wrong."""
    try:
        return process.inputs.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise refusal(_told(process, values, error)) from error


def problems(process: Process, values: Mapping[str, Any]) -> list[tuple[Path, str]]:
    """Return the place of each problem (names and indices into `values`) and a sentence on it; none when all fits."""
    try:
        process.inputs.model_validate_json(json.dumps(values))
    except ValidationError as error:
        return _told(process, values, error)
    return []


def refusal(told: Sequence[tuple[Path, str]]) -> InvalidInput:
    """Return the error that names the first wrong input, with up to nine others in its text."""
    sentences = [("/".join(str(part) for part in path) or "inputs", text) for path, text in told]
    (name, problem), *others = sentences[:10]
    return InvalidInput(name, "; ".join([problem, *(f"{other}: {text}" for other, text in others)]))


def _told(process: Process, values: Mapping[str, Any], error: ValidationError) -> list[tuple[Path, str]]:
    """Return the problems by place; what the alternatives of a union say of one place is one sentence with "or".

    A list that is too short only because entries of it are wrong is not told: pydantic leaves the wrong ones out.
    """
    found = error.errors(include_input=False, include_url=False)
    inner = {entry["loc"][:-1] for entry in found} | {entry["loc"][:-2] for entry in found}
    told: dict[Path, list[str]] = {}
    for entry in found:
        if entry["type"] == "too_short" and entry["loc"] in inner:
            continue
        sentences = told.setdefault(_place(values, entry["loc"], entry["type"]), [])
        sentence = _sentence(process, entry["type"], entry["loc"], entry["msg"])
        if sentence not in sentences:
            sentences.append(sentence)
    return [(place, " or ".join(sentences)) for place, sentences in told.items()]


def _place(values: Any, path: Path, kind: str) -> Path:
    """Return the part of pydantic's path that leads into the values; it also names alternatives of a union."""
    place: list[int | str] = []
    for part in path:
        inside = isinstance(values, Mapping) and (part in values or (kind == "missing" and part == path[-1]))
        if inside or (isinstance(values, list) and isinstance(part, int) and part < len(values)):
            place.append(part)
            values = values.get(part) if isinstance(values, Mapping) else values[int(part)]
    return tuple(place)


def _sentence(process: Process, kind: str, path: Path, message: str) -> str:
    """Return pydantic's message, or a clearer one for what clients get wrong most."""
    if kind == "extra_forbidden":
        if len(path) > 1:
            return "is not a member of this object"
        return f"is not an input of {process.id}; it has {', '.join(process.inputs.model_fields)}"
    return _SENTENCES.get(kind, message.replace("Tuple should have", "Array should have").partition(" after valid")[0])


def location(values: Any, href: str, path: str = "") -> str:
    """Return where in the inputs a reference with this href stands (`images/1`), or an empty string."""
    if values == href or (isinstance(values, Mapping) and values.get("href") == href):
        return path
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values) if isinstance(values, list) else ()
    for name, value in pairs:
        found = location(value, href, f"{path}/{name}".lstrip("/"))
        if found:
            return found
    return ""
