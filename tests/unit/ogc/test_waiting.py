"""Seats for those who wait; two threads always stay free."""

import threading
from contextlib import ExitStack

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
