"""The common vocabulary of two-date analytics: a tile of both images, and a stream of tiles that may be replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.errors import InvalidInput

PIXEL_TYPES = ("uint8", "uint16", "int16", "float32", "float64")

# Pixels of one call of a kernel. Fixed, so that sums do not depend on the number of threads.
CHUNK = 1 << 17


@dataclass(frozen=True, eq=False)
class Tile:
    """The same pixels of two dates."""

    before: NDArray[Any]
    """(bands, pixels), one of PIXEL_TYPES"""
    after: NDArray[Any]
    """(bands, pixels), of the type of `before`"""
    valid: NDArray[Any]
    """(pixels,), bool or uint8; zero where a date has no observation"""


# Called again for every pass over the images; each call yields the same tiles, disjoint and covering the image.
type Tiles = Callable[[], Iterable[Tile]]


def checked(tiles: Tiles, bands: int) -> Iterator[Tile]:
    """Yield the tiles of one pass, each band contiguous; nothing is copied where that is so already.

    Raises InvalidInput("images") where shapes or pixel types do not fit together.
    """
    for tile in tiles():
        before, after = _in_rows(tile.before), _in_rows(tile.after)
        valid = np.ascontiguousarray(tile.valid).view(np.uint8)
        if before.shape != after.shape or before.shape != (bands, valid.size):
            raise InvalidInput(
                "images",
                f"both dates of a tile must have {bands} bands of {valid.size} pixels; "
                f"got arrays of shape {before.shape} and {after.shape}.",
            )
        if before.dtype != after.dtype or before.dtype.name not in PIXEL_TYPES:
            raise InvalidInput(
                "images",
                f"both dates must have one pixel type of {', '.join(PIXEL_TYPES)}; "
                f"got {before.dtype.name} and {after.dtype.name}.",
            )
        yield Tile(before, after, valid)


def _in_rows(planes: NDArray[Any]) -> NDArray[Any]:
    """Return the array itself where every band is contiguous and the next one follows it, else a copy."""
    item = planes.dtype.itemsize
    whole = planes.ndim == 2 and planes.shape[1] > 1 and planes.strides[1] == item
    if whole and planes.strides[0] > 0 and planes.strides[0] % item == 0:
        return planes
    return np.ascontiguousarray(planes)


def flat(planes: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return the rows (bands, n) of a checked tile as one read-only array (m,) without a copy, and the step.

    Band b is at [b * step : b * step + n]; what lies between the bands is none of the tile's.
    """
    bands, size = planes.shape
    step = planes.strides[0] // planes.dtype.itemsize if bands > 1 else size
    whole = np.lib.stride_tricks.as_strided(
        planes, ((bands - 1) * step + size,), (planes.dtype.itemsize,), writeable=False
    )
    return whole, step


def chunks(tile: Tile) -> Iterator[Tile]:
    """Cut a tile into views of at most CHUNK pixels."""
    for start in range(0, tile.valid.size, CHUNK):
        part = slice(start, start + CHUNK)
        yield Tile(tile.before[:, part], tile.after[:, part], tile.valid[part])


@dataclass(frozen=True, eq=False)
class Origin:
    """A real pixel of each date near the middle of the values: sums of differences from it lose nothing."""

    before: NDArray[Any]
    """(bands,), the type of the images, so that differences of integers are exact"""
    after: NDArray[Any]
    """(bands,)"""


def origin(tiles: Tiles, bands: int) -> Origin:
    """Return the observed value of every band nearest to the mean of the first tile that observes anything.

    A value of the band itself, not a mean: a constant band then has exactly zero differences.
    Raises InvalidInput("images") where no pixel of the stream is valid.
    """
    for tile in checked(tiles, bands):
        seen = tile.valid.astype(bool)
        if tile.before.dtype.kind == "f":
            seen &= np.isfinite(tile.before).all(axis=0) & np.isfinite(tile.after).all(axis=0)
        if seen.any():
            return Origin(_typical(tile.before, seen), _typical(tile.after, seen))
    raise InvalidInput("images", "no pixel is valid on both dates; the dates must overlap and hold more than nodata.")


def _typical(values: NDArray[Any], seen: NDArray[np.bool_]) -> NDArray[Any]:
    """Return for every band the seen value nearest to the mean of the seen values."""
    chosen = [band[seen] for band in values]
    nearest = [band[np.abs(band - band.mean(dtype=np.float64)).argmin()] for band in chosen]
    return np.array(nearest, dtype=values.dtype)
