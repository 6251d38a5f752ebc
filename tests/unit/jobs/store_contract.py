"""What every job store has to do; `test_stores.py` runs it on memory and SQLite, `tests/system` on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_processes.errors import InvalidParameter
from candela_processes.jobs.record import Job, Mode, Phase, Status, new_job
from candela_processes.jobs.store import JobQuery, JobStore

NOON = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
ONE_STORE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def queued(owner: str = "anna", created: datetime = NOON, process_id: str = "echo", **changes: Any) -> Job:
    job = new_job(
        process_id=process_id, process_version="1.2.3", owner=owner, mode=Mode.ASYNC, request={"a": 1}, now=created
    )
    return replace(job, **changes)


def ended(started: datetime, finished: datetime, **changes: Any) -> Job:
    values: dict[str, Any] = {
        "status": Status.SUCCESSFUL,
        "phase": Phase.DONE,
        "started": started,
        "finished": finished,
    }
    return queued(**(values | changes))


def walk(store: JobStore, query: JobQuery) -> Iterator[tuple[Job, ...]]:
    page = store.find(query)
    yield page.jobs
    while page.next:
        page = store.find(replace(query, after=page.next))
        yield page.jobs


def ids(store: JobStore, **query: Any) -> set[str]:
    return {job.id for page in walk(store, JobQuery(**query)) for job in page}


class KeepsJobs:
    def test_every_field_comes_back_exactly(self, store: JobStore) -> None:
        east = timezone(timedelta(hours=5, minutes=45))
        job = queued(
            created=datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            updated=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            started=datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=east),
            finished=datetime(2026, 1, 2, tzinfo=east),
            next_attempt_at=datetime(2026, 1, 3, tzinfo=UTC),
            status=Status.FAILED,
            phase=Phase.DONE,
            mode=Mode.SYNC,
            runner="inline",
            request={"outputs": ["ü", None, 1.5, True, {"deep": []}], "zero": "\x00", "foreign": "\udc80"},
            message="Größe überschritten: 日本 'quoted' \"double\" %s :name",
            progress=57,
            attempt=3,
            accepted_attempt=2,
            interruptions=2,
            error={"type": "urn:x", "title": "T", "status": 500, "detail": "d"},
            tries=4,
            last_error="no route",
            revision=11,
        )
        store.add(job)
        assert store.get(job.id) == job

    def test_times_come_back_in_utc(self, store: JobStore) -> None:
        job = queued(created=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-7))))
        store.add(job)
        kept = store.get(job.id)
        assert kept is not None and kept.created.utcoffset() == timedelta(0) and kept.created == job.created

    def test_an_id_is_added_once(self, store: JobStore) -> None:
        job = queued()
        store.add(job)
        with pytest.raises(ValueError, match=job.id):
            store.add(replace(job, owner="bert"))
        kept = store.get(job.id)
        assert kept is not None and kept.owner == "anna"

    @pytest.mark.parametrize("strange", ["nothing", "", "a\x00b", "\udc80", "x' OR '1'='1", "9" * 10_000])
    def test_strange_ids_are_unknown(self, store: JobStore, strange: str) -> None:
        store.add(queued())
        assert store.get(strange) is None
        assert store.known([strange]) == frozenset()
        assert store.find(JobQuery(owner=strange)).jobs == ()
        assert store.find(JobQuery(process_ids=(strange,))).jobs == ()

    def test_a_stored_job_cannot_be_changed_from_outside(self, store: JobStore) -> None:
        request = {"outputs": ["one"]}
        job = queued(request=request)
        store.add(job)
        request["outputs"].append("two")
        kept = store.get(job.id)
        assert kept is not None and kept.request == {"outputs": ["one"]}
        kept.request["outputs"].append("three")
        again = store.get(job.id)
        assert again is not None and again.request == {"outputs": ["one"]}

    @pytest.mark.parametrize("value", [float("nan"), object()])
    def test_a_request_that_is_not_json_is_refused(self, store: JobStore, value: object) -> None:
        job = queued(request={"value": value})
        with pytest.raises((ValueError, TypeError)):
            store.add(job)
        assert store.get(job.id) is None

    def test_messages_with_foreign_bytes_are_kept_readable(self, store: JobStore) -> None:
        job = queued()
        store.add(job)
        failed = job.failed(NOON, {"type": "urn:x", "detail": "bad \x00 byte \udcff"})
        assert store.replace(job, failed)
        kept = store.get(job.id)
        assert kept is not None and kept.message.startswith("bad \ufffd byte \ufffd")

    def test_known_tells_which_ids_have_a_row(self, store: JobStore) -> None:
        jobs = [queued() for _ in range(3)]
        for job in jobs:
            store.add(job)
        asked = [jobs[0].id, jobs[2].id, *(str(uuid4()) for _ in range(1200))]
        assert store.known(asked) == {jobs[0].id, jobs[2].id}
        assert store.known([]) == frozenset()

    def test_ping_answers(self, store: JobStore) -> None:
        store.ping()


class ComparesAndSets:
    def test_the_second_of_two_writers_loses(self, store: JobStore) -> None:
        job = queued()
        store.add(job)
        mine, theirs = job.starting(NOON, "local"), job.dismissed(NOON)
        assert store.replace(job, theirs)
        assert not store.replace(job, mine)
        assert store.get(job.id) == theirs

    def test_dismissing_again_writes_nothing(self, store: JobStore) -> None:
        job = queued()
        store.add(job)
        dismissed = job.dismissed(NOON)
        assert store.replace(job, dismissed)
        assert store.replace(dismissed, dismissed.dismissed(NOON + seconds(9)))
        assert store.get(job.id) == dismissed
        assert not store.replace(job, job)

    def test_only_the_next_revision_of_the_same_job_is_written(self, store: JobStore) -> None:
        job, other = queued(), queued()
        store.add(job)
        with pytest.raises(ValueError, match="revision"):
            store.replace(job, replace(job, message="unnumbered"))
        with pytest.raises(ValueError, match="revision"):
            store.replace(job, job.starting(NOON, "local").running(NOON))
        with pytest.raises(ValueError, match="itself"):
            store.replace(job, other)
        assert store.get(job.id) == job

    def test_a_job_without_a_row_is_neither_replaced_nor_removed(self, store: JobStore) -> None:
        job = queued()
        assert not store.replace(job, job.dismissed(NOON))
        assert not store.remove(job)
        assert store.get(job.id) is None

    def test_a_job_is_removed_at_its_present_revision_only(self, store: JobStore) -> None:
        job = queued()
        store.add(job)
        newer = job.dismissed(NOON)
        assert store.replace(job, newer)
        assert not store.remove(job)
        assert store.remove(newer)
        assert store.get(job.id) is None
        assert not store.remove(newer)


class FindsJobs:
    def test_newest_first_and_ties_by_id(self, store: JobStore) -> None:
        jobs = [queued(created=NOON + seconds(number % 3)) for number in range(12)]
        for job in jobs:
            store.add(job)
        expected = sorted(jobs, key=lambda job: (job.created, job.id), reverse=True)
        pages = list(walk(store, JobQuery(limit=5)))
        assert [len(page) for page in pages] == [5, 5, 2]
        assert [job for page in pages for job in page] == expected

    def test_a_full_last_page_has_no_next(self, store: JobStore) -> None:
        for _ in range(4):
            store.add(queued())
        assert [len(page) for page in walk(store, JobQuery(limit=2))] == [2, 2]
        assert store.find(JobQuery(owner="nobody")) == replace(store.find(JobQuery(owner="nobody")), jobs=(), next="")

    def test_pages_stay_stable_while_jobs_come_and_go(self, store: JobStore) -> None:
        jobs = [queued(created=NOON + seconds(number)) for number in range(6)]
        for job in jobs:
            store.add(job)
        first = store.find(JobQuery(limit=2))
        store.add(queued(created=NOON + seconds(99)))
        assert store.remove(first.jobs[1])
        second = store.find(JobQuery(limit=2, after=first.next))
        assert second.jobs == (jobs[3], jobs[2])

    @pytest.mark.parametrize("cursor", ["x", "=", "é", "MTIz", "MTI6" * 100, "a b", "MTIzOmFi=", "MDA6YQ", "\x00"])
    def test_a_foreign_cursor_is_refused(self, store: JobStore, cursor: str) -> None:
        with pytest.raises(InvalidParameter) as caught:
            store.find(JobQuery(after=cursor))
        assert caught.value.name == "cursor"

    def test_a_cursor_is_safe_in_a_url(self, store: JobStore) -> None:
        for _ in range(2):
            store.add(queued())
        cursor = store.find(JobQuery(limit=1)).next
        assert cursor and all(sign.isalnum() or sign in "-_" for sign in cursor)

    def test_bounds_of_creation_are_inclusive_and_exact(self, store: JobStore) -> None:
        tick = timedelta(microseconds=1)
        early, right, late = (queued(created=NOON + offset) for offset in (-tick, 0 * tick, tick))
        for job in (early, right, late):
            store.add(job)
        assert ids(store, created_from=NOON) == {right.id, late.id}
        assert ids(store, created_to=NOON) == {early.id, right.id}
        assert ids(store, created_from=NOON, created_to=NOON) == {right.id}

    def test_finished_before_is_exclusive_and_leaves_unfinished_jobs_out(self, store: JobStore) -> None:
        done, running = ended(NOON, NOON + seconds(5)), queued(started=NOON, status=Status.RUNNING, phase=Phase.RUNNING)
        store.add(done)
        store.add(running)
        assert ids(store, finished_before=NOON + seconds(5)) == set()
        assert ids(store, finished_before=NOON + seconds(5.000001)) == {done.id}

    def test_durations_count_to_the_end_or_to_now(self, store: JobStore) -> None:
        short, long = ended(NOON, NOON + seconds(10)), ended(NOON, NOON + seconds(100))
        running = queued(started=NOON, status=Status.RUNNING, phase=Phase.RUNNING)
        waiting, stillborn = queued(), queued(status=Status.FAILED, phase=Phase.DONE, finished=NOON)
        for job in (short, long, running, waiting, stillborn):
            store.add(job)
        now = NOON + seconds(50)
        assert ids(store, min_duration=0, now=now) == {short.id, long.id, running.id}
        assert ids(store, min_duration=10.000001, now=now) == {long.id, running.id}
        assert ids(store, min_duration=50, max_duration=100, now=now) == {long.id, running.id}
        assert ids(store, max_duration=50, now=now) == {short.id, running.id}
        assert ids(store, max_duration=49.999999, now=now) == {short.id}
        assert ids(store, min_duration=float("inf"), now=now) == set()
        assert ids(store, max_duration=1e300, now=now) == {short.id, long.id, running.id}

    def test_tally_counts_by_phase_status_process_and_error(self, store: JobStore) -> None:
        error = {"type": "urn:candela:exceptions:limit-exceeded", "detail": "too long"}
        store.add(queued(created=NOON + seconds(2)))
        store.add(queued(created=NOON + seconds(1)))
        store.add(queued(process_id="other"))
        for number in range(3):
            store.add(queued(status=Status.FAILED, phase=Phase.DONE, error=error, created=NOON + seconds(number)))
        found = {(e.phase, e.status, e.process_id, e.error_type): (e.count, e.oldest) for e in store.tally()}
        assert found == {
            (Phase.QUEUED, Status.ACCEPTED, "echo", ""): (2, NOON + seconds(1)),
            (Phase.QUEUED, Status.ACCEPTED, "other", ""): (1, NOON),
            (Phase.DONE, Status.FAILED, "echo", error["type"]): (3, NOON),
        }


_MOMENT = st.integers(0, 6).map(lambda number: NOON + seconds(number))
_SOME_JOBS = st.lists(
    st.fixed_dictionaries(
        {
            "process_id": st.sampled_from(["echo", "Größe", "c"]),
            "status": st.sampled_from(Status),
            "phase": st.sampled_from(Phase),
            "created": _MOMENT,
            "started": st.none() | _MOMENT,
            "finished": st.none() | _MOMENT,
        }
    ),
    max_size=12,
)
_QUERY = st.fixed_dictionaries(
    {
        "process_ids": st.lists(st.sampled_from(["echo", "Größe", "none"]), max_size=2).map(tuple),
        "statuses": st.lists(st.sampled_from(Status), max_size=3).map(tuple),
        "phases": st.lists(st.sampled_from(Phase), max_size=3).map(tuple),
        "created_from": st.none() | _MOMENT,
        "created_to": st.none() | _MOMENT,
        "finished_before": st.none() | _MOMENT,
        "min_duration": st.none() | st.floats(0, 6),
        "max_duration": st.none() | st.integers(0, 6),
        "limit": st.integers(1, 5),
    }
)


class FindsAsAPlainLoopDoes:
    @ONE_STORE
    @given(jobs=_SOME_JOBS, query=_QUERY)
    def test_any_filters_on_any_jobs(self, store: JobStore, jobs: list[dict[str, Any]], query: dict[str, Any]) -> None:
        owner = str(uuid4())  # examples share the store
        kept = [queued(owner=owner, **values) for values in jobs]
        for job in kept:
            store.add(job)
        now = NOON + seconds(4)
        expected = sorted(
            (job for job in kept if self._passes(job, query, now)), key=lambda job: (job.created, job.id), reverse=True
        )
        pages = list(walk(store, JobQuery(owner=owner, now=now, **query)))
        assert [job for page in pages for job in page] == expected
        assert all(len(page) == query["limit"] for page in pages[:-1])

    def _passes(self, job: Job, query: dict[str, Any], now: datetime) -> bool:
        for value, allowed in (
            (job.process_id, query["process_ids"]),
            (job.status, query["statuses"]),
            (job.phase, query["phases"]),
        ):
            if allowed and value not in allowed:
                return False
        if query["created_from"] and job.created < query["created_from"]:
            return False
        if query["created_to"] and job.created > query["created_to"]:
            return False
        if query["finished_before"] and not (job.finished and job.finished < query["finished_before"]):
            return False
        shortest, longest = query["min_duration"], query["max_duration"]
        if shortest is None and longest is None:
            return True
        if job.started is None:
            return False
        lasted = (job.finished or now) - job.started
        return (shortest is None or lasted >= timedelta(seconds=shortest)) and (
            longest is None or lasted <= timedelta(seconds=longest)
        )
