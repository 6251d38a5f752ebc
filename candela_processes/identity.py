"""Who asks: every call of the service takes a principal; jobs, files and layers have an owner from the first day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The one who asks: `subject` is stable and unique, `roles` are the names a rule may ask for."""

    subject: str
    roles: frozenset[str] = field(default_factory=frozenset)

    def owns(self, owner: str) -> bool:
        """Return whether something that belongs to `owner` may be seen."""
        return self.subject == owner


ANONYMOUS: Final = Principal(subject="anonymous")
