from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_processes.worker.log import ProcessLog

PATIENCE = 60.0


def logged(
    path: Path, *chunks: bytes, hidden: Mapping[str, str] | None = None, head: int = 100, tail: int = 20
) -> bytes:
    reading, writing = os.pipe()
    log = ProcessLog(reading, path, hidden or {}, head=head, tail=tail)
    log.start()
    for chunk in chunks:
        os.write(writing, chunk)
    os.close(writing)
    log.close(PATIENCE)
    return path.read_bytes()


def test_everything_is_copied(tmp_path: Path) -> None:
    assert logged(tmp_path / "log", b"a\n", b"b", b"c\xff\n", b"no end") == b"a\nbc\xff\nno end"


def test_middle_is_left_out(tmp_path: Path) -> None:
    text = b"".join(b"%09d\n" % number for number in range(100))
    expected = text[:100] + b"\n... 880 bytes left out ...\n" + text[-20:]
    assert logged(tmp_path / "log", text) == expected


def test_nothing_is_left_out_where_head_and_tail_hold_all(tmp_path: Path) -> None:
    text = b"".join(b"%09d\n" % number for number in range(12))
    assert logged(tmp_path / "log", text) == text


@given(st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=30))  # type: ignore[untyped-decorator, unused-ignore]
def test_sizes_add_up(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    text = logged(tmp_path_factory.mktemp("log") / "log", *(b"x" * (size - 1) + b"\n" for size in sizes))
    head, _, rest = text.partition(b"\n... ")
    left_out, _, tail = rest.partition(b" bytes left out ...\n")
    assert len(head) + int(left_out or 0) + len(tail) == sum(sizes)
    assert not left_out or (len(head), len(tail)) == (100, 20)


def test_paths_are_hidden_the_longest_first(tmp_path: Path) -> None:
    hidden = {"/jobs": "...", "/jobs/job/": "", "/data/secret.tif": "shown.tif"}
    text = logged(tmp_path / "log", b"/jobs/job/a /jobs/job /jobs/x /data/secret.tif\n", hidden=hidden)
    assert text == b"a .../job .../x shown.tif\n"


def test_path_cut_in_two_is_hidden(tmp_path: Path) -> None:
    path = "/a/secret/folder"
    for cut in range(1, len(path)):
        text = path.encode()
        assert logged(tmp_path / f"log{cut}", text[:cut], text[cut:], b"/x", hidden={path: "."}) == b"./x"


def test_path_in_an_endless_line_is_hidden(tmp_path: Path) -> None:
    path = "/a/secret/folder"
    text = b"y" * (64 * 1024 - 5) + path.encode() + b"y" * 200_000
    found = logged(
        tmp_path / "log", *(text[i : i + 1000] for i in range(0, len(text), 1000)), hidden={path: "."}, head=10**6
    )
    assert found == text.replace(path.encode(), b".")


def test_log_is_never_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "log").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        ProcessLog(0, tmp_path / "log", {})
