"""The rules of fetching as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from candela_processes.settings import Settings


@dataclass(frozen=True, kw_only=True)
class FetchPolicy:
    """Which hosts may be asked, and how much one download may cost.

    `allowed_hosts` empty: every public host. `private_hosts` may have a private or loopback address; they are
    allowed without being named in `allowed_hosts` too. Host names are in lower case, without port.
    """

    allowed_hosts: frozenset[str] = frozenset()
    private_hosts: frozenset[str] = frozenset()
    seconds: float = 600.0
    most_bytes: int = 20 * 1024**3

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Take the rules from the server's settings."""
        return cls(
            allowed_hosts=frozenset(settings.allowed_hosts),
            private_hosts=frozenset(settings.private_hosts),
            seconds=settings.fetch_seconds,
            most_bytes=settings.fetch_bytes,
        )
