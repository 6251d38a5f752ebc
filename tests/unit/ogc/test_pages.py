"""Pages: whole, escaped, without scripts, styles or addresses from elsewhere."""

import re
from html.parser import HTMLParser

import pytest

from .conftest import ROOT, Site

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Checks that elements nest, and collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def page(site: Site, path: str) -> Page:
    reply = site.get(path, Accept="text/html")
    assert reply.content_type == "text/html; charset=utf-8"
    return Page(reply.text)


def paths(site: Site) -> list[str]:
    done, failed, waiting = site.make(), site.fail(site.submit()), site.submit()
    jobs = [f"/jobs/{job.id}" for job in (done, failed, waiting)]
    return [*jobs, f"{jobs[0]}/results", "/", "/conformance", "/processes", "/processes/maker", "/openapi", "/jobs"]


def test_no_page_has_scripts_inline_styles_or_foreign_addresses(site: Site) -> None:
    for path in [*paths(site), "/processes/ChangeDetection", "/processes/echo", "/nothing", "/jobs/none"]:
        shown = page(site, path)
        for tag, attributes in shown.tags:
            assert tag not in ("script", "style", "iframe", "object"), path
            assert not [name for name in attributes if name == "style" or name.startswith("on")], path
            for name in ("src", "href", "action"):
                address = attributes.get(name)
                assert address is None or re.match(rf"{ROOT}(/|$)|[?#]", address), (path, address)
        assert [tag for tag, _ in shown.tags].count("h1") == 1
        assert ("html", {"lang": "en"}) in shown.tags


@pytest.mark.parametrize("content", [MARKUP, "</pre>" + MARKUP, '"><b>x'])
def test_markup_of_clients_is_text(site: Site, content: str) -> None:
    job = site.make({"content": content})
    shown = page(site, f"/jobs/{job.id}")
    assert content in "".join(shown.words)
    assert not [tag for tag, attributes in shown.tags if tag in ("script", "b") or "onerror" in attributes]


def test_markup_of_declarations_and_errors_is_text(site: Site) -> None:
    assert "Maker <b>&" in "".join(page(site, "/processes/maker").words)
    failed = site.fail(site.submit())
    assert "has <b>no</b> pixels" in "".join(page(site, f"/jobs/{failed.id}").words)
    assert "<script>" in "".join(page(site, "/jobs/%3Cscript%3E").words)


def test_a_job_page_renews_itself_while_the_job_runs(site: Site) -> None:
    job = site.submit()
    renewal = ("meta", {"http-equiv": "refresh", "content": "2"})
    assert renewal in page(site, f"/jobs/{job.id}").tags
    site.fail(job)
    assert renewal not in page(site, f"/jobs/{job.id}").tags


def test_the_page_of_a_job_shows_progress_inputs_results_and_picture(site: Site) -> None:
    job = site.make({"content": "https://user:pass@host/a?sig=secret"})
    shown = page(site, f"/jobs/{job.id}")
    assert ("progress", {"max": "100", "value": "100", "aria-label": "Progress"}) in shown.tags
    assert "https://***@host/a?sig=***" in shown.text
    assert "secret" not in shown.text
    picture = f"{ROOT}/jobs/{job.id}/results/picture"
    assert ("img", {"src": picture, "alt": "Picture"}) in shown.tags
    assert ("a", {"href": f"{ROOT}/jobs/{job.id}/results/tiles/2"}) in shown.tags
    assert "tiles_2_20020101_20030101.tif" in shown.text


def test_the_page_of_a_dismissed_job_still_stands(site: Site) -> None:
    job = site.make()
    site.client.delete(f"/jobs/{job.id}")
    assert "dismissed" in page(site, f"/jobs/{job.id}").text


def test_the_inputs_of_a_process_are_explained(site: Site) -> None:
    text = " ".join(page(site, "/processes/ChangeDetection").text.split())
    for words in ("more than 0, at most 0.5", "irmad, mad, cva", "required", "at least 2 entries, at most 100 entries"):
        assert words in text


def test_the_style_sheet_is_served(site: Site) -> None:
    address = next(a["href"] for tag, a in page(site, "/").tags if tag == "link")
    assert address is not None
    reply = site.get(address)
    assert (reply.status_code, reply.content_type) == (200, "text/css; charset=utf-8")
    assert "@import" not in reply.text
    assert "url(" not in reply.text
