"""Hides secrets of URLs in what is shown: user names and passwords, and the values of queries and fragments; pure."""

from __future__ import annotations

import re
from typing import Any, Final

MASK: Final = "***"
_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>[^\s\"'<>]*)")
_QUERY_VALUE: Final = re.compile(r"=[^&;#]*")


def masked(value: Any) -> Any:
    """Return JSON with the secrets of every URL in it replaced by `***`."""
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, dict):
        return {masked_text(name): masked(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(member) for member in value]
    return value


def masked_text(text: str) -> str:
    """Return a text with the secrets of every URL in it replaced by `***`."""
    return _URL.sub(_masked_url, text)


def _masked_url(match: re.Match[str]) -> str:
    place, fragment_mark, _ = match["rest"].partition("#")
    address, query_mark, query = place.partition("?")
    authority, slash, path = address.partition("/")
    if "@" in authority:
        authority = f"{MASK}@{authority.rpartition('@')[2]}"
    hidden = _QUERY_VALUE.sub(f"={MASK}", query) if "=" in query else MASK if query else ""
    end = f"#{MASK}" if fragment_mark else ""
    return f"{match['scheme']}{authority}{slash}{path}{query_mark}{hidden}{end}"
