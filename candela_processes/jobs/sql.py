"""The job store in SQL: SQLite or PostgreSQL, by URL. Every write is one statement that compares the revision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import batched
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs.compatibility import mismatch
from candela_processes.jobs.cursor import Position
from candela_processes.jobs.database import Database
from candela_processes.jobs.moments import MOMENTS, duration, from_microseconds, to_microseconds
from candela_processes.jobs.query import is_storable, select_page, select_tally
from candela_processes.jobs.record import Job, Mode, Phase, Status, plain_json
from candela_processes.jobs.schema import JOBS
from candela_processes.jobs.store import JobPage, JobQuery, Tally, check_replacement, error_type

_FIELDS: Final = tuple(field.name for field in fields(Job))
_BATCH: Final = 500  # ids in one statement; databases bound the number of parameters


class SqlStore:
    """A `JobStore` in a database; safe for many threads and processes. The schema is made by `jobs.migrations`."""

    def __init__(self, url: str) -> None:
        """Keep the SQLAlchemy URL; nothing is opened. Raises SettingsError for a URL that is not allowed."""
        self._database = Database(url)

    def close(self) -> None:
        """Close the connections of this process; the store stays usable."""
        self._database.close()

    def add(self, job: Job) -> None:
        """Insert a new job; raises ValueError when its id exists."""
        row = row_of(job)
        try:
            with self._database.writing() as connection:
                connection.execute(insert(JOBS), row)
        except IntegrityError:
            raise ValueError(f"job {job.id} exists") from None

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None."""
        if not is_storable(job_id):
            return None
        with self._database.reading() as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
        return None if row is None else job_of(row)

    def replace(self, old: Job, new: Job) -> bool:
        """Write `new` if the stored revision is still `old.revision`; return whether it was written."""
        check_replacement(old, new)
        if new == old:
            stored = self.get(old.id)
            return stored is not None and stored.revision == old.revision
        with self._database.writing() as connection:
            return connection.execute(update(JOBS).where(_is_current(old)), row_of(new)).rowcount == 1

    def remove(self, job: Job) -> bool:
        """Delete the row if its revision is still `job.revision`; return whether it was deleted."""
        with self._database.writing() as connection:
            return connection.execute(delete(JOBS).where(_is_current(job))).rowcount == 1

    def find(self, query: JobQuery) -> JobPage:
        """Return one page of the jobs that match, newest first."""
        statement = select_page(query)
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        page = tuple(job_of(row) for row in rows[: query.limit])
        return JobPage(jobs=page, next=Position.of(page[-1]).encoded() if len(rows) > query.limit else "")

    def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Return which of these ids have a row."""
        return frozenset(self._known(job_ids))

    def _known(self, job_ids: Sequence[str]) -> Iterator[str]:
        with self._database.reading() as connection:
            for some in batched([job_id for job_id in job_ids if is_storable(job_id)], _BATCH):
                yield from connection.scalars(select(JOBS.c.id).where(JOBS.c.id.in_(some)))

    def tally(self) -> tuple[Tally, ...]:
        """Return counts for the metrics."""
        with self._database.reading() as connection:
            rows = connection.execute(select_tally()).all()
        return tuple(
            Tally(
                phase=Phase(row.phase),
                status=Status(row.status),
                process_id=row.process_id,
                error_type=row.error_type,
                count=row[4],  # `row.count` is the method of a tuple
                oldest=from_microseconds(row.oldest),
            )
            for row in rows
        )

    def ping(self) -> None:
        """Check that the store is reachable and of this version's schema; raises Unavailable."""
        try:
            with self._database.reading() as connection:
                problem = mismatch(connection)
        except SettingsError as error:
            raise Unavailable(error.detail) from error
        if problem:
            raise Unavailable(problem)


def _is_current(job: Job) -> ColumnElement[bool]:
    """Return that the stored revision is that of `job`: the comparison of compare-and-set."""
    return and_(JOBS.c.id == job.id, JOBS.c.revision == job.revision)


def row_of(job: Job) -> dict[str, Any]:
    """Return the row that stands for a job; raises ValueError or TypeError where request or error is not JSON."""
    row = {name: getattr(job, name) for name in _FIELDS}
    row |= {name: to_microseconds(row[name]) for name in MOMENTS if row[name] is not None}
    row |= {"status": str(job.status), "phase": str(job.phase), "mode": str(job.mode)}
    row |= {"request": plain_json(job.request), "error": plain_json(job.error), "error_type": error_type(job)}
    row["duration"] = None if job.finished is None else duration(job, job.finished)
    return row


def job_of(row: Row[Any]) -> Job:
    """Return the job that a row stands for."""
    values = {name: row._mapping[name] for name in _FIELDS}
    values |= {name: _moment(values[name]) for name in MOMENTS}
    return Job(
        **values | {"status": Status(row.status), "phase": Phase(row.phase), "mode": Mode(row.mode)},
    )


def _moment(value: int | None) -> datetime | None:
    """Return the moment of a nullable column."""
    return None if value is None else from_microseconds(value)
