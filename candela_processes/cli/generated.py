"""`candela generate`: writes every generated file of the repository, or checks that none is stale."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from candela_processes import catalog
from candela_processes.cli.generate import generated_files


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a file is missing or stale.")
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False, exists=True), default=".", help="Root of the repository."
)
def generate(check: bool, root: Path) -> None:
    """Write again what is derived: pages, OpenAPI, settings.

    The files show the built-in processes, whatever else is installed beside them.
    """
    files = generated_files(catalog.build(catalog.BUILT_IN))
    stale = [
        path
        for path, text in files.items()
        if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text
    ]
    if check:
        for path in stale:
            click.echo(f"stale: {path}; run `candela generate`", err=True)
        sys.exit(bool(stale))
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path], encoding="utf-8")
        click.echo(f"wrote {path}")
