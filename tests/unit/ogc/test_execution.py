"""POST execution: bodies, preferences, modes."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_processes.jobs.record import Mode, Status

from .conftest import Site

PATH = "/processes/echo/execution"


def test_sync_is_the_default_and_one_raw_value_is_its_json(site: Site) -> None:
    reply = site.execute("echo", {"inputs": {"text": "teststring"}, "outputs": {"text": {}}})
    assert (reply.status_code, reply.content_type, reply.text) == (200, "application/json", '"teststring"')
    assert "Link" not in reply.headers
    job = site.job(reply.headers["Content-Location"].split("/")[-2])
    assert (job.status, job.mode, job.runner) == (Status.SUCCESSFUL, Mode.SYNC, "inline")


@pytest.mark.parametrize("prefer", ["respond-async", "respond-async ", "respond-async; a=b", "respond-async, wait=0"])
def test_async_makes_a_job(site: Site, prefer: str) -> None:
    reply = site.execute("echo", {"inputs": {"text": "x"}}, Prefer=prefer)
    assert reply.status_code == 201
    assert reply.headers["Location"] == f"http://localhost/jobs/{reply.json['jobID']}"
    assert reply.headers["Preference-Applied"].startswith("respond-async")
    assert reply.json["status"] == "accepted"
    assert site.get(reply.headers["Location"]).json["jobID"] == reply.json["jobID"]


def test_a_wait_that_ends_without_results_becomes_a_job(make_site: Callable[..., Site]) -> None:
    site = make_site(sync_wait_seconds=0.01)
    process = "ChangeDetection"
    # nothing runs jobs here, so the wait always ends without results
    inputs = {"images": ["https://example.org/a.tif", "https://example.org/b.tif"]}
    reply = site.execute(process, {"inputs": inputs})
    assert reply.status_code == 201, reply.text
    assert site.job(reply.json["jobID"]).mode is Mode.SYNC
    reply = site.execute(process, {"inputs": inputs}, Prefer="respond-async, wait=1")
    assert reply.status_code == 201
    assert site.job(reply.json["jobID"]).mode is Mode.ASYNC


def test_without_a_seat_sync_is_refused_and_nothing_recorded(site: Site) -> None:
    seats = site.app.extensions["face"].waits
    while seats._seats.acquire(blocking=False):
        pass
    while seats._line.acquire(blocking=False):
        pass
    reply = site.execute("echo", {"inputs": {"text": "x"}})
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert site.get("/jobs").json["jobs"] == []
    assert site.execute("echo", {"inputs": {"text": "x"}}, Prefer="respond-async, wait=9").status_code == 201


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"invalid-execute-request": "true)"}, "invalid-execute-request"),
        ({"inputs": []}, "inputs"),
        ({"inputs": {}}, "text"),
        ({"inputs": {"text": 1}}, "text"),
        ({"inputs": {"text": None}}, "text"),
        ({"inputs": {"text": "x", "unknown": 1}}, "unknown"),
        ({"inputs": {"text": "x"}, "response": "zip"}, "raw and document"),
        ({"inputs": {"text": "x"}, "response": None}, "raw and document"),
        ({"inputs": {"text": "x"}, "outputs": []}, "outputs"),
        ({"inputs": {"text": "x"}, "outputs": {"nope": {}}}, "nope"),
        ({"inputs": {"text": "x"}, "outputs": {"text": None}}, "outputs/text"),
        ({"inputs": {"text": "x"}, "outputs": {"text": {"transmissionMode": "mail"}}}, "value and reference"),
        ({"inputs": {"text": "x"}, "outputs": {"text": {"transmissionMode": "reference"}}}, "value"),
        ({"inputs": {"text": "x"}, "outputs": {"text": {"format": {"mediaType": "image/png"}}}}, "application/json"),
        ({"inputs": {"text": "x"}, "outputs": {"text": {"format": 3}}}, "outputs/text/format"),
        ({"inputs": {"text": "x"}, "subscriber": {"successUri": "http://x/"}}, "callbacks are not offered"),
    ],
)
def test_a_wrong_request_is_an_exception_that_names_what_is_wrong(site: Site, body: Any, says: str) -> None:
    reply = site.execute("echo", body)
    assert (reply.status_code, reply.content_type) == (400, "application/json")
    assert says in reply.json["detail"]
    assert site.get("/jobs").json["jobs"] == []


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b'{"inputs": {"text": "x"}}', "application/json; charset=UTF-8", 200),
        (b'{"inputs": {"text": "x"}}', "text/plain", 415),
        (b'{"inputs": {"text": "x"}}', "application/x-www-form-urlencoded", 415),
        (b'{"inputs": {"text": "x"}}', "application/json; charset=utf-16", 415),
        (b'["inputs"]', "application/json", 400),
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"inputs": {"text": "\xff"}}', "application/json", 400),
        (b'{"inputs": {"text": "a", "text": "b"}}', "application/json", 400),
        (b'{"inputs": {"text": "x", "pause": NaN}}', "application/json", 400),
        (b'{"inputs": {"text": "x", "pause": 1e999}}', "application/json", 400),
        (b'{"inputs": {"text": "x", "pause": ' + b"9" * 5000 + b"}}", "application/json", 400),
        (b'{"inputs": {"text": "x\\u0000"}}', "application/json", 400),
        (b'{"inputs": {"text": "x\\ud800"}}', "application/json", 400),
        (b'{"inputs": ' + b"[" * 100_000, "application/json", 400),
        (b'{"inputs": ' + b"[" * 500 + b"]" * 500 + b"}", "application/json", 400),
        (b'{"inputs": {"text": "' + b"x" * 2000 + b'"}}', "application/json", 413),
    ],
)
def test_bodies(make_site: Callable[..., Site], data: bytes, kind: str, status: int) -> None:
    site = make_site(request_bytes=1024 if status == 413 else 1024**2)
    reply = site.client.post(PATH, data=data, content_type=kind)
    assert reply.status_code == status, reply.text
    assert status == 200 or reply.json["status"] == status


def test_a_body_of_unknown_length_is_bounded_too(make_site: Callable[..., Site]) -> None:
    site = make_site(request_bytes=1024)
    stream = {"wsgi.input": io.BytesIO(b"[" * 10_000), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    reply = site.client.post(PATH, content_type="application/json", environ_overrides=stream)
    assert reply.status_code == 413


def test_a_compressed_body_is_refused(site: Site) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert site.client.post(PATH, data=b"\x1f\x8b", headers=headers).status_code == 415


def test_a_process_without_required_inputs_needs_no_body(site: Site) -> None:
    assert site.client.post("/processes/maker/execution").status_code == 200


def test_an_alias_executes_the_process(site: Site) -> None:
    reply = site.execute("Fabricator", {}, Prefer="respond-async")
    assert reply.json["processID"] == "maker"


def test_an_unknown_process_is_404(site: Site) -> None:
    reply = site.execute("nope", {})
    assert reply.status_code == 404
    assert reply.json["type"].endswith("/ogcapi-processes-1/1.0/no-such-process")


def test_a_failure_of_the_process_answers_without_its_secrets(site: Site) -> None:
    reply = site.execute("maker", {"inputs": {"fail": "yes"}})
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert str(site.service.settings.workspace) not in reply.text


def test_an_input_that_the_process_refuses_is_400(site: Site) -> None:
    reply = site.execute("maker", {"inputs": {"fail": "input"}})
    assert (reply.status_code, reply.json["detail"]) == (400, "content: cannot be used")


def test_too_little_space_is_507(make_site: Callable[..., Site]) -> None:
    site = make_site()
    full = site.service.settings.model_copy(update={"free_space_floor": 2**62})
    object.__setattr__(site.service, "settings", full)
    assert site.execute("echo", {"inputs": {"text": "x"}}).status_code == 507


_NAMES = st.sampled_from(
    [
        *("inputs", "outputs", "response", "subscriber", "text", "record", "area", "bbox", "crs", "numbers", "image"),
        *("either", "value", "href", "mediaType", "transmissionMode", "format", "type", "schema"),
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["raw", "document", "value", "reference", "file:///etc/passwd", "http://[", "/jobs/x/results/y"]),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(_NAMES | st.text(max_size=5), children, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    inputs=st.fixed_dictionaries(
        {"text": st.text(max_size=9)},
        optional={"either": _JSON, "numbers": _JSON, "record": _JSON, "area": _JSON, "image": _JSON},
    )
)
def test_what_is_accepted_comes_back(site: Site, inputs: dict[str, Any]) -> None:
    reply = site.execute("echo", {"inputs": inputs, "response": "document"})
    assert reply.status_code in (200, 400), (inputs, reply.text)
    if reply.status_code == 200:
        assert reply.json["text"] == inputs["text"]
        assert reply.json["inputCount"] == len(inputs)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_JSON | st.fixed_dictionaries({"inputs": st.dictionaries(_NAMES, _JSON, max_size=4)}))
def test_no_body_makes_the_server_fail(site: Site, body: Any) -> None:
    reply = site.client.post(
        PATH, data=json.dumps(body), content_type="application/json", headers={"Prefer": "respond-async"}
    )
    assert reply.status_code in (201, 400), (body, reply.text)
    assert isinstance(reply.json["jobID" if reply.status_code == 201 else "type"], str)
