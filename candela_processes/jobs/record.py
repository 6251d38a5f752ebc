"""The job record: frozen, with named transitions; the store writes each by compare-and-set on `revision`.

                     starting()          running()            accepted()            succeeded()
          queued ───────────────▶ starting ─────▶ running ───────────────▶ publishing ─────────▶ done
            ▲                        │  │            │                         │   failed()
            └──────── requeued() ────┴──┼────────────┘                         │
                                        └───────── failed() ──────────────────▶ done
          any phase but done-by-dismissal ── dismissed() ──▶ dismissing ── removed() ──▶ done

Status has the five words of OGC 18-062r2 clause 7.12 only; the phase says where work stands. `dismissed` is final from
the moment it is recorded: no later completion overwrites it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self


class Status(StrEnum):
    """The OGC status of a job."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    DISMISSED = "dismissed"


class Phase(StrEnum):
    """Where work on a job stands; internal, shown to operators."""

    QUEUED = "queued"  # waits for a free place on the runner
    STARTING = "starting"  # an attempt was handed to the runner, its worker has not spoken yet
    RUNNING = "running"  # the worker lives
    PUBLISHING = "publishing"  # the attempt is accepted; outputs are verified and made visible
    DISMISSING = "dismissing"  # dismissed; worker and files are being removed
    DONE = "done"  # nothing is left to do until expiry


class Mode(StrEnum):
    """How the client asked for execution."""

    SYNC = "sync"
    ASYNC = "async"


FINAL: Final = frozenset({Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED})
ACTIVE_PHASES: Final = frozenset(Phase) - {Phase.DONE}


class IllegalTransition(Exception):
    """A transition was asked for that the present phase does not allow; a lost race, never a client's fault."""


def plain_json(value: Any) -> Any:
    """Return a value as JSON gives it back (tuples become lists); raises ValueError or TypeError for others."""
    return json.loads(json.dumps(value, allow_nan=False))


def storable(text: str) -> str:
    """Return a text that every database keeps: NUL and lone surrogates (foreign bytes in a log line) become U+FFFD."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\x00", "\ufffd")


def new_job_id() -> str:
    """Return a new random job id (uuid4)."""
    return str(uuid.uuid4())


@dataclass(frozen=True, kw_only=True)
class Job:
    """One execution of a process, as the store keeps it. Times are aware datetimes in UTC."""

    id: str
    process_id: str
    process_version: str
    owner: str
    created: datetime
    updated: datetime
    status: Status = Status.ACCEPTED
    phase: Phase = Phase.QUEUED
    mode: Mode = Mode.ASYNC
    runner: str = "local"  # the runner of the present attempt: a dispatcher's runner, or "inline"
    request: Mapping[str, Any] = field(default_factory=dict)  # requested outputs and response form, as submitted
    message: str = "queued"  # one sentence for the user
    progress: int = 0  # percent
    started: datetime | None = None  # first time a worker ran
    finished: datetime | None = None  # when the status became final
    attempt: int = 0  # number of the latest attempt; 0: none yet
    accepted_attempt: int | None = None  # the attempt whose outputs are the results
    interruptions: int = 0  # attempts that the system (not the process) lost
    error: Mapping[str, Any] | None = None  # OGC exception of a failed job
    tries: int = 0  # failed tries of the present phase's action
    last_error: str = ""  # what went wrong in the last try, for the operator
    next_attempt_at: datetime | None = None  # no action on this job before
    revision: int = 0  # counts the writes; compare-and-set compares it

    def __post_init__(self) -> None:
        """Refuse times without an offset: they would be read differently elsewhere."""
        for moment in (self.created, self.updated, self.started, self.finished, self.next_attempt_at):
            if moment is not None and moment.utcoffset() is None:
                raise ValueError("job times carry an offset")

    @property
    def is_final(self) -> bool:
        """Return whether the status is final."""
        return self.status in FINAL

    def log_context(self) -> dict[str, Any]:
        """Return the fields that every log line about this job carries; `duration` (s) once its status is final."""
        fields = {"job": self.id, "process_id": self.process_id, "phase": str(self.phase), "attempt": self.attempt}
        if self.finished is None:
            return fields
        return fields | {"duration": round((self.finished - (self.started or self.created)).total_seconds(), 3)}

    def _moved(self, allowed: set[Phase], now: datetime, **changes: Any) -> Self:
        if self.phase not in allowed:
            raise IllegalTransition(f"job {self.id} is {self.phase}, not {' or '.join(sorted(allowed))}")
        fresh = {"tries": 0, "last_error": "", "next_attempt_at": None} if "phase" in changes else {}
        values: dict[str, Any] = fresh | changes
        return replace(self, **values, updated=now, revision=self.revision + 1)

    def starting(self, now: datetime, runner: str) -> Self:
        """Hand the next attempt to a runner; written before the runner is called."""
        return self._moved(
            {Phase.QUEUED}, now, phase=Phase.STARTING, attempt=self.attempt + 1, runner=runner, message="starting"
        )

    def running(self, now: datetime) -> Self:
        """Record that the worker of the present attempt lives."""
        return self._moved(
            {Phase.STARTING},
            now,
            phase=Phase.RUNNING,
            status=Status.RUNNING,
            started=self.started or now,
            message="running",
        )

    def progressed(self, now: datetime, percent: int, message: str) -> Self:
        """Record how far the work is; never 100 before the end, never backwards within an attempt."""
        percent = max(self.progress, min(99, percent))
        return self._moved({Phase.RUNNING}, now, progress=percent, message=storable(message) or self.message)

    def requeued(self, now: datetime, reason: str, not_before: datetime) -> Self:
        """Queue again after the system lost the present attempt; the process itself is never retried."""
        return self._moved(
            {Phase.STARTING, Phase.RUNNING},
            now,
            phase=Phase.QUEUED,
            status=Status.ACCEPTED,
            progress=0,
            interruptions=self.interruptions + 1,
            message=storable(f"queued again: {reason}"),
            next_attempt_at=not_before,
        )

    def accepted(self, now: datetime) -> Self:
        """Accept the present attempt's outputs; they are verified and published next."""
        return self._moved(
            {Phase.STARTING, Phase.RUNNING},
            now,
            phase=Phase.PUBLISHING,
            status=Status.RUNNING,
            started=self.started or now,
            accepted_attempt=self.attempt,
            message="publishing",
        )

    def succeeded(self, now: datetime) -> Self:
        """Finish: outputs are verified on durable storage."""
        return self._moved(
            {Phase.PUBLISHING},
            now,
            phase=Phase.DONE,
            status=Status.SUCCESSFUL,
            progress=100,
            finished=now,
            message="successful",
        )

    def failed(self, now: datetime, error: Mapping[str, Any]) -> Self:
        """Finish with a cause: an OGC exception document whose detail is one sentence for the user."""
        return self._moved(
            {Phase.QUEUED, Phase.STARTING, Phase.RUNNING, Phase.PUBLISHING},
            now,
            phase=Phase.DONE,
            status=Status.FAILED,
            finished=now,
            accepted_attempt=None,
            error=dict(error),
            message=storable(str(error["detail"])),
        )

    def dismissed(self, now: datetime) -> Self:
        """Dismiss: active work is to be stopped, files are to be removed, the row stays; repeated: no change."""
        if self.status is Status.DISMISSED:
            return self
        message = "dismissed, results removed" if self.is_final else "dismissed"
        return self._moved(
            set(Phase),
            now,
            phase=Phase.DISMISSING,
            status=Status.DISMISSED,
            finished=self.finished or now,
            accepted_attempt=None,
            error=None,
            message=message,
        )

    def removed(self, now: datetime) -> Self:
        """Record that worker and files of a dismissed job are gone."""
        return self._moved({Phase.DISMISSING}, now, phase=Phase.DONE)

    def deferred(self, now: datetime, reason: str, not_before: datetime) -> Self:
        """Record a failed try of the present phase's action; nothing is done before `not_before`."""
        return self._moved(
            set(ACTIVE_PHASES), now, tries=self.tries + 1, last_error=storable(reason[:500]), next_attempt_at=not_before
        )


def new_job(
    *,
    process_id: str,
    process_version: str,
    owner: str,
    mode: Mode,
    request: Mapping[str, Any],
    now: datetime | None = None,
) -> Job:
    """Return the record of a job that was just accepted."""
    moment = now or datetime.now(UTC)
    return Job(
        id=new_job_id(),
        process_id=process_id,
        process_version=process_version,
        owner=owner,
        mode=mode,
        request=dict(request),
        created=moment,
        updated=moment,
    )
