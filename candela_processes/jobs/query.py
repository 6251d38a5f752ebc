"""A `JobQuery` as SQL; pure, it builds expressions and runs nothing.

Left alone, SQLite walks all jobs in the order of the list until the page is full, for any filter that an index cannot
serve *in that order*: a rare word of several, a bound on end or duration. So a filter of several words becomes one
ordered search per word, merged, and a bound takes its own index, with the few matches sorted afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, false, func, literal_column, select, tuple_, union_all

from candela_processes.jobs.cursor import Position
from candela_processes.jobs.moments import span_microseconds, to_microseconds
from candela_processes.jobs.record import storable
from candela_processes.jobs.schema import JOBS
from candela_processes.jobs.store import JobQuery

type Condition = ColumnElement[bool]

_ROW: Final = JOBS.c
_MOST_SEARCHES: Final = 16  # words that are searched one by one; more are too many to merge


def select_page(query: JobQuery) -> Select[Any]:
    """Return the rows of one page and one more, newest first; raises InvalidParameter for a foreign cursor."""
    after = Position.decoded(query.after) if query.after else None
    searches = [_search(one, lasting, after) for one, lasting in product(_by_word(query), _lasting(query))]
    if len(searches) == 1 and not _is_bounded(query):
        return searches[0].with_only_columns(*_ROW)
    # Places first, from the indexes alone; then the rows of this page only.
    places = union_all(*(select(search.subquery()) for search in searches)).subquery()
    page = select(places).order_by(places.c.created.desc(), places.c.id.desc()).limit(query.limit + 1).subquery()
    rows = select(JOBS).select_from(page.join(JOBS, _ROW.id == page.c.id))
    return rows.order_by(page.c.created.desc(), page.c.id.desc())


def _by_word(query: JobQuery) -> Iterator[JobQuery]:
    """Return queries that together find the same jobs, none twice, each with one word of the first list of words."""
    if len(phases := set(query.phases)) > 1:
        yield from (replace(query, phases=(phase,)) for phase in sorted(phases))
    elif len(statuses := set(query.statuses)) > 1:
        yield from (replace(query, statuses=(status,)) for status in sorted(statuses))
    elif 1 < len(processes := set(query.process_ids)) <= _MOST_SEARCHES:
        yield from (replace(query, process_ids=(process,)) for process in sorted(processes))
    else:
        yield query


def _lasting(query: JobQuery) -> Sequence[tuple[Condition, ...]]:
    """Return the ways to be of the duration asked for: stored for ended jobs, reckoned to `now` for others."""
    if query.min_duration is None and query.max_duration is None:
        return [()]
    now = to_microseconds(query.now or datetime.now(UTC))
    ended: list[Condition] = [_ROW.duration.is_not(None)]
    lasting: list[Condition] = [_ROW.finished.is_(None), _ROW.started.is_not(None)]
    if query.min_duration is not None:
        shortest = span_microseconds(query.min_duration)
        ended.append(_ROW.duration >= shortest)
        lasting.append(_ROW.started <= now - shortest)
    if query.max_duration is not None:
        longest = span_microseconds(query.max_duration)
        ended.append(_ROW.duration <= longest)
        lasting.append(_ROW.started >= now - longest)
    return [tuple(ended), tuple(lasting)]


def _search(query: JobQuery, lasting: tuple[Condition, ...], after: Position | None) -> Select[Any]:
    """Return the places (creation, id) of the first rows that fulfil the filters, in the order of the list."""
    statement = select(_ROW.created, _ROW.id).where(*_memberships(query), *_moments(query), *lasting)
    if after is not None:
        statement = statement.where(tuple_(_ROW.created, _ROW.id) < tuple_(after.created, after.id))
    # The sign keeps the planner from walking the list in order instead of taking the index of the bound.
    created = literal_column("+jobs.created") if _is_bounded(query) else _ROW.created
    return statement.order_by(created.desc(), _ROW.id.desc()).limit(query.limit + 1)


def _is_bounded(query: JobQuery) -> bool:
    """Return whether a filter bounds something else than creation, so that its index gives another order."""
    return not (query.min_duration is None and query.max_duration is None and query.finished_before is None)


def select_tally() -> Select[Any]:
    """Return count and oldest creation by phase, status, process and error type."""
    groups = (_ROW.phase, _ROW.status, _ROW.process_id, _ROW.error_type)
    return select(*groups, func.count().label("count"), func.min(_ROW.created).label("oldest")).group_by(*groups)


def is_storable(text: str) -> bool:
    """Return whether a column can hold this text; what cannot be stored matches nothing and never reaches a driver."""
    return storable(text) == text


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
