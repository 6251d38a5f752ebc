from __future__ import annotations

import threading
from pathlib import Path

import pytest

from candela_processes.dispatch.wake import WAKE_SOCKET, Bell, wake


@pytest.fixture
def bell() -> Bell:
    made = Bell()
    made.open()
    return made


def test_waking_without_anybody_there_is_silent(tmp_path: Path) -> None:
    wake(tmp_path)
    wake(tmp_path / "missing")
    (tmp_path / WAKE_SOCKET).write_text("not a socket")
    wake(tmp_path)


def test_a_wake_ends_the_wait_and_a_burst_is_one(tmp_path: Path, bell: Bell) -> None:
    bell.listen(tmp_path)
    for _ in range(100):
        wake(tmp_path)
    assert bell.wait(10.0) is True
    assert bell.wait(0.0) is False
    bell.close()


def test_a_full_socket_never_blocks_the_sender(tmp_path: Path, bell: Bell) -> None:
    bell.listen(tmp_path)
    for _ in range(5000):
        wake(tmp_path)
    assert bell.wait(0.0) is True
    bell.close()


def test_a_ring_from_a_thread_ends_the_wait(bell: Bell) -> None:
    thread = threading.Thread(target=bell.ring)
    thread.start()
    assert bell.wait(10.0) is True
    thread.join()
    bell.close()
    bell.ring()


def test_the_address_may_be_longer_than_the_kernel_allows(tmp_path: Path, bell: Bell) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)
    deep.mkdir(parents=True)
    assert len(str(deep)) > 107
    bell.listen(deep)
    wake(deep)
    assert bell.wait(10.0) is True
    bell.close()


def test_a_new_leader_replaces_a_stale_socket(tmp_path: Path, bell: Bell) -> None:
    stale = Bell()
    stale.open()
    stale.listen(tmp_path)
    bell.listen(tmp_path)
    wake(tmp_path)
    assert (stale.wait(0.0), bell.wait(10.0)) == (False, True)
    stale.close()
    wake(tmp_path)
    assert bell.wait(10.0) is True
    bell.close()
