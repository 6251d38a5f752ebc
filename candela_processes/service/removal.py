"""Removing job directories: renamed into `<workspace>/trash/` first, so that nothing half removed is ever seen."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Final

from candela_processes.dispatch.steps import Step
from candela_processes.jobs.directory import JobDirectory
from candela_processes.telemetry.faults import step

TRASH: Final = "trash"


def remove_files(workspace: Path, job_id: str) -> None:
    """Remove a job's directory; a missing one is fine. Raises BlockingIOError while something lives in it, OSError."""
    directory = JobDirectory.of(workspace, job_id)
    if not directory.path.is_dir() or directory.path.is_symlink():
        directory.path.unlink(missing_ok=True)
        return
    try:
        with directory.locked() as free:
            if not free:
                raise BlockingIOError("something still runs in the job directory")
            trashed = workspace / TRASH / f"{job_id}.{uuid.uuid4().hex}"
            trashed.parent.mkdir(exist_ok=True)
            directory.path.rename(trashed)
    except FileNotFoundError:
        return
    step(Step.FILES_RENAMED)
    _remove_tree(trashed)
    step(Step.FILES_REMOVED)


def empty_trash(workspace: Path) -> None:
    """Remove what an interrupted removal left; raises OSError."""
    try:
        entries = list((workspace / TRASH).iterdir())
    except FileNotFoundError:
        return
    for entry in entries:
        _remove_tree(entry)


def _remove_tree(path: Path) -> None:
    """Remove a tree although its folders may forbid it and somebody else may be removing it too."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except PermissionError:
        _open_up(path)
        shutil.rmtree(path)


def _open_up(path: Path) -> None:
    """Let the owner enter and change every folder of a tree; links are not followed."""
    path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            child = Path(folder, name)
            if not child.is_symlink():
                child.chmod(0o700)
