"""The tables of the job store, as the newest migration leaves them (a test compares the two).

Times are microseconds since 1970-01-01T00:00Z, enumerations text held by CHECK constraints. `duration` and
`error_type` repeat what other columns say, so that filters and counts can be served by an index.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Integer, MetaData, Table, Text, text

from candela_processes.jobs.record import Mode, Phase, Status

SCHEMA_VERSION: Final = "0001"
"""Name of the newest migration; the store refuses to work with any other."""

VERSION_TABLE: Final = "candela_schema_version"
"""Table that names the migration a database is at; not Alembic's own name, since a database may be shared."""

METADATA: Final = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s"})

# Ids and cursors are compared byte by byte, whatever the language of the database.
_BYTEWISE: Final = Text().with_variant(Text(collation="C"), "postgresql")

_UNFINISHED: Final = text("finished IS NULL")


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """Return the constraint that a column holds one of these words."""
    allowed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("id", _BYTEWISE, primary_key=True),
    Column("process_id", Text, nullable=False),
    Column("process_version", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("runner", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("message", Text, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("started", BigInteger),
    Column("finished", BigInteger),
    Column("duration", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("accepted_attempt", Integer),
    Column("interruptions", Integer, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("error_type", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("next_attempt_at", BigInteger),
    Column("revision", Integer, nullable=False),
    _one_of("status", Status),
    _one_of("phase", Phase),
    _one_of("mode", Mode),
    CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
    # Every list is newest first, so each filter's index ends in the order of the list.
    Index("ix_jobs_created", "created", "id"),
    Index("ix_jobs_process", "process_id", "created", "id"),
    Index("ix_jobs_status", "status", "created", "id"),
    Index("ix_jobs_phase", "phase", "created", "id"),
    # Every list over HTTP is of one owner.
    Index("ix_jobs_owner", "owner", "created", "id"),
    Index("ix_jobs_owner_process", "owner", "process_id", "created", "id"),
    Index("ix_jobs_owner_status", "owner", "status", "created", "id"),
    Index("ix_jobs_finished", "finished", "created", "id"),
    Index("ix_jobs_phase_finished", "phase", "finished", "created", "id"),
    Index("ix_jobs_duration", "duration", "created", "id"),
    Index("ix_jobs_owner_duration", "owner", "duration", "created", "id"),
    # Bounds end in the order of the list too: which rows come first is then decided without reading any row.
    # Jobs that have not ended are few, and theirs is the duration that grows.
    Index("ix_jobs_lasting", "started", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
    Index("ix_jobs_owner_lasting", "owner", "started", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
    Index("ix_jobs_tally", "phase", "status", "process_id", "error_type", "created"),
)
"""One row per job."""
