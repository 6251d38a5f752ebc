"""RFC 7240, its examples among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_processes.ogc.prefer import Preferences, parse_preferences


@pytest.mark.parametrize(
    ("headers", "asynchronous", "wait"),
    [
        ([], False, None),
        (["respond-async"], True, None),
        (["respond-async "], True, None),
        (["Respond-Async"], True, None),
        (["respond-async, wait=5"], True, 5),
        (["wait=10, respond-async"], True, 10),
        (["respond-async; foo=bar, wait = 10"], True, 10),
        (["respond-async", "wait=100"], True, 100),
        (['priority="a,b;c", respond-async'], True, None),
        (["wait=5, wait=50"], False, 5),
        (['wait="7"'], False, 7),
        (["wait=-1"], False, None),
        (["wait=soon"], False, None),
        (["respond-sync"], False, None),
        (["handling=lenient, return=minimal"], False, None),
        (["foo=respond-async"], False, None),
    ],
)
def test_preferences_are_read(headers: list[str], asynchronous: bool, wait: float | None) -> None:
    assert parse_preferences(headers) == Preferences(asynchronous=asynchronous, wait=wait)


@given(st.lists(st.text(max_size=60), max_size=3))
def test_nothing_in_the_header_is_an_error(headers: list[str]) -> None:
    parse_preferences(headers)


@pytest.mark.parametrize(
    ("preferences", "asynchronous", "seconds", "applied"),
    [
        (Preferences(asynchronous=True, wait=5), True, 5, "respond-async, wait=5"),
        (Preferences(asynchronous=True), False, 1, ""),
        (Preferences(wait=5), False, 1, "wait=5"),
        (Preferences(wait=5), False, 5.5, ""),
        (Preferences(asynchronous=True, wait=0), True, 0, "respond-async, wait=0"),
    ],
)
def test_what_was_applied_is_told(preferences: Preferences, asynchronous: bool, seconds: float, applied: str) -> None:
    assert preferences.applied(asynchronous=asynchronous, seconds=seconds) == applied
