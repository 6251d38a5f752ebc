"""The whole server on PostgreSQL: jobs end, two servers share them, and a lost database connection loses nothing."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, text

from tests.integration.conftest import Site, new_site, nursery
from tests.integration.test_serve import Serving, serve

pytestmark = pytest.mark.system

__all__ = ["new_site", "nursery", "serve"]  # fixtures of the integration tests, used here too


@pytest.fixture
def site(new_site: Callable[..., Site], postgresql_url: str) -> Iterator[Site]:
    """A site whose store is PostgreSQL; it is left before its database goes."""
    made = new_site(database_url=postgresql_url)
    yield made
    made.store.close()


def test_two_servers_share_one_database(serve: Callable[..., Serving], site: Site) -> None:
    servers = [serve(), serve()]
    site.let_go()
    jobs = [servers[number % 2].submit() for number in range(4)]
    assert {job.wait()["status"] for job in jobs} == {"successful"}
    assert site.events().count("start") == len(jobs)
    assert [entry["jobID"] for entry in servers[0].server.document("/jobs")["jobs"]] == [job.id for job in jobs][::-1]


def test_connections_cut_in_mid_job_lose_nothing(
    serve: Callable[..., Serving],
    site: Site,
    postgresql_url: str,
) -> None:
    serving = serve()
    job = serving.submit()
    site.wait_for_event("start")
    administrator = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    cut = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with administrator.connect() as connection:
        assert (connection.scalar(cut) or 0) > 0
    administrator.dispose()
    site.let_go()
    assert job.wait()["status"] == "successful"
    assert site.events().count("start") == 1
    site.wait_until(serving.answers, "the server is ready again")
