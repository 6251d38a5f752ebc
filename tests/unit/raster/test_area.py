"""Areas against polygons on the ellipsoid, computed by GeographicLib (pyproj.Geod)."""

import itertools

import numpy as np
import pyproj
import pytest
from affine import Affine
from rasterio.crs import CRS

from candela_processes.errors import InvalidInput
from candela_processes.raster.area import pixel_area_km2
from candela_processes.raster.grid import Grid

GRIDS = {
    "UTM tile": (32633, Affine(20, 0, 399960, 0, -20, 5000040), 549, 549, 1e-7),
    "rotated UTM": (32633, Affine(8, 6, 399960, 6, -8, 5000040), 200, 300, 1e-7),
    "geographic": (4326, Affine(8e-4, 0, -74.7, 0, -8e-4, -8.28), 697, 377, 1e-7),
    "rotated geographic": (4326, Affine(8e-4, 3e-4, 10, 3e-4, -8e-4, 50), 400, 300, 1e-6),
    "equal area": (3035, Affine(1000, 0, 3e6, 0, -1000, 4e6), 90, 110, 1e-7),
    "Web Mercator, 46 degrees of latitude": (3857, Affine(30000, 0, 0, 0, -30000, 8e6), 100, 200, 1e-4),
    "US survey feet": (2263, Affine(30, 0, 9e5, 0, -30, 3e5), 100, 100, 1e-6),
    "pole": (3031, Affine(10000, 0, -5e5, 0, -10000, 5e5), 100, 100, 1e-5),
}


def polygon_km2(grid: Grid, rows: tuple[int, int], columns: tuple[int, int]) -> float:
    """Return the area within some rows and columns by a polygon with many points along each side."""
    corners = [(columns[0], rows[0]), (columns[1], rows[0]), (columns[1], rows[1]), (columns[0], rows[1])]
    share = np.linspace(0, 1, 2000, endpoint=False)
    points = [
        np.stack([a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share])
        for a, b in itertools.pairwise([*corners, corners[0]])
    ]
    column, row = np.concatenate(points, axis=1)
    t = grid.transform
    crs = pyproj.CRS.from_wkt(grid.crs.to_wkt())
    to_geographic = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = to_geographic.transform(t.a * column + t.b * row + t.c, t.d * column + t.e * row + t.f)
    geod = crs.get_geod()
    assert geod is not None
    return abs(geod.polygon_area_perimeter(lon, lat)[0]) / 1e6


@pytest.mark.parametrize("case", GRIDS)
def test_areas_are_those_of_polygons_on_the_ellipsoid(case: str) -> None:
    code, transform, width, height, tolerance = GRIDS[case]
    grid = Grid(CRS.from_epsg(code), transform, width, height)
    areas = pixel_area_km2(grid)
    rows, columns = (height // 4, height // 2), (width // 5, width // 3)
    mask = np.zeros((height, width), bool)
    mask[slice(*rows), slice(*columns)] = True
    # in two blocks, as a stream delivers them
    half = height // 3
    mapped = areas.mapped_km2(0, mask[:half]) + areas.mapped_km2(half, mask[half:].ravel())
    assert mapped == pytest.approx(polygon_km2(grid, rows, columns), rel=tolerance)
    window = np.broadcast_to(areas.window(0, height), mask.shape)
    assert window[mask].sum() == pytest.approx(mapped, rel=1e-6)


def test_the_whole_earth() -> None:
    areas = pixel_area_km2(Grid(CRS.from_epsg(4326), Affine(0.5, 0, -180, 0, -0.5, 90), 720, 360))
    # surface of the WGS 84 ellipsoid (NGA.STND.0036, table 3.5: 510 065 621.724 km2)
    assert areas.mapped_km2(0, np.ones((360, 720), bool)) == pytest.approx(510_065_621.724, abs=0.01)


def test_a_degree_may_be_a_grad() -> None:
    grads = Grid(CRS.from_epsg(4807), Affine(1e-3, 0, 0, 0, -1e-3, 50), 100, 100)  # NTF (Paris)
    degrees = Grid(CRS.from_epsg(4275), Affine(0.9e-3, 0, 2, 0, -0.9e-3, 45), 100, 100)  # NTF
    everything = np.ones((100, 100), bool)
    assert pixel_area_km2(grads).mapped_km2(0, everything) == pytest.approx(
        pixel_area_km2(degrees).mapped_km2(0, everything), rel=1e-9
    )


def test_a_local_crs_has_no_area() -> None:
    local = CRS.from_wkt('LOCAL_CS["plot",UNIT["metre",1]]')
    with pytest.raises(InvalidInput, match="geographic or projected"):
        pixel_area_km2(Grid(local, Affine(1, 0, 1, 0, -1, 1), 10, 10))
