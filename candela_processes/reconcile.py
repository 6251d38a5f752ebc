"""What to do next about a job: a pure function of its record, what is seen of it, the time and a policy.

It holds no state and may be asked again at any moment: the same record and evidence give the same decision, and every
action it asks for may be repeated or cut short. Durations are measured as `Evidence.waited`, on a clock that never
steps; of the wall clock only `next_attempt_at` depends, and no further ahead than the longest back-off.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from candela_processes.dispatch.runner import Handle, Observation, WorkerState
from candela_processes.errors import InternalError, Interrupted, ProcessesError, ProcessFailed
from candela_processes.jobs.directory import ContractError, Outcome, ProgressReport
from candela_processes.jobs.record import Job, Phase

INLINE: Final = "inline"
"""Name of the "runner" of instant jobs: a web process; its evidence of life is the directory's lock alone."""

BROKEN: Final = "The worker left an outcome that cannot be read."
"""Sentence of a job whose `result.json` is damaged or another's."""

_ALIVE: Final = frozenset({WorkerState.STARTING, WorkerState.RUNNING, WorkerState.ABANDONED})
_SENTENCE: Final = 2000


class ActionKind(StrEnum):
    """What the dispatcher can do about a job."""

    SUBMIT = "submit"
    VERIFY = "verify"
    STOP = "stop"
    RELEASE = "release"
    REMOVE = "remove"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing to do about one attempt; `REMOVE` is about the whole job directory."""

    kind: ActionKind
    handle: Handle


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Limits of patience: counts, and durations in seconds."""

    max_interruptions: int = 3
    max_tries: int = 20
    first_backoff: float = 1.0
    longest_backoff: float = 300.0
    starting_seconds: float = 120.0
    linger_seconds: float = 30.0
    inline_seconds: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is seen of one job now.

    `observation` is of the present attempt, `others` are of its other attempts. `outcome` and `progress` are read
    after the observation was made. `locked`: somebody holds the directory's lock. `exists`: there is a directory.
    `waited`: seconds that this dispatcher has seen the job in its present phase and attempt.
    """

    runner: str = "local"
    observation: Observation | None = None
    others: tuple[Observation, ...] = ()
    outcome: Outcome | ContractError | None = None
    progress: ProgressReport | None = None
    locked: bool = False
    exists: bool = True
    waited: float = 0.0

    @property
    def alive(self) -> bool:
        """Return whether something of the present attempt runs."""
        return self.observation.state in _ALIVE if self.observation is not None else self.locked

    @property
    def observations(self) -> tuple[Observation, ...]:
        """Return what is seen of all attempts."""
        return (*self.others, self.observation) if self.observation is not None else self.others


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The next record, None where it stays; and what to do, whether or not it stays."""

    job: Job | None = None
    actions: tuple[Action, ...] = ()


def next(job: Job, evidence: Evidence, now: datetime, policy: Policy) -> Decision:
    """Return the next record and the actions that bring the job nearer to its end."""
    moment = max(now, job.updated)  # within one job time never runs backwards, whatever the clock does
    if job.phase is Phase.DISMISSING:
        return _dismissing(job, evidence, now, moment, policy)
    others = clear(evidence.others)
    if job.phase is Phase.DONE:
        return Decision(actions=(*others, *_done(job, evidence, policy)))
    if not evidence.exists and not evidence.alive:
        return _fail(job, moment, InternalError("The files of the job disappeared from the server."), others)
    step = {
        Phase.QUEUED: _queued,
        Phase.STARTING: _starting,
        Phase.RUNNING: _running,
        Phase.PUBLISHING: _publishing,
    }[job.phase]
    decision = step(job, evidence, now, policy)
    return Decision(job=decision.job, actions=(*others, *decision.actions))


def verified(job: Job, now: datetime, rejection: ProcessesError | None) -> Job:
    """Return the end of a job whose outputs were checked."""
    moment = max(now, job.updated)
    return job.succeeded(moment) if rejection is None else job.failed(moment, rejection.as_data())


def deferred(job: Job, now: datetime, reason: str, policy: Policy) -> Job:
    """Return the job after a failed try of its action; the next one waits longer."""
    return job.deferred(max(now, job.updated), reason, now + _backoff(job, job.tries, policy))


def is_due(job: Job, now: datetime, policy: Policy) -> bool:
    """Return whether an action may be tried now. A clock that was set back cannot hold it longer than the back-off."""
    if job.next_attempt_at is None or job.next_attempt_at <= now:
        return True
    return job.next_attempt_at - now > timedelta(seconds=policy.longest_backoff)


def _backoff(job: Job, tries: int, policy: Policy) -> timedelta:
    """Return an exponential pause, half to all of it by a fraction that differs between jobs but not between calls."""
    fraction = zlib.crc32(f"{job.id}/{tries}".encode()) / 2**32
    full = min(policy.longest_backoff, policy.first_backoff * 2.0 ** min(tries, 32))
    return timedelta(seconds=full * (0.5 + fraction / 2))


def _action(kind: ActionKind, job: Job) -> Action:
    return Action(kind=kind, handle=Handle(job_id=job.id, attempt=job.attempt))


def clear(observations: Iterable[Observation]) -> tuple[Action, ...]:
    """Return what ends attempts that nobody wants: stop what still runs, forget what has ended."""
    return tuple(
        Action(kind=ActionKind.STOP if seen.state in _ALIVE else ActionKind.RELEASE, handle=seen.handle)
        for seen in observations
    )


def _queued(job: Job, evidence: Evidence, now: datetime, policy: Policy) -> Decision:
    """Start the next attempt once nothing of earlier ones is left."""
    if evidence.observations:
        return Decision(actions=clear(evidence.observations[len(evidence.others) :]))
    if evidence.locked or not is_due(job, now, policy):
        return Decision()
    return Decision(job=job.starting(max(now, job.updated), evidence.runner))


def _starting(job: Job, evidence: Evidence, now: datetime, policy: Policy) -> Decision:
    """Hand over until it is seen; a worker that does not speak is stopped, one that ended without outcome is lost."""
    moment = max(now, job.updated)
    if evidence.outcome is not None:
        return _ended(job, evidence, evidence.outcome, moment, policy)
    if job.runner == INLINE or job.runner != evidence.runner:
        return _elsewhere(job, evidence, moment, policy)
    if evidence.observation is None:
        if job.tries >= policy.max_tries:
            return _fail(job, moment, Interrupted("The job could not be started; the server tried it many times."))
        submits = not evidence.locked and is_due(job, now, policy)
        return Decision(actions=(_action(ActionKind.SUBMIT, job),) if submits else ())
    if evidence.observation.state is WorkerState.RUNNING:
        return Decision(job=job.running(moment))
    if evidence.observation.state is WorkerState.ENDED:
        return _lost(job, moment, policy)
    silent = evidence.observation.state is WorkerState.ABANDONED or evidence.waited > policy.starting_seconds
    return Decision(actions=(_action(ActionKind.STOP, job),) if silent else ())


def _running(job: Job, evidence: Evidence, now: datetime, policy: Policy) -> Decision:
    """Follow the progress until there is an outcome."""
    moment = max(now, job.updated)
    if evidence.outcome is not None:
        return _ended(job, evidence, evidence.outcome, moment, policy)
    if job.runner == INLINE or (job.runner != evidence.runner and evidence.observation is None):
        return _elsewhere(job, evidence, moment, policy)
    if not evidence.alive:
        return _lost(job, moment, policy)
    if evidence.observation is not None and evidence.observation.state is WorkerState.ABANDONED:
        return Decision(actions=(_action(ActionKind.STOP, job),))
    return Decision(job=_progressed(job, evidence.progress, moment))


def _elsewhere(job: Job, evidence: Evidence, moment: datetime, policy: Policy) -> Decision:
    """Judge an attempt that this dispatcher's runner cannot see: lost only where it was inline and its lock is free."""
    if job.runner != INLINE or evidence.locked or evidence.waited < policy.inline_seconds:
        return Decision()
    return _lost(job, moment, policy)


def _publishing(job: Job, evidence: Evidence, now: datetime, policy: Policy) -> Decision:
    """Check the outputs of the accepted attempt."""
    moment = max(now, job.updated)
    if job.runner == INLINE and (evidence.locked or evidence.waited < policy.inline_seconds):
        return Decision()
    if evidence.outcome is None:
        return _fail(job, moment, InternalError("The results of the job disappeared before they were checked."))
    if isinstance(evidence.outcome, ContractError) or _is_foreign(job, evidence.outcome):
        return _fail(job, moment, InternalError(BROKEN))
    if job.tries >= policy.max_tries:
        return _fail(job, moment, InternalError("The results of the job could not be checked; the storage failed."))
    return Decision(actions=(_action(ActionKind.VERIFY, job),) if is_due(job, now, policy) else ())


def _dismissing(job: Job, evidence: Evidence, now: datetime, moment: datetime, policy: Policy) -> Decision:
    """Stop until nothing runs, forget, then remove the files; an inline run is let come to its end."""
    if evidence.observations:
        return Decision(actions=clear(evidence.observations))
    if evidence.locked:
        unseen = job.runner == evidence.runner and job.attempt > 0
        return Decision(actions=(_action(ActionKind.STOP, job),) if unseen else ())
    if not evidence.exists:
        return Decision(job=job.removed(moment))
    return Decision(actions=(_action(ActionKind.REMOVE, job),) if is_due(job, now, policy) else ())


def _done(job: Job, evidence: Evidence, policy: Policy) -> tuple[Action, ...]:
    """Forget the last attempt; a worker that has written its outcome gets time to end by itself."""
    if evidence.observation is None:
        return ()
    lingers = isinstance(evidence.outcome, Outcome) and evidence.waited < policy.linger_seconds
    if lingers and evidence.observation.state is WorkerState.RUNNING:
        return ()
    return clear((evidence.observation,))


def _ended(
    job: Job, evidence: Evidence, outcome: Outcome | ContractError, moment: datetime, policy: Policy
) -> Decision:
    """Judge an outcome: accept its outputs, fail with its error, or retry where the system was to blame."""
    if isinstance(outcome, ContractError) or _is_foreign(job, outcome):
        return _fail(job, moment, InternalError(BROKEN))
    if job.runner == INLINE and evidence.locked:
        return Decision()
    if evidence.observation is not None and evidence.observation.state is WorkerState.ABANDONED:
        return Decision(actions=(_action(ActionKind.STOP, job),))
    if outcome.error is None:
        return Decision(job=job.accepted(moment))
    if outcome.retriable:
        return _lost(job, moment, policy)
    return Decision(job=job.failed(moment, _cause(outcome.error)))


def _is_foreign(job: Job, outcome: Outcome) -> bool:
    """Return whether an outcome names another job or attempt than the folder it lies in."""
    return (outcome.job, outcome.attempt) != (job.id, job.attempt)


def _lost(job: Job, moment: datetime, policy: Policy) -> Decision:
    """Queue a lost attempt again, or give up and say how often it was lost."""
    if job.interruptions < policy.max_interruptions:
        not_before = moment + _backoff(job, job.interruptions, policy)
        return Decision(job=job.requeued(moment, "the server lost its worker", not_before))
    times = job.interruptions + 1
    count = "once" if times == 1 else f"{times} times"
    return _fail(job, moment, Interrupted(f"The server lost the worker of this job {count}; it is not started again."))


def _fail(job: Job, moment: datetime, error: ProcessesError, actions: tuple[Action, ...] = ()) -> Decision:
    return Decision(job=job.failed(moment, error.as_data()), actions=actions)


def _progressed(job: Job, report: ProgressReport | None, moment: datetime) -> Job | None:
    """Return the record with what the worker reports, or None where it says nothing new."""
    if report is None:
        return None
    percent = int(report.percent) if math.isfinite(report.percent) else 0
    message = " ".join(report.message.split())[:200]
    changed = job.progressed(moment, percent, message)
    return changed if (changed.progress, changed.message) != (job.progress, job.message) else None


def _cause(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the worker's error as a sound exception document: whatever it left out or broke is filled in."""
    detail = str(error.get("detail") or "").strip()[:_SENTENCE]
    status = error.get("status")
    return {
        "type": str(error.get("type") or ProcessFailed.type)[:200],
        "title": str(error.get("title") or ProcessFailed.title)[:200],
        "status": status if isinstance(status, int) and 400 <= status <= 599 else ProcessFailed.status,
        "detail": detail or "The process failed and left no cause.",
    }
