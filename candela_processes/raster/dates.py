"""When an image was taken, as far as its own metadata says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from rasterio.io import DatasetReader

# Most telling first. TIFFTAG_DATETIME is often the time of writing, so every other source goes before it.
KEYS = (
    "ACQUISITION_DATE",
    "DATE_ACQUIRED",
    "ACQUISITIONDATETIME",
    "ACQUISITION_TIME",
    "ACQUISITION_DATETIME",
    "ACQUISITIONDATE",
    "SENSING_TIME",
    "DATATAKE_1_DATATAKE_SENSING_START",
    "PRODUCT_START_TIME",
    "START_DATETIME",
    "DATETIME",
    "START_DATE",
    "TIFFTAG_DATETIME",
)
NAMESPACES = (None, "IMAGERY", "ENVI")
PATTERN = re.compile(r"^\W*(\d{4})([-:/.]?)(\d{2})\2(\d{2})(?!\d)")


@dataclass(frozen=True, slots=True)
class Acquisition:
    """A date of acquisition and the metadata item it was read from, such as `ACQUISITION_DATE`."""

    date: date
    source: str


def acquisition_date(dataset: DatasetReader) -> Acquisition | None:
    """Return when an open image was taken and which of its metadata items says so, or None where none does.

    Reads GDAL's default, IMAGERY and ENVI metadata (ENVI `acquisition time`), upper or lower case; a value that
    is no calendar date is passed over. A TIFFTAG_DATETIME counts only where nothing better is found.
    """
    found = {key.upper(): (key, value) for key, value in reversed(list(_items(dataset)))}
    for wanted in KEYS:
        key, value = found.get(wanted, ("", ""))
        day = parse_date(value)
        if day is not None:
            return Acquisition(day, key)
    return None


def _items(dataset: DatasetReader) -> Iterator[tuple[str, str]]:
    """Yield the metadata items of the image, best namespace first."""
    for namespace in NAMESPACES:
        yield from dataset.tags(ns=namespace).items()


def parse_date(text: str) -> date | None:
    """Return the date that a text begins with (20000317, 2000-03-17T02:10Z, 2000:03:17 02:10:00) or None."""
    match = PATTERN.match(text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:  # digits of the right shape that are no day of the calendar say nothing
        return None
