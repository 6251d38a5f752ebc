"""`candela db`: the schema of the job store."""

from __future__ import annotations

import click

from candela_processes import settings as configuration
from candela_processes.jobs.sql import SqlStore


@click.group("db")
def database() -> None:
    """Create, upgrade or check the database of jobs."""


@database.command()
def upgrade() -> None:
    """Create the tables or bring them to this version.

    Safe while others do the same.
    """
    from candela_processes.jobs.migrations import migrate

    migrate(configuration.load().store_url)
    click.echo("The database is up to date.")


@database.command()
def check() -> None:
    """Say whether the database is reachable and of this version."""
    SqlStore(configuration.load().store_url).ping()
    click.echo("The database is reachable and of this version.")
