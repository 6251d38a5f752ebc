from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from candela_processes.service.actions import LONGEST_REST, ActionPool, ActionTimeout, Completion


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hung actions wait for; opened at the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


def pool_of(size: int, clock: Clock, on_end: Callable[[], None] = lambda: None) -> ActionPool:
    return ActionPool(name="submit", size=size, seconds=10.0, on_end=on_end, monotonic=clock)


def collected(pool: ActionPool, count: int = 1) -> list[Completion]:
    found: list[Completion] = []
    pause, until = threading.Event(), time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < until, "an action never ended"
        found += pool.collect()
        pause.wait(0.005)
    return found


def fail() -> Any:
    raise OSError("no")


def test_a_result_is_handed_over_once_and_rings(clock: Clock) -> None:
    rung = threading.Event()
    pool = pool_of(1, clock, rung.set)
    assert pool.start("a", lambda: 7)
    assert rung.wait(60)
    (completion,) = collected(pool)
    assert (completion.key, completion.value, completion.error) == ("a", 7, None)
    assert list(pool.collect()) == []


def test_the_pool_is_bounded_and_never_does_the_same_twice_at_once(clock: Clock, gate: threading.Event) -> None:
    pool = pool_of(2, clock)
    assert pool.start("a", gate.wait)
    assert not pool.start("a", gate.wait)
    assert pool.start("b", gate.wait)
    assert not pool.start("c", gate.wait)
    assert pool.busy == 2
    gate.set()
    collected(pool, 2)
    assert pool.busy == 0
    assert pool.start("c", gate.wait)


def test_a_hung_action_is_reported_once_keeps_its_slot_and_gives_it_back(clock: Clock, gate: threading.Event) -> None:
    pool = pool_of(2, clock)
    pool.start("hung", gate.wait)
    clock.now += 10.1
    (late,) = pool.collect()
    assert isinstance(late.error, ActionTimeout)
    assert list(pool.collect()) == []
    clock.now += LONGEST_REST
    assert not pool.start("hung", gate.wait), "it is still under way"
    assert pool.start("other", lambda: "well")
    assert collected(pool)[0].value == "well"
    gate.set()
    assert collected(pool)[0].error is None
    assert pool.busy == 0


def test_failures_rest_longer_each_time_and_a_success_forgets_them(clock: Clock) -> None:
    pool = pool_of(1, clock)
    for pause in (1, 2, 4, 8):
        assert pool.start("a", fail)
        assert isinstance(collected(pool)[0].error, OSError)
        clock.now += pause - 0.01
        assert not pool.start("a", fail)
        assert pool.start("b", lambda: None), "others do not rest"
        collected(pool)
        clock.now += 0.02
    assert pool.start("a", lambda: None)
    collected(pool)
    assert pool.start("a", fail)
    collected(pool)
    clock.now += 1.01
    assert pool.start("a", lambda: None)


def test_rests_are_bounded(clock: Clock) -> None:
    pool = pool_of(1, clock)
    for _ in range(20):
        assert pool.start("a", fail)
        collected(pool)
        clock.now += LONGEST_REST
    assert pool.start("a", lambda: None)


def test_a_rest_on_request(clock: Clock) -> None:
    pool = pool_of(1, clock)
    pool.rest("a", 5.0)
    assert not pool.start("a", lambda: None)
    clock.now += 5.0
    assert pool.start("a", lambda: None)
