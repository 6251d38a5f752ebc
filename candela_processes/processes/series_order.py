"""The order of a series in time: by given dates, by dates in the images' metadata, else as given. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

from candela_processes.errors import InvalidInput

_SUFFIX: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}$")
_WRITTEN: Final = "TIFFTAG_DATETIME"


@dataclass(frozen=True)
class ImageDate:
    """When an image was taken: a day, or a year (`text` has four digits), which stands for its 1 January."""

    text: str
    day: date
    source: str

    @property
    def tag(self) -> str:
        """Return the date as TIFF tags and file names have it, YYYYMMDD."""
        return self.day.isoformat().replace("-", "")  # strftime writes the year 999 with three digits


@dataclass(frozen=True)
class Order:
    """The order of a series: places in the list of inputs (from 0), in time, and the date of each where known."""

    places: tuple[int, ...]
    dates: tuple[ImageDate, ...]
    note: str
    warnings: tuple[str, ...] = ()

    def date_of(self, position: int) -> ImageDate | None:
        """Return the date of the image at a position in time, None where the series is not dated."""
        return self.dates[position] if self.dates else None


def product_name(name: str) -> str:
    """Return the name of an image on one line without its suffix; a name that is only a suffix stays."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return _SUFFIX.sub("", line).strip() or line or "image"


def given_dates(texts: Sequence[str]) -> tuple[ImageDate, ...]:
    """Return the dates that a user gave (`2000-03-17` or `1985`).

    Raises InvalidInput naming `dates/<n>` for a text that is no day of the calendar and for two dates whose order
    is not certain: equal ones, or a year and a day in it.
    """
    dates = tuple(_parsed(text, f"dates/{place}") for place, text in enumerate(texts))
    by_time = sorted(range(len(dates)), key=lambda place: dates[place].day)
    for earlier, later in pairwise(by_time):
        if _uncertain(dates[earlier], dates[later]):
            first, second = sorted((earlier, later))
            raise InvalidInput(
                f"dates/{second}",
                f"{texts[second]} does not say whether this image is before or after that of dates/{first} "
                f"({texts[first]}); every image needs a date of its own",
            )
    return dates


def put_in_order(dates: Sequence[str], found: Sequence[ImageDate | None]) -> Order:
    """Return the order of the images by the given `dates`, else by those `found` in metadata, else as they are."""
    given = given_dates(dates)
    if given:
        return _sorted(given, "By the dates given.")
    as_given = tuple(range(len(found)))
    known = tuple(day for day in found if day is not None)
    if len(known) < len(found):
        missing = ", ".join(str(place + 1) for place in as_given if found[place] is None)
        return Order(as_given, (), f"As given: no date is known of image {missing}; the results carry no dates.")
    if len({day.day for day in known}) < len(known):
        return Order(
            as_given, (), "As given: the metadata of several images hold the same date; the results carry no dates."
        )
    sources = sorted({day.source for day in known})
    warnings = (
        f"The dates come from {_WRITTEN}, which is often the time of writing; give dates where they are wrong.",
    )
    return _sorted(
        known, f"By the dates in the images' metadata ({', '.join(sources)}).", warnings if _WRITTEN in sources else ()
    )


def _parsed(text: str, name: str) -> ImageDate:
    """Return one given date."""
    try:
        return ImageDate(text, date.fromisoformat(text if "-" in text else f"{text}-01-01"), "dates")
    except ValueError:
        raise InvalidInput(name, f"{text!r} is not a day of the calendar") from None


def _uncertain(earlier: ImageDate, later: ImageDate) -> bool:
    """Say whether two dates may be in either order."""
    year_only = "-" not in earlier.text or "-" not in later.text
    return earlier.day == later.day or (year_only and earlier.day.year == later.day.year)


def _sorted(dates: tuple[ImageDate, ...], note: str, warnings: tuple[str, ...] = ()) -> Order:
    """Return the order by time."""
    places = tuple(sorted(range(len(dates)), key=lambda place: dates[place].day))
    return Order(places, tuple(dates[place] for place in places), note, warnings)
