"""The `Prefer` header (RFC 7240): a list of preferences, each with an optional value and parameters; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_QUOTED_LIST: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PREFERENCE: Final = re.compile(
    r'\s*(?P<name>[^\s=;,"]+)\s*(?:=\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s;,"]*))?\s*(?:;.*)?', re.S
)
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """What the client prefers: asynchronous execution, and how many seconds it would wait; None: it did not say."""

    asynchronous: bool = False
    wait: float | None = None

    def applied(self, *, asynchronous: bool, seconds: float) -> str:
        """Return the `Preference-Applied` header of an answer given so, `seconds` after the request was read.

        Empty when nothing was preferred, or nothing was kept: an inline process runs to its end, whatever the wait.
        """
        parts = ["respond-async"] if asynchronous and self.asynchronous else []
        kept = self.wait is not None and (asynchronous or seconds <= self.wait)
        return ", ".join([*parts, *([f"wait={self.wait:g}"] if kept else [])])


def parse_preferences(headers: Iterable[str]) -> Preferences:
    """Read all `Prefer` headers of a request; unknown and malformed preferences are ignored, as the RFC says."""
    found = _tokens(headers)
    wait = found.get("wait", "")
    return Preferences(
        asynchronous="respond-async" in found and "respond-sync" not in found,
        wait=float(wait) if _SECONDS.fullmatch(wait) else None,
    )


def _tokens(headers: Iterable[str]) -> Mapping[str, str]:
    """Return names (lower case) and values; where a name is repeated the first one counts."""
    found: dict[str, str] = {}
    for header in headers:
        for part in _QUOTED_LIST.findall(header):
            match = _PREFERENCE.fullmatch(part)
            if match:
                value = (match["value"] or "").strip('"')
                found.setdefault(match["name"].lower(), value)
    return found
