"""Results: raw, document, multipart, by reference; single files with ranges."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from typing import Any, cast

import pytest

from candela_processes.process import COG

from .conftest import ROOT, Reply, Site

TILE_1 = {"href": "{job}/results/tiles/1", "type": COG, "title": "tiles_1_20010101_20020101.tif"}
TILE_2 = {"href": "{job}/results/tiles/2", "type": COG, "title": "tiles_2_20020101_20030101.tif"}


def parsed(reply: Reply) -> Message[str, str]:
    """Read a multipart as a mail program does."""
    return message_from_bytes(b"Content-Type: " + str(reply.content_type).encode() + b"\r\n\r\n" + reply.data)


def parts(message: Message[str, str]) -> list[Message[str, str]]:
    assert message.is_multipart()
    return cast("list[Message[str, str]]", message.get_payload())


def document(site: Site, outputs: dict[str, Any] | None = None) -> tuple[dict[str, Any], str]:
    job = site.make(outputs=outputs or {})
    return site.get(f"/jobs/{job.id}/results").json, f"{ROOT}/jobs/{job.id}"


def at(link: dict[str, str], job: str) -> dict[str, str]:
    return link | {"href": link["href"].format(job=job)}


def embedded(data: bytes, media_type: str) -> dict[str, str]:
    return {"value": base64.b64encode(data).decode(), "encoding": "base64", "mediaType": media_type}


@pytest.mark.parametrize("outputs", [{}, {"picture": {}, "tiles": {}, "report": {}, "count": {}}])
def test_a_document_is_by_value_unless_asked_otherwise(site: Site, outputs: dict[str, Any]) -> None:
    """The default of transmissionMode in the standard's schema is `value`."""
    found, _ = document(site, outputs)
    assert found == {
        "picture": embedded(b"pixels", "image/png"),
        "tiles": [embedded(b"pixels 1", COG), embedded(b"pixels 2", COG)],
        "report": {"value": {"content": 1}, "mediaType": "application/json"},
        "count": 2,
    }


def test_a_document_by_value_embeds_base64(site: Site) -> None:
    found, _ = document(site, {"picture": {"transmissionMode": "value"}})
    assert found == {"picture": embedded(b"pixels", "image/png")}


def test_a_document_by_reference_links_files(site: Site) -> None:
    wanted = {"picture": {"transmissionMode": "reference"}, "tiles": {"transmissionMode": "reference"}}
    found, job = document(site, wanted)
    assert found == {
        "picture": {"href": f"{job}/results/picture", "type": "image/png", "title": "picture.png"},
        "tiles": [at(TILE_1, job), at(TILE_2, job)],
    }


def test_a_document_by_reference_links_even_json(site: Site) -> None:
    found, job = document(site, {"report": {"transmissionMode": "reference"}})
    assert found == {"report": {"href": f"{job}/results/report", "type": "application/json", "title": "report.json"}}


def test_what_is_too_large_for_a_document_becomes_links(make_site: Callable[..., Site]) -> None:
    site = make_site(value_bytes=15)
    wanted = {"picture": {"transmissionMode": "value"}, "tiles": {"transmissionMode": "value"}}
    found, job = document(site, wanted)
    assert found["picture"]["encoding"] == "base64"
    assert found["tiles"] == [at(TILE_1, job), at(TILE_2, job)]  # 8 bytes each, 16 together


def test_raw_with_one_file_is_its_bytes(site: Site) -> None:
    reply = site.execute("maker", {"outputs": {"picture": {}}})
    assert (reply.data, reply.content_type) == (b"pixels", "image/png")
    assert reply.headers["Content-Disposition"] == 'inline; filename="picture.png"'


def test_raw_with_several_outputs_is_multipart_related(site: Site) -> None:
    reply = site.execute("maker", {"outputs": {"tiles": {}, "count": {}}})
    message = parsed(reply)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == COG
    assert [
        (part["Content-ID"], part.get_content_type(), part.get_payload(decode=True), part.get_filename())
        for part in parts(message)
    ] == [
        ("<tiles_1>", "image/tiff", b"pixels 1", "tiles_1_20010101_20020101.tif"),
        ("<tiles_2>", "image/tiff", b"pixels 2", "tiles_2_20020101_20030101.tif"),
        ("<count>", "application/json", b"2", "count.json"),
    ]
    assert int(reply.headers["Content-Length"]) == len(reply.data)


def test_raw_by_reference_is_204_with_links(site: Site) -> None:
    reply = site.execute("maker", {"outputs": {"tiles": {"transmissionMode": "reference"}}})
    assert (reply.status_code, reply.data, "Content-Type" in reply.headers) == (204, b"", False)
    first, second = reply.headers.getlist("Link")
    assert first.startswith("<http://localhost/jobs/")
    assert "/results/tiles/1>; rel=" in first
    assert 'title="tiles_2_20020101_20030101.tif"' in second


def test_raw_by_value_and_reference_has_parts_without_bodies(site: Site) -> None:
    reply = site.execute("maker", {"outputs": {"picture": {"transmissionMode": "reference"}, "count": {}}})
    message = parsed(reply)
    picture, count = parts(message)
    assert picture["Content-Location"].endswith("/results/picture")
    assert (picture.get_payload(decode=True), count.get_payload(decode=True)) == (b"", b"2")


def test_raw_without_any_file_is_204(site: Site) -> None:
    assert site.execute("maker", {"inputs": {"tiles": 0}, "outputs": {"tiles": {}}}).status_code == 204


def test_the_form_asked_for_at_submission_is_kept_for_later(site: Site) -> None:
    reply = site.execute("maker", {"outputs": {"count": {}}, "response": "raw"})
    again = site.get(reply.headers["Content-Location"])
    assert (again.data, again.content_type) == (b"2", "application/json")


def test_one_output_and_one_file_of_many(site: Site) -> None:
    job = site.make()
    assert site.get(f"/jobs/{job.id}/results/count").json == 2
    assert site.get(f"/jobs/{job.id}/results/tiles/2").data == b"pixels 2"
    assert site.get(f"/jobs/{job.id}/results/tiles").mimetype == "multipart/related"
    assert site.get(f"/jobs/{job.id}/results/picture/1").data == b"pixels"


@pytest.mark.parametrize(
    "path",
    [
        *("nope", "extra", "tiles/0", "tiles/3", "tiles/-1", "tiles/x", "tiles/१", "tiles/" + "9" * 40, "picture/2"),
        *("..", "%2e%2e", "..%2f..%2finputs.json", "tiles/%2e%2e", "picture%00", "result.json", "%2fetc%2fpasswd"),
    ],
)
def test_what_is_no_result_is_404(site: Site, path: str) -> None:
    job = site.make()
    reply = site.client.get(f"/jobs/{job.id}/results/{path}")
    assert (reply.status_code, reply.content_type) == (404, "application/json"), reply.text


def test_head_has_the_headers_of_get(site: Site) -> None:
    path = f"/jobs/{site.make().id}/results/picture"
    got, head = site.get(path), site.client.head(path)
    assert head.data == b""
    assert {k: v for k, v in head.headers if k != "Date"} == {k: v for k, v in got.headers if k != "Date"}
    assert head.headers["Content-Length"] == "6"
    assert head.headers["ETag"] == f'"{hashlib.sha256(b"pixels").hexdigest()}"'
    assert head.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("wished", "status", "body", "content_range"),
    [
        ("bytes=0-2", 206, b"pix", "bytes 0-2/6"),
        ("bytes=4-", 206, b"ls", "bytes 4-5/6"),
        ("bytes=-2", 206, b"ls", "bytes 4-5/6"),
        ("bytes=2-99", 206, b"xels", "bytes 2-5/6"),
        ("bytes=0-1,3-4", 200, b"pixels", None),
        ("bytes=a-b", 200, b"pixels", None),
        ("lines=1-2", 200, b"pixels", None),
    ],
)
def test_ranges(site: Site, wished: str, status: int, body: bytes, content_range: str | None) -> None:
    reply = site.get(f"/jobs/{site.make().id}/results/picture", Range=wished)
    assert (reply.status_code, reply.data, reply.headers.get("Content-Range")) == (status, body, content_range)
    assert int(reply.headers["Content-Length"]) == len(body)


def test_a_range_behind_the_end_is_416_as_an_exception(site: Site) -> None:
    reply = site.get(f"/jobs/{site.make().id}/results/picture", Range="bytes=6-")
    assert (reply.status_code, reply.headers["Content-Range"], reply.json["status"]) == (416, "bytes */6", 416)


def test_conditions(site: Site) -> None:
    path = f"/jobs/{site.make().id}/results/picture"
    etag = site.get(path).headers["ETag"]
    assert site.get(path, If_None_Match=etag).status_code == 304
    assert site.get(path, If_None_Match='"other"').status_code == 200
    assert site.get(path, Range="bytes=0-0", If_Range=etag).status_code == 206
    assert site.get(path, Range="bytes=0-0", If_Range='"other"').status_code == 200


def test_a_file_that_was_changed_or_replaced_by_a_link_is_not_sent(site: Site) -> None:
    job = site.make()
    path = site.service.settings.workspace / "executions" / job.id / "attempts" / "1" / "outputs" / "picture.png"
    path.unlink()
    path.symlink_to("/etc/passwd")
    reply = site.get(f"/jobs/{job.id}/results/picture")
    assert reply.status_code == 500
    assert "root:" not in reply.text
