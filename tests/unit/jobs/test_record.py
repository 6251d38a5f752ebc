"""The record of a job: its transitions, and moments and cursors made of it."""

from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_processes.errors import InvalidParameter
from candela_processes.jobs.cursor import Position
from candela_processes.jobs.moments import MOMENTS, duration, from_microseconds, span_microseconds, to_microseconds
from candela_processes.jobs.record import IllegalTransition, Job, Phase, Status, new_job_id, storable
from candela_processes.jobs.store import JobQuery

from .store_contract import NOON, ended, queued, seconds
from .store_races import ERROR, MOVES

ALLOWED = {
    "starting": {Phase.QUEUED},
    "running": {Phase.STARTING},
    "progressed": {Phase.RUNNING},
    "requeued": {Phase.STARTING, Phase.RUNNING},
    "accepted": {Phase.STARTING, Phase.RUNNING},
    "succeeded": {Phase.PUBLISHING},
    "failed": {Phase.QUEUED, Phase.STARTING, Phase.RUNNING, Phase.PUBLISHING},
    "dismissed": set(Phase),
    "removed": {Phase.DISMISSING},
    "deferred": set(Phase) - {Phase.DONE},
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("move", MOVES)
def test_a_move_is_made_from_its_phases_only(move: str, phase: Phase) -> None:
    job = queued(phase=phase)
    if phase in ALLOWED[move]:
        assert MOVES[move](job, NOON).revision == 1
    else:
        with pytest.raises(IllegalTransition, match=job.id):
            MOVES[move](job, NOON)


def test_a_whole_life(now: datetime = NOON) -> None:
    job = queued()
    job = job.starting(now + seconds(1), "local").running(now + seconds(2))
    job = job.progressed(now + seconds(3), 40, "half").progressed(now + seconds(4), 30, "")
    assert (job.status, job.progress, job.message) == (Status.RUNNING, 40, "half")
    assert job.progressed(now, 100, "last").progress == 99
    job = job.accepted(now + seconds(5)).succeeded(now + seconds(6))
    assert (job.status, job.phase, job.progress, job.attempt, job.accepted_attempt) == (
        Status.SUCCESSFUL,
        Phase.DONE,
        100,
        1,
        1,
    )
    assert (job.started, job.finished, job.updated) == (now + seconds(2), now + seconds(6), now + seconds(6))
    assert job.revision == 6 and job.is_final
    assert job.log_context()["duration"] == 4.0


def test_the_log_tells_no_duration_before_the_end_and_the_wait_of_a_job_that_never_ran() -> None:
    assert "duration" not in queued().log_context()
    assert queued().dismissed(NOON + seconds(3)).log_context()["duration"] == 3.0


def test_a_lost_attempt_is_started_again_under_the_next_number() -> None:
    job = queued().starting(NOON, "local").running(NOON).progressed(NOON, 50, "half")
    again = job.requeued(NOON + seconds(1), "node lost", NOON + seconds(60))
    assert (again.phase, again.status, again.progress, again.interruptions) == (Phase.QUEUED, Status.ACCEPTED, 0, 1)
    assert again.next_attempt_at == NOON + seconds(60) and "node lost" in again.message
    second = again.starting(NOON + seconds(61), "local")
    assert (second.attempt, second.next_attempt_at) == (2, None)
    assert second.running(NOON + seconds(62)).started == NOON


def test_dismissing_a_finished_job_keeps_its_end_and_drops_its_results() -> None:
    done = queued().starting(NOON, "local").accepted(NOON).succeeded(NOON + seconds(1))
    dismissed = done.dismissed(NOON + seconds(9))
    assert (dismissed.status, dismissed.phase, dismissed.accepted_attempt) == (Status.DISMISSED, Phase.DISMISSING, None)
    assert dismissed.finished == NOON + seconds(1)
    assert dismissed.dismissed(NOON + seconds(10)) is dismissed
    gone = dismissed.removed(NOON + seconds(11))
    assert gone.dismissed(NOON + seconds(12)) is gone and gone.phase is Phase.DONE


def test_a_failure_says_its_cause() -> None:
    failed = queued().failed(NOON, ERROR)
    assert (failed.status, failed.message, failed.error) == (Status.FAILED, "broken", ERROR)


def test_failed_tries_are_counted_until_the_phase_changes() -> None:
    job = queued().deferred(NOON, "x" * 1000, NOON + seconds(5)).deferred(NOON, "y", NOON + seconds(9))
    assert (job.tries, job.last_error, job.next_attempt_at) == (2, "y", NOON + seconds(9))
    started = job.starting(NOON, "local")
    assert (started.tries, started.last_error, started.next_attempt_at) == (0, "", None)


@pytest.mark.parametrize("name", MOMENTS)
def test_times_without_offset_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="offset"):
        replace(queued(), **{name: datetime(2026, 1, 1)})  # type: ignore[arg-type]


def test_every_moment_of_the_record_is_named() -> None:
    assert {field.name for field in fields(Job) if "datetime" in str(field.type)} == set(MOMENTS)


def test_a_record_is_frozen_and_ids_are_random() -> None:
    with pytest.raises(FrozenInstanceError):
        queued().message = "x"  # type: ignore[misc]
    assert UUID(new_job_id()).version == 4 and new_job_id() != new_job_id()


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"created_from": datetime(2026, 1, 1)}, {"now": datetime(2026, 1, 1)}])
def test_queries_without_meaning_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"page|offset"):
        JobQuery(**wrong)  # type: ignore[arg-type]


@given(st.text(st.characters(codec=None)))
def test_storable_text_is_utf8_without_nul_and_else_unchanged(text: str) -> None:
    kept = storable(text)
    assert "\x00" not in kept
    assert kept.encode().decode() == kept
    if "\x00" not in text and not any(0xD800 <= ord(sign) <= 0xDFFF for sign in text):
        assert kept == text


OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS))
def test_moments_come_back_exactly(moment: datetime) -> None:
    kept = from_microseconds(to_microseconds(moment))
    assert kept == moment and kept.tzinfo is UTC


def test_known_moments_and_spans() -> None:
    assert to_microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000
    assert to_microseconds(datetime(2001, 9, 9, 1, 46, 40, 5, tzinfo=UTC)) == 1_000_000_000_000_005
    assert to_microseconds(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == -1_000_000
    assert span_microseconds(0.1) == 100_000 and span_microseconds(-2) == -2_000_000
    assert 0 < span_microseconds(float("inf")) < 2**63 and -(2**63) < span_microseconds(-1e300) < 0
    with pytest.raises(ValueError, match="number"):
        span_microseconds(float("nan"))


def test_durations() -> None:
    assert duration(ended(NOON, NOON + seconds(2.5)), NOON + seconds(99)) == 2_500_000
    assert duration(queued(started=NOON), NOON + seconds(3)) == 3_000_000
    assert duration(queued(), NOON) is None


@given(st.integers(-(10**17), 10**18 - 1), st.from_regex(r"\A[!-~]{1,128}\Z"))
def test_positions_come_back_from_their_cursor(created: int, job_id: str) -> None:
    position = Position(created, job_id)
    assert Position.decoded(position.encoded()) == position


@given(st.text(max_size=400))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        position = Position.decoded(text)
    except InvalidParameter as error:
        assert error.name == "cursor"
    else:
        assert position.encoded() == text
