"""The dispatcher: one loop of level-triggered rounds that brings every job nearer to its end.

A round reads what is (rows, the runner's observations, job directories), lets `reconcile` decide, writes by
compare-and-set and begins actions in bounded pools. It keeps nothing that matters: another dispatcher, or the same one
after a kill, carries on from what it finds.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from candela_processes import reconcile
from candela_processes.catalog import Catalog
from candela_processes.dispatch.runner import Observation, Runner, WorkerState
from candela_processes.dispatch.steps import Step
from candela_processes.dispatch.wake import Bell
from candela_processes.errors import Unavailable
from candela_processes.jobs.leadership import Leadership
from candela_processes.jobs.record import Job, Phase, Status
from candela_processes.jobs.store import JobStore
from candela_processes.reconcile import Policy
from candela_processes.service.deeds import Deeds
from candela_processes.service.evidence import Witness
from candela_processes.service.pulse import Pulse
from candela_processes.service.sweep import Sweeper
from candela_processes.service.waiting import WaitingLine, rows
from candela_processes.settings import Settings
from candela_processes.telemetry.faults import step

LONGEST_PAUSE: Final = 30.0
GATHER_SECONDS: Final = 0.01
_GLANCE: Final = 0.25
_MOVES: Final = 5
_PLACED: Final = (Phase.STARTING, Phase.RUNNING, Phase.PUBLISHING, Phase.DISMISSING)
_WRITTEN: Final = {
    (Phase.QUEUED, Status.ACCEPTED): Step.REQUEUED_WRITTEN,
    (Phase.STARTING, Status.ACCEPTED): Step.STARTING_WRITTEN,
    (Phase.RUNNING, Status.RUNNING): Step.RUNNING_WRITTEN,
    (Phase.PUBLISHING, Status.RUNNING): Step.ACCEPTED_WRITTEN,
    (Phase.DONE, Status.FAILED): Step.FAILED_WRITTEN,
    (Phase.DONE, Status.DISMISSED): Step.REMOVED_WRITTEN,
}

_log = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class Dispatcher:
    """Runs rounds while it leads; several may run, one of them works. `clock` may step, `monotonic` may not."""

    def __init__(
        self,
        *,
        settings: Settings,
        catalog: Catalog,
        store: JobStore,
        runner: Runner,
        leadership: Leadership,
        clock: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
        policy: Policy | None = None,
    ) -> None:
        """Keep the parts; nothing is opened before `run`."""
        self._settings = settings
        self._store = store
        self._runner = runner
        self._leadership = leadership
        self._clock = clock
        self._monotonic = monotonic
        self._policy = policy or Policy(max_interruptions=settings.max_interruptions)
        self._bell = Bell()
        self.pulse = Pulse(settings.workspace, clock, monotonic)
        self._witness = Witness(settings.workspace, runner.name, monotonic)
        self._waiting = WaitingLine(store)
        self._deeds = Deeds(
            settings=settings,
            catalog=catalog,
            store=store,
            runner=runner,
            sweeper=Sweeper(settings, store, clock, monotonic),
            pulse=self.pulse,
            policy=self._policy,
            clock=clock,
            monotonic=monotonic,
            ring=self._bell.ring,
        )

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; what goes wrong in a round is logged and tried again, later each time."""
        try:
            self._bell.open()
            while not stop.is_set():
                self._turn()
                self._sleep(stop)
        finally:
            self._leadership.release()
            self._bell.close()

    def _turn(self) -> None:
        """Do one round if this dispatcher leads; an error ends the round, never the dispatcher."""
        self.pulse.begin()
        try:
            leads = self._leads()
            if leads:
                self.round()
            self.pulse.end(leads)
        except Unavailable as error:
            _log.warning("a round was cut short: %s", error.detail)
            self.pulse.fail(error)
        except Exception as error:  # noqa: BLE001 - logged; the loop must go on, whatever a round meets
            _log.exception("a round was cut short")
            self.pulse.fail(error)

    def _sleep(self, stop: threading.Event) -> None:
        """Wait for a wake or for the next round; after failed rounds for the back-off, whoever wakes."""
        failures = self.pulse.failures
        pause = min(LONGEST_PAUSE, 2.0 ** min(failures, 10) / 2) if failures else self._settings.round_seconds
        until = self._monotonic() + pause
        self.pulse.expect(until)
        while not stop.is_set() and (left := until - self._monotonic()) > 0:
            if self._bell.wait(min(left, _GLANCE)) and not failures:
                stop.wait(GATHER_SECONDS)  # so that a burst of wakes is one round
                self._bell.wait(0.0)
                self.pulse.expect(self._monotonic())
                return

    def _leads(self) -> bool:
        """Take or keep the lead, and with it the socket that others wake."""
        if not self._leadership.acquire():
            self._bell.ignore()
            return False
        if not self._bell.listens:
            _log.info("this dispatcher leads")
            self._waiting.forget()
            self._settings.workspace.mkdir(parents=True, exist_ok=True)
            self._bell.listen(self._settings.workspace)
        return True

    def round(self) -> None:
        """Look at everything once; raises Unavailable when the store is out of reach."""
        self._deeds.settle()
        observations = self._observed()
        occupied = {job_id for job_id, seen in observations.items() if any(map(_is_alive, seen))}
        for job in list(rows(self._store, *_PLACED)):
            kept = self._attend(job, observations.pop(job.id, []))
            if kept.phase is Phase.STARTING and kept.runner == self._runner.name:
                occupied.add(kept.id)
        self._attend_others(observations)
        self._start_queued(self._runner.places - len(occupied))
        self._witness.forget()
        self._deeds.sweep()

    def _observed(self) -> dict[str, list[Observation]]:
        """Return what the runner sees, by job."""
        seen: dict[str, list[Observation]] = {}
        for observation in self._runner.observe():
            seen.setdefault(observation.handle.job_id, []).append(observation)
        return seen

    def _attend_others(self, observations: dict[str, list[Observation]]) -> None:
        """See to what runs or ran for jobs that are queued, done, or unknown: those without a row are ended."""
        for job_id, seen in observations.items():
            job = self._store.get(job_id)
            if job is not None:
                self._attend(job, seen)
                continue
            for action in reconcile.clear(seen):
                self._deeds.begin(action)

    def _start_queued(self, free: int) -> None:
        """Start queued jobs, the oldest first, on the places that are free."""
        if free <= 0:
            return
        with contextlib.closing(iter(self._waiting)) as line:
            for job in line:
                if reconcile.is_due(job, self._clock(), self._policy):
                    free -= self._attend(job, []).phase is Phase.STARTING
                if free <= 0:
                    return

    def _attend(self, job: Job, seen: Iterable[Observation]) -> Job:
        """Take a job as far as it goes now; return its record. What goes wrong with one job never stops the others."""
        seen = tuple(seen)
        try:
            for _ in range(_MOVES):
                decision = reconcile.next(job, self._witness.evidence(job, seen), self._clock(), self._policy)
                moved = decision.job is not None and self._write(job, decision.job)
                for action in decision.actions:
                    self._deeds.begin(action)
                if not moved or decision.job is None:
                    break
                job = decision.job
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - logged; the other jobs must go on
            _log.exception("this job could not be attended to", extra=job.log_context())
            self.pulse.count("attend", "error")
        return job

    def _write(self, old: Job, new: Job) -> bool:
        """Write a transition; False when somebody else was faster, the next round looks again."""
        if new.phase is Phase.STARTING:
            step(Step.BEFORE_STARTING)
        written = self._store.replace(old, new)
        if written and new.phase is not old.phase:
            _log.info(new.message, extra=new.log_context())
            step(_WRITTEN[new.phase, new.status])
            if new.phase is Phase.QUEUED:
                self._waiting.remember(new)
        return written


def _is_alive(observation: Observation) -> bool:
    return observation.state is not WorkerState.ENDED
