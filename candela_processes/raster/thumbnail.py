"""Full-size pixels reduced to the size of a picture by block means; memory stays flat in the size of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from candela_processes.raster.drivers import open_image
from candela_processes.raster.grid import Grid
from candela_processes.raster.stack import BLOCK_PIXELS, Couple, Decoded, row_blocks


@dataclass(frozen=True, slots=True)
class CoupleView:
    """What a picture of a couple needs, reduced by an integer factor; arrays are (rows, columns[, 3]) float32.

    `before` and `after` are means of the observed pixels of three bands, NaN where a block has none; `changed` is
    the share of a block's observed pixels that changed; `missing` the share that was not observed. `bands` are the
    numbers, in the later file, of the bands shown as red, green and blue.
    """

    grid: Grid
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    changed: NDArray[np.float32]
    missing: NDArray[np.float32]
    bands: tuple[int, ...]


def view_couple(couple: Couple, changes: Path, rgb: Sequence[int], pixels: int = 600) -> CoupleView:
    """Reduce a couple and its class map (0, 1, 255) to about `pixels` per side.

    `rgb` are three positions from 0 in the stack's bands, shown as red, green and blue.
    """
    factor = max(1, max(couple.grid.width, couple.grid.height) // pixels)
    changed, missing = _shares(changes, couple.grid, factor)
    return CoupleView(
        couple.grid,
        _means(couple.before, couple.grid, rgb, factor),
        _means(couple.after, couple.grid, rgb, factor),
        changed,
        missing,
        tuple(couple.after.scene.bands[position] for position in rgb),
    )


def _means(decoded: Decoded, grid: Grid, rgb: Sequence[int], factor: int) -> NDArray[np.float32]:
    """Return the block means of three bands over valid pixels, NaN where there are none."""
    parts = []
    with decoded.pixels.mapped() as planes, decoded.valid.mapped() as mask:
        image = planes.array.reshape(-1, grid.height, grid.width)
        valid = mask.array.reshape(grid.height, grid.width)
        for first, rows in _aligned_blocks(grid, factor):
            good = valid[first : first + rows]
            count = block_sums(good, factor)
            sums = [block_sums(image[band, first : first + rows] * good, factor) for band in rgb]
            with np.errstate(invalid="ignore", divide="ignore"):
                parts.append(np.stack(sums, axis=-1) / count[..., None])
            for mapped in (planes, mask):
                mapped.release(first * grid.width, (first + rows) * grid.width)
    return np.concatenate(parts).astype(np.float32)


def _shares(changes: Path, grid: Grid, factor: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return per block the changed share of the observed pixels and the share of pixels not observed."""
    changed, missing = [], []
    with open_image(changes, "changes") as dataset:
        for first, rows in _aligned_blocks(grid, factor):
            classes = dataset.read(1, window=Window(0, first, grid.width, rows))
            observed = block_sums(classes != 255, factor)
            total = block_sums(np.ones((rows, 1)), factor) @ block_sums(np.ones((1, grid.width)), factor)
            changed.append(block_sums(classes == 1, factor) / np.maximum(observed, 1))
            missing.append(1 - observed / total)
    return np.concatenate(changed).astype(np.float32), np.concatenate(missing).astype(np.float32)


def _aligned_blocks(grid: Grid, factor: int) -> Sequence[tuple[int, int]]:
    """Return row blocks of about 2 Mpx whose starts are multiples of the factor."""
    return tuple(row_blocks(grid, max(1, BLOCK_PIXELS // (grid.width * factor)) * factor))


def block_sums(values: NDArray[Any], factor: int) -> NDArray[np.float64]:
    """Return the sums over blocks of factor x factor; blocks at the right and lower edge may be smaller."""
    return _row_sums(_row_sums(values, factor).T, factor).T


def _row_sums(values: NDArray[Any], factor: int) -> NDArray[np.float64]:
    """Return the sums of each `factor` rows; whole rows are added, which is several times faster than `reduceat`."""
    sums = np.zeros((-(-values.shape[0] // factor), values.shape[1]))
    for offset in range(min(factor, values.shape[0])):
        part = values[offset::factor]
        sums[: len(part)] += part
    return sums
