"""Health and metrics."""

import json
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from candela_processes.errors import Unavailable
from candela_processes.ogc.gauges import reason
from candela_processes.service.heartbeat import Heartbeat

from .conftest import Site


def samples(site: Site) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and sorted label values."""
    families = text_string_to_metric_families(site.get("/metrics").text)
    return {
        (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def down(self: object, *arguments: object) -> None:
    raise Unavailable("The job store is out of reach.")


def test_live_and_ready(site: Site) -> None:
    assert (site.get("/livez").text, site.get("/readyz").text) == ("ok\n", "ready\n")


def test_without_the_store_it_lives_but_is_not_ready(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ping", "get", "find", "tally"):
        monkeypatch.setattr(type(site.store), name, down)
    assert site.get("/livez").status_code == 200
    reply = site.get("/readyz")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert site.get("/jobs").status_code == 503
    assert samples(site)[("candela_store_up",)] == 0


def test_jobs_are_counted_by_phase_process_and_reason(site: Site) -> None:
    site.make()
    site.submit()
    site.fail(site.submit())
    found = samples(site)
    assert found[("candela_jobs", "phase=done", "process=maker", "reason=", "status=successful")] == 1
    assert found[("candela_jobs", "phase=queued", "process=echo", "reason=", "status=accepted")] == 1
    assert found[("candela_jobs", "phase=done", "process=echo", "reason=invalid-input", "status=failed")] == 1
    assert found[("candela_oldest_queued_seconds",)] >= 0
    assert found[("candela_workspace_free_bytes",)] > 0
    assert found[("candela_submissions_total", "mode=async", "process=echo")] == 2


def test_requests_are_counted_by_route_never_by_address(site: Site) -> None:
    site.get("/jobs/1")
    site.get("/jobs/2?token=secret")
    site.get("/nowhere/3")
    site.client.open("/jobs", method="BREW")
    found = {key: value for key, value in samples(site).items() if key[0] == "candela_http_requests_total"}
    assert found[("candela_http_requests_total", "method=GET", "route=/jobs/<job_id>", "status=404")] == 2
    assert found[("candela_http_requests_total", "method=GET", "route=unmatched", "status=404")] == 1
    assert ("candela_http_requests_total", "method=other", "route=unmatched", "status=405") in found
    assert "secret" not in str(found)


def test_the_dispatcher_shows_by_its_heartbeat(site: Site) -> None:
    assert ("candela_dispatcher_age_seconds",) not in samples(site)
    beat = Heartbeat(
        pid=1,
        leader=True,
        time=time.time() - 50,
        lag_seconds=0.25,
        round_seconds=0.5,
        rounds=7,
        failed_rounds=2,
        actions={"start": {"done": 3, "timed_out": 1}},
    )
    beat.write(site.service.settings.workspace)
    found = samples(site)
    assert found[("candela_dispatcher_age_seconds",)] >= 50
    assert found[("candela_dispatcher_lag_seconds",)] == 0.25
    assert found[("candela_dispatcher_failed_rounds",)] == 2
    assert found[("candela_dispatcher_actions_done", "action=start", "outcome=timed_out")] == 1
    families = [line for line in site.get("/metrics").text.splitlines() if line.startswith("# TYPE")]
    assert len({line.split()[2] for line in families}) == len(families)


def test_a_broken_heartbeat_breaks_nothing(site: Site) -> None:
    Path(site.service.settings.workspace / "dispatcher.json").write_text(json.dumps({"contract": 1, "pid": []}))
    assert site.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    ("type_uri", "name"),
    [
        ("urn:candela:exceptions:limit-exceeded", "limit-exceeded"),
        ("http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-job", "no-such-job"),
        ("", ""),
    ],
)
def test_the_reason_is_the_end_of_the_type(type_uri: str, name: str) -> None:
    assert reason(type_uri) == name


def test_a_request_is_logged_without_its_query(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="candela.http"):
        site.get("/jobs/a%0Ab?token=secret")
    record = next(record for record in caplog.records if record.name == "candela.http")
    assert record.getMessage() == "GET /jobs/<job_id>"
    assert (record.__dict__["status"], record.__dict__["job"]) == (404, "a?b")
    assert "secret" not in str(record.__dict__)
