"""The command `candela`: server, local runs, a client of any OGC API - Processes server, and the operator's tools.

Each command lives in its own module and is imported when it is called, so that `candela --help` stays instant.
"""

from __future__ import annotations

import importlib
import sys
from typing import Final

import click

from candela_processes._version import __version__
from candela_processes.errors import ProcessesError

COMMANDS: Final = {
    "serve": "serve:serve",
    "dispatcher": "serve:dispatcher",
    "processes": "describe:processes",
    "describe": "describe:describe_process",
    "run": "run:run",
    "submit": "remote:submit",
    "jobs": "jobs:jobs",
    "status": "remote:status",
    "logs": "remote:logs",
    "results": "remote:results",
    "dismiss": "remote:dismiss",
    "doctor": "doctor:doctor",
    "db": "database:database",
    "generate": "generated:generate",
    "demo": "demo:demo",
}


class LazyGroup(click.Group):
    """A group whose commands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command: click.Command = getattr(importlib.import_module(f"candela_processes.cli.{module}"), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="candela")
def candela() -> None:
    """Earth-observation analytics as OGC API - Processes."""


def main() -> None:
    """Run the command line; an error of ours is one sentence on standard error and exit code 2."""
    try:
        candela()
    except ProcessesError as error:
        click.echo(f"candela: {error.detail}", err=True)
        sys.exit(2)
