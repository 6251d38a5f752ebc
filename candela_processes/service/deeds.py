"""What the dispatcher does about jobs, in bounded pools, and what becomes of a job when a deed has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from candela_processes import reconcile
from candela_processes.catalog import Catalog
from candela_processes.dispatch.runner import Handle, Runner
from candela_processes.dispatch.steps import Step
from candela_processes.errors import InternalError, JobFailed, ProcessesError
from candela_processes.execution.verify import OutputsRejected, verify
from candela_processes.jobs.directory import ContractError, JobDirectory
from candela_processes.jobs.record import Phase
from candela_processes.jobs.store import JobStore
from candela_processes.reconcile import Action, ActionKind, Policy
from candela_processes.service.actions import ActionPool, ActionTimeout, Completion
from candela_processes.service.pulse import Pulse
from candela_processes.service.removal import remove_files
from candela_processes.service.sweep import Sweeper
from candela_processes.settings import Settings
from candela_processes.telemetry.faults import step

POOL_SIZES: Final = {
    ActionKind.SUBMIT: 4,
    ActionKind.VERIFY: 2,
    ActionKind.STOP: 4,
    ActionKind.RELEASE: 4,
    ActionKind.REMOVE: 2,
}
SWEEP: Final = "sweep"

_TRIED_IN: Final = {
    ActionKind.SUBMIT: Phase.STARTING,
    ActionKind.VERIFY: Phase.PUBLISHING,
    ActionKind.REMOVE: Phase.DISMISSING,
}
_REPEATED: Final = frozenset({ActionKind.SUBMIT, ActionKind.STOP, ActionKind.RELEASE})
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Deeds:
    """Begins actions and settles those that ended; `ring` is called from their threads when one ends."""

    settings: Settings
    catalog: Catalog
    store: JobStore
    runner: Runner
    sweeper: Sweeper
    pulse: Pulse
    policy: Policy
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    ring: Callable[[], None]
    _pools: dict[ActionKind, ActionPool] = field(init=False)
    _sweeps: ActionPool = field(init=False)

    def __post_init__(self) -> None:
        """Make the pools, all empty."""
        self._pools = {kind: self._pool(kind, size, self.settings.action_seconds) for kind, size in POOL_SIZES.items()}
        self._sweeps = self._pool(SWEEP, 1, 3600.0)

    def _pool(self, name: str, size: int, seconds: float) -> ActionPool:
        return ActionPool(name=name, size=size, seconds=seconds, on_end=self.ring, monotonic=self.monotonic)

    def begin(self, action: Action) -> None:
        """Begin an action unless its like is under way or resting, or its pool is full; asked again next round."""
        self._pools[action.kind].start(action.handle, partial(self._perform, action))

    def sweep(self) -> None:
        """Begin a sweep when one is due."""
        if self.sweeper.is_due():
            self._sweeps.start(SWEEP, self.sweeper.sweep)

    def settle(self) -> None:
        """Record what ended since the last call; raises Unavailable, what is lost by that is done again."""
        for kind, pool in self._pools.items():
            for completion in pool.collect():
                self._settle(kind, pool, completion)
        for completion in self._sweeps.collect():
            self._count(SWEEP, completion)

    def _perform(self, action: Action) -> Any:
        match action.kind:
            case ActionKind.SUBMIT:
                return self.runner.submit(action.handle)
            case ActionKind.STOP:
                return self.runner.stop(action.handle)
            case ActionKind.RELEASE:
                return self.runner.release(action.handle)
            case ActionKind.REMOVE:
                return remove_files(self.settings.workspace, action.handle.job_id)
            case ActionKind.VERIFY:
                return self._verify(action.handle)

    def _verify(self, handle: Handle) -> ProcessesError | None:
        """Check the outputs; return why they are refused, None for sound ones. Raises OSError for what may pass."""
        job = self.store.get(handle.job_id)
        process = self.catalog.get(job.process_id) if job is not None else None
        if process is None:
            return JobFailed("The process of this job is no longer offered by the server.")
        attempt = JobDirectory.of(self.settings.workspace, handle.job_id).attempt(handle.attempt)
        try:
            outcome = attempt.read_outcome()
            if outcome is None:
                return InternalError("The results of the job disappeared before they were checked.")
            verify(attempt, outcome, process)
        except ContractError:
            return InternalError(reconcile.BROKEN)
        except OutputsRejected as rejection:
            _log.warning("outputs rejected", extra={"job": handle.job_id, "reason": rejection.reason})
            return rejection
        return None

    def _settle(self, kind: ActionKind, pool: ActionPool, completion: Completion) -> None:
        handle = completion.key
        assert isinstance(handle, Handle)  # noqa: S101 - the pools of job actions are keyed by handles
        self._count(kind, completion)
        if completion.error is not None:
            self._defer(kind, handle, completion.error)
        elif kind is ActionKind.VERIFY:
            step(Step.VERIFIED)
            self._conclude(handle, completion.value)
        elif kind in _REPEATED:  # what is not seen to have worked by the next round is asked for again
            pool.rest(handle, self.settings.round_seconds)

    def _count(self, kind: str, completion: Completion) -> None:
        error = completion.error
        outcome = "ok" if error is None else "timeout" if isinstance(error, ActionTimeout) else "error"
        self.pulse.count(str(kind), outcome)
        if error is not None:
            context = {"job": getattr(completion.key, "job_id", ""), "duration": round(completion.seconds, 3)}
            unknown = None if isinstance(error, (OSError, ActionTimeout, ProcessesError)) else error
            _log.warning("%s failed: %s: %s", kind, type(error).__name__, error, extra=context, exc_info=unknown)

    def _defer(self, kind: ActionKind, handle: Handle, error: Exception) -> None:
        """Record the failed try of a job that still waits for this action."""
        job = self.store.get(handle.job_id)
        if job is not None and job.phase is _TRIED_IN.get(kind) and job.attempt == handle.attempt:
            reason = f"{kind}: {type(error).__name__}: {error}"
            self.store.replace(job, reconcile.deferred(job, self.clock(), reason, self.policy))

    def _conclude(self, handle: Handle, rejection: ProcessesError | None) -> None:
        """Write the end of a job whose outputs were checked, if it still waits for that."""
        job = self.store.get(handle.job_id)
        if job is None or job.phase is not Phase.PUBLISHING or job.accepted_attempt != handle.attempt:
            return
        ended = reconcile.verified(job, self.clock(), rejection)
        if self.store.replace(job, ended):
            _log.info(ended.message, extra=ended.log_context())
            step(Step.SUCCEEDED_WRITTEN if rejection is None else Step.FAILED_WRITTEN)
