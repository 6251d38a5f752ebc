"""The picture shows what the numbers say, in colours that everybody can tell apart."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS

from candela_processes.raster.cog import CLASSES, CogWriter
from candela_processes.raster.grid import Grid
from candela_processes.raster.palette import CHANGED, hatch, rgb_bands, stretch_couple
from candela_processes.raster.quicklook import GAP, MARGIN, TITLE, WIDTH, PictureRow, render
from candela_processes.raster.scale import bar_length, ground_size, north_is_up
from candela_processes.raster.stack import Couple, decode, open_scenes
from candela_processes.raster.thumbnail import CoupleView, block_sums, view_couple

type WriteImage = Callable[..., Path]


def classes_file(tmp_path: Path, grid: Grid, classes: NDArray[Any]) -> Path:
    with CogWriter(tmp_path / "changes.tif", grid, CLASSES, tmp_path, "changes", {}) as cog:
        cog.write(0, classes)
    return tmp_path / "changes.tif"


def couple_of(tmp_path: Path, before: Path, after: Path) -> Couple:
    return decode(open_scenes([before, after], ["images/0", "images/1"]), tmp_path).couple(0)


def view_of(grid: Grid, changed: NDArray[Any], missing: NDArray[Any]) -> CoupleView:
    ramp = np.linspace(0, 1, grid.pixels, dtype=np.float32).reshape(grid.height, grid.width)
    picture = np.stack([ramp] * 3, axis=-1)
    after = picture.copy()
    after[missing > 0.5] = np.nan
    return CoupleView(grid, picture, after, changed.astype(np.float32), missing.astype(np.float32), (1, 2, 3))


@pytest.mark.parametrize("shape", [(12, 12), (13, 17), (3, 50), (5, 4)])
@pytest.mark.parametrize("factor", [1, 4, 6])
def test_block_sums_are_sums_of_blocks(shape: tuple[int, int], factor: int) -> None:
    values = np.random.default_rng(0).integers(0, 65535, shape).astype(np.uint16)
    expected = [
        [values[r : r + factor, c : c + factor].sum() for c in range(0, shape[1], factor)]
        for r in range(0, shape[0], factor)
    ]
    assert np.array_equal(block_sums(values, factor), expected)


def test_a_view_averages_what_was_observed(
    tmp_path: Path, write_image: WriteImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candela_processes.raster.thumbnail.BLOCK_PIXELS", 100)  # many blocks of rows
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 4, (3, 45, 37)).astype(np.uint8)
    classes = rng.choice([0, 1, 255], (45, 37)).astype(np.uint8)
    path = write_image("a.tif", pixels, nodata=0)
    couple = couple_of(tmp_path, path, path)
    view = view_couple(couple, classes_file(tmp_path, couple.grid, classes), (2, 0, 1), pixels=15)
    assert view.before.shape == (15, 13, 3)
    assert view.bands == (3, 1, 2)
    good = (pixels > 0).all(0)
    for row, column in ((0, 0), (7, 5), (14, 12)):
        block = np.s_[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
        observed = pixels[[2, 0, 1]][:, *block][:, good[block]]
        expected = observed.mean(1) if good[block].any() else [np.nan] * 3
        assert np.allclose(view.before[row, column], expected, equal_nan=True)
        part = classes[block]
        assert view.missing[row, column] == pytest.approx((part == 255).mean(), abs=1e-6)
        assert view.changed[row, column] == pytest.approx((part == 1).sum() / max((part != 255).sum(), 1), abs=1e-6)


def test_the_page_shows_changes_and_gaps_where_they_are() -> None:
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 500000, 0, -10, 5000000), 60, 60)
    changed, missing = np.zeros((60, 60)), np.zeros((60, 60))
    changed[:20, :20] = 1
    missing[40:, 40:] = 1
    page = Image.open(io.BytesIO(render([PictureRow(view_of(grid, changed, missing), ("a", "b", "c"))], "source")))
    assert (page.format, page.width) == ("PNG", WIDTH)
    side = (WIDTH - 2 * MARGIN - 2 * GAP) // 3
    left, top = MARGIN + 2 * (side + GAP), MARGIN // 2 + TITLE
    panel = np.asarray(page)[top : top + side, left : left + side]
    vermillion = (panel == CHANGED).all(-1)
    rows, columns = np.nonzero(vermillion)
    assert (rows.max(), columns.max()) == pytest.approx((side / 3, side / 3), abs=2)
    assert vermillion[2 : side // 3 - 2, 2 : side // 3 - 2].all()
    lower = np.s_[2 * side // 3 + 4 : -2, 2 * side // 3 + 4 : -2]
    assert np.array_equal(panel[lower], hatch(side, side)[lower])
    # the first panel has no gap, the second has the same one
    second = np.asarray(page)[top : top + side, MARGIN + side + GAP : MARGIN + 2 * side + GAP]
    assert np.array_equal(second[lower], panel[lower])
    assert not np.array_equal(np.asarray(page)[top : top + side, MARGIN : MARGIN + side][lower], panel[lower])


def test_rows_from_south_to_north_are_turned() -> None:
    north_up = Grid(CRS.from_epsg(32633), Affine(10, 0, 500000, 0, -10, 5000000), 60, 60)
    south_up = replace(north_up, transform=Affine(10, 0, 500000, 0, 10, 4999400))
    changed = np.zeros((60, 60))
    changed[:20] = 1
    turned = render([PictureRow(view_of(south_up, changed, 0 * changed), ("", "", ""))], "")
    pixels = np.asarray(Image.open(io.BytesIO(turned)))[:-80]
    rows, _ = np.nonzero((pixels == CHANGED).all(-1))
    assert rows.min() > pixels.shape[0] / 2


@pytest.mark.parametrize(("width", "height"), [(40, 900), (900, 40), (3, 3), (697, 377)])
def test_every_shape_gives_a_page(width: int, height: int) -> None:
    grid = Grid(CRS.from_epsg(4326), Affine(1e-3, 0, 20, 0, -1e-3, 60), width, height)
    nothing = np.zeros((height, width))
    rows = [PictureRow(view_of(grid, nothing, nothing), ("1 January 1985", "b", "c"))] * 3
    page = Image.open(io.BytesIO(render(rows, "Contains modified Copernicus Sentinel data 2023")))
    assert 600 < page.width <= WIDTH


def test_a_scene_without_any_observation_gives_a_page() -> None:
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 500000, 0, -10, 5000000), 60, 60)
    page = render([PictureRow(view_of(grid, np.zeros((60, 60)), np.ones((60, 60))), ("a", "b", "c"))], "")
    assert not (np.asarray(Image.open(io.BytesIO(page)))[:500] == CHANGED).all(-1).any()


def test_pixels_have_the_shape_of_the_ground() -> None:
    # a degree of longitude at 60 degrees north: 55 800 m, of latitude 111 412 m (WGS 84; Bowditch, table 7)
    width, height = ground_size(Grid(CRS.from_epsg(4326), Affine(1e-3, 0, 20, 0, -1e-3, 60.05), 100, 100))
    assert width == pytest.approx(55.800, rel=1e-3)
    assert height == pytest.approx(111.412, rel=1e-3)
    # Web Mercator stretches by 1 / cos(latitude), nearly
    x, y = pyproj.Transformer.from_crs(4326, 3857, always_xy=True).transform(20, 60)
    width, height = ground_size(Grid(CRS.from_epsg(3857), Affine(10, 0, x - 500, 0, -10, y + 500), 100, 100))
    assert width == pytest.approx(5, rel=5e-3)
    assert height == pytest.approx(5, rel=5e-3)


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        (1999.0, (1000, "1 km")),
        (999.0, (500, "500 m")),
        (2.5e6, (2e6, "2,000 km")),
        (5e3, (5e3, "5 km")),
        (0.3, (0.2, "0.2 m")),
    ],
)
def test_scale_bars_are_round(longest: float, expected: tuple[float, str]) -> None:
    length, text = bar_length(longest)
    assert length == pytest.approx(expected[0])
    assert text == expected[1]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["band 1"], (0, 0, 0)),
        (["band 1", "band 2", "band 3", "band 4"], (0, 1, 2)),
        (["Blue", "Green", "Red", "NIR"], (2, 1, 0)),
        (["B02", "B03", "B04", "B08"], (2, 1, 0)),
        (["x (0.4825 Micrometers)", "y (0.565 Micrometers)", "z (0.66 Micrometers)"], (2, 1, 0)),
        (["a 842 nm", "b 665 nm", "c 560 nm", "d 490 nm"], (1, 2, 3)),
        (["1.65 um", "2.2 um", "0.83 um"], (0, 1, 2)),
    ],
)
def test_natural_colours_where_the_bands_say_so(names: list[str], expected: tuple[int, int, int]) -> None:
    assert rgb_bands(names) == expected


def test_one_scale_for_alike_dates_and_two_for_others() -> None:
    rng = np.random.default_rng(5)
    picture = rng.normal(100, 10, (50, 50, 3)).astype(np.float32)
    before, after, same = stretch_couple(picture, picture + 5)
    assert same
    assert after.mean() > before.mean() + 0.05
    before, after, same = stretch_couple(picture, picture * 40)
    assert not same
    assert np.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize(
    ("code", "transform", "up"),
    [
        (32633, Affine(100, 0, 500000, 0, -100, 5000000), True),
        (32633, Affine(100, 0, 500000, 0, 100, 4990000), True),  # the picture is turned
        (4326, Affine(0.001, 0, 20, 0, -0.001, 60), True),
        (32633, Affine(100, 20, 500000, 20, -100, 5000000), False),
        (3995, Affine(100, 0, -5000, 0, -100, 5000), False),  # the pole is in the middle
        (3995, Affine(100, 0, 1000000, 0, -100, 5000), False),  # north is to the left
        (3995, Affine(100, 0, -5000, 0, -100, -2000000), True),  # on the meridian of Greenwich
    ],
)
def test_the_arrow_says_where_north_is(code: int, transform: Affine, up: bool) -> None:
    assert north_is_up(Grid(CRS.from_epsg(code), transform, 100, 100)) is up
