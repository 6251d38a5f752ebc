"""Query parameters of the job list."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from candela_processes import catalog
from candela_processes.errors import InvalidParameter
from candela_processes.jobs.record import Status
from candela_processes.jobs.store import JobQuery
from candela_processes.ogc.job_filters import job_query

CATALOG = catalog.build(catalog.BUILT_IN)


def query(**arguments: str | list[str]) -> JobQuery:
    return job_query({name: [v] if isinstance(v, str) else v for name, v in arguments.items()}, CATALOG)


def test_without_parameters_the_ten_newest() -> None:
    assert query() == JobQuery(limit=10)


def test_lists_come_by_comma_or_repetition() -> None:
    wanted = query(status=["failed,running", "successful"], processID="echo,other", type="process")
    assert wanted.statuses == (Status.FAILED, Status.RUNNING, Status.SUCCESSFUL)
    assert wanted.process_ids == ("echo", "other")


def test_durations_limit_and_cursor() -> None:
    wanted = query(minDuration="1", maxDuration="2.5", limit="10000", cursor="abc")
    assert (wanted.min_duration, wanted.max_duration, wanted.limit, wanted.after) == (1.0, 2.5, 10_000, "abc")


def test_a_limit_above_the_most_is_the_most() -> None:
    assert query(limit="10001").limit == 10_000


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00/..", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC), None),
        ("2026-01-02T03:04:05 02:00/..", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC), None),
        ("../2026-01-02t03:04:05.5z", None, datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        ("/2026-01-02T03:04:05Z", None, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (
            "2026-01-02T03:04:05-01:00/2026-02-02T00:00:00Z",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-1))),
            datetime(2026, 2, 2, tzinfo=UTC),
        ),
        ("../..", None, None),
    ],
)
def test_intervals(text: str, begin: datetime | None, end: datetime | None) -> None:
    wanted = query(datetime=text)
    assert (wanted.created_from, wanted.created_to) == (begin, end)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", "१"),
        ("status", "done"),
        ("type", "collection"),
        ("minDuration", "-1"),
        ("minDuration", "nan"),
        ("datetime", "2026-01-02"),
        ("datetime", "2026-13-02T03:04:05Z"),
        ("datetime", "2026-01-02T03:04:05"),
        ("datetime", "2026-01-02T03:04:05Z/2025-01-02T03:04:05Z"),
        ("datetime", "0001-01-01T00:00:00+14:00"),
        ("statsu", "failed"),
    ],
)
def test_a_wrong_value_names_its_parameter(name: str, value: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        query(**{name: value})
    assert caught.value.name == name


def test_a_single_valued_parameter_may_not_be_repeated() -> None:
    with pytest.raises(InvalidParameter):
        query(limit=["1", "2"])
