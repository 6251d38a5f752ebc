"""The life of one attempt, seen from outside: claim, start, watch, end everything, write the outcome."""

from __future__ import annotations

import logging
import os
import signal
import time
from contextlib import suppress
from typing import Final

from candela_processes.errors import InternalError
from candela_processes.jobs.directory import EXIT_INTERNAL, ContractError, JobDirectory, JobInputs, Outcome
from candela_processes.jobs.lock import lock_inherited
from candela_processes.jobs.outcomes import exit_code, failed
from candela_processes.jobs.processes import claim, descendants, kill_marked
from candela_processes.telemetry.faults import step
from candela_processes.telemetry.operator_log import log_to
from candela_processes.worker import child, ending
from candela_processes.worker.cause import Evidence
from candela_processes.worker.limits import Meter
from candela_processes.worker.log import ProcessLog, hidden_paths
from candela_processes.worker.wake import poke

LOGGER = logging.getLogger(__name__)

DEFAULT_GRACE: Final = 10.0
KILLING_SECONDS: Final = 10.0
_ASKED_TO_STOP: Final = frozenset({signal.SIGTERM, signal.SIGINT})
_WAITED_FOR: Final = _ASKED_TO_STOP | {signal.SIGCHLD}
_LONGEST_PAUSE: Final = 0.25


class Supervisor:
    """Runs one attempt. Signals are waited for, never handled, so there is no instant in which one is lost."""

    def __init__(self, directory: JobDirectory, number: int, lock: int, grace: float) -> None:
        """Remember what to run; `lock` is an inherited descriptor or -1, `grace` the seconds from asking to killing."""
        self._directory = directory
        self._attempt = directory.attempt(number)
        self._lock = lock
        self._grace = grace
        self._status: int | None = None
        self._child = 0
        self._progress = 0

    def run(self) -> int:
        """Run the attempt to its end and return the worker's exit code.

        An attempt that was started before, or a directory that somebody else has locked, is left alone.
        """
        with suppress(PermissionError):  # it leads a session already
            os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
        lock = take_lock(self._directory, self._lock)
        if lock is None:
            LOGGER.error("the job directory is locked by somebody else; nothing was done")
            return EXIT_INTERNAL
        step("worker.locked")
        self._lock = lock
        try:
            self._attempt.create()
            log_to(self._attempt.worker_log, "INFO")
            if not claim(self._attempt):
                LOGGER.error("attempt %d was started before; it is not run again", self._attempt.number)
                return EXIT_INTERNAL
        except OSError:
            LOGGER.exception("the attempt cannot be started")
            return EXIT_INTERNAL
        return self._conclude(self._outcome())

    def _outcome(self) -> Outcome:
        job_id, number = self._directory.job_id, self._attempt.number
        try:
            inputs = self._directory.read_inputs()
            return self._supervised(inputs)
        except ContractError as error:
            LOGGER.error("the attempt cannot be started: %s", error)
            said = InternalError("The files that describe the job are damaged; tell the operator.")
            return failed(job_id, number, said)
        except OSError:
            LOGGER.exception("the attempt cannot be started")
            said = InternalError("The server could not start the job.")
            return failed(job_id, number, said, retriable=True)

    def _supervised(self, inputs: JobInputs) -> Outcome:
        child.become_subreaper()
        self._clear_earlier_attempts()
        evidence = Evidence.now()
        reading, writing = os.pipe()
        log = ProcessLog(reading, self._attempt.process_log, hidden_paths(self._directory))
        try:
            process = child.start(self._directory, self._attempt.number, self._lock, writing, _WAITED_FOR)
        finally:
            os.close(writing)
        self._child = process.pid
        log.start()
        step("worker.child-started")
        self._poke()
        meter = self._meter(inputs)
        verdict = self._watch(meter)
        self._end_everything()
        process.returncode = self._status or 0
        log.close(KILLING_SECONDS)
        step("worker.child-ended")
        return ending.decide(self._attempt, verdict, self._status, evidence, meter.usage())

    def _clear_earlier_attempts(self) -> None:
        """End and remove what attempts left whose supervisor was killed; they are dead, for the lock is ours."""
        if self._attempt.number > 1:
            kill_marked(self._directory.job_id)
        for number in range(1, self._attempt.number):
            ending.remove_leftovers(self._directory.attempt(number))

    def _meter(self, inputs: JobInputs) -> Meter:
        own = (self._attempt.path / name for name in ("outputs", "collected", "scratch", "logs"))
        folders = (*own, self._directory.steps)
        return Meter(
            seconds=inputs.seconds,
            memory=inputs.memory,
            scratch=inputs.scratch,
            root=os.getpid(),
            folders=folders,
        )

    def _watch(self, meter: Meter) -> ending.Verdict:
        """Wait until the child has ended, has to be killed for a limit, or was stopped."""
        while True:
            arrived = signal.sigtimedwait(_WAITED_FOR, min(_LONGEST_PAUSE, meter.pause()))
            if arrived is not None and arrived.si_signo in _ASKED_TO_STOP:
                self._ask_to_end()
                return ending.Verdict(stopped=True)
            self._reap()
            if self._status is not None:
                return ending.Verdict()
            breach = meter.breach()
            if breach:
                return ending.Verdict(breach=breach)
            self._report_progress()

    def _ask_to_end(self) -> None:
        """Send SIGTERM to the whole tree and give it the grace period; a second request to stop ends the wait."""
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + self._grace
        while self._status is None and (left := until - time.monotonic()) > 0:
            arrived = signal.sigtimedwait(_WAITED_FOR, left)
            self._reap()
            if arrived is not None and arrived.si_signo in _ASKED_TO_STOP:
                return

    def _end_everything(self) -> None:
        """Kill the child's group, every descendant (orphans came to us), and whatever else carries the mark."""
        until = time.monotonic() + KILLING_SECONDS
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child, signal.SIGKILL)
        while time.monotonic() < until:
            living = descendants(os.getpid())
            for pid in living:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._reap()
            if not living and not kill_marked(self._directory.job_id):
                return
            signal.sigtimedwait({signal.SIGCHLD}, 0.02)
        LOGGER.error("processes of the attempt could not be killed: %s", descendants(os.getpid()))

    def _reap(self) -> None:
        """Take the status of every child that has ended, adopted ones included."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._child:
                    self._status = os.waitstatus_to_exitcode(status)

    def _report_progress(self) -> None:
        with suppress(OSError):
            written = (self._attempt.path / "progress.json").stat().st_mtime_ns
            if written != self._progress:
                self._progress = written
                self._poke()

    def _poke(self) -> None:
        poke(self._directory)

    def _conclude(self, outcome: Outcome) -> int:
        code = ending.write(self._attempt, outcome)
        step("worker.outcome-written")
        ending.remove_leftovers(self._attempt)
        os.close(self._lock)  # before the poke, so that the dispatcher sees an ended attempt
        self._poke()
        return code if code is not None else exit_code(outcome)


def take_lock(directory: JobDirectory, inherited: int) -> int | None:
    """Return the descriptor of the directory's lock, held; None when somebody else holds it or there is no directory.

    An inherited descriptor counts only if it is open on this directory's lock file and holds the lock.
    """
    try:
        if inherited < 0:
            return directory.try_lock()
        if not lock_inherited(inherited, directory.path / "lock"):
            return None
    except OSError:
        return None
    os.set_inheritable(inherited, False)
    return inherited
