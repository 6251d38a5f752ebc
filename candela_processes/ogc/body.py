"""Reads a JSON request body strictly: size, media type, UTF-8, no member twice, finite numbers, bounded depth."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from flask import Request

from candela_processes.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

MOST_DEPTH: Final = 64
_CHUNK: Final = 64 * 1024
_UTF_8: Final = ("", "utf-8", "utf8", "us-ascii")


def read_json_object(request: Request, most_bytes: int) -> dict[str, Any]:
    """Return the JSON object of the body; an empty body is an empty object.

    Raises PayloadTooLarge, UnsupportedMediaType, or InvalidRequest for what is not a JSON object that can be kept.
    """
    data = _read(request, most_bytes)
    if not data.strip():
        return {}
    _check_media_type(request)
    value = _parsed(data)
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object with the member 'inputs'.")
    _check_shape(value)
    return value


def _read(request: Request, most_bytes: int) -> bytes:
    """Return the whole body; never takes in more than `most_bytes`, whatever the client says or leaves unsaid."""
    too_large = PayloadTooLarge(f"The body may have at most {most_bytes} bytes; give large inputs by reference.")
    if request.content_length is not None and request.content_length > most_bytes:
        raise too_large
    data = bytearray()
    while chunk := request.stream.read(min(_CHUNK, most_bytes + 1 - len(data))):
        data += chunk
        if len(data) > most_bytes:
            raise too_large
    return bytes(data)


def _check_media_type(request: Request) -> None:
    kind = request.mimetype
    charset = request.mimetype_params.get("charset", "").lower()
    if kind not in ("", "application/json") or charset not in _UTF_8:
        raise UnsupportedMediaType("The body must be application/json in UTF-8; set the header Content-Type.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed.")


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_number
        )
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # also UnicodeDecodeError, JSONDecodeError and integers of thousands of digits
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidRequest(f"The body is not JSON in UTF-8{place}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise InvalidRequest(f"The body names the member {twice[:80]!r} twice in one object.")
    return members


def _refuse_constant(name: str) -> Any:
    raise InvalidRequest(f"The body has the number {name}; JSON has finite numbers only.")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidRequest(f"The body has the number {text[:40]}, which is too large.")
    return value


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"The body is nested more than {MOST_DEPTH} levels deep.")


def _check_shape(value: Any) -> None:
    """Walk without recursion; refuse depth, and texts that no database or file name can hold."""
    open_values: list[tuple[Any, int]] = [(value, 1)]
    while open_values:
        part, depth = open_values.pop()
        if depth > MOST_DEPTH:
            raise _too_deep()
        if isinstance(part, str):
            _check_text(part)
        elif isinstance(part, dict):
            open_values.extend((name, depth) for name in part)
            open_values.extend((member, depth + 1) for member in part.values())
        elif isinstance(part, list):
            open_values.extend((member, depth + 1) for member in part)


def _check_text(text: str) -> None:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text if character > "\ud7ff"):
        raise InvalidRequest("The body has a text with a NUL character or half of a surrogate pair.")
