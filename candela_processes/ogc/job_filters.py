"""The query parameters of the job list (18-062r2 clause 11) as a `JobQuery`; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from candela_processes.catalog import Catalog
from candela_processes.errors import InvalidParameter
from candela_processes.jobs.record import Status
from candela_processes.jobs.store import JobQuery

DEFAULT_LIMIT: Final = 10
MOST_JOBS: Final = 10_000
PARAMETERS: Final = (
    *("type", "processID", "status", "datetime", "minDuration", "maxDuration"),
    *("limit", "cursor", "f"),
)
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")
_OPEN: Final = ("", "..")

type Query = Mapping[str, Sequence[str]]


def job_query(arguments: Query, catalog: Catalog) -> JobQuery:
    """Return the query; several values are given by commas or by repetition. Raises InvalidParameter."""
    unknown = next((name for name in arguments if name not in PARAMETERS), None)
    if unknown is not None:
        raise InvalidParameter(unknown[:80], f"is not a parameter here; allowed are {', '.join(PARAMETERS)}")
    if any(value != "process" for value in _values(arguments, "type")):
        raise InvalidParameter("type", "allowed is process")
    begin, end = _interval(_single(arguments, "datetime"))
    return JobQuery(
        process_ids=tuple(_canonical(value, catalog) for value in _values(arguments, "processID")),
        statuses=tuple(_status(value) for value in _values(arguments, "status")),
        created_from=begin,
        created_to=end,
        min_duration=_seconds(arguments, "minDuration"),
        max_duration=_seconds(arguments, "maxDuration"),
        limit=limit(_single(arguments, "limit"), DEFAULT_LIMIT, MOST_JOBS),
        after=_single(arguments, "cursor"),
    )


def limit(text: str, default: int, most: int) -> int:
    """Return the page size; more than `most` means `most`, as the standard allows. Raises InvalidParameter."""
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < 1:
        raise InvalidParameter("limit", f"must be a whole number from 1 to {most}")
    return min(int(text), most)


def _values(arguments: Query, name: str) -> list[str]:
    return [part for value in arguments.get(name, ()) for part in value.split(",") if part]


def _single(arguments: Query, name: str) -> str:
    values = arguments.get(name, ())
    if len(values) > 1:
        raise InvalidParameter(name, "may be given once only")
    return values[0] if values else ""


def _canonical(process_id: str, catalog: Catalog) -> str:
    process = catalog.get(process_id)
    return process.id if process else process_id


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        raise InvalidParameter("status", f"allowed are {', '.join(Status)}") from None


def _seconds(arguments: Query, name: str) -> float | None:
    text = _single(arguments, name)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text):
        raise InvalidParameter(name, "must be a number of seconds, 0 or more")
    return float(text)


def _interval(text: str) -> tuple[datetime | None, datetime | None]:
    """Read `a`, `a/b`, `../b` or `a/..`; both ends belong to the interval."""
    if not text:
        return None, None
    first, slash, second = text.partition("/")
    begin, end = _moment(first), _moment(second if slash else first)
    if slash and begin is None and end is None and not {first, second} <= set(_OPEN):
        raise _wrong_interval()
    if begin is not None and end is not None and begin > end:
        raise InvalidParameter("datetime", "begins after its end")
    return begin, end


def _moment(text: str) -> datetime | None:
    if text in _OPEN:
        return None
    # a plus sign that was not encoded arrives as a space
    candidate = re.sub(r" (?=\d\d:\d\d$)", "+", text)
    if not _DATE_TIME.fullmatch(candidate):
        raise _wrong_interval()
    try:
        return datetime.fromisoformat(candidate.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong_interval() from None


def _wrong_interval() -> InvalidParameter:
    return InvalidParameter("datetime", "must be an RFC 3339 time with offset, or an interval a/b, ../b or a/..")
