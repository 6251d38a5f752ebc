"""Lengths on the ground at the middle of an image: the shape of a pixel, a scale bar; and where north is."""

from __future__ import annotations

from math import floor, log10

import numpy as np
import pyproj

from candela_processes.raster.grid import Grid

MOST_CONVERGENCE = 10.0
"""Degrees by which an arrow that points upwards may miss true north."""


def ground_size(grid: Grid) -> tuple[float, float]:
    """Return width and height of the middle pixel in metres along geodesics; square where the CRS says nothing."""
    crs = pyproj.CRS.from_wkt(grid.crs.to_wkt())
    geod = crs.get_geod()
    if crs.geodetic_crs is None or geod is None or not (crs.is_geographic or crs.is_projected):
        return grid.pixel_size
    to_geographic = pyproj.Transformer.from_crs(crs, pyproj.CRS.from_epsg(4326), always_xy=True)
    t, column, row = grid.transform, grid.width / 2, grid.height / 2
    columns = np.array([column - 1, column + 1, column, column])
    rows = np.array([row, row, row - 1, row + 1])
    longitude, latitude = to_geographic.transform(t.a * columns + t.b * rows + t.c, t.d * columns + t.e * rows + t.f)
    _, _, metres = geod.inv(longitude[::2], latitude[::2], longitude[1::2], latitude[1::2])
    width, height = (float(length) / 2 for length in metres)
    return (width, height) if np.isfinite(width + height) and width > 0 and height > 0 else grid.pixel_size


def north_is_up(grid: Grid) -> bool:
    """Say whether north is upwards, within 10 degrees, all over a picture whose rows run from north to south."""
    crs = pyproj.CRS.from_wkt(grid.crs.to_wkt())
    geod = crs.get_geod()
    if not grid.axis_aligned or crs.geodetic_crs is None or geod is None or not (crs.is_geographic or crs.is_projected):
        return False
    to_geographic = pyproj.Transformer.from_crs(crs, pyproj.CRS.from_epsg(4326), always_xy=True)
    places = [*grid.corners, tuple(np.mean(grid.corners, axis=0))]
    x, y = (np.array(values) for values in zip(*places, strict=True))
    here, above = (to_geographic.transform(x, y + step) for step in (0.0, grid.pixel_size[1]))
    azimuth, _, _ = geod.inv(*here, *above)
    return bool((np.abs(azimuth) <= MOST_CONVERGENCE).all())


def bar_length(longest: float) -> tuple[float, str]:
    """Return the largest of 1, 2, 5 x 10^n metres up to `longest`, and how it is written (500 m, 20 km)."""
    power = 10.0 ** floor(log10(longest))
    length = max(step * power for step in (1, 2, 5) if step * power <= longest)
    return length, f"{length / 1000:,.12g} km" if length >= 1000 else f"{length:.12g} m"
