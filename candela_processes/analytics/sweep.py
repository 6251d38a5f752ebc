"""One pass over a stream of tiles on all cores: cut into chunks, run the kernels, add up in the order of the stream."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics import moments
from candela_processes.analytics.compiled import in_order
from candela_processes.analytics.pair import CHUNK, Origin, Tile, Tiles, checked, chunks, flat
from candela_processes.analytics.register_tiles import PAIR, ROWS, padded
from candela_processes.errors import InvalidInput

# Fewer valid pixels per band than this and 2p means and p(2p+1) covariances mean nothing.
MINIMUM_PIXELS_PER_BAND = 20


def summed(tiles: Tiles, bands: int, sums_of: Callable[[Tile], tuple[Any, ...]]) -> list[Any]:
    """Add up what `sums_of` returns for every chunk of one pass, in the order of the stream."""
    calls = (partial(sums_of, part) for tile in checked(tiles, bands) for part in chunks(tile))
    results = in_order(calls)
    totals = list(next(results))
    for parts in results:
        totals = [total + part for total, part in zip(totals, parts, strict=True)]
    return totals


def unweighted(tiles: Tiles, bands: int, start: Origin) -> list[Any]:
    """Return float64 sums (2p,), products (2p, 2p), valid pixels and differing values of a pass with weight one.

    Raises InvalidInput("images") where the valid pixels are too few for the statistics.
    """

    def sums_of(part: Tile) -> tuple[Any, ...]:
        return moments.raw_moments(pixels_of(part), start.before, start.after)

    totals = summed(tiles, bands, sums_of)
    _require_pixels(totals[2], bands)
    return totals


def swept_magnitude(tile: Tile, start: Origin, constants: moments.Constants) -> NDArray[np.float32]:
    """Return sqrt of the scaled squares of D (pixels,) float32, NaN where not valid; see `blocks.fill_variates`."""
    result = np.empty(tile.valid.size, dtype=np.float32)

    def fill(part: Tile, out: NDArray[np.float32]) -> None:
        moments.fill_magnitudes(narrow(part, start), constants, out)

    pieces = np.split(result, range(CHUNK, result.size, CHUNK))
    for _ in in_order(partial(fill, part, out) for part, out in zip(chunks(tile), pieces, strict=False)):
        pass
    return result


def _require_pixels(pixels: int, bands: int) -> None:
    """Raise InvalidInput("images") where the valid pixels are too few for the statistics."""
    least = MINIMUM_PIXELS_PER_BAND * bands
    if pixels < least:
        raise InvalidInput(
            "images", f"only {pixels} pixels are valid on both dates; {bands} bands need at least {least}."
        )


def narrow(tile: Tile, start: Origin) -> moments.Pixels:
    """Return the pixels as kernels take them: 64-bit reals less their origin as float32, all others untouched."""
    if tile.before.dtype != np.float64:
        return pixels_of(tile)
    with np.errstate(over="ignore", invalid="ignore"):
        before = (tile.before - start.before[:, None]).astype(np.float32)
        after = (tile.after - start.after[:, None]).astype(np.float32)
    return pixels_of(Tile(before, after, tile.valid))


def pixels_of(tile: Tile) -> moments.Pixels:
    """Return a tile, or a part of one, in its own type as kernels take it."""
    (before, early), (after, late) = flat(tile.before), flat(tile.after)
    valid, _ = flat(tile.valid[None])
    return before, after, valid, (early, late), tile.before.dtype.kind != "f"


def constants_of(
    origins: NDArray[Any], maps: NDArray[Any], offsets: NDArray[Any], inverse: NDArray[Any]
) -> moments.Constants:
    """Return what kernels need, as float32: origins (2, p); padded: maps (2, p, p), offsets (2, p), inverse (p,)."""
    return (
        origins.astype(np.float32),
        padded(maps.astype(np.float32), 1, PAIR, ROWS),
        padded(offsets.astype(np.float32), 1, PAIR),
        padded(inverse.astype(np.float32), PAIR),
    )
