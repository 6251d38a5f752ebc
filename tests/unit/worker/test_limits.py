from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from candela_processes.worker.limits import Meter, Watch, amount, disk_usage, used_memory

MIB = 1024 * 1024


def test_watch_measures_when_it_is_due_and_keeps_the_peak() -> None:
    values = iter([3, 9, 4])
    watch = Watch(lambda: next(values), shortest=1.0, longest=2.0)
    assert [watch.look(now) for now in (10.0, 10.5, 11.5, 11.6, 13.5)] == [3, 3, 9, 9, 9]


def test_meter_says_which_limit_and_how_much(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * (MIB + 102_400))

    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as root:  # it has no children, unlike this process

        def breach(seconds: float, memory: int, scratch: int) -> str:
            return Meter(seconds=seconds, memory=memory, scratch=scratch, root=root.pid, folders=(tmp_path,)).breach()

        assert breach(60, MIB, 2 * MIB) == ""
        assert breach(60, MIB, MIB) == "The job used more than its 1 MiB of disk (1.1 MiB seen)."
        assert breach(-1, MIB, 2 * MIB) == "The job ran for more than the -1 s it may take."
        assert breach(60, -1, 2 * MIB).startswith("The job used more than its -1 bytes of memory (")


def test_memory_is_anonymous_pages_of_all_shared_ones_once() -> None:
    code = "import sys; hold = bytearray(b'x') * (64 << 20); print(len(hold), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        plain = used_memory([process.pid], 10**12)
        exact = used_memory([process.pid], 0)
        process.communicate(b"")
    assert 64 * MIB <= exact <= plain < 100 * MIB


def test_file_pages_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 64 * MIB)
    before = used_memory([os.getpid()], 10**12)
    with (tmp_path / "file").open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
        assert sum(memory[place] for place in range(0, len(memory), 4096)) > 0
        assert used_memory([os.getpid()], 10**12) - before < 32 * MIB


def test_process_that_has_ended_uses_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert used_memory([process.pid], 0) == 0


def test_disk_usage_counts_blocks_once_and_follows_no_link(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(b"x" * MIB)
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder)
    (folder / "a").write_bytes(b"x" * MIB)
    os.link(folder / "a", folder / "inner" / "b")
    with (folder / "sparse").open("wb") as sparse:
        sparse.truncate(1024 * MIB)
    assert MIB <= disk_usage(folder) < 1.1 * MIB
    assert disk_usage(tmp_path / "missing") == 0


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (2 * 1024**3, "2 GiB"), (1000 * MIB, "1000 MiB"), (1536, "1.5 KiB")],
)
def test_amount(size: int, words: str) -> None:
    assert amount(size) == words
