"""Every filter of a job list is served by an index."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Select, insert, text
from sqlalchemy.dialects import sqlite

from candela_processes.jobs.cursor import Position
from candela_processes.jobs.database import Database
from candela_processes.jobs.migrations import migrate
from candela_processes.jobs.query import select_page, select_tally
from candela_processes.jobs.record import Phase, Status
from candela_processes.jobs.schema import JOBS
from candela_processes.jobs.sql import row_of
from candela_processes.jobs.store import JobQuery

from .store_contract import NOON, ended, queued, seconds

AFTER = Position(1_700_000_000_000_000, "0b4c").encoded()

FILTERS: dict[str, dict[str, Any]] = {
    "owner": {"owner": "anna"},
    "process": {"process_ids": ("echo",)},
    "processes": {"process_ids": ("echo", "other")},
    "status": {"statuses": (Status.FAILED,)},
    "statuses": {"statuses": (Status.FAILED, Status.RUNNING)},
    "phase": {"phases": (Phase.QUEUED,)},
    "phases": {"phases": tuple(set(Phase) - {Phase.DONE})},
    "created from": {"created_from": NOON},
    "created to": {"created_to": NOON},
    "created": {"created_from": NOON, "created_to": NOON},
    "finished": {"finished_before": NOON},
    "expiry": {"finished_before": NOON, "phases": (Phase.DONE,)},
    "shortest": {"min_duration": 60, "now": NOON},
    "longest": {"max_duration": 60, "now": NOON},
    "duration": {"min_duration": 60, "max_duration": 90, "now": NOON},
    "owner, process": {"owner": "anna", "process_ids": ("echo",)},
    "owner, status": {"owner": "anna", "statuses": (Status.FAILED,)},
    "owner, created": {"owner": "anna", "created_from": NOON},
    "owner, duration": {"owner": "anna", "min_duration": 60, "now": NOON},
    "cursor": {"after": AFTER},
    "owner, cursor": {"owner": "anna", "after": AFTER},
}


@pytest.fixture(scope="module", params=["empty", "filled"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'jobs.sqlite'}"
    migrate(url)
    kept = Database(url)
    if request.param == "filled":
        start = datetime(2026, 1, 1, tzinfo=UTC)
        rows = [
            row_of(ended(start, start + seconds(number), created=start + timedelta(minutes=number)))
            for number in range(3000)
        ]
        with kept.writing() as connection:
            connection.execute(insert(JOBS), [*rows, row_of(queued(owner="bert"))])
            connection.execute(text("ANALYZE"))
    yield kept
    kept.close()


def plan(database: Database, statement: Select[Any]) -> list[str]:
    compiled = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with database.reading() as connection:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS.keys())
def test_a_filter_searches_an_index(database: Database, filters: dict[str, Any]) -> None:
    steps = plan(database, select_page(JobQuery(**filters)))
    assert any("SEARCH jobs USING" in step for step in steps), json.dumps(steps)
    assert not any(step.startswith("SCAN jobs") for step in steps), json.dumps(steps)


BOUNDS = {
    "finished": "finished<?",
    "expiry": "finished<?",
    "shortest": "duration>?",
    "duration": "duration>? AND duration<?",
    "owner, duration": "owner=? AND duration>?",
}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_is_searched_for_in_an_index_alone(database: Database, name: str) -> None:
    steps = plan(database, select_page(JobQuery(**FILTERS[name])))
    assert any("COVERING INDEX" in step and BOUNDS[name] in step for step in steps), json.dumps(steps)


def test_a_list_without_filters_reads_the_newest_only(database: Database) -> None:
    assert plan(database, select_page(JobQuery())) == ["SCAN jobs USING INDEX ix_jobs_created"]


@pytest.mark.parametrize("name", ["owner", "process", "status", "phase", "owner, process", "owner, status"])
def test_a_list_of_one_word_needs_no_sorting(database: Database, name: str) -> None:
    steps = plan(database, select_page(JobQuery(**FILTERS[name])))
    assert not any("TEMP B-TREE" in step for step in steps), json.dumps(steps)


def test_the_tally_is_read_from_an_index_alone(database: Database) -> None:
    assert plan(database, select_tally()) == ["SCAN jobs USING COVERING INDEX ix_jobs_tally"]
