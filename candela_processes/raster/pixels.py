"""Reading one window of an image together with which of its pixels hold an observation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window


def read_block(dataset: DatasetReader, bands: Sequence[int], window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the pixels (bands, rows, columns) and the valid mask (rows, columns) of a window.

    Valid: in every band finite and not nodata, and not masked by the image's mask or alpha band. Values that are
    not finite are returned as 0. Raises rasterio's errors; see `drivers.reading`.
    """
    pixels = dataset.read(list(bands), window=window)
    valid = np.ones(pixels.shape[1:], np.bool_)
    if MaskFlags.per_dataset in dataset.mask_flag_enums[bands[0] - 1]:
        valid &= dataset.read_masks(bands[0], window=window) > 0
    for plane, band in zip(pixels, bands, strict=True):
        nodata = _nodata(dataset.nodatavals[band - 1], plane.dtype)
        if nodata is not None:
            valid &= plane != nodata
        if plane.dtype.kind == "f":
            finite = np.isfinite(plane)
            valid &= finite
            plane[~finite] = 0
    return pixels, valid


def _nodata(value: float | None, dtype: np.dtype[Any]) -> Any:
    """Return a nodata value in the pixels' own type, or None where no pixel can have it."""
    if value is None or not np.isfinite(value):
        return None  # NaN and infinities are caught by the test for finite values
    if dtype.kind == "f":
        return dtype.type(value)
    limits = np.iinfo(dtype)
    exact = value == int(value) and limits.min <= value <= limits.max
    return dtype.type(int(value)) if exact else None
