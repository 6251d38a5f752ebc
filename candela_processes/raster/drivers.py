"""Opening a user's image: with exactly the driver that its signature says, and with sentences for all that is wrong.

The driver is decided by the first bytes (or, for ENVI, by the header file), never by the file's name and never by
letting GDAL try. What GDAL says about a broken file stays in the log: it names paths of the server.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.io import DatasetReader

from candela_processes.errors import InvalidInput
from candela_processes.raster.environment import (
    ALLOWED_DRIVERS,
    SKIPPED_DRIVERS,
    gdal_environment,
    session_options,
)

__all__ = ["ALLOWED_DRIVERS", "SKIPPED_DRIVERS", "driver_of", "gdal_environment", "open_image", "reading"]

LOGGER = logging.getLogger(__name__)

FORMATS: Final = "GeoTIFF, ENVI (data file with its .hdr beside it), JPEG 2000, PNG or BMP"

SIGNATURES: Final = (
    (b"II*\x00", "GTiff"),
    (b"MM\x00*", "GTiff"),
    (b"II+\x00", "GTiff"),
    (b"MM\x00+", "GTiff"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
)
BMP_SIGNATURE: Final = b"BM"
PNG_END: Final = b"IEND\xaeB`\x82"
PNG_TAIL: Final = 4096  # some programs append a little to a PNG


def driver_of(path: Path, name: str) -> str:
    """Return the GDAL driver that the file's signature calls for.

    Raises `InvalidInput` for a missing or empty file, a directory, an ENVI header given in place of its data
    file, and everything that is not one of the allowed formats (VRT text and HTML by name).
    """
    if not path.is_file():
        what = "is a directory; give the image file itself" if path.is_dir() else "does not exist"
        raise InvalidInput(name, f"{path.name} {what}.")
    with path.open("rb") as file:
        start = file.read(256)
    if not start:
        raise InvalidInput(name, f"{path.name} is empty (0 bytes).")
    for signature, driver in SIGNATURES:
        if start.startswith(signature):
            return driver
    if envi_header(path) is not None:
        return "ENVI"
    if start.startswith(BMP_SIGNATURE):
        return "BMP"
    raise InvalidInput(name, f"{path.name} {_what_it_is(start)}; allowed are {FORMATS}.")


def envi_header(path: Path) -> Path | None:
    """Return the ENVI header beside a data file: `x.hdr` or `x.dat.hdr` for `x.dat`, in small or capital letters."""
    for suffix in (".hdr", ".HDR"):
        for header in (path.with_suffix(suffix), path.with_name(path.name + suffix)):
            if header != path and header.is_file():
                with header.open("rb") as file:
                    if file.read(4) == b"ENVI":
                        return header
    return None


def _what_it_is(start: bytes) -> str:
    """Say in words what a file seems to be that is none of the allowed formats."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<vrtdataset"):
        return "is a GDAL virtual raster (VRT), which may refer to other files and is refused"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is an HTML page, not an image (a download that needed a login, perhaps)"
    if text.startswith(b"envi"):
        return "is an ENVI header; give the data file that lies beside it"
    return "is not an image of a known format"


@contextmanager
def reading(name: str, path: Path) -> Iterator[None]:
    """Turn a failed read of pixels into `InvalidInput`, naming the input and the file's base name only."""
    try:
        yield
    except RasterioIOError as failure:
        LOGGER.debug("reading %s failed", path.name, exc_info=failure)
        raise InvalidInput(name, f"{path.name} is truncated or damaged: its pixels cannot be read.") from failure


@contextmanager
def open_image(path: Path, name: str) -> Iterator[DatasetReader]:
    """Open an image of a user for reading; `name` is the input's name in errors, such as `images/0`.

    The dataset belongs to the calling thread. Side files and the network are off while it is open. Raises
    `InvalidInput` for what cannot be opened, for a file that refers to another one, and, from inside the `with`
    block, for pixels that cannot be read.
    """
    driver = driver_of(path, name)
    options = session_options()
    if driver == "ENVI":
        # its header is a side file; TRUE still keeps GDAL from listing the folder
        options["GDAL_DISABLE_READDIR_ON_OPEN"] = "TRUE"
    # Grid.of says this in a sentence where it matters; a filter set once is safe among threads, a local one is not
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    with rasterio.Env(**options):
        dataset = _opened(path.absolute(), name, driver)
        with dataset, reading(name, path):
            _refuse_references(dataset, path, name)
            _refuse_short_file(dataset, path, name)
            yield dataset


def _opened(path: Path, name: str, driver: str) -> DatasetReader:
    """Open with one driver, or say that the file is damaged."""
    try:
        return rasterio.open(path, driver=driver)
    except RasterioError as failure:
        LOGGER.debug("opening %s failed", path.name, exc_info=failure)
        kind = "header or directory" if driver == "ENVI" else "directory"
        raise InvalidInput(name, f"{path.name} is truncated or damaged: its {kind} cannot be read.") from failure


def _refuse_references(dataset: DatasetReader, path: Path, name: str) -> None:
    """Refuse an image whose metadata makes GDAL open another file: an overview or geolocation file named in it."""
    if "OVERVIEW_FILE" in dataset.tags(ns="OVERVIEWS") or dataset.tags(ns="GEOLOCATION"):
        raise InvalidInput(name, f"{path.name} refers to another file in its metadata; give a self-contained image.")


def _refuse_short_file(dataset: DatasetReader, path: Path, name: str) -> None:
    """Refuse files whose end is missing, where GDAL would read zeros in place of the missing pixels (ENVI, PNG)."""
    size = path.stat().st_size
    if dataset.driver == "ENVI":
        stated = dataset.tags(ns="ENVI").get("header_offset", "0").strip()
        offset = int(stated) if stated.isdecimal() else 0
        pixel = sum(np.dtype(kind).itemsize for kind in dataset.dtypes)
        expected = offset + dataset.width * dataset.height * pixel
        if size < expected:
            raise InvalidInput(name, f"{path.name} is truncated: {size} bytes where its header says {expected}.")
    if dataset.driver == "PNG":
        with path.open("rb") as file:
            file.seek(max(0, size - PNG_TAIL))
            if PNG_END not in file.read():
                raise InvalidInput(name, f"{path.name} is truncated: the chunk that ends a PNG is missing.")


def library_versions() -> dict[str, str]:
    """Return the versions of rasterio and of the GDAL inside it."""
    return {"rasterio": rasterio.__version__, "GDAL": rasterio.__gdal_version__}
