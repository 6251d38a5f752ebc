"""How much ground a pixel covers, on the ellipsoid rather than on the map.

A geographic grid has pixels bounded by meridians and parallels, whose area has a closed form (Snyder 1987, Map
Projections: A Working Manual, eq. 3-12). On any other grid two steps along row and column are taken at the nodes of
a coarse grid, brought onto the ellipsoid, and their cross product is the area, interpolated bilinearly between nodes.
Counting is exact for given areas: sums run over pixels, not over estimates of shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyproj
from numpy.typing import NDArray

from candela_processes.errors import InvalidInput
from candela_processes.raster.grid import Grid, crs_name

NODES = 65  # per side; on Web Mercator over 50 degrees of latitude this is right to 3e-5
STEP_METRES = 500.0  # short against the Earth, long against the accuracy of an inverse projection
SQUARE_METRES = 1e6  # in a square kilometre


@dataclass(frozen=True, slots=True)
class PixelAreas:
    """The area of every pixel of a grid, as `row_weights @ nodes @ column_weights`.

    `nodes` in km2, (r, c); `rows` and `columns` are the positions of the nodes in pixels. A geographic grid has one
    node per row and one column.
    """

    grid: Grid
    nodes: NDArray[np.float64]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    @classmethod
    def of(cls, grid: Grid) -> Self:
        """Compute the areas; `InvalidInput` (`images`) for a CRS that is neither geographic nor projected."""
        crs = pyproj.CRS.from_wkt(grid.crs.to_wkt())
        if crs.geodetic_crs is None or not (crs.is_geographic or crs.is_projected):
            raise InvalidInput("images", f"areas need a geographic or projected CRS, not {crs_name(grid.crs)}.")
        if crs.is_geographic and grid.axis_aligned:
            rows = np.arange(0.5, grid.height, dtype=np.float64)
            return cls(grid, _parallel_bands(grid, crs)[:, None], rows, np.array([grid.width / 2]))
        rows, columns = _positions(grid.height), _positions(grid.width)
        return cls(grid, _elements(grid, crs, rows, columns), rows, columns)

    def window(self, first_row: int, rows: int) -> NDArray[np.float64]:
        """Return the areas in km2 of some whole rows, (rows, width), or (rows, 1) where columns do not matter."""
        areas = _weights(self.rows, first_row, rows) @ self.nodes @ self._column_weights().T
        return np.asarray(areas, np.float64)

    def mapped_km2(self, first_row: int, mask: NDArray[Any]) -> float:
        """Return the area in km2 of the pixels that are true in some whole rows, (rows, width) or flat."""
        block = np.asarray(mask, np.bool_).reshape(-1, self.grid.width)
        if self.nodes.shape[1] == 1:
            counts = np.count_nonzero(block, axis=1)[:, None].astype(np.float64)
        else:
            counts = block.astype(np.float32) @ self._column_weights().astype(np.float32)
        return float(np.sum(_weights(self.rows, first_row, block.shape[0]).T @ counts * self.nodes))

    def _column_weights(self) -> NDArray[np.float64]:
        """Return the weights of the nodes for every column, (width, nodes); (1, 1) where columns do not matter."""
        if self.nodes.shape[1] == 1:
            return np.ones((1, 1))
        return _weights(self.columns, 0, self.grid.width)


def pixel_area_km2(grid: Grid) -> PixelAreas:
    """Return the geodesic area of every pixel of a grid in km2."""
    return PixelAreas.of(grid)


def _positions(size: int) -> NDArray[np.float64]:
    """Return the positions of the nodes along a side of `size` pixels, first and last at the outer edges."""
    return np.linspace(0, size, min(NODES, size + 1), dtype=np.float64)


def _weights(nodes: NDArray[np.float64], first: int, count: int) -> NDArray[np.float64]:
    """Return the linear weights of the nodes at the centres of `count` pixels from `first` on, (count, nodes)."""
    centres = first + np.arange(count) + 0.5
    if len(nodes) == 1:
        return np.ones((count, 1))
    right = np.clip(np.searchsorted(nodes, centres), 1, len(nodes) - 1)
    share = (centres - nodes[right - 1]) / (nodes[right] - nodes[right - 1])
    weights = np.zeros((count, len(nodes)))
    weights[np.arange(count), right - 1] = 1 - share
    weights[np.arange(count), right] += share
    return weights


def _parallel_bands(grid: Grid, crs: pyproj.CRS) -> NDArray[np.float64]:
    """Return the area in km2 of a pixel of each row of a geographic grid."""
    unit = _radians_per_unit(crs)
    edges = (grid.transform.f + np.arange(grid.height + 1) * grid.transform.e) * unit
    zone = np.abs(np.diff(_zone(np.clip(edges, -np.pi / 2, np.pi / 2), crs)))
    return np.asarray(zone * abs(grid.transform.a) * unit / SQUARE_METRES)


def _zone(latitude: NDArray[np.float64], crs: pyproj.CRS) -> NDArray[np.float64]:
    """Return the area in m2 between the equator and a latitude (radians), per radian of longitude."""
    a, b = _axes(crs)
    e = np.sqrt(1 - (b / a) ** 2)
    sine = np.sin(latitude)
    if e == 0:
        return np.asarray(a**2 * sine)
    return np.asarray(b**2 / 2 * (sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e))


def _axes(crs: pyproj.CRS) -> tuple[float, float]:
    """Return the semi-axes of the ellipsoid in metres."""
    geod = crs.get_geod() or pyproj.Geod(ellps="WGS84")
    return float(geod.a), float(geod.b)


def _radians_per_unit(crs: pyproj.CRS) -> float:
    """Return the size of the unit of a geographic CRS (mostly degrees) in radians."""
    return float(crs.axis_info[0].unit_conversion_factor)


def _elements(grid: Grid, crs: pyproj.CRS, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
    """Return the pixel areas in km2 at the nodes; 0 where the map has no ground."""
    column, row = np.meshgrid(columns, rows)
    step = max(0.5, STEP_METRES / (min(grid.pixel_size) * _metres_per_unit(crs)))
    along_row = _on_ellipsoid(grid, crs, row, column + step) - _on_ellipsoid(grid, crs, row, column - step)
    along_column = _on_ellipsoid(grid, crs, row + step, column) - _on_ellipsoid(grid, crs, row - step, column)
    areas = np.linalg.norm(np.cross(along_row, along_column, axis=0), axis=0) / (2 * step) ** 2
    return np.asarray(np.where(np.isfinite(areas), areas, 0.0) / SQUARE_METRES, np.float64)


def _on_ellipsoid(grid: Grid, crs: pyproj.CRS, row: NDArray[Any], column: NDArray[Any]) -> NDArray[np.float64]:
    """Return geocentric coordinates in metres, (3, ...), of positions in pixels; not finite off the map."""
    t = grid.transform
    to_geographic = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    x, y = t.a * column + t.b * row + t.c, t.d * column + t.e * row + t.f
    longitude, latitude = (np.asarray(angle) for angle in to_geographic.transform(x, y))
    unit = _radians_per_unit(crs.geodetic_crs or crs)
    longitude, latitude = longitude * unit, np.where(np.isfinite(longitude), latitude, np.nan) * unit
    a, b = _axes(crs)
    normal = a**2 / np.sqrt((a * np.cos(latitude)) ** 2 + (b * np.sin(latitude)) ** 2)
    level = normal * np.cos(latitude)
    longitude = np.where(np.isfinite(longitude), longitude, 0)
    return np.stack([level * np.cos(longitude), level * np.sin(longitude), normal * (b / a) ** 2 * np.sin(latitude)])


def _metres_per_unit(crs: pyproj.CRS) -> float:
    """Return about how long a unit of the CRS is on the ground."""
    factor = float(crs.axis_info[0].unit_conversion_factor)
    return factor * _axes(crs)[0] if crs.is_geographic else factor
