"""What a user's file may be opened with, and what is said about all others."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from candela_processes.errors import InvalidInput
from candela_processes.raster.drivers import (
    ALLOWED_DRIVERS,
    SKIPPED_DRIVERS,
    driver_of,
    gdal_environment,
    open_image,
)

type WriteImage = Callable[..., Path]

VRT = """<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename>{source}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


def refusal(path: Path) -> str:
    """Return the sentence with which a file is refused, or its pixels cannot be read."""
    with pytest.raises(InvalidInput) as error, open_image(path, "images/0") as dataset:
        dataset.read()
    assert str(path.parent) not in error.value.detail
    assert error.value.name == "images/0"
    return error.value.detail


def in_prepared_process(code: str) -> str:
    """Run code in a fresh interpreter with the environment of a worker."""
    environment = os.environ | gdal_environment()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_every_driver_of_this_gdal_is_allowed_or_skipped() -> None:
    with rasterio.Env() as env:
        present = set(env.drivers())
    assert present - set(ALLOWED_DRIVERS) - set(SKIPPED_DRIVERS) == set()
    assert not set(ALLOWED_DRIVERS) & set(SKIPPED_DRIVERS)


def test_a_worker_has_the_allowed_drivers_only() -> None:
    code = "import rasterio\nwith rasterio.Env() as env: print(*sorted(env.drivers()))"
    assert set(in_prepared_process(code).split()) == set(ALLOWED_DRIVERS)


def test_the_environment_is_light_to_import() -> None:
    code = "import sys, candela_processes.raster.environment as e; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert not {"rasterio", "numpy"} & set(done.stdout.split())


def test_a_worker_cannot_reach_an_address() -> None:
    code = """
import socket, rasterio
server = socket.create_server(("127.0.0.1", 0))
server.settimeout(0.5)
for scheme in ("/vsicurl/http", "/vsicurl_streaming/http"):
    try:
        rasterio.open(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/x.tif")
    except rasterio.RasterioIOError:
        print("refused")
try:
    server.accept()
except TimeoutError:
    print("nobody came")
"""
    assert in_prepared_process(code).split("\n")[:3] == ["refused", "refused", "nobody came"]


def test_signatures_decide_not_names(data: Path, tmp_path: Path, write_image: WriteImage) -> None:
    pixels = np.ones((1, 8, 8), np.uint8)
    tiff = write_image("really.png", pixels)
    png = write_image("really.tif", pixels, driver="PNG", crs=None)
    jp2 = write_image("a.dat", pixels, driver="JP2OpenJPEG")
    big = write_image("big.x", pixels, bigtiff="YES")
    assert [driver_of(path, "x") for path in (tiff, png, jp2, big)] == ["GTiff", "PNG", "JP2OpenJPEG", "GTiff"]
    assert driver_of(data / "landsat_taizhou" / "2000TM", "x") == "ENVI"
    assert driver_of(data / "landsat_taizhou" / "change.bmp", "x") == "BMP"
    with open_image(png, "x") as dataset:
        assert dataset.driver == "PNG"


def test_envi_header_may_be_appended_to_the_whole_name(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image("a.img", np.arange(8, dtype=np.uint8).reshape(2, 2, 2), driver="ENVI", SUFFIX="ADD")
    assert (tmp_path / "a.img.hdr").exists()
    with open_image(path, "x") as dataset:
        assert dataset.read().ravel().tolist() == list(range(8))


def test_virtual_rasters_are_refused(tmp_path: Path, write_image: WriteImage) -> None:
    path = tmp_path / "innocent.tif"
    path.write_text(VRT.format(source=write_image("secret.tif", np.ones((1, 4, 4), np.uint8))))
    assert refusal(path) == (
        "images/0: innocent.tif is a GDAL virtual raster (VRT), which may refer to other files and is refused; "
        "allowed are GeoTIFF, ENVI (data file with its .hdr beside it), JPEG 2000, PNG or BMP."
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.tif is empty (0 bytes)."),
        (b"\xef\xbb\xbf <!DOCTYPE html><html>", "is an HTML page, not an image"),
        (b"ENVI\nsamples = 1", "is an ENVI header; give the data file"),
        (b"\x00" * 100, "is not an image of a known format; allowed are GeoTIFF"),
        (b"II*\x00", "is truncated or damaged: its directory cannot be read."),
        (b"\x89PNG\r\n\x1a\n1234", "is truncated or damaged: its directory cannot be read."),
        (b"BMxxxx", "is truncated or damaged: its directory cannot be read."),
    ],
)
def test_files_that_are_no_image(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert sentence in refusal(path)


def test_missing_files_and_directories(tmp_path: Path) -> None:
    assert refusal(tmp_path / "b.tif") == "images/0: b.tif does not exist."
    (tmp_path / "c.SAFE").mkdir()
    assert refusal(tmp_path / "c.SAFE") == "images/0: c.SAFE is a directory; give the image file itself."


@pytest.mark.parametrize("driver", ["GTiff", "JP2OpenJPEG", "PNG", "ENVI", "BMP"])
@pytest.mark.parametrize("share", [0.9, 0.5])
def test_a_truncated_image_is_said_to_be_so(write_image: WriteImage, driver: str, share: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1, 300, 300)).astype(np.uint8)
    options = {"compress": "deflate"} if driver == "GTiff" else {}
    crs = "EPSG:32633" if driver in ("GTiff", "ENVI") else None
    path = write_image("cut.img", pixels, driver=driver, crs=crs, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "cut.img is truncated" in refusal(path)


def test_damage_is_found_when_the_block_is_read(write_image: WriteImage) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1, 256, 256)).astype(np.uint8)
    path = write_image("bad.tif", pixels, compress="deflate", blockysize=16)
    content = bytearray(path.read_bytes())
    content[-3000:-2000] = bytes(1000)
    path.write_bytes(content)
    with open_image(path, "images/1") as dataset:
        assert np.array_equal(dataset.read(window=Window(0, 0, 256, 64)), pixels[:, :64])
    assert "bad.tif is truncated or damaged: its pixels cannot be read." in refusal(path)


def test_an_overview_file_named_in_the_metadata_is_refused(write_image: WriteImage) -> None:
    secret = write_image("secret.tif", np.full((1, 32, 32), 99, np.uint8))
    path = write_image("a.tif", np.zeros((1, 64, 64), np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(secret))
    with rasterio.open(path) as dataset:  # what GDAL does with it
        assert dataset.read(out_shape=(1, 32, 32)).max() == 99
    assert refusal(path) == "images/0: a.tif refers to another file in its metadata; give a self-contained image."


def test_side_files_do_not_change_an_image(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image("a.tif", np.ones((1, 64, 64), np.uint8), crs=None)
    write_image("a.tif.msk", np.zeros((1, 64, 64), np.uint8), tags={"INTERNAL_MASK_FLAGS_1": "2"})
    write_image("a.tif.ovr", np.full((1, 32, 32), 77, np.uint8), crs=None)
    (tmp_path / "a.tfw").write_text("10\n0\n0\n-10\n500000\n5000000\n")
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset><SRS>EPSG:32633</SRS></PAMDataset>")
    with open_image(path, "x") as dataset:
        assert dataset.read(out_shape=(1, 32, 32)).max() == 1
        assert dataset.dataset_mask().min() == 255
        assert dataset.crs is None
        assert dataset.transform.is_identity


def test_nothing_is_written_beside_an_image(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image("a.tif", np.arange(64, dtype=np.uint8).reshape(1, 8, 8))
    before = sorted(tmp_path.iterdir())
    with open_image(path, "x") as dataset:
        dataset.stats()
    assert sorted(tmp_path.iterdir()) == before


def test_a_strange_file_name_is_only_a_name(tmp_path: Path, write_image: WriteImage) -> None:
    path = write_image("plain.tif", np.ones((1, 4, 4), np.uint8))
    strange = path.rename(tmp_path / "GTIFF_DIR:1:zip+http!x?y=1&z #ü.tif")
    with open_image(strange, "x") as dataset:
        assert dataset.read().sum() == 16
