"""What a client asks for, and how its inputs are checked against the declaration before a record exists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel

from candela_processes.errors import InvalidInput
from candela_processes.execution.inputs import problems, refusal, validated
from candela_processes.identity import ANONYMOUS, Principal
from candela_processes.jobs.record import Mode
from candela_processes.process import Process, Reference

Transmission = Literal["value", "reference"]
ResponseForm = Literal["raw", "document"]

QUALIFIED_MEMBERS: Final = frozenset({"value", "mediaType", "encoding", "schema", "format", "type"})
LINK_MEMBERS: Final = frozenset({"href", "type", "rel", "title", "hreflang"})


@dataclass(frozen=True, kw_only=True)
class OutputRequest:
    """How one output is wanted; None: by value (18-062r2), in the declared media type."""

    transmission: Transmission | None = None
    media_type: str | None = None


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One execution as a client asks for it. `outputs` None: all; `root` is the server's root URL it used.

    `inputs` is JSON as received: plain, qualified (`{"value": …}`) or linked (`{"href": …}`) values by name.
    """

    process_id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, OutputRequest] | None = None
    response: ResponseForm = "raw"
    mode: Mode = Mode.ASYNC
    principal: Principal = ANONYMOUS
    root: str = ""

    def as_request(self) -> dict[str, Any]:
        """Return what the job record keeps of the wished form of the answer."""
        wanted = None
        if self.outputs is not None:
            wanted = {
                name: {"transmission": request.transmission, "media_type": request.media_type}
                for name, request in self.outputs.items()
            }
        return {"response": self.response, "outputs": wanted}


def requested_outputs(request: Mapping[str, Any]) -> dict[str, OutputRequest] | None:
    """Return the wished outputs of a job record's request; None: all of them."""
    wanted = request.get("outputs")
    return None if wanted is None else {name: OutputRequest(**entry) for name, entry in wanted.items()}


@dataclass(frozen=True, kw_only=True)
class CheckedInputs:
    """Inputs that fit the declaration: `values` as JSON, `references` found in them, `deferred` by top-level name.

    A deferred input is a link whose content is the value; it is checked by the worker once it is fetched.
    """

    values: Mapping[str, Any]
    references: tuple[tuple[str, Reference], ...] = ()
    deferred: Mapping[str, Reference] = field(default_factory=dict)

    def all_references(self) -> list[tuple[str, Reference, str]]:
        """Return (input path, reference, name of the deferred input or empty) of every reference."""
        plain = [(path, reference, "") for path, reference in self.references]
        return [*plain, *((name, reference, name) for name, reference in self.deferred.items())]


def check_inputs(process: Process, inputs: Mapping[str, Any]) -> CheckedInputs:
    """Check inputs against the process's model; raises InvalidInput naming every input that is wrong and why."""
    plain = {name: _unqualified(process, name, value) for name, value in inputs.items()}
    told = problems(process, plain)
    deferred = {
        name: Reference.model_validate(plain[name])
        for name in {path[0] for path, _ in told if path}
        if isinstance(name, str) and _is_link(plain.get(name)) and not _takes_files(process, name)
    }
    values = {name: value for name, value in plain.items() if name not in deferred}
    remaining = [entry for entry in problems(process, values) if entry[0][:1] not in {(name,) for name in deferred}]
    if remaining:
        raise refusal(remaining)
    references: tuple[tuple[str, Reference], ...] = ()
    if not deferred:
        references = tuple(_references(validated(process, values), ""))
    return CheckedInputs(values=values, references=references, deferred=deferred)


def _unqualified(process: Process, name: str, value: Any) -> Any:
    """Unwrap a qualified value, unless the value as it stands is what the input declares (an object with `value`)."""
    if not isinstance(value, dict) or "value" not in value or not value.keys() <= QUALIFIED_MEMBERS:
        return value
    if not any(path[:1] == (name,) for path, _ in problems(process, {name: value})):
        return value
    declared = process.inputs.model_json_schema()["properties"].get(name, {}).get("contentMediaType")
    given = value.get("mediaType") or value.get("type")
    if declared and given and given != declared:
        raise InvalidInput(name, f"media type {str(given)[:80]!r} is not allowed; it takes {declared!r}")
    return value["value"]


def _takes_files(process: Process, name: str) -> bool:
    """Return whether the declared type of an input is made of references, so that a link is the value itself."""
    return '"href"' in json.dumps(process.inputs.model_json_schema()["properties"].get(name, {}))


def _is_link(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("href"), str) and value.keys() <= LINK_MEMBERS


def _references(value: Any, path: str) -> Iterator[tuple[str, Reference]]:
    """Walk a validated model and yield every reference with its path (`images/0`)."""
    if isinstance(value, Reference):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _references(getattr(value, name), f"{path}/{name}".lstrip("/"))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _references(item, f"{path}/{number}")
