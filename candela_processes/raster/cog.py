"""Writing results as Cloud Optimized GeoTIFFs, a block of rows at a time.

The rows go into a plain GeoTIFF in scratch; GDAL's COG driver then lays it out (512 x 512 tiles, DEFLATE, overviews
before the image, header first: OGC 21-026) under a temporary name, which is renamed when all is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.shutil import copy

from candela_processes.raster.environment import session_options
from candela_processes.raster.grid import Grid

BLOCK = 512


@dataclass(frozen=True, slots=True)
class CogKind:
    """What the pixels are: data type, nodata value, and how overviews are made of them."""

    dtype: Literal["uint8", "float32"]
    nodata: float
    overviews: Literal["NEAREST", "MODE", "AVERAGE"]


CLASSES = CogKind("uint8", 255, "NEAREST")
"""uint8 class codes, 255 where nothing was observed."""
MAGNITUDE = CogKind("float32", nan, "AVERAGE")
"""float32 measures, NaN where nothing was observed; overviews average what was observed."""


class CogWriter:
    """A context manager that takes blocks of rows and leaves a COG at `path`, or nothing where an error left it.

    Everything is written as one band on `grid`. `tags` become GDAL metadata of the file (Start_date, End_date,
    Product_id1, Product_id2, Agent, Category and so on); empty values are left out. One thread only.
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
        """Write whole rows, (rows, width) or flat (rows * width,), from `first_row` on."""
        block = np.asarray(rows, self._kind.dtype).reshape(-1, self._grid.width)
        window = rasterio.windows.Window(0, first_row, self._grid.width, block.shape[0])
        self._dataset.write(block, 1, window=window)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lay the rows out as a COG and give it its name; on an error only clean up."""
        temporary = self._path.with_name(f".{self._path.name}.part")
        try:
            self._dataset.close()
            if error is None:
                self._lay_out(temporary)
                temporary.replace(self._path)
        finally:
            self._rows.unlink(missing_ok=True)
            temporary.unlink(missing_ok=True)

    def _lay_out(self, target: Path) -> None:
        """Make the COG of the file of rows."""
        threads = os.environ.get("GDAL_NUM_THREADS", "ALL_CPUS")
        with rasterio.Env(**session_options(), GDAL_NUM_THREADS=threads):
            copy(
                self._rows,
                target,
                driver="COG",
                COMPRESS="DEFLATE",
                PREDICTOR="YES",
                BLOCKSIZE=str(BLOCK),
                OVERVIEW_RESAMPLING=self._kind.overviews,
                BIGTIFF="IF_SAFER",
            )
