"""The same tests as for the other stores, on PostgreSQL, and what only PostgreSQL can do."""

from collections.abc import Iterator

import pytest

from candela_processes.jobs.migrations import migrate
from candela_processes.jobs.sql import SqlStore
from candela_processes.jobs.store import JobStore
from tests.unit.jobs.store_contract import ComparesAndSets, FindsAsAPlainLoopDoes, FindsJobs, KeepsJobs
from tests.unit.jobs.store_races import RacesEndLegally

pytestmark = pytest.mark.system


@pytest.fixture
def store(postgresql_url: str) -> Iterator[JobStore]:
    migrate(postgresql_url)
    sql = SqlStore(postgresql_url)
    yield sql
    sql.close()


class TestPostgresqlStore(KeepsJobs, ComparesAndSets, FindsJobs, FindsAsAPlainLoopDoes, RacesEndLegally):
    """The one test class of all stores."""
