"""`candela processes` and `candela describe`: what can be run here, from the declarations, without a server."""

from __future__ import annotations

import json

import click

from candela_processes import catalog
from candela_processes.ogc.describe import describe


@click.command()
def processes() -> None:
    """List the processes that are installed here."""
    for process in catalog.load():
        click.echo(f"{process.id:<20} {process.version:<8} {process.title}")


@click.command()
@click.argument("process_id")
def describe_process(process_id: str) -> None:
    """Print the OGC process description of PROCESS_ID as JSON."""
    process = catalog.load().require(process_id)
    click.echo(json.dumps(describe(process), indent=2, ensure_ascii=False))
