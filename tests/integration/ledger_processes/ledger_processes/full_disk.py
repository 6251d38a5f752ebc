"""Run in a mount namespace: fills the workspace's disk, lets a dispatcher meet it, frees it, tells how the job ended.

Arguments: workspace, folder of the ledger, store URL ("" for the workspace's own).
"""

import json
import sys
import threading
from pathlib import Path

from candela_processes import settings
from candela_processes.jobs.migrations import create_if_empty
from candela_processes.service.assemble import Assembly, assemble
from candela_processes.service.round import Dispatcher
from candela_processes.service.submission import Submission


def _fill(path: Path) -> None:
    """Write until not one byte more fits."""
    with path.open("wb", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while ballast.write(b"x" * size):
                    pass
            except OSError:
                continue


def _troubles(assembly: Assembly, dispatcher: Dispatcher, job_id: str) -> int:
    """Return how often the full disk was met: rounds cut short and tries of the job's action."""
    job = assembly.store.get(job_id)
    actions = dispatcher.pulse.actions
    met = sum(actions.get(kind, {}).get("error", 0) for kind in ("round", "submit"))
    return met + (job.tries if job else 0)


def tell(workspace: Path, ledger: Path, url: str) -> None:
    """Print status, message and number of troubles met."""
    configured = settings.load(workspace=workspace, database_url=url, round_seconds=0.05, free_space_floor=0)
    create_if_empty(configured.store_url)
    assembly = assemble(configured)
    job = assembly.service.submit(Submission(process_id="ledger", inputs={"folder": str(ledger)}))
    ballast = workspace / "ballast"
    _fill(ballast)
    dispatcher = assembly.dispatcher()
    stop, pause = threading.Event(), threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    while (
        _troubles(assembly, dispatcher, job.id) < 2
        and not (assembly.store.get(job.id) or job).is_final
        and thread.is_alive()
    ):
        pause.wait(0.02)
    troubles = _troubles(assembly, dispatcher, job.id)
    ballast.unlink()
    while not (ended := assembly.store.get(job.id) or job).is_final and thread.is_alive():
        pause.wait(0.02)
    stop.set()
    thread.join()
    sys.stdout.write(json.dumps({"status": ended.status, "message": ended.message, "troubles": troubles}))


if __name__ == "__main__":
    tell(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
