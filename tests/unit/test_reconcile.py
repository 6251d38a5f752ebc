from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_processes import reconcile
from candela_processes.dispatch.runner import Handle, Observation, WorkerState
from candela_processes.errors import InternalError, InvalidInput, ProcessFailed
from candela_processes.jobs.directory import ContractError, Outcome, ProgressReport
from candela_processes.jobs.record import Job, Mode, Phase, Status, new_job
from candela_processes.reconcile import Action, ActionKind, Decision, Evidence, Policy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
POLICY = Policy(max_interruptions=2, max_tries=3)
SENTENCE = "The server lost its worker."


def queued(**changes: Any) -> Job:
    job = new_job(process_id="echo", process_version="1", owner="anonymous", mode=Mode.ASYNC, request={}, now=NOW)
    return replace(job, **changes)


def in_phase(phase: Phase, runner: str = "local") -> Job:
    job = queued()
    starting = job.starting(NOW, runner)
    running = starting.running(NOW)
    return {
        Phase.QUEUED: job,
        Phase.STARTING: starting,
        Phase.RUNNING: running,
        Phase.PUBLISHING: running.accepted(NOW),
        Phase.DISMISSING: running.dismissed(NOW),
        Phase.DONE: running.accepted(NOW).succeeded(NOW),
    }[phase]


def seen(job: Job, state: WorkerState, attempt: int | None = None) -> Observation:
    handle = Handle(job_id=job.id, attempt=job.attempt if attempt is None else attempt)
    return Observation(handle=handle, state=state)


def outcome(of: Job, **changes: Any) -> Outcome:
    return Outcome(**{"job": of.id, "attempt": of.attempt, **changes})


def actions(decision: Decision) -> list[tuple[str, int]]:
    return [(str(action.kind), action.handle.attempt) for action in decision.actions]


def decide(job: Job, now: datetime = LATER, policy: Policy = POLICY, **evidence: Any) -> Decision:
    return reconcile.next(job, Evidence(**evidence), now, policy)


STARTING, RUNNING, ABANDONED, ENDED = WorkerState
NOTHING: tuple[str, ...] = ()

# phase, what is seen of the worker, outcome -> next phase (None: stays), actions
TABLE = [
    (Phase.QUEUED, None, None, Phase.STARTING, NOTHING),
    (Phase.QUEUED, STARTING, None, None, ("stop",)),
    (Phase.QUEUED, RUNNING, None, None, ("stop",)),
    (Phase.QUEUED, ABANDONED, None, None, ("stop",)),
    (Phase.QUEUED, ENDED, None, None, ("release",)),
    (Phase.QUEUED, ENDED, "done", None, ("release",)),
    (Phase.STARTING, None, None, None, ("submit",)),
    (Phase.STARTING, None, "done", Phase.PUBLISHING, NOTHING),
    (Phase.STARTING, STARTING, None, None, NOTHING),
    (Phase.STARTING, RUNNING, None, Phase.RUNNING, NOTHING),
    (Phase.STARTING, ABANDONED, None, None, ("stop",)),
    (Phase.STARTING, ENDED, None, Phase.QUEUED, NOTHING),
    (Phase.STARTING, ENDED, "done", Phase.PUBLISHING, NOTHING),
    (Phase.STARTING, ENDED, "error", Phase.DONE, NOTHING),
    (Phase.STARTING, ENDED, "retriable", Phase.QUEUED, NOTHING),
    (Phase.STARTING, ENDED, "broken", Phase.DONE, NOTHING),
    (Phase.RUNNING, None, None, Phase.QUEUED, NOTHING),
    (Phase.RUNNING, None, "done", Phase.PUBLISHING, NOTHING),
    (Phase.RUNNING, STARTING, None, None, NOTHING),
    (Phase.RUNNING, RUNNING, None, None, NOTHING),
    (Phase.RUNNING, RUNNING, "done", Phase.PUBLISHING, NOTHING),
    (Phase.RUNNING, RUNNING, "error", Phase.DONE, NOTHING),
    (Phase.RUNNING, RUNNING, "retriable", Phase.QUEUED, NOTHING),
    (Phase.RUNNING, RUNNING, "broken", Phase.DONE, NOTHING),
    (Phase.RUNNING, RUNNING, "foreign", Phase.DONE, NOTHING),
    (Phase.RUNNING, ABANDONED, None, None, ("stop",)),
    (Phase.RUNNING, ABANDONED, "done", None, ("stop",)),
    (Phase.RUNNING, ENDED, None, Phase.QUEUED, NOTHING),
    (Phase.RUNNING, ENDED, "done", Phase.PUBLISHING, NOTHING),
    (Phase.RUNNING, ENDED, "error", Phase.DONE, NOTHING),
    (Phase.RUNNING, ENDED, "retriable", Phase.QUEUED, NOTHING),
    (Phase.RUNNING, ENDED, "broken", Phase.DONE, NOTHING),
    (Phase.PUBLISHING, None, "done", None, ("verify",)),
    (Phase.PUBLISHING, RUNNING, "done", None, ("verify",)),
    (Phase.PUBLISHING, ENDED, "done", None, ("verify",)),
    (Phase.PUBLISHING, ENDED, None, Phase.DONE, NOTHING),
    (Phase.PUBLISHING, ENDED, "broken", Phase.DONE, NOTHING),
    (Phase.PUBLISHING, ENDED, "foreign", Phase.DONE, NOTHING),
    (Phase.DISMISSING, None, None, None, ("remove",)),
    (Phase.DISMISSING, None, "done", None, ("remove",)),
    (Phase.DISMISSING, STARTING, None, None, ("stop",)),
    (Phase.DISMISSING, RUNNING, None, None, ("stop",)),
    (Phase.DISMISSING, RUNNING, "done", None, ("stop",)),
    (Phase.DISMISSING, ABANDONED, None, None, ("stop",)),
    (Phase.DISMISSING, ENDED, None, None, ("release",)),
    (Phase.DONE, None, None, None, NOTHING),
    (Phase.DONE, None, "done", None, NOTHING),
    (Phase.DONE, STARTING, None, None, ("stop",)),
    (Phase.DONE, RUNNING, None, None, ("stop",)),
    (Phase.DONE, RUNNING, "done", None, NOTHING),
    (Phase.DONE, RUNNING, "broken", None, ("stop",)),
    (Phase.DONE, ABANDONED, "done", None, ("stop",)),
    (Phase.DONE, ENDED, "done", None, ("release",)),
]


def outcomes_of(job: Job, kind: str | None) -> Outcome | ContractError | None:
    error = ProcessFailed("It broke.").as_data()
    return {
        None: None,
        "done": outcome(job),
        "error": outcome(job, error=error),
        "retriable": outcome(job, error=error, retriable=True),
        "broken": ContractError("result.json is not JSON"),
        "foreign": outcome(job, job="another"),
    }[kind]


@pytest.mark.parametrize(("phase", "state", "kind", "expected", "expected_actions"), TABLE)
def test_table(
    phase: Phase, state: WorkerState | None, kind: str | None, expected: Phase | None, expected_actions: tuple[str, ...]
) -> None:
    job = in_phase(phase)
    observation = None if state is None else seen(job, state)
    locked = observation is not None and state is not ENDED
    decision = decide(job, observation=observation, outcome=outcomes_of(job, kind), locked=locked)
    assert (decision.job.phase if decision.job else None) is expected
    assert tuple(kind for kind, _ in actions(decision)) == expected_actions


def all_evidence(job: Job) -> Iterator[Evidence]:
    """Every combination of evidence, the impossible-looking ones too."""
    states = (None, *WorkerState)
    kinds = (None, "done", "error", "retriable", "broken", "foreign")
    flags = (False, True)
    for state, kind, other, locked, exists, waited in itertools.product(
        states, kinds, (*states,), flags, flags, (0.0, 1e9)
    ):
        yield Evidence(
            observation=None if state is None else seen(job, state),
            others=() if other is None else (seen(job, other, attempt=job.attempt + 7),),
            outcome=outcomes_of(job, kind),
            progress=ProgressReport(percent=math.nan, message="x\ny"),
            locked=locked,
            exists=exists,
            waited=waited,
        )


LEGAL = {
    Phase.QUEUED: {Phase.STARTING, Phase.DONE},
    Phase.STARTING: {Phase.RUNNING, Phase.QUEUED, Phase.PUBLISHING, Phase.DONE},
    Phase.RUNNING: {Phase.RUNNING, Phase.QUEUED, Phase.PUBLISHING, Phase.DONE},
    Phase.PUBLISHING: {Phase.DONE},
    Phase.DISMISSING: {Phase.DONE},
    Phase.DONE: set(),
}


@pytest.mark.parametrize("runner", ["local", "inline", "cluster"])
@pytest.mark.parametrize("phase", list(Phase))
def test_every_evidence_gives_a_legal_decision(phase: Phase, runner: str) -> None:
    job = in_phase(phase, runner)
    for evidence in all_evidence(job):
        decision = reconcile.next(job, evidence, LATER, POLICY)
        assert decision == reconcile.next(job, evidence, LATER, POLICY)
        check(job, evidence, decision)


def check(job: Job, evidence: Evidence, decision: Decision) -> None:
    kinds = {action.kind for action in decision.actions}
    after = decision.job
    if after is not None:
        assert after.phase in LEGAL[job.phase]
        assert after.revision == job.revision + 1
    if after is not None and after.status is Status.FAILED:
        assert after.error is not None
        assert str(after.error["detail"]).endswith(".")
        assert after.message == after.error["detail"]
    if kinds & {ActionKind.SUBMIT, ActionKind.REMOVE}:
        assert not evidence.locked
        assert evidence.observation is None
    if ActionKind.REMOVE in kinds:
        assert job.status is Status.DISMISSED
        assert evidence.observations == ()
    for other in evidence.others:
        wanted = ActionKind.RELEASE if other.state is ENDED else ActionKind.STOP
        assert Action(kind=wanted, handle=other.handle) in decision.actions
    if job.status is Status.DISMISSED and after is not None:
        assert (after.status, after.phase) == (Status.DISMISSED, Phase.DONE)
        assert not evidence.exists


def test_a_lost_job_waits_longer_each_time_and_then_fails_saying_how_often() -> None:
    job, pauses = queued(), []
    for _ in range(3):
        started = job.starting(NOW, "local")
        decided = decide(started, now=NOW, observation=seen(started, ENDED)).job
        assert decided is not None
        job = decided
        if job.next_attempt_at is not None:
            pauses.append((job.next_attempt_at - NOW).total_seconds())
    assert 0.5 <= pauses[0] <= 1.0
    assert 1.0 <= pauses[1] <= 2.0
    assert (job.status, job.interruptions) == (Status.FAILED, 2)
    assert job.message == "The server lost the worker of this job 3 times; it is not started again."
    once = decide(in_phase(Phase.RUNNING), policy=Policy(max_interruptions=0)).job
    assert once is not None and once.message == "The server lost the worker of this job once; it is not started again."


def test_a_job_in_back_off_is_not_started_before_its_time() -> None:
    job = queued(next_attempt_at=LATER + timedelta(seconds=1))
    assert decide(job, now=LATER) == Decision()
    assert decide(job, now=LATER + timedelta(seconds=1)).job is not None


def test_a_clock_set_back_cannot_hold_a_job_longer_than_the_longest_back_off() -> None:
    job = queued(next_attempt_at=NOW + timedelta(days=1))
    assert decide(job, now=NOW).job is not None


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_step_ends_no_running_job(days: int) -> None:
    stepped = NOW + timedelta(days=days)
    for phase, state in ((Phase.STARTING, STARTING), (Phase.RUNNING, RUNNING)):
        job = in_phase(phase)
        assert decide(job, now=stepped, observation=seen(job, state), locked=True, waited=1.0) == Decision()


def test_times_never_run_backwards_within_a_job() -> None:
    job = in_phase(Phase.PUBLISHING)
    done = reconcile.verified(job, NOW - timedelta(days=1), None)
    assert done.finished is not None and done.started is not None
    assert done.started <= done.finished


def test_a_silent_worker_is_stopped_after_a_while() -> None:
    job = in_phase(Phase.STARTING)
    observation = seen(job, STARTING)
    assert decide(job, observation=observation, locked=True, waited=POLICY.starting_seconds) == Decision()
    late = decide(job, observation=observation, locked=True, waited=POLICY.starting_seconds + 1)
    assert actions(late) == [("stop", 1)]


def test_a_job_that_cannot_be_started_fails_after_many_tries() -> None:
    job = in_phase(Phase.STARTING)
    for _ in range(POLICY.max_tries):
        job = reconcile.deferred(job, NOW, "submit: OSError", POLICY)
    assert job.last_error == "submit: OSError"
    failed = decide(job).job
    assert failed is not None and failed.status is Status.FAILED


def test_outputs_that_cannot_be_checked_fail_after_many_tries() -> None:
    job = in_phase(Phase.PUBLISHING)
    for _ in range(POLICY.max_tries):
        job = reconcile.deferred(job, NOW, "verify: OSError", POLICY)
    failed = decide(job, outcome=outcome(job)).job
    assert failed is not None and failed.status is Status.FAILED


def test_removing_is_tried_for_ever() -> None:
    job = in_phase(Phase.DISMISSING)
    for _ in range(100):
        job = reconcile.deferred(job, NOW, "remove: OSError", POLICY)
    assert decide(job, now=NOW + timedelta(seconds=POLICY.longest_backoff)).actions[0].kind is ActionKind.REMOVE


@given(tries=st.integers(0, 10_000), job_id=st.uuids())  # type: ignore[untyped-decorator, unused-ignore]
def test_back_off_is_bounded_and_differs_between_jobs(tries: int, job_id: Any) -> None:
    job = replace(in_phase(Phase.STARTING), tries=tries, id=str(job_id))
    after = reconcile.deferred(job, NOW, "x", POLICY)
    assert after.next_attempt_at is not None
    pause = (after.next_attempt_at - NOW).total_seconds()
    full = min(POLICY.longest_backoff, 2.0 ** min(tries, 30))
    assert full / 2 <= pause <= full
    assert reconcile.deferred(job, NOW, "x", POLICY) == after


def test_verdicts_of_the_check() -> None:
    job = in_phase(Phase.PUBLISHING)
    assert reconcile.verified(job, LATER, None).status is Status.SUCCESSFUL
    refused = reconcile.verified(job, LATER, InternalError("Refused."))
    assert (refused.status, refused.message, refused.accepted_attempt) == (Status.FAILED, "Refused.", None)


def test_the_error_of_the_process_is_kept_as_it_was_told() -> None:
    job = in_phase(Phase.RUNNING)
    error = InvalidInput("images/1", "is truncated").as_data()
    failed = decide(job, observation=seen(job, ENDED), outcome=outcome(job, error=error)).job
    assert failed is not None and failed.error == error


@pytest.mark.parametrize("error", [{}, {"detail": None, "status": "x"}, {"detail": " ", "status": 200, "type": 3}])
def test_a_broken_error_document_still_gives_a_sentence(error: dict[str, Any]) -> None:
    job = in_phase(Phase.RUNNING)
    failed = decide(job, observation=seen(job, ENDED), outcome=outcome(job, error=error)).job
    assert failed is not None and failed.error is not None
    assert failed.error["detail"] == "The process failed and left no cause."
    assert failed.error["status"] == 500
    assert isinstance(failed.error["type"], str)


def test_progress_is_taken_over_once() -> None:
    job = in_phase(Phase.RUNNING)
    observation = seen(job, RUNNING)
    report = ProgressReport(percent=41.7, message="iteration 3\nof 30")
    after = decide(job, observation=observation, progress=report).job
    assert after is not None and (after.progress, after.message) == (41, "iteration 3 of 30")
    assert decide(after, observation=observation, progress=report) == Decision()


@pytest.mark.parametrize("percent", [math.nan, math.inf, -math.inf, -5.0, 1e300])
def test_a_mad_progress_report_does_no_harm(percent: float) -> None:
    job = in_phase(Phase.RUNNING)
    after = decide(job, observation=seen(job, RUNNING), progress=ProgressReport(percent=percent, message="m")).job
    assert after is not None and 0 <= after.progress <= 99


def test_a_worker_without_label_lives_by_its_lock() -> None:
    job = in_phase(Phase.RUNNING)
    assert decide(job, locked=True) == Decision()
    starting = in_phase(Phase.STARTING)
    assert decide(starting, locked=True) == Decision()
    dismissing = in_phase(Phase.DISMISSING)
    assert actions(decide(dismissing, locked=True)) == [("stop", 1)]


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING, Phase.PUBLISHING])
def test_an_inline_run_is_left_alone_while_its_lock_is_held(phase: Phase) -> None:
    job = in_phase(phase, "inline")
    assert decide(job, locked=True, outcome=outcome(job), waited=1e9) == Decision()
    assert decide(job, locked=True, waited=1e9).job is None or phase is Phase.PUBLISHING


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING])
def test_an_inline_run_whose_lock_is_free_was_lost(phase: Phase) -> None:
    job = in_phase(phase, "inline")
    assert decide(job, waited=0.0) == Decision()
    lost = decide(job, waited=POLICY.inline_seconds).job
    assert lost is not None and (lost.phase, lost.interruptions) == (Phase.QUEUED, 1)
    accepted = decide(job, outcome=outcome(job)).job
    assert accepted is not None and accepted.phase is Phase.PUBLISHING


def test_a_dismissed_inline_run_is_let_come_to_its_end() -> None:
    job = in_phase(Phase.RUNNING, "inline").dismissed(LATER)
    assert decide(job, locked=True) == Decision()
    assert actions(decide(job)) == [("remove", 1)]


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING])
def test_the_attempt_of_another_runner_is_not_judged(phase: Phase) -> None:
    job = in_phase(phase, "cluster")
    assert decide(job, waited=1e9) == Decision()


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.STARTING, Phase.RUNNING, Phase.PUBLISHING])
def test_a_job_without_files_fails(phase: Phase) -> None:
    failed = decide(in_phase(phase), exists=False).job
    assert failed is not None
    assert failed.message == "The files of the job disappeared from the server."


def test_a_dismissed_job_without_files_is_removed() -> None:
    removed = decide(in_phase(Phase.DISMISSING), exists=False).job
    assert removed is not None and (removed.phase, removed.status) == (Phase.DONE, Status.DISMISSED)


def test_left_attempts_are_ended_before_the_next_one_starts() -> None:
    job = queued(attempt=2)
    old = (seen(job, ENDED, attempt=1), seen(job, RUNNING, attempt=3))
    decision = decide(job, others=old)
    assert actions(decision) == [("release", 1), ("stop", 3)]
    assert decision.job is None
