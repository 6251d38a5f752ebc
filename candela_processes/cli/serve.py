"""`candela serve` and `candela dispatcher`: the long-lived processes.

`serve` is a parent that owns the listening socket and keeps two children alive, the web server (gunicorn) and the
dispatcher. A child that dies is started again with back-off; when the parent dies, the children end by themselves.
Running jobs are left alone when the server ends and are found again at the next start.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import threading
from pathlib import Path
from types import FrameType

import click

from candela_processes import settings as configuration
from candela_processes.cli.children import Child, Family
from candela_processes.errors import SettingsError, Unavailable
from candela_processes.jobs.migrations import check, create_if_empty
from candela_processes.service.assemble import Assembly, assemble
from candela_processes.settings import Settings
from candela_processes.telemetry import faults, logs

BACKLOG = 512
RECEIVE_SECONDS = 10  # a client that is silent in the middle of a request loses its connection
SEND_SECONDS = 60  # and one that takes nothing of an answer
OTHERS = 0o027  # what others may not do with files of the workspace, and its group may not write


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, help="Port to listen on; 0: any free one.")
@click.option("--web-only", is_flag=True, help="No dispatcher; run `candela dispatcher` elsewhere.")
@click.option("--stop-jobs", is_flag=True, help="At the end also stop running jobs; they start anew next time.")
def serve(host: str, port: int, web_only: bool, stop_jobs: bool) -> None:
    """Run web server and dispatcher until SIGTERM or Ctrl-C.

    Prints one line when it is ready.
    """
    settings = configuration.load()
    logs.start_logging(settings)
    assembly = _checked(settings)
    _check_collections(settings)
    listener = _listen(host, port)
    name, number = listener.getsockname()[:2]
    shown = f"[{name}]" if ":" in name else name
    children = [Child("web", _web_command(listener, settings), descriptors=(listener.fileno(),))]
    if not web_only:
        children.append(Child("dispatcher", [sys.executable, "-m", "candela_processes", "dispatcher"]))
    family = Family(children, grace_seconds=settings.stop_grace_seconds)
    url = f"http://{shown}:{number}"
    family.run(on_ready=lambda: click.echo(f"candela is ready at {url}"), ready_url=f"{url}/readyz")
    if stop_jobs:
        stop_running(assembly)


@click.command()
def dispatcher() -> None:
    """Run the dispatcher alone; several may run, one of them leads."""
    settings = configuration.load()
    logs.start_logging(settings)
    faults.arm(settings.fault_step, settings.fault_marker)
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    _checked(settings).dispatcher().run(stop)


def _checked(settings: Settings) -> Assembly:
    """Refuse the start with one sentence where the workspace or the store cannot be used."""
    configuration.refuse_misspelt(os.environ)
    os.umask(os.umask(OTHERS) | OTHERS)  # jobs hold what users sent; children and workers inherit it
    try:
        settings.workspace.mkdir(parents=True, exist_ok=True)
        probe = settings.workspace / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsError(f"CANDELA_WORKSPACE: the folder cannot be written ({error.strerror}).") from error
    for root in settings.input_roots:
        if not root.is_dir():
            raise SettingsError(f"CANDELA_INPUT_ROOTS: {root} is not a folder.")
    assembly = assemble(settings)
    try:
        create_if_empty(settings.store_url)
        check(settings.store_url)
    except Unavailable as error:
        raise SettingsError(f"CANDELA_DATABASE_URL: {error.detail}") from error
    return assembly


def _check_collections(settings: Settings) -> None:
    """Refuse a wrong pygeoapi configuration here, where the start can still be stopped; raises SettingsError."""
    if settings.pygeoapi_config is not None:
        from candela_processes.ogc.collections import effective_configuration

        effective_configuration(settings)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit these (Linux): gunicorn reads a request in a thread without a limit of its own, so a few
    # dozen clients that send half a request would hold all threads for ever.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", RECEIVE_SECONDS, 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
    try:
        listener.bind((host, port))
    except OSError as error:
        raise SettingsError(f"--host/--port: {host}:{port} cannot be listened on ({error.strerror}).") from error
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def _web_command(listener: socket.socket, settings: Settings) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "candela_processes.app:build()"),
        *("--bind", f"fd://{listener.fileno()}"),
        *("--worker-class", "gthread", "--threads", str(settings.web_threads)),
        *("--workers", str(settings.web_workers)),
        *("--timeout", "0", "--graceful-timeout", str(int(settings.stop_grace_seconds))),
        *("--worker-tmp-dir", _memory_folder(), "--log-level", "warning"),
        *("--no-control-socket",),
    ]


def _memory_folder() -> str:
    """Return where gunicorn's heartbeat files go: memory, so that a full disk does not end the web server."""
    shared = Path("/dev/shm")  # noqa: S108 - meant: the folder of POSIX shared memory
    return str(shared if shared.is_dir() else Path.cwd())


def stop_running(assembly: Assembly) -> None:
    """Ask every worker of this workspace to end and wait for it; the jobs are queued again by the next start."""
    runner = assembly.runner()
    pause = threading.Event()
    while live := [seen.handle for seen in runner.observe() if seen.state != "ended"]:
        for handle in live:
            runner.stop(handle)
        pause.wait(0.2)
