"""The stores that need nothing from outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from candela_processes.jobs.memory import MemoryStore
from candela_processes.jobs.migrations import migrate
from candela_processes.jobs.sql import SqlStore
from candela_processes.jobs.store import JobStore

from .store_contract import ComparesAndSets, FindsAsAPlainLoopDoes, FindsJobs, KeepsJobs
from .store_races import RacesEndLegally


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    migrate(url)
    sql = SqlStore(url)
    yield sql
    sql.close()


class TestStores(KeepsJobs, ComparesAndSets, FindsJobs, FindsAsAPlainLoopDoes, RacesEndLegally):
    """The one test class of all stores."""
