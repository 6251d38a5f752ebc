"""Scenes decoded once onto one grid, and couples of them streamed as tiles over several passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from candela_processes.raster.drivers import open_image, reading
from candela_processes.raster.grid import Grid, same_grid
from candela_processes.raster.pixels import read_block
from candela_processes.raster.resampling import Resampler
from candela_processes.raster.scene import Align, Scene, common_dtype, open_scenes
from candela_processes.raster.scratch import RawFile

__all__ = ["Align", "Couple", "Decoded", "Progress", "Scene", "Stack", "Tile", "decode", "open_scenes", "row_blocks"]

BLOCK_PIXELS = 2_000_000
TILE_PIXELS = 2_000_000

type Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Tile:
    """Some whole rows of a couple: before and after (bands, n), valid (n,) bool; n = rows * width.

    The arrays are read-only views of the decoded pixels, each band contiguous.
    """

    before: NDArray[Any]
    after: NDArray[Any]
    valid: NDArray[np.bool_]
    first_row: int
    rows: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """One scene on the grid of the stack: its pixels (bands, n) and its valid mask (1, n), uint8 0 or 1."""

    scene: Scene
    pixels: RawFile
    valid: RawFile


@dataclass(frozen=True, slots=True)
class Couple:
    """Two decoded scenes on one grid."""

    grid: Grid
    before: Decoded
    after: Decoded

    def tiles(self, pixels: int = TILE_PIXELS) -> Iterator[Tile]:
        """Yield blocks of whole rows of about `pixels` pixels from north to south; may be called again and again."""
        width = self.grid.width
        with (
            self.before.pixels.mapped() as before,
            self.after.pixels.mapped() as after,
            self.before.valid.mapped() as valid_before,
            self.after.valid.mapped() as valid_after,
        ):
            for first, rows in row_blocks(self.grid, max(1, pixels // width)):
                start, stop = first * width, (first + rows) * width
                valid = valid_before.array[0, start:stop] & valid_after.array[0, start:stop]
                yield Tile(before.array[:, start:stop], after.array[:, start:stop], valid.view(np.bool_), first, rows)
                for planes in (before, after, valid_before, valid_after):
                    planes.release(start, stop)


@dataclass(frozen=True, slots=True)
class Stack:
    """All scenes of a request, decoded; one data type, one grid."""

    grid: Grid
    dtype: np.dtype[Any]
    decoded: tuple[Decoded, ...]

    def couple(self, index: int) -> Couple:
        """Return the couple of the scenes `index` and `index + 1`."""
        return Couple(self.grid, self.decoded[index], self.decoded[index + 1])

    def couples(self) -> tuple[Couple, ...]:
        """Return the consecutive couples in the order of the scenes."""
        return tuple(self.couple(index) for index in range(len(self.decoded) - 1))


def row_blocks(grid: Grid, rows: int) -> Iterator[tuple[int, int]]:
    """Yield (first row, number of rows) over a grid."""
    for first in range(0, grid.height, rows):
        yield first, min(rows, grid.height - first)


def decode(scenes: Sequence[Scene], scratch: Path, progress: Progress | None = None) -> Stack:
    """Decode every scene once into raw files in the folder `scratch`, on the grid of the first scene.

    A scene on another grid is resampled bilinearly, in the type of the stack. A pixel is valid where every used
    band is finite and not nodata, where the image's mask or alpha band says so, and, resampled, where that holds
    for all source pixels that contribute. Invalid pixels are stored as they are, or as 0 where not finite.
    `progress` receives the finished share, 0 to 1. Raises `InvalidInput` for pixels that cannot be read and
    `OSError` where the disk is full.
    """
    grid = scenes[0].grid
    dtype = common_dtype([scene.dtype for scene in scenes])
    decoded = []
    for index, scene in enumerate(scenes):
        pixels = RawFile(scratch / f"scene_{index}.pixels", len(scene.bands), grid.pixels, dtype).create()
        valid = RawFile(scratch / f"scene_{index}.valid", 1, grid.pixels, np.dtype(np.uint8)).create()
        for share in _decode_scene(Decoded(scene, pixels, valid), grid):
            if progress is not None:
                progress((index + share) / len(scenes))
        decoded.append(Decoded(scene, pixels, valid))
    return Stack(grid, dtype, tuple(decoded))


def _decode_scene(target: Decoded, grid: Grid) -> Iterator[float]:
    """Fill the raw files of one scene block by block, yielding the finished share."""
    scene = target.scene
    with (
        open_image(scene.path, scene.name) as dataset,
        target.pixels.mapped(writable=True) as pixels,
        target.valid.mapped(writable=True) as valid,
    ):
        image = pixels.array.reshape(-1, grid.height, grid.width)
        mask = valid.array.reshape(grid.height, grid.width)
        resampler = None if same_grid(grid, scene.grid) else Resampler(grid, scene)
        for window in _blocks(dataset, grid, resampler is None):
            rows, columns = window.toslices()
            with reading(scene.name, scene.path):
                if resampler is None:
                    values, good = read_block(dataset, scene.bands, window)
                else:
                    values, good = resampler.read(dataset, window, target.pixels.dtype)
            image[:, rows, columns] = values
            mask[rows, columns] = good
            for planes in (pixels, valid):
                planes.release(rows.start * grid.width, rows.stop * grid.width)
            yield rows.stop / grid.height


def _blocks(dataset: DatasetReader, grid: Grid, native: bool) -> Iterator[Window]:
    """Yield windows that touch each compressed block of the source once where possible, of about 2 Mpx each."""
    block_rows, block_columns = dataset.block_shapes[0] if native else (256, 256)
    whole_rows = max(1, BLOCK_PIXELS // grid.width)
    if block_rows <= whole_rows or block_columns >= grid.width:
        rows, columns = max(block_rows, whole_rows // block_rows * block_rows), grid.width
    else:
        rows, columns = block_rows, max(1, BLOCK_PIXELS // (block_rows * block_columns)) * block_columns
    for first in range(0, grid.height, rows):
        for left in range(0, grid.width, columns):
            yield Window(left, first, min(columns, grid.width - left), min(rows, grid.height - first))
