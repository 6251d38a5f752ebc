"""The HTTP face under a real gunicorn: threads, sockets, clients of others."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from owslib.ogcapi.processes import Processes

from .conftest import Site, wait_until
from .test_serve import Serving

pytestmark = pytest.mark.integration

THREADS = 6
SEATS = 3
READY = ("/livez", "/readyz", "/processes", "/jobs")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Serving]:
    """A server with few threads, so that they are soon used up."""
    folder: Path = tmp_path_factory.mktemp("http")
    site = Site(folder, web_threads=THREADS, input_roots=str(data), request_bytes=100_000)
    started = Serving(site)
    yield started
    started.close()
    site.close()


class Answer:
    """One answer, read to its end."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(serving: Serving, method: str, path: str, body: Any = None, *, chunked: bool = False, **headers: Any) -> Answer:
    parts = urlsplit(serving.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, sent, encode_chunked=chunked)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def execute(serving: Serving, process: str, inputs: dict[str, Any], prefer: str = "", **members: Any) -> Answer:
    headers: dict[str, Any] = {"Content_Type": "application/json"} | ({"Prefer": prefer} if prefer else {})
    body = json.dumps({"inputs": inputs, **members})
    return ask(serving, "POST", f"/processes/{process}/execution", body, **headers)


def wait_for_end(serving: Serving, job_id: str) -> dict[str, Any]:
    def status() -> Any:
        document = ask(serving, "GET", f"/jobs/{job_id}").json
        return document if document["status"] in ("successful", "failed", "dismissed") else None

    found: dict[str, Any] = wait_until(status, f"the end of job {job_id}")
    return found


def test_waits_for_results_never_block_the_rest(serving: Serving) -> None:
    """More clients wait than there are threads; the server answers everybody else all the same."""
    answers: list[Answer] = []
    inputs = {"folder": str(serving.site.ledger)}

    def wait() -> None:
        answers.append(execute(serving, "ledger", inputs, "wait=100", response="document"))

    threads = [threading.Thread(target=wait) for _ in range(2 * THREADS)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) == len(threads) - SEATS, "all that found no seat are told so")
    assert {answer.status for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    for path in READY:
        assert ask(serving, "GET", path).status == 200
    prompt = execute(serving, "ledger", inputs, "respond-async, wait=100")
    assert prompt.status == 201
    assert ask(serving, "DELETE", urlsplit(prompt.headers["location"]).path).json["status"] == "dismissed"
    assert len(answers) == len(threads) - SEATS  # those who wait were waiting all the time
    serving.site.let_go()
    for thread in threads:
        thread.join(120)
    waited = answers[len(threads) - SEATS :]
    assert [answer.status for answer in waited] == [200] * SEATS
    assert all(isinstance(answer.json["pid"], int) for answer in waited)


def test_a_wait_that_is_too_short_becomes_a_job_that_goes_on(serving: Serving) -> None:
    reply = execute(serving, "ChangeDetection", {"images": ["landsat_pucallpa/1985.tif"] * 2}, "wait=0")
    assert reply.status == 201, reply.body
    status = wait_for_end(serving, reply.json["jobID"])
    assert status["status"] in ("successful", "failed")


def test_files_are_sent_whole_in_ranges_and_by_head(serving: Serving) -> None:
    inputs = {"text": "x" * 90_000}
    job = execute(serving, "echo", inputs, "respond-async").json["jobID"]
    assert wait_for_end(serving, job)["status"] == "successful"
    path = f"/jobs/{job}/results/text"
    whole = ask(serving, "GET", path)
    assert json.loads(whole.body) == inputs["text"]
    assert whole.headers["etag"] == f'"{hashlib.sha256(whole.body).hexdigest()}"'
    head = ask(serving, "HEAD", path)
    assert (head.status, head.body) == (200, b"")
    same = ("content-length", "etag", "content-type", "content-disposition", "accept-ranges", "last-modified")
    assert [head.headers[name] for name in same] == [whole.headers[name] for name in same]
    part = ask(serving, "GET", path, Range="bytes=100-90001")
    assert (part.status, part.headers["content-range"]) == (206, "bytes 100-90001/90002")
    assert part.body == whole.body[100:]
    assert ask(serving, "GET", path, If_None_Match=whole.headers["etag"]).status == 304
    assert ask(serving, "GET", path, Range="bytes=90002-").status == 416


def test_a_connection_is_used_again_after_every_kind_of_answer(serving: Serving) -> None:
    job = execute(serving, "echo", {"text": "x"}, response="document").headers["content-location"].split("/")[-2]
    parts = urlsplit(serving.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        for method, path, status in (
            ("HEAD", f"/jobs/{job}/results/text", 200),
            ("GET", "/nothing", 404),
            ("GET", f"/jobs/{job}/results", 200),
            ("OPTIONS", "/jobs", 200),
            ("GET", "/livez", 200),
        ):
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status, path
    finally:
        connection.close()


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_body_that_is_too_large_is_413(serving: Serving, length: str) -> None:
    body = b'{"inputs": {"text": "' + b"x" * 200_000 + b'"}}'
    sent = body if length == "known" else iter([body[:150_000], body[150_000:]])
    headers = {"Content_Type": "application/json"} | ({} if length == "known" else {"Transfer_Encoding": "chunked"})
    reply = ask(serving, "POST", "/processes/echo/execution", sent, chunked=length == "unknown", **headers)
    assert (reply.status, reply.json["title"]) == (413, "Payload too large")


def test_a_chunked_body_is_read(serving: Serving) -> None:
    body = iter([b'{"inputs": ', b'{"text": "x"}', b', "response": "document"}'])
    headers = {"Content_Type": "application/json", "Transfer_Encoding": "chunked"}
    reply = ask(serving, "POST", "/processes/echo/execution", body, chunked=True, **headers)
    assert reply.json == {"text": "x", "inputCount": 1}


def test_owslib_lists_describes_and_executes(serving: Serving) -> None:
    client = Processes(serving.url)
    assert "echo" in {process["id"] for process in client.processes()}
    assert client.process("echo")["version"] == "1.0.0"
    assert client.api()["openapi"] == "3.0.3"
    assert client.execute("echo", inputs={"text": "teststring"}) == {"text": "teststring", "inputCount": 1}
    accepted = client.execute("echo", inputs={"text": "x"}, async_=True)
    assert accepted["status"] == "accepted"
    location = client.response_headers["Location"]
    assert wait_for_end(serving, location.rpartition("/")[2])["status"] == "successful"
    with pytest.raises(RuntimeError, match="no-such-process"):
        client.process("nope")


def test_collections_are_served_beside_the_processes(serving: Serving) -> None:
    reply = ask(serving, "GET", "/collections")
    assert (reply.status, reply.json["collections"]) == (200, [])
    assert reply.json["links"][0]["href"].startswith(serving.url)


def test_metrics_count_what_happened(serving: Serving) -> None:
    execute(serving, "echo", {"text": "x"})
    text = ask(serving, "GET", "/metrics").body.decode()
    assert 'candela_http_requests_total{method="POST",route="/processes/<process_id>/execution",status="200"}' in text
    assert "candela_dispatcher_age_seconds" in text
    assert 'candela_jobs{phase="done",process="echo",reason="",status="successful"}' in text
