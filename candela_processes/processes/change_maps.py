"""From the magnitudes of a couple to its two files, counted on the way; streamed, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.raster.area import PixelAreas
from candela_processes.raster.cog import CLASSES, MAGNITUDE, CogWriter
from candela_processes.raster.grid import Grid
from candela_processes.raster.scratch import RawFile
from candela_processes.raster.stack import TILE_PIXELS, Couple, Tile, row_blocks

type Share = Callable[[float], None]


@dataclass(frozen=True)
class Counted:
    """How many pixels, and how much ground in km2."""

    pixels: int
    area_km2: float


@dataclass(frozen=True)
class MagnitudeStore:
    """The magnitudes of one couple in scratch: float32, NaN where not observed; streamed again and again."""

    file: RawFile
    grid: Grid

    @classmethod
    def create(cls, folder: Path, grid: Grid) -> MagnitudeStore:
        """Make the scratch file; OSError where the disk is too full."""
        return cls(RawFile(folder / "magnitude.raw", 1, grid.pixels, np.dtype(np.float32)).create(), grid)

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (first row, magnitudes of some whole rows, flat)."""
        with self.file.mapped() as planes:
            for first, rows in row_blocks(self.grid, max(1, TILE_PIXELS // self.grid.width)):
                start, stop = first * self.grid.width, (first + rows) * self.grid.width
                yield first, planes.array[0, start:stop]
                planes.release(start, stop)

    def magnitudes(self) -> Iterator[NDArray[np.float32]]:
        """Yield the magnitudes, block by block."""
        for _, values in self.blocks():
            yield values


def fill_magnitude(
    couple: Couple,
    magnitude: Callable[[Tile], NDArray[np.float32]],
    store: MagnitudeStore,
    areas: PixelAreas,
    share: Share,
) -> Counted:
    """Compute the magnitude of every pixel into `store`; return what was observed."""
    width, pixels, area = couple.grid.width, 0, 0.0
    with store.file.mapped(writable=True) as planes:
        for tile in couple.tiles():
            values = magnitude(tile)
            start = tile.first_row * width
            planes.array[0, start : start + values.size] = values
            planes.release(start, start + values.size)
            observed = ~np.isnan(values)
            pixels += int(np.count_nonzero(observed))
            area += areas.mapped_km2(tile.first_row, observed)
            share((tile.first_row + tile.rows) / couple.grid.height)
    return Counted(pixels, area)


def write_magnitude(store: MagnitudeStore, path: Path, tags: Mapping[str, str]) -> None:
    """Write the magnitudes as a COG at `path`; may run beside other readers of the store."""
    with CogWriter(path, store.grid, MAGNITUDE, store.file.path.parent, "magnitude of change", tags) as writer:
        for first, values in store.blocks():
            writer.write(first, values)


def write_changes(
    store: MagnitudeStore,
    level: float,
    path: Path,
    tags: Mapping[str, str],
    areas: PixelAreas,
    share: Share,
) -> Counted:
    """Write 1 where the magnitude exceeds `level`, 0 elsewhere, 255 where not observed; return what changed."""
    pixels, area = 0, 0.0
    with CogWriter(path, store.grid, CLASSES, store.file.path.parent, "change", tags) as writer:
        for first, values in store.blocks():
            changed = values > level
            codes: NDArray[Any] = changed.astype(np.uint8)
            codes[np.isnan(values)] = 255
            writer.write(first, codes)
            pixels += int(np.count_nonzero(changed))
            area += areas.mapped_km2(first, changed)
            share((first + values.size // store.grid.width) / store.grid.height)
    return Counted(pixels, area)
