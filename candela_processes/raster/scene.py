"""The images of one request, checked before any pixel is decoded: bands, grids, dates, data types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from candela_processes.errors import InvalidInput
from candela_processes.raster.dates import Acquisition, acquisition_date
from candela_processes.raster.drivers import open_image
from candela_processes.raster.grid import Grid, require_overlap, require_same_grid

Align = Literal["exact", "first"]
PIXEL_TYPES = tuple(np.dtype(kind) for kind in (np.uint8, np.uint16, np.int16, np.float32, np.float64))


@dataclass(frozen=True, slots=True)
class Scene:
    """One image of a request: where it is, its own grid, the bands (from 1) to be used, and their common data type."""

    path: Path
    name: str
    grid: Grid
    bands: tuple[int, ...]
    band_names: tuple[str, ...]
    dtype: np.dtype[Any]
    acquired: Acquisition | None

    @property
    def band_labels(self) -> tuple[str, ...]:
        """Return what to call the used bands in messages: number in the file, and name where there is one."""
        return tuple(
            f"{number}" if name == f"band {number}" else f"{number} ({name[:40]})"
            for number, name in zip(self.bands, self.band_names, strict=True)
        )


def open_scenes(
    paths: Sequence[Path],
    names: Sequence[str],
    bands: Sequence[int | str] | None = None,
    align: Align = "exact",
) -> tuple[Scene, ...]:
    """Read the headers of all images and check that they can be compared.

    `names` are the inputs' names in errors. `bands` are numbers from 1 or band descriptions and hold for every
    image; without them all bands but alpha are used. `align="first"` allows other grids (`decode` resamples them).
    Raises `InvalidInput` for an unreadable image, a band that does not exist, unequal numbers of bands, complex
    pixels, grids that differ (`align="exact"`), and images without ground in common.
    """
    scenes = tuple(_scene(path, name, bands) for path, name in zip(paths, names, strict=True))
    for scene in scenes[1:]:
        if len(scene.bands) != len(scenes[0].bands):
            raise InvalidInput(
                scene.name,
                f"it has {len(scene.bands)} bands and {scenes[0].name} has {len(scenes[0].bands)}; "
                "images must have the same bands, or name those to use in bands.",
            )
    grids = [scene.grid for scene in scenes]
    require_overlap(grids, names)
    if align == "exact":
        require_same_grid(grids, names)
    return scenes


def _scene(path: Path, name: str, bands: Sequence[int | str] | None) -> Scene:
    """Read one header."""
    with open_image(path, name) as dataset:
        numbers = select_bands(dataset, bands, name)
        _refuse_colour_table(dataset, numbers, path, name)
        dtypes = [np.dtype(_plain(dataset.dtypes[number - 1], path, name)) for number in numbers]
        return Scene(
            path=path,
            name=name,
            grid=Grid.of(dataset, name),
            bands=numbers,
            band_names=tuple(dataset.descriptions[number - 1] or f"band {number}" for number in numbers),
            dtype=common_dtype(dtypes),
            acquired=acquisition_date(dataset),
        )


def _refuse_colour_table(dataset: DatasetReader, numbers: Sequence[int], path: Path, name: str) -> None:
    """Refuse bands whose values are places in a colour table: their differences mean nothing."""
    for number in numbers:
        if dataset.colorinterp[number - 1] == ColorInterp.palette:
            raise InvalidInput(
                name,
                f"band {number} of {path.name} is a palette: its values are places in a colour table, not "
                "measurements; give the image with its measured values.",
            )


def _plain(dtype: str, path: Path, name: str) -> str:
    """Return a real data type as numpy calls it; complex pixels are refused."""
    if "complex" in dtype:
        raise InvalidInput(name, f"{path.name} has complex pixels ({dtype}); allowed are integers and real numbers.")
    return dtype


def select_bands(dataset: DatasetReader, bands: Sequence[int | str] | None, name: str) -> tuple[int, ...]:
    """Return band numbers (from 1) for numbers or descriptions; all but alpha for None.

    Raises `InvalidInput` naming the entry (`bands/1`) and listing the bands that exist.
    """
    existing = [i for i in dataset.indexes if dataset.colorinterp[i - 1] != ColorInterp.alpha]
    if bands is None:
        return tuple(existing)
    if not bands:
        raise InvalidInput("bands", "the list is empty; leave it out to use all bands.")
    numbers = tuple(_band(dataset, band, f"bands/{i}", name) for i, band in enumerate(bands))
    if len(set(numbers)) != len(numbers):
        raise InvalidInput("bands", f"a band is named twice for {name}; each may be used once.")
    return numbers


def _band(dataset: DatasetReader, band: int | str, entry: str, name: str) -> int:
    """Return the number of one band."""
    if isinstance(band, int) and band in dataset.indexes:
        return band
    if isinstance(band, str):
        wanted = band.strip().casefold()
        found = [i for i in dataset.indexes if (dataset.descriptions[i - 1] or "").strip().casefold() == wanted]
        if len(found) == 1:
            return int(found[0])
        if not found and wanted.isdecimal() and int(wanted) in dataset.indexes:
            return int(wanted)
        if found:
            raise InvalidInput(entry, f"{name} has several bands named {band!r} ({found}); give a number.")
    raise InvalidInput(entry, f"{name} has no band {band!r}; it has {_listing(dataset)}.")


def _listing(dataset: DatasetReader) -> str:
    """Return the bands of an image in words, at most twenty of them by name."""
    named = [f"{i} ({dataset.descriptions[i - 1]})" for i in dataset.indexes[:20] if dataset.descriptions[i - 1]]
    return f"bands 1 to {dataset.count}" + (f": {', '.join(named)}" if named else "")


def common_dtype(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """Return the first of uint8, uint16, int16, float32, float64 that holds the values of all types exactly.

    Integers of more than 16 bits become float64, 64-bit integers with its 53 bits of precision.
    """
    wanted = np.result_type(*dtypes)
    if wanted.kind in "ui" and wanted.itemsize > 2 and all(dtype.itemsize <= 2 for dtype in dtypes):
        return np.dtype(np.float32)  # uint16 beside a signed type; float32 holds 24 bits
    return next((kind for kind in PIXEL_TYPES if np.can_cast(wanted, kind)), np.dtype(np.float64))
