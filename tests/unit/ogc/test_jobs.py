"""Status, list, dismissal, logs; other people's jobs do not exist."""

from pathlib import Path

import pytest

from candela_processes.jobs.record import Status

from .conftest import ROOT, Reply, Site

RESULTS_REL = "http://www.opengis.net/def/rel/ogc/1.0/results"
NOT_READY = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/result-not-ready"
NO_SUCH_JOB = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-job"


def rels(reply: Reply) -> set[str]:
    return {link["rel"] for link in reply.json["links"]}


def test_the_links_follow_the_status(site: Site) -> None:
    waiting, done = site.submit(), site.make()
    assert rels(site.get(f"/jobs/{waiting.id}")) == {"self", "alternate", "up", "process", "monitor", "log"}
    assert rels(site.get(f"/jobs/{done.id}")) == {"self", "alternate", "up", "process", RESULTS_REL, "log"}
    assert rels(site.get(f"/jobs/{site.fail(waiting).id}")) == {"self", "alternate", "up", "process", "log"}


def test_times_appear_when_they_are_known(site: Site) -> None:
    job = site.submit()
    assert {"started", "finished"}.isdisjoint(site.get(f"/jobs/{job.id}").json)
    running = site.start(job)
    assert site.get(f"/jobs/{job.id}").json["started"].endswith("Z")
    site.move(running, lambda j, now: j.progressed(now, 40, "iteration 3"))
    document = site.get(f"/jobs/{job.id}").json
    assert (document["status"], document["progress"], document["message"]) == ("running", 40, "iteration 3")
    assert None not in document.values()


def test_results_of_a_job_that_has_none(site: Site) -> None:
    job = site.submit()
    reply = site.get(f"/jobs/{job.id}/results")
    assert (reply.status_code, reply.json["type"]) == (404, NOT_READY)
    assert site.get(f"/jobs/{job.id}/results/text").json["type"] == NOT_READY
    site.fail(job)
    reply = site.get(f"/jobs/{job.id}/results")
    assert (reply.status_code, reply.json["detail"]) == (400, "images/0: has <b>no</b> pixels")
    other = site.submit()
    site.client.delete(f"/jobs/{other.id}")
    assert site.get(f"/jobs/{other.id}/results").status_code == 410


def test_dismissing_is_recorded_and_may_be_repeated(site: Site) -> None:
    job = site.submit()
    for _ in range(2):
        reply = site.client.delete(f"/jobs/{job.id}")
        assert (reply.status_code, reply.json["status"]) == (200, "dismissed")
    assert site.job(job.id).status is Status.DISMISSED
    assert site.get(f"/jobs/{job.id}").json["status"] == "dismissed"


def test_dismissing_a_finished_job_takes_its_results_away(site: Site) -> None:
    job = site.make()
    assert site.client.delete(f"/jobs/{job.id}").json["status"] == "dismissed"
    assert site.get(f"/jobs/{job.id}/results/picture").status_code == 410


def test_the_list_is_paged_newest_first(site: Site) -> None:
    made = [site.submit().id for _ in range(5)]
    seen: list[str] = []
    url = f"{ROOT}/jobs?limit=2&status=accepted&f=json"
    for _ in range(3):
        page = site.get(url).json
        seen += [entry["jobID"] for entry in page["jobs"]]
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        assert not url or "status=accepted" in url
    assert url == ""
    assert seen == made[::-1]


def test_filters_select(site: Site) -> None:
    echo, made = site.submit(), site.make()
    failed = site.fail(site.submit())

    def found(query: str) -> set[str]:
        return {entry["jobID"] for entry in site.get(f"/jobs?{query}").json["jobs"]}

    assert found("") == {echo.id, made.id, failed.id}
    assert found("processID=maker") == found("processID=Fabricator") == {made.id}
    assert found("status=failed,accepted") == {echo.id, failed.id}
    assert found("type=process&processID=nope") == set()
    assert found("datetime=2020-01-01T00:00:00Z/..") == {echo.id, made.id, failed.id}
    assert found("datetime=../2020-01-01T00:00:00Z") == set()
    assert found("minDuration=3600") == set()


@pytest.mark.parametrize("query", ["limit=0", "status=x", "cursor=nonsense", "foo=1", "datetime=yesterday"])
def test_a_wrong_filter_is_an_exception(site: Site, query: str) -> None:
    reply = site.get(f"/jobs?{query}")
    assert (reply.status_code, reply.json["status"]) == (400, 400)


def test_the_log_is_plain_text(site: Site) -> None:
    job = site.make({"content": "<b>bold</b>"})
    reply = site.get(f"/jobs/{job.id}/logs")
    assert reply.content_type == "text/plain; charset=utf-8"
    assert "<b>bold</b>" in reply.text


def test_a_log_that_became_a_link_is_not_followed(site: Site, tmp_path: Path) -> None:
    job = site.make()
    secret = tmp_path / "secret"
    secret.write_text("secret")
    log = site.service.settings.workspace / "executions" / job.id / "attempts" / "1" / "logs" / "process.log"
    log.unlink()
    log.symlink_to(secret)
    assert (site.get(f"/jobs/{job.id}/logs").status_code, site.get(f"/jobs/{job.id}/logs").text) == (200, "")


def test_the_job_of_somebody_else_does_not_exist(site: Site) -> None:
    job = site.make()
    paths = ["", "/results", "/results/picture", "/results/tiles/1", "/logs"]
    replies = [site.get(f"/jobs/{job.id}{path}", X_Subject="mallory") for path in paths]
    replies.append(site.client.delete(f"/jobs/{job.id}", headers={"X-Subject": "mallory"}))
    unknown = site.get("/jobs/00000000-0000-4000-8000-000000000000").json
    for reply in replies:
        assert (reply.status_code, reply.json["type"]) == (404, NO_SUCH_JOB)
        assert reply.json["detail"].replace(job.id, "") == unknown["detail"].replace(
            "00000000-0000-4000-8000-000000000000", ""
        )
    assert site.get("/jobs", X_Subject="mallory").json["jobs"] == []
    assert site.job(job.id).status is Status.SUCCESSFUL


@pytest.mark.parametrize("job_id", ["x", "..", "%00", "%0a", "a" * 5000, "'; drop table jobs --"])
def test_a_strange_job_id_is_404(site: Site, job_id: str) -> None:
    assert site.client.get(f"/jobs/{job_id}").status_code == 404
