from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candela_processes.errors import InvalidInput
from candela_processes.process import Reference
from candela_processes.references.policy import FetchPolicy
from candela_processes.references.resolve import resolve
from candela_processes.references.staged import StagedReference


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "a b.tif").write_bytes(b"a")
    (root / "%2e%2e").mkdir()
    (root / "link.tif").symlink_to("inner/a b.tif")
    (tmp_path / "secret.tif").write_bytes(b"s")
    (root / "out.tif").symlink_to(tmp_path / "secret.tif")
    (root / "out").symlink_to(tmp_path)
    (tmp_path / "root-beside").mkdir()
    (tmp_path / "root-beside" / "x.tif").write_bytes(b"x")
    return root


def resolved(href: str, *roots: Path) -> StagedReference:
    return resolve("images/0", Reference(href=href), roots)


@pytest.mark.parametrize("form", ["inner/a b.tif", "{root}/inner/a b.tif", "link.tif", "file://{root}/inner/a%20b.tif"])
def test_file_below_a_root(root: Path, form: str) -> None:
    found = resolved(form.format(root=root), root)
    assert found.path == str(root / "inner" / "a b.tif")
    assert found.url == ""


def test_file_url_may_name_this_host_and_one_slash(root: Path) -> None:
    for start in ("file://localhost", "file:", "FILE://"):
        assert resolved(f"{start}{root}/link.tif", root).path == str(root / "inner" / "a b.tif")


def test_relative_path_is_looked_for_below_each_root(root: Path, tmp_path: Path) -> None:
    assert resolved("x.tif", root, tmp_path / "root-beside").path == str(tmp_path / "root-beside" / "x.tif")


def test_root_may_be_reached_by_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert resolved("link.tif", tmp_path / "alias").path == str(root / "inner" / "a b.tif")
    assert resolved(f"{tmp_path}/alias/link.tif", tmp_path / "alias").path == str(root / "inner" / "a b.tif")


@pytest.mark.parametrize(
    "form",
    [
        "../secret.tif",
        "inner/../../secret.tif",
        "inner/../link.tif",
        "{root}/../secret.tif",
        "out.tif",
        "out/secret.tif",
        "/etc/passwd",
        "{beside}/x.tif",
        "nothing.tif",
        "{root}",
        ".",
        "",
        "link.tif\x00.png",
        "link.tif\n",
        "inner/a%20b.tif",
        "%2e%2e/secret.tif",
        "file://{root}/%2e%2e/secret.tif",
        "file://{root}/inner/%2e%2e/%2e%2e/secret.tif",
        "file://{root}/link.tif%00",
        "file://{root}/%252e%252e/secret.tif",
        "file://{root}/link.tif?x",
        "file://{root}/link.tif#x",
        "file://other.host{root}/link.tif",
        "file:link.tif",
        "file://{root}/%ff",
    ],
)
def test_anything_else_is_refused(root: Path, form: str, tmp_path: Path) -> None:
    href = form.format(root=root, beside=tmp_path / "root-beside")
    reference = Reference.model_construct(href=href, type=None, rel=None, title=None, hreflang=None)
    with pytest.raises(InvalidInput) as caught:
        resolve("images/0", reference, (root,))
    assert caught.value.name == "images/0"
    assert str(tmp_path) not in caught.value.detail


def test_missing_and_outside_are_told_alike(root: Path) -> None:
    details = set()
    for href in ("/etc/passwd", "/etc/no-such-file", "out.tif", "nothing.tif"):
        with pytest.raises(InvalidInput) as caught:
            resolved(href, root)
        details.add(caught.value.detail)
    assert len(details) == 1


NAMES = ("root", "out", "link.tif", "secret.tif", "inner", "a b.tif", "a%20b.tif", "etc", "passwd", "proc/self/root")
TRICKS = ("..", ".", "/", "//", "%2e%2e", "%2f", "%00", "\\", "~", "file:", "file://", "localhost")


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])  # type: ignore[untyped-decorator, unused-ignore]
@given(pieces=st.lists(st.sampled_from(NAMES + TRICKS), min_size=1, max_size=8), absolute=st.booleans())  # type: ignore[untyped-decorator, unused-ignore]
def test_nothing_leads_out_of_the_root(root: Path, pieces: list[str], absolute: bool) -> None:
    href = (str(root) + "/" if absolute else "") + "/".join(pieces)
    try:
        found = resolved(href, root)
    except InvalidInput:
        return
    assert Path(found.path).resolve().is_relative_to(root)
    assert found.url == ""


def test_without_roots_there_are_no_local_files(root: Path) -> None:
    with pytest.raises(InvalidInput, match="not configured"):
        resolved(str(root / "link.tif"))


def test_command_line_reads_what_its_caller_may_read(root: Path, tmp_path: Path) -> None:
    roots = (root / "inner", Path("/"))
    assert resolved("../../secret.tif", *roots).path == str(tmp_path / "secret.tif")
    assert resolved(str(tmp_path / "secret.tif"), *roots).path == str(tmp_path / "secret.tif")


def test_url_is_left_to_the_worker(root: Path) -> None:
    reference = Reference(href="https://example.org/a.tif", type="image/tiff", title="A")
    assert resolve("a", reference, (root,), deferred="a") == StagedReference(
        href="https://example.org/a.tif",
        name="A",
        url="https://example.org/a.tif",
        media_type="image/tiff",
        deferred="a",
    )


@pytest.mark.parametrize(
    ("href", "problem"),
    [
        ("s3://bucket/key", "not configured"),
        ("ftp://example.org/a", "scheme 'ftp' is not allowed"),
        ("data:text/plain,x", "scheme 'data' is not allowed"),
        ("/vsicurl/http://example.org/a", "no such file"),
        ("http://user:pass@example.org/a", "user name or password"),
        ("C:\\a.tif", "scheme 'c' is not allowed"),
    ],
)
def test_other_schemes(root: Path, href: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        resolved(href, root)


def test_policy_is_asked_early_where_there_is_one(root: Path) -> None:
    reference = Reference(href="http://169.254.169.254/latest")
    assert resolve("a", reference, ()).url == reference.href
    with pytest.raises(InvalidInput, match="not a public address"):
        resolve("a", reference, (), policy=FetchPolicy())
