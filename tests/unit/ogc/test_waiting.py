"""Seats for those who wait; an eighth of the threads, and two at least, always stay free."""

import threading
from contextlib import ExitStack
from queue import Queue

import pytest

from candela_processes.ogc.waiting import WaitingRoom


def test_half_of_the_threads_may_wait() -> None:
    room = WaitingRoom(8, queue_seconds=0.01)
    with ExitStack() as stack:
        assert [stack.enter_context(room.seat()) for _ in range(5)] == [True, True, True, True, False]
    with room.seat() as seated:
        assert seated


def test_the_smallest_server_has_one_seat_and_no_line() -> None:
    room = WaitingRoom(2, queue_seconds=3600)
    with room.seat() as first, room.seat() as second:
        assert (first, second) == (True, False)


def test_one_in_line_gets_the_seat_that_becomes_free() -> None:
    room = WaitingRoom(6, queue_seconds=60)
    outcome: list[bool] = []

    def wait() -> None:
        with room.seat() as seated:
            outcome.append(seated)

    with ExitStack() as stack:
        assert all(stack.enter_context(room.seat()) for _ in range(3))
        thread = threading.Thread(target=wait)
        thread.start()
    thread.join(60)
    assert outcome == [True]


@pytest.mark.parametrize(
    ("threads", "seats", "line"), [(2, 1, 0), (3, 1, 0), (4, 2, 0), (6, 3, 1), (16, 8, 6), (64, 32, 24)]
)
def test_threads_are_divided(threads: int, seats: int, line: int) -> None:
    room = WaitingRoom(threads, queue_seconds=3600)
    outcome: Queue[bool] = Queue()

    def stand() -> None:
        with room.seat() as seated:
            outcome.put(seated)

    others = [threading.Thread(target=stand) for _ in range(line + 3)]
    with ExitStack() as stack:
        assert all(stack.enter_context(room.seat()) for _ in range(seats))
        for thread in others:
            thread.start()
        assert [outcome.get(timeout=60) for _ in range(3)] == [False] * 3  # no place in the line
        assert outcome.empty()
    for thread in others:
        thread.join(60)
    assert [outcome.get_nowait() for _ in range(line)] == [True] * line
