"""The table of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATUSES = ("accepted", "running", "successful", "failed", "dismissed")
PHASES = ("queued", "starting", "running", "publishing", "dismissing", "done")
MODES = ("sync", "async")


def upgrade():
    bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "jobs",
        sa.Column("id", bytewise, nullable=False),
        sa.Column("process_id", sa.Text, nullable=False),
        sa.Column("process_version", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("runner", sa.Text, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("progress", sa.Integer, nullable=False),
        sa.Column("started", sa.BigInteger),
        sa.Column("finished", sa.BigInteger),
        sa.Column("duration", sa.BigInteger),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("accepted_attempt", sa.Integer),
        sa.Column("interruptions", sa.Integer, nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("error_type", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        one_of("status", STATUSES),
        one_of("phase", PHASES),
        one_of("mode", MODES),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_jobs_progress")),
    )
    op.create_index("ix_jobs_created", "jobs", ["created", "id"])
    op.create_index("ix_jobs_process", "jobs", ["process_id", "created", "id"])
    op.create_index("ix_jobs_status", "jobs", ["status", "created", "id"])
    op.create_index("ix_jobs_phase", "jobs", ["phase", "created", "id"])
    op.create_index("ix_jobs_owner", "jobs", ["owner", "created", "id"])
    op.create_index("ix_jobs_owner_process", "jobs", ["owner", "process_id", "created", "id"])
    op.create_index("ix_jobs_owner_status", "jobs", ["owner", "status", "created", "id"])
    op.create_index("ix_jobs_finished", "jobs", ["finished", "created", "id"])
    op.create_index("ix_jobs_phase_finished", "jobs", ["phase", "finished", "created", "id"])
    op.create_index("ix_jobs_duration", "jobs", ["duration", "created", "id"])
    op.create_index("ix_jobs_owner_duration", "jobs", ["owner", "duration", "created", "id"])
    lasting = {"sqlite_where": sa.text("finished IS NULL"), "postgresql_where": sa.text("finished IS NULL")}
    op.create_index("ix_jobs_lasting", "jobs", ["started"], **lasting)
    op.create_index("ix_jobs_owner_lasting", "jobs", ["owner", "started"], **lasting)
    op.create_index("ix_jobs_tally", "jobs", ["phase", "status", "process_id", "error_type", "created"])


def one_of(column, words):
    allowed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=op.f(f"ck_jobs_{column}"))
