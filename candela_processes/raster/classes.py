"""Rasters of class codes (maps, reference samples), read a block of whole rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from candela_processes.errors import InvalidInput
from candela_processes.raster.drivers import open_image, reading
from candela_processes.raster.grid import IDENTITY, Grid
from candela_processes.raster.pixels import read_block

BLOCK_PIXELS = 2_000_000


@dataclass(frozen=True, slots=True)
class ClassRaster:
    """An open image of one band of class codes; `grid` is None where it has no georeferencing."""

    dataset: DatasetReader
    path: Path
    name: str
    grid: Grid | None
    width: int
    height: int

    def rows(self, first_row: int, rows: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the codes and which of them are valid (not nodata, not masked), both (rows, width)."""
        with reading(self.name, self.path):
            codes, valid = read_block(self.dataset, (1,), Window(0, first_row, self.width, rows))
        return codes[0], valid

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield (first row, number of rows) of blocks of about 2 Mpx."""
        step = max(1, BLOCK_PIXELS // self.width)
        for first in range(0, self.height, step):
            yield first, min(step, self.height - first)


@contextmanager
def open_classes(path: Path, name: str) -> Iterator[ClassRaster]:
    """Open a raster of class codes; `name` is the input's name in errors.

    Raises `InvalidInput` for what `drivers.open_image` refuses, and for more than one band or complex pixels.
    """
    with open_image(path, name) as dataset:
        if dataset.count != 1:
            raise InvalidInput(name, f"{path.name} has {dataset.count} bands; a raster of classes has one.")
        if "complex" in dataset.dtypes[0]:
            raise InvalidInput(name, f"{path.name} has complex pixels; classes are whole numbers.")
        placed = dataset.crs is not None and dataset.transform != IDENTITY
        grid = Grid.of(dataset, name) if placed else None
        yield ClassRaster(dataset, path, name, grid, dataset.width, dataset.height)
