"""The runner of one host: a worker is a subprocess in a session of its own that outlives the dispatcher.

The evidence that an attempt lives is the lock of its job directory: `submit` takes it before anything of the attempt
exists and hands it to the worker, so there is no instant in which an attempt is neither locked nor unstarted. The
label `<workspace>/running/<job>.<attempt>` says that the attempt was handed over and not yet released; the folder
`attempts/<n>` says that it was begun and is never begun again. Pids are hints.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from candela_processes.dispatch.remains import ProcessIdentity, kill_attempt, session_leader
from candela_processes.dispatch.runner import Handle, Observation, WorkerState
from candela_processes.dispatch.steps import Step
from candela_processes.jobs.directory import AttemptDirectory, ContractError, JobDirectory, read_json
from candela_processes.jobs.processes import MARK, mark
from candela_processes.telemetry.faults import step

LABELS: Final = "running"
WORKER: Final = ("-m", "candela_processes.worker")
ROOM: Final = 4 * 1024**2
"""Free bytes below which nothing is started: a worker that cannot write a line would only be lost."""

SUPERVISOR_MARGIN: Final = 2.0
"""Seconds that a supervisor gets beyond the grace, which it gives to the analytic itself."""


class LocalRunner:
    """Runs workers on this host, at most `places` at once. Its state is on disk: another one carries on with it."""

    name = "local"

    def __init__(
        self,
        workspace: Path,
        parallel: int,
        grace_seconds: float,
        environment: Mapping[str, str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember where and how; `environment` is all that a worker inherits, the mark of its attempt is added."""
        self.places = parallel
        self._workspace = workspace
        self._grace = grace_seconds
        self._environment = dict(environment)
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._children: set[int] = set()
        self._stopping: dict[Handle, float] = {}
        self._submitting: set[str] = set()

    def submit(self, handle: Handle) -> bool:
        """Start the worker unless this attempt, or a later one, was begun before; False when no place is free.

        Raises OSError where the attempt could not be begun, BlockingIOError while something else lives in the
        directory, FileNotFoundError when the directory is gone.
        """
        if not self._reserve(handle):
            return False
        try:
            return self._submit(handle)
        finally:
            with self._guard:
                self._submitting.discard(handle.job_id)

    def _submit(self, handle: Handle) -> bool:
        if shutil.disk_usage(self._workspace).free < ROOM:
            raise OSError(errno.ENOSPC, f"less than {ROOM} bytes are free in the workspace")
        directory = JobDirectory.of(self._workspace, handle.job_id)
        lock = directory.try_lock()
        if lock is None:
            if self._label(handle).exists():
                return True
            raise BlockingIOError("another attempt still holds the job directory")
        try:
            step(Step.LOCK_TAKEN)
            self._begin(directory, handle, lock)
        finally:
            os.close(lock)
        return True

    def _begin(self, directory: JobDirectory, handle: Handle, lock: int) -> None:
        """Write label and marker and spawn; the lock is held. What was begun before only gets its label again."""
        begun = _latest_attempt(directory)
        label = self._label(handle)
        label.parent.mkdir(exist_ok=True)
        label.touch()
        step(Step.LABEL_WRITTEN)
        if begun >= handle.attempt:
            return
        attempt = directory.attempt(handle.attempt)
        try:
            attempt.path.mkdir(parents=True)
            step(Step.ATTEMPT_MARKED)
            attempt.create()
            self._spawn(directory, attempt, handle, lock)
        except OSError:
            _forget_attempt(attempt)
            label.unlink(missing_ok=True)
            raise
        step(Step.WORKER_SPAWNED)

    def _spawn(self, directory: JobDirectory, attempt: AttemptDirectory, handle: Handle, lock: int) -> None:
        command = [sys.executable, *WORKER, str(directory.path)]
        command += ["--attempt", str(handle.attempt), "--lock-fd", str(lock)]
        with attempt.worker_log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own worker; the job id is a folder that exists
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment | {MARK: mark(handle.job_id, handle.attempt)},
                pass_fds=(lock,),
                start_new_session=True,
            )
        child.returncode = 0  # it may outlive this object, which would complain; its status is collected by pid
        with self._guard:
            self._children.add(child.pid)

    def observe(self) -> Iterator[Observation]:
        """Yield every labelled attempt; one whose job has a later label cannot live, for the lock was free then."""
        self._reap()
        handles = self._labelled()
        latest = {handle.job_id: handle.attempt for handle in sorted(handles, key=lambda handle: handle.attempt)}
        for handle in handles:
            directory = JobDirectory.of(self._workspace, handle.job_id)
            if handle.attempt < latest[handle.job_id] or not directory.is_alive():
                if self._was_begun(directory, handle):
                    yield Observation(handle=handle, state=WorkerState.ENDED)
            else:
                yield self._living(directory, handle)

    def _living(self, directory: JobDirectory, handle: Handle) -> Observation:
        if not directory.attempt(handle.attempt).worker.exists():
            return Observation(handle=handle, state=WorkerState.STARTING)
        supervisor = self._supervisor(handle)
        if supervisor is None or not supervisor.lives():
            detail = "the directory is locked but its supervisor is gone"
            return Observation(handle=handle, state=WorkerState.ABANDONED, detail=detail)
        return Observation(handle=handle, state=WorkerState.RUNNING, detail=f"pid {supervisor.pid}")

    def _was_begun(self, directory: JobDirectory, handle: Handle) -> bool:
        """Return whether a labelled, dead attempt was begun; a label alone (killed in between) is submitted again."""
        return not directory.path.exists() or _latest_attempt(directory) >= handle.attempt

    def stop(self, handle: Handle) -> None:
        """Ask the supervisor to end; after the grace, or where none is left to ask, kill all of the attempt."""
        supervisor = self._supervisor(handle)
        now = self._monotonic()
        with self._guard:
            first = handle not in self._stopping
            since = self._stopping.setdefault(handle, now)
        asked = supervisor is not None and (supervisor.send(signal.SIGTERM) if first else supervisor.lives())
        if first and asked:
            step(Step.STOP_SENT)
        if not asked or now - since >= self._grace + SUPERVISOR_MARGIN:
            kill_attempt(handle.job_id, handle.attempt, supervisor)

    def release(self, handle: Handle) -> None:
        """Kill what is left of an ended attempt, then remove its label; while something still dies the label stays."""
        directory = JobDirectory.of(self._workspace, handle.job_id)
        latest = max((other.attempt for other in self._labelled() if other.job_id == handle.job_id), default=0)
        if latest <= handle.attempt and directory.is_alive():
            return
        if kill_attempt(handle.job_id, handle.attempt):
            return
        step(Step.REMAINS_KILLED)
        self._label(handle).unlink(missing_ok=True)
        step(Step.LABEL_REMOVED)
        with self._guard:
            self._stopping.pop(handle, None)

    def _supervisor(self, handle: Handle) -> ProcessIdentity | None:
        """Return who supervises the attempt: as it says itself, else the marked leader of a session."""
        attempt = JobDirectory.of(self._workspace, handle.job_id).attempt(handle.attempt)
        try:
            told = ProcessIdentity.from_data(read_json(attempt.worker))
        except ContractError:
            told = None
        return told or session_leader(handle.job_id, handle.attempt)

    def _labelled(self) -> list[Handle]:
        try:
            names = [path.name for path in (self._workspace / LABELS).iterdir()]
        except FileNotFoundError:
            return []
        return [handle for name in sorted(names) if (handle := _handle_of(name)) is not None]

    def _label(self, handle: Handle) -> Path:
        return self._workspace / LABELS / f"{handle.job_id}.{handle.attempt}"

    def _reserve(self, handle: Handle) -> bool:
        """Take a place for a job among those that live and those being submitted; return whether there was one."""
        with self._guard:
            jobs = {other.job_id for other in self._labelled()} - {handle.job_id} - self._submitting
            alive = sum(JobDirectory.of(self._workspace, job_id).is_alive() for job_id in jobs)
            if alive + len(self._submitting - {handle.job_id}) >= self.places:
                return False
            self._submitting.add(handle.job_id)
            return True

    def _reap(self) -> None:
        """Collect the exit status of own children, so that none stays a zombie."""
        with self._guard:
            self._children = {pid for pid in self._children if not _has_ended(pid)}


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, and collect its status."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _handle_of(name: str) -> Handle | None:
    """Return the handle a label names; None for what is no label."""
    job_id, _, attempt = name.rpartition(".")
    return Handle(job_id=job_id, attempt=int(attempt)) if job_id and attempt.isdecimal() else None


def _latest_attempt(directory: JobDirectory) -> int:
    """Return the highest attempt begun in a job directory, 0 for none; raises OSError other than not found."""
    try:
        names = [path.name for path in (directory.path / "attempts").iterdir()]
    except FileNotFoundError:
        return 0
    return max((int(name) for name in names if name.isdecimal()), default=0)


def _forget_attempt(attempt: AttemptDirectory) -> None:
    """Undo the marker of an attempt whose worker was never spawned; where that fails the attempt counts as lost."""
    shutil.rmtree(attempt.path, ignore_errors=True)
