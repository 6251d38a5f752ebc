"""A couple is decoded once, honestly masked, and streamed as often as needed."""

import errno
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from candela_processes.errors import InvalidInput
from candela_processes.raster.scene import common_dtype
from candela_processes.raster.stack import Couple, Stack, decode, open_scenes

NAMES = ["images/0", "images/1"]
type WriteImage = Callable[..., Path]


def whole(couple: Couple, pixels: int = 1000) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Join the tiles of a couple again."""
    tiles = list(couple.tiles(pixels))
    assert all(a.first_row + a.rows == b.first_row for a, b in pairwise(tiles))
    return (
        np.concatenate([tile.before for tile in tiles], axis=1),
        np.concatenate([tile.after for tile in tiles], axis=1),
        np.concatenate([tile.valid for tile in tiles]),
    )


def decoded(tmp_path: Path, paths: list[Path], **options: Any) -> Stack:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return decode(open_scenes(paths, [f"images/{i}" for i in range(len(paths))], **options), scratch)


def test_envi_pixels_equal_the_raw_file(data: Path, tmp_path: Path) -> None:
    folder = data / "landsat_taizhou"
    stack = decoded(tmp_path, [folder / "2000TM", folder / "2003TM"])
    before, after, valid = whole(stack.couple(0))
    assert np.array_equal(before, np.fromfile(folder / "2000TM", np.uint8).reshape(6, -1))
    assert np.array_equal(after, np.fromfile(folder / "2003TM", np.uint8).reshape(6, -1))
    assert valid.all()


def test_geotiff_valid_where_no_band_of_either_date_is_nodata(data: Path, tmp_path: Path) -> None:
    paths = [data / "landsat_pucallpa" / f"{year}.tif" for year in (1985, 1995, 2010)]
    stack = decoded(tmp_path, paths)
    arrays = []
    for path in paths:
        with rasterio.open(path) as dataset:
            arrays.append(dataset.read())
    for couple, (a, b) in zip(stack.couples(), pairwise(arrays), strict=True):
        before, after, valid = whole(couple, 50_000)
        assert np.array_equal(before, a.reshape(4, -1))
        assert np.array_equal(after, b.reshape(4, -1))
        assert np.array_equal(valid, ((a > 0).all(0) & (b > 0).all(0)).ravel())


def test_tiles_can_be_streamed_again_and_outlive_the_pass(tmp_path: Path, write_image: WriteImage) -> None:
    pixels = np.random.default_rng(1).integers(1, 999, (2, 70, 50)).astype(np.uint16)
    path = write_image("a.tif", pixels)
    couple = decoded(tmp_path, [path, path]).couple(0)
    kept = list(couple.tiles(500))
    assert len(kept) == 7
    assert np.array_equal(np.concatenate([tile.before for tile in kept], axis=1), pixels.reshape(2, -1))
    assert np.array_equal(whole(couple, 10**6)[1], pixels.reshape(2, -1))
    with pytest.raises(ValueError, match="read-only"):
        kept[0].before[:] = 0


def test_not_finite_values_and_nan_nodata_are_not_observed(tmp_path: Path, write_image: WriteImage) -> None:
    pixels = np.ones((2, 3, 4), np.float32)
    pixels[0, 0, 0], pixels[1, 1, 1], pixels[0, 2, 2] = np.nan, np.inf, -9999
    expected = np.ones((3, 4), bool)
    expected[[0, 1, 2], [0, 1, 2]] = False
    path = write_image("a.tif", pixels, nodata=-9999)
    before, _, valid = whole(decoded(tmp_path, [path, path]).couple(0))
    assert np.array_equal(valid, expected.ravel())
    assert np.isfinite(before).all()


def test_nodata_that_the_type_cannot_hold_masks_nothing(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image("a.tif", np.zeros((1, 5, 5), np.uint8), nodata=None)
    other = write_image("b.tif", np.full((1, 5, 5), 255, np.uint8), nodata=255)
    _, _, valid = whole(decoded(tmp_path, [path, path]).couple(0))
    assert valid.all()
    (tmp_path / "scratch").rename(tmp_path / "scratch0")
    _, _, valid = whole(decoded(tmp_path, [path, other]).couple(0))
    assert not valid.any()


def test_internal_mask_and_alpha_count(tmp_path: Path, write_image: WriteImage) -> None:
    good = np.ones((6, 6), bool)
    good[:2] = False
    masked = write_image("m.tif", np.full((1, 6, 6), 9, np.uint8))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as dataset:
        dataset.write_mask(good)
    rgba = np.full((4, 6, 6), 9, np.uint8)
    rgba[3] = 255 * good.T
    alpha = write_image("a.tif", rgba, photometric="RGB", alpha="yes")
    _, _, valid = whole(decoded(tmp_path, [masked, alpha], bands=[1]).couple(0))
    assert np.array_equal(valid.reshape(6, 6), good & good.T)
    assert open_scenes([alpha], ["images/0"])[0].bands == (1, 2, 3)


def test_data_types_are_brought_together(tmp_path: Path, write_image: WriteImage) -> None:
    a = write_image("a.tif", np.full((1, 4, 4), 200, np.uint8))
    b = write_image("b.tif", np.full((1, 4, 4), 60000, np.uint16))
    before, after, _ = whole(decoded(tmp_path, [a, b]).couple(0))
    assert before.dtype == after.dtype == np.uint16
    assert (before == 200).all()
    assert (after == 60000).all()


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("u1", "u1"),
        ("u1 u2", "u2"),
        ("u2", "u2"),
        ("i2 i2", "i2"),
        ("i1", "i2"),
        ("i4", "f8"),
        ("i2 i4", "f8"),
        ("u1 i2", "i2"),
        ("u2 i2", "f4"),
        ("u2 i1", "f4"),
        ("u2 f4", "f4"),
        ("i8", "f8"),
        ("u4 f4", "f8"),
        ("i4 u2", "f8"),
        ("f4 f8", "f8"),
        ("f2", "f4"),
    ],
)
def test_common_type_loses_nothing(types: str, expected: str) -> None:
    assert common_dtype([np.dtype(kind) for kind in types.split()]) == np.dtype(expected)


def test_bands_by_number_and_by_name(tmp_path: Path, write_image: WriteImage) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    path = write_image("a.tif", pixels, descriptions=("red", "nir", "swir"))
    stack = decoded(tmp_path, [path, path], bands=["SWIR", 1])
    assert np.array_equal(whole(stack.couple(0))[0], pixels[[2, 0]].reshape(2, -1))
    assert stack.decoded[0].scene.band_names == ("swir", "red")


@pytest.mark.parametrize(
    ("bands", "sentence"),
    [
        ([4], "bands/0: images/0 has no band 4; it has bands 1 to 3: 1 (red), 2 (nir), 3 (swir)."),
        ([1, 0], "bands/1: images/0 has no band 0; it has bands 1 to 3: 1 (red), 2 (nir), 3 (swir)."),
        (["blue"], "bands/0: images/0 has no band 'blue'; it has bands 1 to 3: 1 (red), 2 (nir), 3 (swir)."),
        ([1, "red"], "bands: a band is named twice for images/0; each may be used once."),
        ([], "bands: the list is empty; leave it out to use all bands."),
    ],
)
def test_bands_that_do_not_exist(write_image: WriteImage, bands: list[int | str], sentence: str) -> None:
    path = write_image("a.tif", np.ones((3, 4, 4), np.uint8), descriptions=("red", "nir", "swir"))
    with pytest.raises(InvalidInput) as error:
        open_scenes([path, path], NAMES, bands)
    assert error.value.detail == sentence


def test_unequal_numbers_of_bands(write_image: WriteImage) -> None:
    a = write_image("a.tif", np.ones((3, 4, 4), np.uint8))
    b = write_image("b.tif", np.ones((2, 4, 4), np.uint8))
    with pytest.raises(InvalidInput, match="images/1: it has 2 bands and images/0 has 3"):
        open_scenes([a, b], NAMES)
    assert open_scenes([a, b], NAMES, [1, 2])[1].bands == (1, 2)


def test_complex_pixels_are_refused(write_image: WriteImage) -> None:
    path = write_image("a.tif", np.ones((1, 4, 4), np.complex64))
    with pytest.raises(InvalidInput, match="complex"):
        open_scenes([path, path], NAMES)


def test_every_layout_of_blocks_gives_the_same_pixels(tmp_path: Path, write_image: WriteImage) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (2, 301, 523)).astype(np.uint8)
    striped = write_image("s.tif", pixels, blockysize=7, compress="deflate")
    tiled = write_image("t.tif", pixels, tiled=True, blockxsize=64, blockysize=128, compress="lzw")
    before, after, _ = whole(decoded(tmp_path, [striped, tiled]).couple(0))
    assert np.array_equal(before, pixels.reshape(2, -1))
    assert np.array_equal(after, pixels.reshape(2, -1))


def test_blocks_that_do_not_fit_a_row_block_are_read_by_columns(
    tmp_path: Path, write_image: WriteImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candela_processes.raster.stack.BLOCK_PIXELS", 4096)
    pixels = np.random.default_rng(3).integers(0, 255, (1, 200, 500)).astype(np.uint8)
    path = write_image("t.tif", pixels, tiled=True, blockxsize=64, blockysize=64)
    before, _, _ = whole(decoded(tmp_path, [path, path]).couple(0))
    assert np.array_equal(before, pixels.reshape(1, -1))


def test_progress_rises_to_one(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image("a.tif", np.ones((1, 100, 100), np.uint8))
    shares: list[float] = []
    decode(open_scenes([path, path], NAMES), tmp_path, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_align_first_shifts_by_half_a_pixel(tmp_path: Path, write_image: WriteImage) -> None:
    ramp = np.broadcast_to(np.arange(20, dtype=np.float32), (1, 10, 20)).copy()
    a = write_image("a.tif", ramp)
    b = write_image("b.tif", ramp, transform=Affine(10, 0, 500005, 0, -10, 5000000))
    with pytest.raises(InvalidInput, match=r"images/1: its grid differs .* origin .*align"):
        open_scenes([a, b], NAMES)
    _, after, valid = whole(decoded(tmp_path, [a, b], align="first").couple(0))
    # pixel centre x of the first image is x - 0.5 in the second
    inside = after.reshape(10, 20)[:, 1:19]
    assert np.allclose(inside, np.arange(1, 19) - 0.5, atol=1e-4)
    assert valid.reshape(10, 20)[:, 1:].all()


def test_align_first_is_valid_only_where_all_contributors_are(tmp_path: Path, write_image: WriteImage) -> None:
    source = np.full((1, 12, 12), 100, np.uint8)
    source[0, 6, 6] = 0
    a = write_image("a.tif", np.full((1, 12, 12), 100, np.uint8))
    b = write_image("b.tif", source, nodata=0, transform=Affine(10, 0, 500005, 0, -10, 5000005))
    _, after, valid = whole(decoded(tmp_path, [a, b], align="first").couple(0))
    good = valid.reshape(12, 12)
    # target pixel (r, c) mixes source (r, c-1), (r, c), (r+1, c-1), (r+1, c)
    assert not good[5:7, 6:8].any()
    assert good[1:5, 1:6].all()
    assert good[7:11, 8:].all()
    assert (after[:, valid] == 100).all()


def test_align_first_across_crs_follows_the_ground(tmp_path: Path, write_image: WriteImage) -> None:
    rows, columns = np.mgrid[0:80, 0:80]
    lon, lat = 15 + (columns + 0.5) * 1e-3, 45.08 - (rows + 0.5) * 1e-3
    b = write_image(
        "b.tif",
        np.stack([lon, lat]).astype(np.float64),
        crs="EPSG:4326",
        transform=Affine(1e-3, 0, 15, 0, -1e-3, 45.08),
    )
    a = write_image("a.tif", np.ones((2, 30, 40), np.float64), transform=Affine(50, 0, 502000, 0, -50, 4988000))
    _, after, valid = whole(decoded(tmp_path, [a, b], align="first").couple(0))
    rows, columns = np.mgrid[0:30, 0:40]
    x, y = 502000 + (columns + 0.5) * 50, 4988000 - (rows + 0.5) * 50
    expected = pyproj.Transformer.from_crs(32633, 4326, always_xy=True).transform(x, y)
    assert valid.all()
    # 0.01 pixel of approximation is allowed
    assert np.allclose(after, np.stack(expected).reshape(2, -1), atol=2e-5)


def test_align_first_averages_where_the_source_is_finer(tmp_path: Path, write_image: WriteImage) -> None:
    checkers = np.indices((80, 80)).sum(0)[None] % 2 * 200.0
    a = write_image("a.tif", np.ones((1, 10, 10), np.float32), transform=Affine(80, 0, 500000, 0, -80, 5000000))
    b = write_image("b.tif", checkers.astype(np.float32))
    _, after, valid = whole(decoded(tmp_path, [a, b], align="first").couple(0))
    assert valid.all()
    assert np.allclose(after.reshape(10, 10)[1:-1, 1:-1], 100, atol=1)


def test_partly_overlapping_image_is_not_observed_outside(tmp_path: Path, write_image: WriteImage) -> None:
    a = write_image("a.tif", np.full((1, 10, 10), 5, np.uint8))
    b = write_image("b.tif", np.full((1, 10, 10), 5, np.uint8), transform=Affine(10, 0, 500050, 0, -10, 5000000))
    _, _, valid = whole(decoded(tmp_path, [a, b], align="first").couple(0))
    assert np.array_equal(valid.reshape(10, 10), np.broadcast_to(np.arange(10) >= 5, (10, 10)))


@pytest.mark.parametrize("align", ["exact", "first"])
def test_images_without_common_ground(write_image: WriteImage, align: Any) -> None:
    a = write_image("a.tif", np.ones((1, 10, 10), np.uint8))
    b = write_image("b.tif", np.ones((1, 10, 10), np.uint8), transform=Affine(10, 0, 500200, 0, -10, 5000000))
    with pytest.raises(InvalidInput, match="images/1: it does not overlap images/0"):
        open_scenes([a, b], NAMES, align=align)


def test_memory_does_not_grow_with_the_image(
    tmp_path: Path, write_image: WriteImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candela_processes.raster.stack.BLOCK_PIXELS", 50_000)
    peaks = []
    for rows in (500, 4000):
        path = write_image(f"{rows}.tif", np.ones((2, rows, 500), np.uint16), blockysize=16)
        scratch = tmp_path / str(rows)
        scratch.mkdir()
        scenes = open_scenes([path, path], NAMES)
        tracemalloc.start()
        for tile in decode(scenes, scratch).couple(0).tiles(50_000):
            assert tile.before.max() == 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_full_disk_is_an_error_before_anything_is_mapped(
    tmp_path: Path, write_image: WriteImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    path = write_image("a.tif", np.ones((1, 9, 9), np.uint8))
    with pytest.raises(OSError, match="No space left") as error:
        decode(open_scenes([path, path], NAMES), tmp_path)
    assert error.value.errno == errno.ENOSPC


def test_a_damaged_scene_names_its_input(tmp_path: Path, write_image: WriteImage) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1, 300, 300)).astype(np.uint8)
    good, cut = write_image("a.tif", pixels, compress="lzw"), write_image("b.tif", pixels, compress="lzw")
    content = bytearray(cut.read_bytes())
    content[40_000:60_000] = bytes(20_000)
    cut.write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        decode(open_scenes([good, cut], NAMES), tmp_path)
    assert error.value.detail == "images/1: b.tif is truncated or damaged: its pixels cannot be read."
