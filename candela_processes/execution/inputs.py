"""Inputs as the process's model has them; whatever does not fit is said by the input's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from candela_processes.errors import InvalidInput
from candela_processes.process import Inputs, Process


def validated(process: Process, values: Mapping[str, Any]) -> Inputs:
    """Return the inputs as the process's frozen model; raises InvalidInput naming every input that is wrong."""
    try:
        return process.inputs.model_validate_json(json.dumps(values))
    except ValidationError as error:
        problems = [
            ("/".join(str(part) for part in entry["loc"]) or "inputs", entry["msg"])
            for entry in error.errors(include_input=False, include_url=False)
        ]
    (name, problem), *others = problems[:10]
    raise InvalidInput(name, "; ".join([problem, *(f"{other}: {text}" for other, text in others)]))


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
