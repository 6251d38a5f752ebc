"""`candela jobs`: the list of a server's jobs, and what is true about one of them on this machine."""

from __future__ import annotations

import time

import click

from candela_processes import settings as configuration
from candela_processes.api.remote import Server
from candela_processes.cli.remote import server_option
from candela_processes.errors import NoSuchJob
from candela_processes.jobs.record import Status
from candela_processes.service.assemble import assemble
from candela_processes.service.explain import explain
from candela_processes.service.heartbeat import STALE_ROUNDS, sign_of_life


@click.group("jobs", invoke_without_command=True)
@server_option
@click.option("--status", type=click.Choice([str(status) for status in Status]), help="Only jobs of this status.")
@click.option("--process", help="Only jobs of this process.")
@click.option("--limit", default=20, show_default=True, help="How many.")
@click.pass_context
def jobs(ctx: click.Context, server: str, status: str | None, process: str | None, limit: int) -> None:
    """List the jobs of a server, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    query = f"/jobs?f=json&limit={limit}"
    query += f"&status={status}" if status else ""
    query += f"&processID={process}" if process else ""
    for job in Server(server).document(query)["jobs"]:
        click.echo(
            f"{job['jobID']}  {job.get('created', '')[:19]:<19}  {job['status']:<10}  {job.get('progress', 0):>3} %"
            f"  {job.get('processID', ''):<18}  {job.get('message', '')[:60]}"
        )


@jobs.command("explain")
@click.argument("job_id")
def explain_job(job_id: str) -> None:
    """Say in one sentence what becomes of a job.

    Its row, process and directory in this workspace are shown too.
    """
    assembly = assemble(configuration.load())
    job = assembly.store.get(job_id)
    if job is None:
        raise NoSuchJob(f"There is no job {job_id[:80]!r} in this workspace.")
    settings = assembly.settings
    life = sign_of_life(settings.workspace, time.time(), STALE_ROUNDS * settings.round_seconds)
    click.echo(explain(job, assembly.runner(), settings.workspace, life))
