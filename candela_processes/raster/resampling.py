"""Bringing an image onto another grid, block by block, with an honest mask."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.warp import reproject
from rasterio.windows import Window

from candela_processes.raster.grid import Grid
from candela_processes.raster.pixels import read_block
from candela_processes.raster.scene import Scene

PROBES = 21  # points per side at which a block of the target is looked up in the source
TOLERANCE = 0.01  # pixels of the source, by which the transformation may be approximated
FULL = 1 - 1e-4  # weight of valid source pixels from which a pixel counts as fully covered


class Resampler:
    """Reads windows of a target grid from a scene on another grid: bilinear, averaging where the source is finer."""

    def __init__(self, grid: Grid, scene: Scene) -> None:
        """Prepare the transformation from the target grid to the scene's."""
        self._grid = grid
        self._scene = scene
        self._to_source = pyproj.Transformer.from_crs(grid.crs.to_wkt(), scene.grid.crs.to_wkt(), always_xy=True)

    def read(
        self, dataset: DatasetReader, window: Window, dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return pixels (bands, rows, columns) and the valid mask of a window of the target grid.

        Valid only where every source pixel with a weight is valid; 0 elsewhere. Raises rasterio's errors.
        """
        shape = (int(window.height), int(window.width))
        pixels = np.zeros((len(self._scene.bands), *shape), dtype)
        source = self._source_window(window)
        if source is None:
            return pixels, np.zeros(shape, np.bool_)
        values, good = read_block(dataset, self._scene.bands, source)
        values = values.astype(dtype, copy=False)
        values[:, ~good] = 0
        share = np.zeros(shape, np.float32)
        for data, target in ((values, pixels), (good.astype(np.float32), share)):
            self._warp(data, target, source, window)
        valid = share >= FULL
        pixels[:, ~valid] = 0
        return pixels, valid

    def _warp(self, data: NDArray[Any], target: NDArray[Any], source: Window, window: Window) -> None:
        """Resample one array into another."""
        reproject(
            data,
            target,
            src_transform=_shifted(self._scene.grid.transform, source),
            src_crs=self._scene.grid.crs,
            dst_transform=_shifted(self._grid.transform, window),
            dst_crs=self._grid.crs,
            resampling=Resampling.bilinear,
            tolerance=TOLERANCE,
        )

    def _source_window(self, window: Window) -> Window | None:
        """Return the part of the source that a window of the target needs, with a margin; None where there is none."""
        columns = window.col_off + np.linspace(0, window.width, PROBES)
        rows = window.row_off + np.linspace(0, window.height, PROBES)
        x, y = _apply(self._grid.transform, *np.meshgrid(columns, rows))
        column, row = _apply(~self._scene.grid.transform, *self._to_source.transform(x, y))
        finite = np.isfinite(column) & np.isfinite(row)
        if not finite.any():
            return None
        first_column, last_column = _span(column[finite], self._scene.grid.width, float(window.width))
        first_row, last_row = _span(row[finite], self._scene.grid.height, float(window.height))
        if first_column >= last_column or first_row >= last_row:
            return None
        return Window(first_column, first_row, last_column - first_column, last_row - first_row)


def _apply(transform: Affine, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Apply an affine transform to arrays of coordinates."""
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f


def _shifted(transform: Affine, window: Window) -> Affine:
    """Return the transform of a window."""
    return transform @ Affine.translation(window.col_off, window.row_off)


def _span(positions: NDArray[Any], size: int, target: float) -> tuple[int, int]:
    """Return first and last source pixel for positions, with room for the kernel and for curvature, within 0..size."""
    low, high = float(positions.min()), float(positions.max())
    margin = 3 + ceil(2 * (high - low) / target) + ceil((high - low) / PROBES / 4)
    return max(0, floor(low) - margin), min(size, ceil(high) + margin)
