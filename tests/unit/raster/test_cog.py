"""Results are Cloud Optimized GeoTIFFs that any reader understands."""

import errno
import os
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.shutil import copy

from candela_processes.raster.cog import CLASSES, MAGNITUDE, CogKind, CogWriter
from candela_processes.raster.grid import Grid

GRID = Grid(CRS.from_epsg(32633), Affine(10, 0, 500000, 0, -10, 5000000), 1300, 1100)
TAGS = {
    "Start_date": "20000317",
    "End_date": "20030206",
    "Product_id1": "2000TM",
    "Product_id2": "2003TM",
    "Agent": "candela_processes",
    "Category": "changes",
}


def write(path: Path, kind: CogKind, pixels: NDArray[Any], grid: Grid = GRID) -> None:
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    with CogWriter(path, grid, kind, scratch, "a band", {**TAGS, "Empty": ""}) as cog:
        for first in range(0, grid.height, 300):
            block = pixels[first : first + 300]
            cog.write(first, block if first else block.ravel())
    assert list(scratch.iterdir()) == []


def directories(path: Path) -> list[dict[int, tuple[int, ...]]]:
    """Return the tags of every image file directory of a little-endian TIFF with their places, by TIFF 6.0."""
    content = path.read_bytes()
    assert content[:4] == b"II*\x00"
    sizes = {3: "H", 4: "I"}
    (place,) = struct.unpack_from("<I", content, 4)
    found = []
    while place:
        (entries,) = struct.unpack_from("<H", content, place)
        tags: dict[int, tuple[int, ...]] = {-1: (place,)}
        for entry in range(place + 2, place + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from("<HHI", content, entry)
            if kind not in sizes:
                continue
            letters = f"<{count}{sizes[kind]}"
            (pointer,) = struct.unpack_from("<I", content, entry + 8)
            at = entry + 8 if struct.calcsize(letters) <= 4 else pointer
            tags[tag] = struct.unpack_from(letters, content, at)
        found.append(tags)
        (place,) = struct.unpack_from("<I", content, place + 2 + 12 * entries)
    return found


@pytest.mark.parametrize("kind", [CLASSES, MAGNITUDE])
def test_layout_is_that_of_a_cog(tmp_path: Path, kind: CogKind) -> None:
    path = tmp_path / "out.tif"
    write(path, kind, np.random.default_rng(0).integers(0, 2, (1100, 1300)))
    found = directories(path)
    # widths: full size first, then each overview half of the one before, down to one tile
    assert [tags[256] for tags in found] == [(1300,), (650,), (325,)]
    # all directories lie before all pixels, and the smaller an overview, the earlier its pixels
    first_pixels = [min(offset for offset in tags[324] if offset) for tags in found]
    assert max(tags[-1][0] for tags in found) < min(first_pixels)
    assert all(later < earlier for earlier, later in pairwise(first_pixels))
    assert {(tags[322], tags[323], tags[259]) for tags in found} == {((512,), (512,), (8,))}
    with rasterio.open(path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_classes_come_back_with_their_tags(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).choice([0, 1, 255], (1100, 1300)).astype(np.uint8)
    path = tmp_path / "changes.tif"
    write(path, CLASSES, pixels)
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(1), pixels)
        assert (dataset.nodata, dataset.dtypes, dataset.crs) == (255, ("uint8",), GRID.crs)
        assert dataset.transform == GRID.transform
        assert {key: dataset.tags()[key] for key in TAGS} == TAGS
        assert "Empty" not in dataset.tags()
        assert dataset.descriptions == ("a band",)
        assert set(np.unique(dataset.read(1, out_shape=(275, 325)))) <= {0, 1, 255}
    # no side file is needed to read the tags
    assert sorted(p.name for p in tmp_path.iterdir()) == ["changes.tif", "scratch"]


def test_overviews_of_magnitudes_average_what_was_observed(tmp_path: Path) -> None:
    pixels = np.full((1100, 1300), 2, np.float32)
    pixels[::2] = 4
    pixels[:, ::2] = np.nan
    pixels[:200] = np.nan
    path = tmp_path / "magnitude.tif"
    write(path, MAGNITUDE, pixels)
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(1), pixels, equal_nan=True)
        assert np.isnan(dataset.nodata)
    with rasterio.open(path, OVERVIEW_LEVEL=0) as overview:
        half = overview.read(1)
    assert half.shape == (550, 650)
    assert np.isnan(half[:100]).all()
    assert (half[100:] == 3).all()


def test_small_images_need_no_overview(tmp_path: Path) -> None:
    grid = replace(GRID, width=40, height=30)
    write(tmp_path / "small.tif", CLASSES, np.ones((30, 40), np.uint8), grid)
    with rasterio.open(tmp_path / "small.tif") as dataset:
        assert dataset.overviews(1) == []
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), CogWriter(tmp_path / "x.tif", GRID, CLASSES, tmp_path, "", {}) as cog:
        cog.write(0, np.ones((10, 1300), np.uint8))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_lost_its_end_is_not_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_cut_short(source: Path, target: Path, **options: Any) -> None:
        copy(source, target, **options)
        os.truncate(target, target.stat().st_size - 1000)

    monkeypatch.setattr("candela_processes.raster.cog.copy", copy_cut_short)
    pixels = np.random.default_rng(0).random((1100, 1300), np.float32)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write(tmp_path / "x.tif", MAGNITUDE, pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]


def test_rows_that_did_not_reach_scratch_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(OSError, match=os.strerror(errno.EIO)) as error,
        CogWriter(tmp_path / "x.tif", GRID, CLASSES, tmp_path, "", {}) as cog,
    ):
        cog.write(0, np.ones((10, 1300), np.uint8))
        monkeypatch.setattr(Path, "stat", lambda path: os.stat_result((0,) * 10))
    assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize("kind", [CLASSES, MAGNITUDE])
def test_a_map_without_observation_is_complete(tmp_path: Path, kind: CogKind) -> None:
    write(tmp_path / "x.tif", kind, np.full((1100, 1300), kind.nodata))
    with rasterio.open(tmp_path / "x.tif") as dataset:
        assert not dataset.dataset_mask().any()
