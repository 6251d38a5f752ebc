"""Landing page, conformance, processes, negotiation, headers, errors."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_processes.ogc.describe import describe
from candela_processes.ogc.routes import ROUTES
from candela_processes.processes.echo import ECHO

from .conftest import ROOT, Site

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
ECHO_DESCRIPTION = json.loads((Path(__file__).parent / "echo_process.json").read_text())


def test_the_landing_page_links_to_everything(site: Site) -> None:
    document = site.get("/").json
    links = {link["rel"]: link for link in document["links"]}
    assert links["self"]["href"].startswith(ROOT)
    assert links["service-desc"]["type"] == "application/vnd.oai.openapi+json;version=3.0"
    relations = "http://www.opengis.net/def/rel/ogc/1.0/"
    for rel in ("service-doc", "conformance", f"{relations}processes", f"{relations}job-list"):
        assert site.get(links[rel]["href"]).status_code == 200


def test_conformance_names_what_is_implemented(site: Site) -> None:
    names = {name.rpartition("/")[2] for name in site.get("/conformance").json["conformsTo"]}
    assert names == {"core", "ogc-process-description", "json", "html", "oas30", "job-list", "dismiss"}


def test_echo_is_described_as_the_conformance_tests_want_it() -> None:
    assert describe(ECHO) == ECHO_DESCRIPTION


def test_the_description_has_links_too(site: Site) -> None:
    document = site.get("/processes/echo").json
    assert document | {"links": []} == ECHO_DESCRIPTION
    execute = next(link for link in document["links"] if link["rel"].endswith("/execute"))
    assert execute["href"] == f"{ROOT}/processes/echo/execution"


def test_processes_are_paged(site: Site) -> None:
    every = [process["id"] for process in site.get("/processes").json["processes"]]
    assert every == ["AssessChange", "ChangeDetection", "echo", "maker"]
    seen, url = [], f"{ROOT}/processes?limit=3"
    while url:
        page = site.get(url).json
        seen.append([process["id"] for process in page["processes"]])
        url = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert seen == [every[:3], every[3:]]


@pytest.mark.parametrize("path", ["/processes?limit=0", "/processes?limit=x", "/?f=xml", "/jobs?f=json5"])
def test_wrong_parameters_are_400(site: Site, path: str) -> None:
    assert (site.get(path).status_code, site.get(path).json["status"]) == (400, 400)


def test_an_unknown_process_is_404(site: Site) -> None:
    reply = site.get("/processes/nope")
    assert (reply.status_code, reply.content_type) == (404, "application/json")


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/", "*/*", "application/json"),
        ("/", "", "application/json"),
        ("/", BROWSER, "text/html; charset=utf-8"),
        ("/", "application/json, text/html;q=0.1", "application/json"),
        ("/processes", "text/*", "text/html; charset=utf-8"),
        ("/openapi", "*/*", "application/vnd.oai.openapi+json;version=3.0"),
        ("/openapi", "application/vnd.oai.openapi+json;version=3.0", "application/vnd.oai.openapi+json;version=3.0"),
        ("/openapi", "application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json;version=3.0"),
        ("/openapi", BROWSER, "text/html; charset=utf-8"),
        ("/?f=json", BROWSER, "application/json"),
        ("/?f=html", "application/json", "text/html; charset=utf-8"),
    ],
)
def test_negotiation(site: Site, path: str, accept: str, kind: str) -> None:
    assert site.get(path, Accept=accept).content_type == kind


def test_what_cannot_be_written_is_406(site: Site) -> None:
    reply = site.get("/", Accept="application/xml")
    assert (reply.status_code, reply.content_type, reply.json["status"]) == (406, "application/json", 406)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/problem+json", "application/problem+json"),
        ("application/json, application/problem+json;q=0.5", "application/json"),
        ("image/png", "application/json"),
        (BROWSER, "text/html; charset=utf-8"),
    ],
)
def test_errors_are_negotiated_too(site: Site, accept: str, kind: str) -> None:
    reply = site.get("/jobs/none", Accept=accept)
    assert (reply.status_code, reply.content_type) == (404, kind)


@pytest.mark.parametrize(("method", "path"), [("PUT", "/jobs"), ("DELETE", "/"), ("GET", "/processes/echo/execution")])
def test_405_is_an_exception_that_names_the_methods(site: Site, method: str, path: str) -> None:
    reply = site.client.open(path, method=method)
    assert (reply.status_code, reply.json["status"]) == (405, 405)
    assert "OPTIONS" in reply.headers["Allow"]


def test_an_unforeseen_error_leaks_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, job_id: str) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(type(site.store), "get", broken)
    reply = site.get("/jobs/x")
    assert (reply.status_code, reply.json["title"]) == (500, "Internal error")
    assert "secret" not in reply.text


def test_every_answer_has_cors_and_security_headers(site: Site) -> None:
    for path in ("/", "/nothing", "/?f=html", "/livez"):
        headers = site.get(path).headers
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert {"Location", "Link", "Preference-Applied", "WWW-Authenticate", "ETag"} <= set(
            headers["Access-Control-Expose-Headers"].split(", ")
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in headers["Content-Security-Policy"]


def test_a_preflight_allows_what_clients_send(site: Site) -> None:
    asked = {"Origin": "https://map.example", "Access-Control-Request-Method": "DELETE"}
    reply = site.client.options("/jobs/x", headers=asked)
    assert reply.status_code == 200
    assert {"GET", "HEAD", "DELETE", "OPTIONS"} == set(reply.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = set(reply.headers["Access-Control-Allow-Headers"].split(", "))
    assert {"Prefer", "Content-Type", "Authorization"} <= allowed
    asked["Access-Control-Request-Method"] = "POST"
    reply = site.client.options("/processes/echo/execution", headers=asked)
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]


def test_head_is_get_without_a_body(site: Site) -> None:
    for path in ("/", "/processes/echo", "/jobs", "/openapi"):
        head, got = site.client.head(path), site.get(path)
        assert (head.status_code, head.data) == (200, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize("host", ["evil.example/path", "a b", "host\\", "<script>", "host:port", ""])
def test_a_host_header_that_is_no_host_is_refused(site: Site, host: str) -> None:
    reply = site.client.get("/", environ_overrides={"HTTP_HOST": host, "SERVER_NAME": ""})
    assert reply.status_code == 400, reply.text
    assert host not in reply.text or not host


def test_the_public_url_goes_before_the_host(make_site: Callable[..., Site]) -> None:
    site = make_site(public_url="https://eo.example/api")
    document = site.client.get("/", headers={"Host": "attacker.example"}).json
    assert {link["href"].partition("/api")[0] for link in document["links"]} == {"https://eo.example"}
    assert site.submit().id
    reply = site.execute("echo", {"inputs": {"text": "x"}}, Prefer="respond-async")
    assert reply.headers["Location"].startswith("https://eo.example/api/jobs/")


def test_forwarded_headers_of_anybody_are_not_believed(site: Site) -> None:
    reply = site.get("/", X_Forwarded_Host="evil.example", X_Forwarded_Proto="https", Forwarded="host=evil.example")
    assert "evil.example" not in reply.text


def test_a_trailing_slash_changes_nothing(site: Site) -> None:
    assert site.get("/processes/").json == site.get("/processes").json


_HEADERS = st.dictionaries(
    st.sampled_from(["Accept", "Range", "If-None-Match", "If-Range", "If-Modified-Since", "Prefer", "Host", "Origin"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
    | st.sampled_from(["bytes=0-", "*/*;q=x", "text/html;q=0", "respond-async", "é"]),
)
_PATHS = st.sampled_from(["/", "/jobs", "/processes", "/processes/echo", "/jobs/x", "/openapi", "/metrics", "/nothing"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=_PATHS, headers=_HEADERS, query=st.dictionaries(st.text(max_size=6) | st.just("f"), st.text(max_size=9)))
def test_no_header_and_no_query_makes_the_server_fail(
    site: Site, path: str, headers: dict[str, str], query: dict[str, str]
) -> None:
    reply = site.client.get(path, headers=headers, query_string=query)
    assert reply.status_code < 500, reply.text


def test_links_of_a_list_keep_its_filters(site: Site) -> None:
    links = site.get("/jobs?status=failed&status=running&limit=3&f=json").json["links"]
    assert links[0]["href"] == f"{ROOT}/jobs?status=failed%2Crunning&limit=3&f=json"


def test_every_address_and_method_is_ours_or_the_collections(site: Site) -> None:
    """Walks the URL map: what pygeoapi offers beside its collections is not mounted."""
    ours = {route.endpoint for route in ROUTES}
    for rule in site.app.url_map.iter_rules():
        assert rule.endpoint in ours or rule.endpoint.startswith("pygeoapi /"), rule
    for path in ("/admin/config", "/asyncapi", "/schemas/x", "/admin", "/jobs/x/results/y/1/2"):
        for method in ("GET", "PUT", "PATCH", "POST", "DELETE"):
            reply = site.client.open(path, method=method)
            assert reply.status_code in (404, 405), (method, path)
            assert reply.json["type"].startswith("urn:candela:exceptions:")
