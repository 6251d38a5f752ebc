"""How far the images of a couple are displaced against each other, estimated on one window of full resolution."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import hypot

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics.shift import estimate_shift
from candela_processes.errors import InvalidInput
from candela_processes.processes.change_report import ShiftReport
from candela_processes.raster.stack import Couple, Decoded

LARGEST_SHIFT = 0.3
"""Displacement (pixels) above which edges show as change; the report then warns."""
SIDE = 1024

type Area = tuple[slice, slice]


def shift_of(couple: Couple) -> ShiftReport | None:
    """Return the displacement of the second image against the first in pixels; None where it cannot be told.

    Looks at the window of at most 1024 pixels a side, among nine over the image, where most is observed, and at the
    band that correlates best between the dates.
    """
    area = max(_areas(couple), key=lambda candidate: int(_valid(couple, candidate).sum()))
    valid = _valid(couple, area)
    if not valid.any():
        return None
    bands = range(couple.before.pixels.bands)
    likeness = {number: _likeness(couple, number, area, valid) for number in bands}
    band = max(bands, key=lambda number: abs(likeness[number]))
    before, after = (_plane(decoded, band, area, couple) for decoded in (couple.before, couple.after))
    # structure of opposite sign (a negative, water that turned bright) has a trough where the peak should be
    after = after if likeness[band] >= 0 else -after
    try:
        rows, columns = estimate_shift(before, after, valid)
    except InvalidInput:
        return None  # too small, too little observed or no structure: the report then says nothing of a shift
    return ShiftReport(columns=columns, rows=rows, length=hypot(columns, rows))


def _areas(couple: Couple) -> Iterator[Area]:
    """Yield windows spread evenly over the image, each once."""
    rows, columns = (_starts(size) for size in (couple.grid.height, couple.grid.width))
    for row, column in product(rows, columns):
        yield slice(row, row + min(SIDE, couple.grid.height)), slice(column, column + min(SIDE, couple.grid.width))


def _starts(size: int) -> list[int]:
    """Return where windows begin along one side, the middle one first."""
    spare = max(0, size - SIDE)
    return list(dict.fromkeys((spare // 2, 0, spare)))


def _valid(couple: Couple, area: Area) -> NDArray[np.bool_]:
    """Return which pixels of a window both images observe."""
    first, second = (_cut(decoded, area, couple) for decoded in (couple.before, couple.after))
    return (first > 0) & (second > 0)


def _cut(decoded: Decoded, area: Area, couple: Couple) -> NDArray[np.uint8]:
    """Return the valid mask of one image in a window."""
    with decoded.valid.mapped() as planes:
        return np.array(planes.array[0].reshape(couple.grid.height, couple.grid.width)[area])


def _plane(decoded: Decoded, band: int, area: Area, couple: Couple) -> NDArray[np.float64]:
    """Return one band of one image in a window."""
    with decoded.pixels.mapped() as planes:
        image = planes.array[band].reshape(couple.grid.height, couple.grid.width)
        return np.array(image[area], np.float64)


def _likeness(couple: Couple, band: int, area: Area, valid: NDArray[np.bool_]) -> float:
    """Return the correlation of a band between the dates, 0 where it is constant."""
    before, after = (_plane(decoded, band, area, couple)[valid] for decoded in (couple.before, couple.after))
    spread = before.std() * after.std()
    if not spread > 0:
        return 0.0
    return float(((before - before.mean()) * (after - after.mean())).mean() / spread)
