"""The HTTP face under a real gunicorn: threads, sockets, clients of others."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from owslib.ogcapi.processes import Processes

from .web import Answer, Web, serving, wait_until

pytestmark = pytest.mark.integration

THREADS = 6
SEATS = 3
READY = ("/livez", "/readyz", "/processes", "/jobs")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Web]:
    """A server with few threads, so that they are soon used up."""
    folder = tmp_path_factory.mktemp("http")
    with serving(folder, web_threads=THREADS, input_roots=data, request_bytes=100_000) as started:
        yield started


def test_waits_for_results_never_block_the_rest(web: Web) -> None:
    """More clients wait than there are threads; the server answers everybody else all the same."""
    answers: list[Answer] = []
    inputs = {"folder": str(web.folder)}

    def wait() -> None:
        answers.append(web.execute("ledger", inputs, "wait=100", response="document"))

    threads = [threading.Thread(target=wait) for _ in range(2 * THREADS)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) == len(threads) - SEATS, "all that found no seat are told so")
    assert {answer.status for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    for path in READY:
        assert web.ask("GET", path).status == 200
    prompt = web.execute("ledger", inputs, "respond-async, wait=100")
    assert prompt.status == 201
    assert web.ask("DELETE", urlsplit(prompt.headers["location"]).path).json["status"] == "dismissed"
    assert len(answers) == len(threads) - SEATS  # those who wait were waiting all the time
    (web.folder / "go").touch()
    for thread in threads:
        thread.join(120)
    waited = answers[len(threads) - SEATS :]
    assert [answer.status for answer in waited] == [200] * SEATS
    assert all(isinstance(answer.json["pid"], int) for answer in waited)


def test_a_wait_that_is_too_short_becomes_a_job_that_goes_on(web: Web) -> None:
    reply = web.execute("ChangeDetection", {"images": ["landsat_pucallpa/1985.tif"] * 2}, "wait=0")
    assert reply.status == 201, reply.body
    status = web.wait_for_end(reply.json["jobID"])
    assert status["status"] in ("successful", "failed")


def test_files_are_sent_whole_in_ranges_and_by_head(web: Web) -> None:
    inputs = {"text": "x" * 90_000}
    job = web.execute("echo", inputs, "respond-async").json["jobID"]
    assert web.wait_for_end(job)["status"] == "successful"
    path = f"/jobs/{job}/results/text"
    whole = web.ask("GET", path)
    assert json.loads(whole.body) == inputs["text"]
    assert whole.headers["etag"] == f'"{hashlib.sha256(whole.body).hexdigest()}"'
    head = web.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    same = ("content-length", "etag", "content-type", "content-disposition", "accept-ranges", "last-modified")
    assert [head.headers[name] for name in same] == [whole.headers[name] for name in same]
    part = web.ask("GET", path, Range="bytes=100-90001")
    assert (part.status, part.headers["content-range"]) == (206, "bytes 100-90001/90002")
    assert part.body == whole.body[100:]
    assert web.ask("GET", path, If_None_Match=whole.headers["etag"]).status == 304
    assert web.ask("GET", path, Range="bytes=90002-").status == 416


def test_a_connection_is_used_again_after_every_kind_of_answer(web: Web) -> None:
    job = web.execute("echo", {"text": "x"}, response="document").headers["content-location"].split("/")[-2]
    connection = web.connect()
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
def test_a_body_that_is_too_large_is_413(web: Web, length: str) -> None:
    body = b'{"inputs": {"text": "' + b"x" * 200_000 + b'"}}'
    sent = body if length == "known" else iter([body[:150_000], body[150_000:]])
    headers = {"Content_Type": "application/json"} | ({} if length == "known" else {"Transfer_Encoding": "chunked"})
    reply = web.ask("POST", "/processes/echo/execution", sent, chunked=length == "unknown", **headers)
    assert (reply.status, reply.json["title"]) == (413, "Payload too large")


def test_a_chunked_body_is_read(web: Web) -> None:
    body = iter([b'{"inputs": ', b'{"text": "x"}', b', "response": "document"}'])
    headers = {"Content_Type": "application/json", "Transfer_Encoding": "chunked"}
    reply = web.ask("POST", "/processes/echo/execution", body, chunked=True, **headers)
    assert reply.json == {"text": "x", "inputCount": 1}


def test_owslib_lists_describes_and_executes(web: Web) -> None:
    client = Processes(web.url)
    assert "echo" in {process["id"] for process in client.processes()}
    assert client.process("echo")["version"] == "1.0.0"
    assert client.api()["openapi"] == "3.0.3"
    assert client.execute("echo", inputs={"text": "teststring"}) == {"text": "teststring", "inputCount": 1}
    accepted = client.execute("echo", inputs={"text": "x"}, async_=True)
    assert accepted["status"] == "accepted"
    location = client.response_headers["Location"]
    assert web.wait_for_end(location.rpartition("/")[2])["status"] == "successful"
    with pytest.raises(RuntimeError, match="no-such-process"):
        client.process("nope")


def test_collections_are_served_beside_the_processes(web: Web) -> None:
    reply = web.ask("GET", "/collections")
    assert (reply.status, reply.json["collections"]) == (200, [])
    assert reply.json["links"][0]["href"].startswith(web.url)


def test_metrics_count_what_happened(web: Web) -> None:
    web.execute("echo", {"text": "x"})
    text = web.ask("GET", "/metrics").body.decode()
    assert 'candela_http_requests_total{method="POST",route="/processes/<process_id>/execution",status="200"}' in text
    assert "candela_dispatcher_age_seconds" in text
    assert 'candela_jobs{phase="done",process="echo",reason="",status="successful"}' in text
