"""Where pixels lie, and what is said when two images lie differently."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from candela_processes.errors import InvalidInput
from candela_processes.raster.drivers import open_image
from candela_processes.raster.grid import Grid, differences, overlap, require_same_grid, same_crs, same_grid

type WriteImage = Callable[..., Path]

UTM = Grid(CRS.from_epsg(32633), Affine(10, 0, 500000, 0, -10, 5000000), 1000, 800)


def test_grid_of_real_images(data: Path) -> None:
    with open_image(data / "landsat_taizhou" / "2000TM", "images/0") as dataset:
        grid = Grid.of(dataset, "images/0")
    assert grid.describe() == "EPSG:32651, 400 x 400 pixels of 30 x 30, upper left 203325, 3604935"
    assert grid.bounds == (203325, 3592935, 215325, 3604935)
    with open_image(data / "landsat_pucallpa" / "1985.tif", "images/0") as dataset:
        assert Grid.of(dataset, "images/0").crs == CRS.from_epsg(4326)


@pytest.mark.parametrize(
    ("transform", "differs"),
    [
        (Affine(10, 0, 500000 + 9e-6, 0, -10, 5000000), False),
        (Affine(10, 0, 500000 + 2e-5, 0, -10, 5000000), True),
        (Affine(10 + 9e-9, 0, 500000, 0, -10, 5000000), False),
        (Affine(10 + 2e-8, 0, 500000, 0, -10, 5000000), True),
        (Affine(10, 2e-8, 500000, 0, -10, 5000000), True),
    ],
)
def test_equal_within_a_millionth_of_a_pixel(transform: Affine, differs: bool) -> None:
    assert same_grid(UTM, replace(UTM, transform=transform)) is not differs


def test_each_difference_is_named() -> None:
    other = Grid(CRS.from_epsg(32634), Affine(20, 0, 500010, 0, -20, 5000000), 500, 400)
    assert differences(UTM, other) == [
        "CRS (EPSG:32633 and EPSG:32634)",
        "pixel size or rotation (10 x 10 and 20 x 20)",
        "origin (500000, 5000000 and 500010, 5000000)",
        "size (1000 x 800 and 500 x 400 pixels)",
    ]
    with pytest.raises(InvalidInput) as error:
        require_same_grid([UTM, UTM, replace(UTM, width=999)], ["images/0", "images/1", "images/2"])
    assert error.value.detail == (
        "images/2: its grid differs from that of images/0 in size (1000 x 800 and 999 x 800 pixels); grids must match "
        'exactly, or give align: "first" to resample to the grid of the first image.'
    )


@pytest.mark.parametrize(
    "transform",
    [Affine(10, 0, 500000, 0, 10, 4992000), Affine(6, 8, 500000, 8, -6, 5000000), Affine(10, 1e-6, 0, 0, -10, 0)],
)
def test_what_differs_can_be_seen_where_the_pixels_have_one_size(transform: Affine) -> None:
    said = differences(UTM, replace(UTM, transform=transform))[0]
    first, second = said.removeprefix("pixel size or rotation (").removesuffix(")").split(" and ")
    assert first != second


def test_overlap_across_the_antimeridian() -> None:
    # east of 180 degrees zone 60 goes on; 1e-3 degrees are about 110 m there
    zone_60 = Grid(CRS.from_epsg(32660), Affine(120, 0, 820000, 0, -120, 1000000), 320, 300)
    east, west = (
        Grid(CRS.from_epsg(4326), Affine(1e-3, 0, left, 0, -1e-3, 9.04), 320, 300) for left in (179.9, -180.1)
    )
    away = Grid(CRS.from_epsg(4326), Affine(1e-3, 0, -179.5, 0, -1e-3, 9.04), 320, 300)
    for degrees in (east, west):
        assert overlap(zone_60, degrees)
        assert overlap(degrees, zone_60)
    assert not overlap(zone_60, away)
    assert not overlap(away, zone_60)


def test_wkt_without_code_is_the_same_crs() -> None:
    esri = (
        'PROJCS["UTM_Zone_51N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
        'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
        'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",123.0],'
        'PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
    )
    assert same_crs(CRS.from_wkt(esri), CRS.from_epsg(32651))
    assert not same_crs(CRS.from_wkt(esri), CRS.from_epsg(32650))
    assert same_crs(CRS.from_epsg(4326), CRS.from_user_input("OGC:CRS84"))


def test_overlap_also_across_crs() -> None:
    assert overlap(UTM, replace(UTM, transform=Affine(10, 0, 509990, 0, -10, 5000000)))
    assert not overlap(UTM, replace(UTM, transform=Affine(10, 0, 510000, 0, -10, 5000000)))
    near = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 15, 0, -0.01, 45.2), 20, 20)
    far = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 25, 0, -0.01, 45.2), 20, 20)
    assert overlap(UTM, near)
    assert not overlap(UTM, far)
    assert not overlap(UTM, Grid(CRS.from_epsg(4326), Affine(0.01, 0, -165, 0, -0.01, -45), 20, 20))


def test_images_without_georeferencing(data: Path, tmp_path: Path, write_image: WriteImage) -> None:
    for path in (
        data / "landsat_taizhou" / "change.bmp",
        write_image("no.tif", np.ones((1, 4, 4), np.uint8), crs=None),
    ):
        with open_image(path, "map") as dataset, pytest.raises(InvalidInput) as error:
            Grid.of(dataset, "map")
        assert error.value.detail.startswith(f"map: {path.name} has no georeferencing; a coordinate reference system")


def test_ground_control_points_are_not_a_grid(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image("gcp.tif", np.ones((1, 4, 4), np.uint8), crs=None)
    with rasterio.open(path, "r+") as dataset:
        points = [GroundControlPoint(row, col, 10 + col, 50 - row) for row in (0, 4) for col in (0, 4)]
        dataset.gcps = (points, CRS.from_epsg(4326))
    with open_image(path, "images/0") as dataset, pytest.raises(InvalidInput, match="only ground control points"):
        Grid.of(dataset, "images/0")
