"""The order of a series in time."""

from datetime import date

import pytest

from candela_processes.errors import InvalidInput
from candela_processes.processes.series_order import ImageDate, given_dates, product_name, put_in_order


def found(text: str, source: str = "ACQUISITION_DATE") -> ImageDate:
    return ImageDate(text, date.fromisoformat(text), source)


def test_given_dates_sort_the_images() -> None:
    order = put_in_order(["2020", "1985-06-30", "2010"], [None, None, None])
    assert order.places == (1, 2, 0)
    assert [day.tag for day in order.dates] == ["19850630", "20100101", "20200101"]
    assert order.warnings == ()


def test_given_dates_go_before_those_of_the_metadata() -> None:
    order = put_in_order(["2001", "2000"], [found("1990-01-01"), found("1991-01-01")])
    assert order.places == (1, 0)


def test_metadata_sorts_where_no_dates_are_given() -> None:
    order = put_in_order([], [found("2003-02-06"), found("2000-03-17")])
    assert order.places == (1, 0)
    assert "ACQUISITION_DATE" in order.note
    assert order.warnings == ()


def test_the_time_of_writing_is_doubted() -> None:
    order = put_in_order([], [found("2003-02-06", "TIFFTAG_DATETIME"), found("2000-03-17")])
    assert order.places == (1, 0)
    assert "TIFFTAG_DATETIME" in order.warnings[0]


@pytest.mark.parametrize(
    ("second", "reason"), [(None, "no date is known of image 2"), (found("2003-02-06"), "the same date")]
)
def test_without_certain_dates_the_given_order_stays(second: ImageDate | None, reason: str) -> None:
    order = put_in_order([], [found("2003-02-06"), second])
    assert order.places == (0, 1)
    assert order.dates == ()
    assert order.date_of(0) is None
    assert reason in order.note


@pytest.mark.parametrize("dates", [["2000-01-01", "2000-01-01"], ["1985", "1985"], ["1985-06-01", "1985"]])
def test_dates_whose_order_is_not_certain_are_refused(dates: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"dates/1: .*dates/0"):
        put_in_order(dates, [None, None])


@pytest.mark.parametrize("text", ["2001-02-29", "0000", "2001-13-01"])
def test_days_that_no_calendar_has_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="dates/1"):
        put_in_order(["1999", text], [None, None])


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("1985.tif", "1985"),
        ("2000TM", "2000TM"),
        ("S2A_MSIL2A_20230815.SAFE", "S2A_MSIL2A_20230815"),
        ("scene.v1.2", "scene.v1.2"),
        (".tif", ".tif"),
        ("two\nlines\x00.tif", "two lines"),
        ("\n", "image"),
    ],
)
def test_product_name(name: str, product: str) -> None:
    assert product_name(name) == product


def test_the_tag_of_a_date_has_eight_digits() -> None:
    assert [day.tag for day in given_dates(["0999", "2003-02-06"])] == ["09990101", "20030206"]
