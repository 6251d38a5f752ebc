"""A `JobQuery` as SQL; pure, it builds expressions and runs nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, tuple_

from candela_processes.jobs.cursor import Position
from candela_processes.jobs.moments import span_microseconds, to_microseconds
from candela_processes.jobs.record import storable
from candela_processes.jobs.schema import JOBS
from candela_processes.jobs.store import JobQuery

type Condition = ColumnElement[bool]

_ROW = JOBS.c


def select_page(query: JobQuery) -> Select[Any]:
    """Return the rows of one page and one more, newest first; raises InvalidParameter for a foreign cursor."""
    statement = select(JOBS).where(*_conditions(query))
    if query.after:
        after = Position.decoded(query.after)
        statement = statement.where(tuple_(_ROW.created, _ROW.id) < tuple_(after.created, after.id))
    return statement.order_by(_ROW.created.desc(), _ROW.id.desc()).limit(query.limit + 1)


def select_tally() -> Select[Any]:
    """Return count and oldest creation by phase, status, process and error type."""
    groups = (_ROW.phase, _ROW.status, _ROW.process_id, _ROW.error_type)
    return select(*groups, func.count().label("count"), func.min(_ROW.created).label("oldest")).group_by(*groups)


def is_storable(text: str) -> bool:
    """Return whether a column can hold this text; what cannot be stored matches nothing and never reaches a driver."""
    return storable(text) == text


def _conditions(query: JobQuery) -> list[Condition]:
    """Return what a row has to fulfil."""
    found = [*_memberships(query), *_moments(query)]
    if query.min_duration is not None or query.max_duration is not None:
        found.append(_lasts(query))
    return found


def _memberships(query: JobQuery) -> list[Condition]:
    """Return the filters by owner, process, status and phase."""
    found: list[Condition] = []
    if query.owner is not None:
        found.append(_among(_ROW.owner, (query.owner,)))
    for column, words in (
        (_ROW.process_id, query.process_ids),
        (_ROW.status, query.statuses),
        (_ROW.phase, query.phases),
    ):
        if words:
            found.append(_among(column, words))
    return found


def _among(column: ColumnElement[str], words: tuple[str, ...]) -> Condition:
    """Return that a column holds one of the words; one word is an equality, which keeps the order of an index."""
    possible = [str(word) for word in words if is_storable(word)]
    if not possible:
        return false()
    return column == possible[0] if len(possible) == 1 else column.in_(possible)


def _moments(query: JobQuery) -> list[Condition]:
    """Return the filters by creation and end."""
    found: list[Condition] = []
    if query.created_from is not None:
        found.append(_ROW.created >= to_microseconds(query.created_from))
    if query.created_to is not None:
        found.append(_ROW.created <= to_microseconds(query.created_to))
    if query.finished_before is not None:
        found.append(_ROW.finished < to_microseconds(query.finished_before))
    return found


def _lasts(query: JobQuery) -> Condition:
    """Return that the duration is within the bounds: stored for ended jobs, reckoned to `now` for others."""
    now = to_microseconds(query.now or datetime.now(UTC))
    ended: list[Condition] = []
    lasting: list[Condition] = [_ROW.finished.is_(None)]
    if query.min_duration is not None:
        shortest = span_microseconds(query.min_duration)
        ended.append(_ROW.duration >= shortest)
        lasting.append(_ROW.started <= now - shortest)
    if query.max_duration is not None:
        longest = span_microseconds(query.max_duration)
        ended.append(_ROW.duration <= longest)
        lasting.append(_ROW.started >= now - longest)
    return or_(and_(*ended), and_(*lasting))
