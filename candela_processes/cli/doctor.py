"""`candela doctor`: is everything here that a server needs? One line per question, exit code 1 for a no."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from candela_processes import settings as configuration
from candela_processes.errors import ProcessesError
from candela_processes.jobs.database import is_sqlite, sqlite_path
from candela_processes.service.assemble import Assembly, assemble
from candela_processes.service.heartbeat import STALE_ROUNDS, sign_of_life


@dataclass(frozen=True)
class Finding:
    """One answer: whether it is well, and what was found; `fatal` ones make the exit code 1."""

    question: str
    well: bool
    found: str
    fatal: bool = True


@click.command()
def doctor() -> None:
    """Check settings, workspace, store and what else is needed.

    Exit code 1 when something is wrong.
    """
    assembly = assemble(configuration.load())
    findings = [*_findings(assembly)]
    for finding in findings:
        mark = "ok  " if finding.well else ("FAIL" if finding.fatal else "note")
        click.echo(f"{mark} {finding.question:<12} {finding.found}")
    sys.exit(any(finding.fatal and not finding.well for finding in findings))


def _findings(assembly: Assembly) -> Iterator[Finding]:
    yield Finding("python", sys.version_info >= (3, 12), platform.python_version())
    yield _workspace(assembly)
    yield _space(assembly)
    yield _asked("store", lambda: _store(assembly))
    yield _dispatcher(assembly)
    yield _asked("catalog", lambda: ", ".join(process.id for process in assembly.catalog))
    yield _inputs(assembly)
    yield _asked("raster", _raster)


def _store(assembly: Assembly) -> str:
    url = assembly.settings.store_url
    if is_sqlite(url) and not sqlite_path(url).exists():
        return "not there yet; `candela serve` or `candela db upgrade` creates it"
    assembly.store.ping()
    return "reachable, schema of this version"


def _asked(question: str, answer: Callable[[], str]) -> Finding:
    try:
        return Finding(question, True, answer())
    except (ProcessesError, ImportError, OSError) as error:
        return Finding(question, False, error.detail if isinstance(error, ProcessesError) else str(error))


def _workspace(assembly: Assembly) -> Finding:
    folder = assembly.settings.workspace
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return Finding("workspace", os.access(nearest, os.W_OK), str(folder))


def _space(assembly: Assembly) -> Finding:
    folder = assembly.settings.workspace
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free, floor = shutil.disk_usage(nearest).free, assembly.settings.free_space_floor
    return Finding("free space", free >= floor, f"{free / 1024**3:.1f} GiB, floor {floor / 1024**3:.1f} GiB")


def _dispatcher(assembly: Assembly) -> Finding:
    """Read the heartbeat; no dispatcher is only a note, since it may run on another machine or start later."""
    settings = assembly.settings
    well, words = sign_of_life(settings.workspace, time.time(), STALE_ROUNDS * settings.round_seconds)
    return Finding("dispatcher", well, words, fatal=False)


def _inputs(assembly: Assembly) -> Finding:
    roots = assembly.settings.input_roots
    missing = [str(root) for root in roots if not root.is_dir()]
    found = ", ".join(map(str, roots)) or "none: inputs by URL only"
    return Finding("input roots", not missing, f"not a folder: {', '.join(missing)}" if missing else found)


def _raster() -> str:
    from candela_processes.raster.drivers import library_versions

    return ", ".join(f"{name} {version}" for name, version in library_versions().items())
