"""From an execute request (18-062r2 clause 7.11) to a `Submission`; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from candela_processes.errors import InvalidInput, InvalidRequest
from candela_processes.identity import Principal
from candela_processes.jobs.record import Mode
from candela_processes.service.submission import OutputRequest, ResponseForm, Submission, Transmission

MEMBERS: Final = ("inputs", "outputs", "response")
OUTPUT_MEMBERS: Final = ("transmissionMode", "format")
FORMAT_MEMBERS: Final = ("mediaType", "encoding", "schema")


def parse_execute(
    process_id: str, body: Mapping[str, Any], *, mode: Mode, principal: Principal, root: str
) -> Submission:
    """Return the submission; raises InvalidRequest or InvalidInput naming the member and what is allowed."""
    if "subscriber" in body:
        raise InvalidRequest("subscriber: callbacks are not offered; poll the job or use 'Prefer: wait=…'.")
    _only(body, MEMBERS, "The execute request")
    return Submission(
        process_id=process_id,
        inputs=_object(body, "inputs"),
        outputs=_outputs(_object(body, "outputs")),
        response=_response(body.get("response", "raw")),
        mode=mode,
        principal=principal,
        root=root,
    )


def _only(members: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    unknown = next((name for name in members if name not in allowed), None)
    if unknown is not None:
        raise InvalidRequest(f"{what} has the unknown member {unknown[:80]!r}; allowed are {', '.join(allowed)}.")


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name}: must be an object with one member for each {name.removesuffix('s')}.")
    return value


def _response(value: Any) -> ResponseForm:
    if value == "raw":
        return "raw"
    if value == "document":
        return "document"
    raise InvalidRequest("response: allowed are raw and document.")


def _outputs(wanted: Mapping[str, Any]) -> Mapping[str, OutputRequest] | None:
    """Return the wished outputs; an empty object means all of them, as in version 1.0 of the standard."""
    return {name: _output(name, value) for name, value in wanted.items()} or None


def _output(name: str, value: Any) -> OutputRequest:
    where = f"outputs/{name[:80]}"
    if not isinstance(value, dict):
        raise InvalidInput(where, "must be an object, which may be empty")
    _only(value, OUTPUT_MEMBERS, where)
    wished = value.get("format", {})
    if not isinstance(wished, dict):
        raise InvalidInput(f"{where}/format", "must be an object with the member mediaType")
    _only(wished, FORMAT_MEMBERS, f"{where}/format")
    media_type = wished.get("mediaType")
    if media_type is not None and not isinstance(media_type, str):
        raise InvalidInput(f"{where}/format/mediaType", "must be a text")
    return OutputRequest(transmission=_transmission(where, value.get("transmissionMode")), media_type=media_type)


def _transmission(where: str, value: Any) -> Transmission | None:
    if value is None:
        return None
    if value == "value":
        return "value"
    if value == "reference":
        return "reference"
    raise InvalidInput(f"{where}/transmissionMode", "allowed are value and reference")
