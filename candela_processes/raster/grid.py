"""Where pixels lie: one frozen value per image, and the questions whether two images lie alike."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, pi
from pathlib import Path
from typing import Self

import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import DatasetReader

from candela_processes.errors import InvalidInput

PIXEL_TOLERANCE = 1e-6  # pixels, over the whole extent of the image
IDENTITY = Affine.identity()


@dataclass(frozen=True, slots=True)
class Grid:
    """A coordinate reference system, an affine transform (pixel corner to CRS units), and a size in pixels."""

    crs: CRS
    transform: Affine
    width: int
    height: int

    @classmethod
    def of(cls, dataset: DatasetReader, name: str) -> Self:
        """Return the grid of an open image; `InvalidInput` where it has no georeferencing that can be used."""
        file = Path(dataset.name).name
        if dataset.crs is None and dataset.gcps[0]:
            raise InvalidInput(name, f"{file} has only ground control points; rectify it to a map grid first.")
        if dataset.transform == IDENTITY or dataset.crs is None:
            raise InvalidInput(
                name,
                f"{file} has no georeferencing; a coordinate reference system and a geotransform are needed in it.",
            )
        if abs(dataset.transform.determinant) == 0:
            raise InvalidInput(name, f"{file} has pixels of zero size.")
        return cls(dataset.crs, dataset.transform, dataset.width, dataset.height)

    @property
    def pixels(self) -> int:
        """Return the number of pixels."""
        return self.width * self.height

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Return the outer corners in CRS units, in the order of the pixels' corners (0, 0), (w, 0), (w, h), (0, h)."""
        size = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return tuple(self.transform @ corner for corner in size)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Return left, bottom, right, top in CRS units."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Return width and height of a pixel in CRS units, both positive."""
        t = self.transform
        return hypot(t.a, t.d), hypot(t.b, t.e)

    @property
    def axis_aligned(self) -> bool:
        """Say whether rows and columns follow the axes of the CRS (no rotation, no shear)."""
        return self.transform.b == 0 and self.transform.d == 0

    def describe(self) -> str:
        """Return the grid in words for a message: CRS, size, pixel size, upper-left corner."""
        dx, dy = self.pixel_size
        x, y = self.corners[0]
        return (
            f"{crs_name(self.crs)}, {self.width} x {self.height} pixels of {dx:.10g} x {dy:.10g}, "
            f"upper left {x:.10g}, {y:.10g}"
        )


def crs_name(crs: CRS) -> str:
    """Return a short name of a CRS: its authority code where it has one, else its name."""
    code = crs.to_authority()
    return ":".join(code) if code else pyproj.CRS.from_wkt(crs.to_wkt()).name


def same_crs(a: CRS, b: CRS) -> bool:
    """Say whether two CRS are the same, also where one is WKT without a code; the order of axes does not count."""
    if a == b:
        return True
    return pyproj.CRS.from_wkt(a.to_wkt()).equals(pyproj.CRS.from_wkt(b.to_wkt()), ignore_axis_order=True)


def same_grid(a: Grid, b: Grid) -> bool:
    """Say whether two images lie pixel on pixel: same size, same CRS, corners within 1e-6 pixel."""
    return not differences(a, b)


def differences(a: Grid, b: Grid) -> list[str]:
    """Return in words what differs between two grids: CRS, pixel size, origin, size; empty for equal grids."""
    found = []
    if not same_crs(a.crs, b.crs):
        found.append(f"CRS ({crs_name(a.crs)} and {crs_name(b.crs)})")
    extent = max(a.width, a.height)
    if not _close(a, b, "abde", PIXEL_TOLERANCE / extent):
        sizes = _size(a), _size(b)
        if sizes[0] == sizes[1]:  # south up, rotated, or nearly equal: only the coefficients tell
            sizes = _steps(a), _steps(b)
        found.append(f"pixel size or rotation ({sizes[0]} and {sizes[1]})")
    if not _close(a, b, "cf", PIXEL_TOLERANCE):
        found.append(f"origin ({_origin(a)} and {_origin(b)})")
    if (a.width, a.height) != (b.width, b.height):
        found.append(f"size ({a.width} x {a.height} and {b.width} x {b.height} pixels)")
    return found


def _close(a: Grid, b: Grid, coefficients: str, tolerance: float) -> bool:
    """Compare coefficients of two transforms within a tolerance in pixels of the first."""
    limit = tolerance * min(a.pixel_size)
    return all(abs(getattr(a.transform, c) - getattr(b.transform, c)) <= limit for c in coefficients)


def _size(grid: Grid) -> str:
    """Return the pixel size in words."""
    return "{:.10g} x {:.10g}".format(*grid.pixel_size)


def _steps(grid: Grid) -> str:
    """Return in words where one column and one row lead."""
    t = grid.transform
    return f"a column leads by {t.a:.15g}, {t.d:.15g}, a row by {t.b:.15g}, {t.e:.15g}"


def _origin(grid: Grid) -> str:
    """Return the upper-left corner in words."""
    return "{:.10g}, {:.10g}".format(*grid.corners[0])


def require_same_grid(grids: Sequence[Grid], names: Sequence[str]) -> None:
    """Raise `InvalidInput` for the first image that does not lie pixel on pixel with the first one."""
    for grid, name in zip(grids[1:], names[1:], strict=True):
        found = differences(grids[0], grid)
        if found:
            raise InvalidInput(
                name,
                f"its grid differs from that of {names[0]} in {', '.join(found)}; grids must match exactly, "
                'or give align: "first" to resample to the grid of the first image.',
            )


def require_overlap(grids: Sequence[Grid], names: Sequence[str]) -> None:
    """Raise `InvalidInput` for the first pair of images that have no ground in common."""
    for (a, name_a), (b, name_b) in itertools.combinations(zip(grids, names, strict=True), 2):
        if not overlap(a, b):
            raise InvalidInput(
                name_b,
                f"it does not overlap {name_a}: {b.describe()} has no ground in common with {a.describe()}.",
            )


def overlap(a: Grid, b: Grid) -> bool:
    """Say whether the extents of two images meet, judged in the CRS of the first (there 180 is -180 degrees)."""
    left, bottom, right, top = _bounds_in(b, a.crs)
    a_left, a_bottom, a_right, a_top = a.bounds
    turns: tuple[float, ...] = (0.0,)
    if a.crs.is_geographic and not same_crs(a.crs, b.crs):
        whole = _turn(a.crs)
        right += whole if right < left else 0.0  # PROJ says so of an extent across the antimeridian
        turns = (-whole, 0.0, whole)
    across = any(left + turn < a_right and a_left < right + turn for turn in turns)
    return across and bottom < a_top and a_bottom < top


def _turn(crs: CRS) -> float:
    """Return 360 degrees in the unit of a geographic CRS."""
    return 2 * pi / float(pyproj.CRS.from_wkt(crs.to_wkt()).axis_info[0].unit_conversion_factor)


def _bounds_in(grid: Grid, crs: CRS) -> tuple[float, float, float, float]:
    """Return the bounds of a grid in another CRS; an extent that has no image there is empty."""
    if same_crs(grid.crs, crs):
        return grid.bounds
    transformer = pyproj.Transformer.from_crs(grid.crs.to_wkt(), crs.to_wkt(), always_xy=True)
    left, bottom, right, top = transformer.transform_bounds(*grid.bounds, densify_pts=21)
    return left, bottom, right, top
