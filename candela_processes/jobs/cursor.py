"""The cursor of a job list: the place of the last job shown, as opaque text that is safe in a URL."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Self

from candela_processes.errors import InvalidParameter
from candela_processes.jobs.moments import to_microseconds
from candela_processes.jobs.record import Job

_LONGEST: Final = 256
_TEXT: Final = re.compile(r"(-?[0-9]{1,18}):([!-~]{1,128})")


@dataclass(frozen=True, order=True)
class Position:
    """Where a job stands in the order of a list: by creation (microseconds), then by id; lists run downwards."""

    created: int
    id: str

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the position of a job."""
        return cls(to_microseconds(job.created), job.id)

    def encoded(self) -> str:
        """Return the cursor that stands for this position."""
        return base64.urlsafe_b64encode(f"{self.created}:{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def decoded(cls, cursor: str) -> Self:
        """Return the position of a cursor; raises InvalidParameter for text that is not a cursor."""
        found = _TEXT.fullmatch(_plain(cursor))
        position = cls(int(found[1]), found[2]) if found else None
        # One position has one cursor: other spellings of the same bytes are refused.
        if position is None or position.encoded() != cursor:
            raise InvalidParameter("cursor", "is not a cursor of this job list; take it from a `next` link.")
        return position


def _plain(cursor: str) -> str:
    """Return the text inside a cursor, empty when there is none."""
    if len(cursor) > _LONGEST:
        return ""
    try:
        return base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        return ""
