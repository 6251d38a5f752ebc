"""Writing results as Cloud Optimized GeoTIFFs, a block of rows at a time.

The rows go into a plain GeoTIFF in scratch; GDAL's COG driver then lays it out (512 x 512 tiles, DEFLATE, overviews
before the image, header first: OGC 21-026) under a temporary name, which is renamed when all is written.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.shutil import copy

from candela_processes.raster.environment import session_options
from candela_processes.raster.grid import Grid

BLOCK = 512


@dataclass(frozen=True, slots=True)
class CogKind:
    """What the pixels are: data type, nodata value, how overviews are made of them, and DEFLATE level."""

    dtype: Literal["uint8", "float32"]
    nodata: float
    overviews: Literal["NEAREST", "MODE", "AVERAGE"]
    level: int


CLASSES = CogKind("uint8", 255, "NEAREST", 6)
"""uint8 class codes, 255 where nothing was observed."""
# mantissas are noise: a higher level costs twice the time for 2 % of the size
MAGNITUDE = CogKind("float32", nan, "AVERAGE", 1)
"""float32 measures, NaN where nothing was observed; overviews average what was observed."""


class CogWriter:
    """A context manager that takes blocks of rows and leaves a COG at `path`, or nothing where an error left it.

    Everything is written as one band on `grid`. `tags` become GDAL metadata of the file (Start_date, End_date,
    Product_id1, Product_id2, Agent, Category and so on); empty values are left out. One thread only. Raises `OSError`
    (ENOSPC, EIO) where not every byte could be written.
    """

    def __init__(
        self, path: Path, grid: Grid, kind: CogKind, scratch: Path, description: str, tags: Mapping[str, str]
    ) -> None:
        """Take what describes the file; nothing is written before the context is entered."""
        self._path = path
        self._grid = grid
        self._kind = kind
        self._rows = scratch / f"{path.name}.rows.tif"
        self._description = description
        self._tags = {key: value for key, value in tags.items() if value}
        self._dataset: Any = None

    def __enter__(self) -> Self:
        """Create the file of rows in scratch."""
        with rasterio.Env(**session_options()):
            self._dataset = rasterio.open(
                self._rows,
                "w",
                driver="GTiff",
                width=self._grid.width,
                height=self._grid.height,
                count=1,
                dtype=self._kind.dtype,
                crs=self._grid.crs,
                transform=self._grid.transform,
                nodata=self._kind.nodata,
                blockysize=min(64, self._grid.height),
                BIGTIFF="IF_SAFER",
            )
        self._dataset.update_tags(**self._tags)
        self._dataset.set_band_description(1, self._description)
        return self

    def write(self, first_row: int, rows: NDArray[Any]) -> None:
        """Write whole rows, (rows, width) or flat (rows * width,), from `first_row` on; `OSError` on a full disk."""
        block = np.asarray(rows, self._kind.dtype).reshape(-1, self._grid.width)
        window = rasterio.windows.Window(0, first_row, self._grid.width, block.shape[0])
        with _writing(self._rows.parent, self._size):
            self._dataset.write(block, 1, window=window)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lay the rows out as a COG and give it its name; on an error only clean up."""
        temporary = self._path.with_name(f".{self._path.name}.part")
        try:
            with _writing(self._rows.parent, self._size):
                self._dataset.close()
            if error is None:
                self._finish(temporary)
        finally:
            self._rows.unlink(missing_ok=True)
            temporary.unlink(missing_ok=True)

    @property
    def _size(self) -> int:
        """Return the bytes of all pixels, which the rows in scratch take at least."""
        return self._grid.pixels * np.dtype(self._kind.dtype).itemsize

    def _finish(self, temporary: Path) -> None:
        """Make the COG, see that all of it is on the disk, and give it its name."""
        # GDAL only logs a failed write of its cache: what is on the disk has to be looked at
        if self._rows.stat().st_size < self._size:
            raise _no_space(self._rows.parent, self._size)
        with _writing(temporary.parent, self._size):
            self._lay_out(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if not _complete(temporary):
            raise _no_space(temporary.parent, self._size)
        temporary.replace(self._path)

    def _lay_out(self, target: Path) -> None:
        """Make the COG of the file of rows."""
        threads = os.environ.get("GDAL_NUM_THREADS", "ALL_CPUS")
        with rasterio.Env(**session_options(), GDAL_NUM_THREADS=threads):
            copy(
                self._rows,
                target,
                driver="COG",
                COMPRESS="DEFLATE",
                LEVEL=str(self._kind.level),
                PREDICTOR="YES",
                BLOCKSIZE=str(BLOCK),
                OVERVIEW_RESAMPLING=self._kind.overviews,
                BIGTIFF="IF_SAFER",
            )


@contextmanager
def _writing(folder: Path, size: int) -> Iterator[None]:
    """Turn GDAL's failures to write into `OSError`."""
    try:
        yield
    except (RasterioError, CPLE_BaseError) as failure:
        raise _no_space(folder, size) from failure


def _no_space(folder: Path, size: int) -> OSError:
    """Return ENOSPC where a folder has less room than the pixels take, else EIO; without a path."""
    code = errno.ENOSPC if shutil.disk_usage(folder).free < size else errno.EIO
    return OSError(code, os.strerror(code))


def _complete(path: Path) -> bool:
    """Say whether every tile of the full-size image, written last, lies within the file."""
    size = path.stat().st_size
    with rasterio.Env(**session_options()), rasterio.open(path, driver="GTiff") as dataset:
        for (row, column), _ in dataset.block_windows(1):
            place, length = (
                dataset.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=1) for what in ("OFFSET", "SIZE")
            )
            if place is None or length is None or int(place) + int(length) > size:
                return False
    return True
