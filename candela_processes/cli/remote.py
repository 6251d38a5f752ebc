"""A client on the command line: submit to a server, look, fetch, dismiss."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from candela_processes import catalog
from candela_processes.api.remote import RemoteJob, Server
from candela_processes.cli.inputs import gather
from candela_processes.cli.progress import Bar
from candela_processes.process import Process

server_option = click.option(
    "--server",
    default="http://127.0.0.1:5000",
    show_default=True,
    envvar="CANDELA_SERVER",
    help="Root URL of the server.",
)


def show(document: Any) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@click.command()
@server_option
@click.argument("process_id")
@click.option("--inputs", type=click.Path(path_type=Path, dir_okay=False), help="JSON file of inputs.")
@click.option("-i", "pairs", multiple=True, metavar="NAME=VALUE", help="One input; repeat a name for an array.")
@click.option("--wait/--no-wait", default=False, help="Follow the job to its end.")
def submit(server: str, process_id: str, inputs: Path | None, pairs: tuple[str, ...], wait: bool) -> None:
    """Start a job of PROCESS_ID on a server and print its id."""
    values = gather(_declared(process_id), inputs, pairs, {})
    job = Server(server).submit(process_id, values)
    click.echo(job.id)
    if wait:
        _follow(job)


def _declared(process_id: str) -> Process | None:
    """Return the declaration where this process is installed here too; it only helps to read the command line."""
    return catalog.load().get(process_id)


def _follow(job: RemoteJob) -> None:
    with Bar(sys.stderr) as bar:
        status = job.wait(bar)
    if status["status"] != "successful":
        click.echo(f"candela: {status.get('message', status['status'])}", err=True)
        sys.exit(1)


@click.command()
@server_option
@click.argument("job_id")
def status(server: str, job_id: str) -> None:
    """Print the statusInfo of a job."""
    show(Server(server).job(job_id).status())


@click.command()
@server_option
@click.argument("job_id")
def logs(server: str, job_id: str) -> None:
    """Print the process log of a job."""
    click.echo(Server(server).job(job_id).log(), nl=False)


@click.command()
@server_option
@click.argument("job_id")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to download every output into.")
def results(server: str, job_id: str, out: Path | None) -> None:
    """Print the results of a job, or download them with --out."""
    job = Server(server).job(job_id)
    if out is None:
        show(job.results())
        return
    for path in job.download(out):
        click.echo(path)


@click.command()
@server_option
@click.argument("job_id")
def dismiss(server: str, job_id: str) -> None:
    """Dismiss a job: stop it if it runs, remove its results."""
    show(Server(server).job(job_id).dismiss())
