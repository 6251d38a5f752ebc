"""`candela run ID`: one run on this machine, without a server, by the same worker, limits and checks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from candela_processes import catalog
from candela_processes.api import LocalRun, run_process
from candela_processes.cli.inputs import gather, input_options
from candela_processes.cli.progress import Bar
from candela_processes.errors import ProcessesError
from candela_processes.jobs.directory import EXIT_BAD_INPUT
from candela_processes.process import Process


class ProcessGroup(click.Group):
    """One subcommand per process of the catalog, derived from its declaration."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the ids."""
        return [process.id for process in catalog.load()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a process id or alias."""
        process = catalog.load().get(cmd_name)
        return None if process is None else _command(process)


@click.group(cls=ProcessGroup)
def run() -> None:
    """Run a process here, without a server.

    Results and result.json go to --out, progress to standard error. Exit codes: 0 done, 10 bad input, 20 limit
    exceeded, 30 internal.
    """


def _command(process: Process) -> click.Command:
    def callback(inputs: Path | None, pairs: tuple[str, ...], out: Path, **options: Any) -> None:
        named = {name.removeprefix("input_"): value for name, value in options.items()}
        try:
            values = gather(process, inputs, pairs, named)
            with Bar(sys.stderr) as bar:
                finished = run_process(process, values, out, on_progress=bar)
        except ProcessesError as error:
            click.echo(f"candela: {error.detail}", err=True)
            sys.exit(EXIT_BAD_INPUT)
        _report(finished)

    parameters: list[click.Parameter] = [
        click.Option(["--inputs"], type=click.Path(path_type=Path, dir_okay=False), help="JSON file of inputs."),
        click.Option(
            ["-i", "pairs"], multiple=True, metavar="NAME=VALUE", help="One input; repeat a name for an array."
        ),
        click.Option(
            ["--out"], type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of results."
        ),
        *input_options(process),
    ]
    return click.Command(
        process.id, params=parameters, callback=callback, help=process.description, short_help=process.title
    )


def _report(finished: LocalRun) -> None:
    for path in finished.paths:
        click.echo(path)
    if finished.error is not None:
        click.echo(f"candela: {finished.error['detail']}", err=True)
    sys.exit(finished.exit_code)
