"""Dates of acquisition from the metadata of images."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from candela_processes.raster.dates import Acquisition, acquisition_date, parse_date
from candela_processes.raster.drivers import open_image

type WriteImage = Callable[..., Path]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20000317", date(2000, 3, 17)),
        ("2000-03-17", date(2000, 3, 17)),
        ("2000-03-17T02:10:00.000Z", date(2000, 3, 17)),
        ("2000:03:17 02:10:00", date(2000, 3, 17)),
        ("20000317T021000", date(2000, 3, 17)),
        ('"2000-03-17"', date(2000, 3, 17)),
        ("2000/03/17", date(2000, 3, 17)),
        ("2000-0317", None),
        ("2001-02-29", None),
        ("20000317021000", None),
        ("17.03.2000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_read_or_left(text: str, expected: date | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"TIFFTAG_DATETIME": "2003:02:06 01:02:03"}, Acquisition(date(2003, 2, 6), "TIFFTAG_DATETIME")),
        (
            {"TIFFTAG_DATETIME": "2020:01:01 00:00:00", "DATE_ACQUIRED": "2003-02-06"},
            Acquisition(date(2003, 2, 6), "DATE_ACQUIRED"),
        ),
        ({"acquisition_date": "n/a", "datetime": "2003-02-06T00:00:00Z"}, Acquisition(date(2003, 2, 6), "datetime")),
        ({"Start_date": "20030206"}, Acquisition(date(2003, 2, 6), "Start_date")),
        ({"Agent": "20030206"}, None),
        ({}, None),
    ],
)
def test_the_most_telling_item_wins(
    write_image: WriteImage, tags: dict[str, str], expected: Acquisition | None
) -> None:
    with open_image(write_image("a.tif", np.ones((1, 2, 2), np.uint8), tags=tags), "x") as dataset:
        assert acquisition_date(dataset) == expected


def test_envi_acquisition_time(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image("a", np.ones((1, 2, 2), np.uint8), driver="ENVI")
    with (tmp_path / "a.hdr").open("a") as header:
        header.write("acquisition time = 2000-03-17T02:10:00Z\n")
    with open_image(path, "x") as dataset:
        assert acquisition_date(dataset) == Acquisition(date(2000, 3, 17), "acquisition_time")
