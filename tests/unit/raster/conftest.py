"""Small images that a test can write in one line."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

UTM_10_M = Affine(10, 0, 500000, 0, -10, 5000000)

type WriteImage = Callable[..., Path]


@pytest.fixture
def write_image(tmp_path: Path) -> WriteImage:
    """Write an array (bands, rows, columns) as an image in UTM 33N, 10 m, and return its path."""

    def write(
        name: str,
        pixels: NDArray[Any],
        *,
        crs: str | None = "EPSG:32633",
        transform: Affine | None = UTM_10_M,
        driver: str = "GTiff",
        tags: dict[str, str] | None = None,
        descriptions: tuple[str, ...] = (),
        **profile: Any,
    ) -> Path:
        path = tmp_path / name
        bands, rows, columns = pixels.shape
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        georeferencing = {"crs": crs, "transform": transform} if crs and transform else {}
        with rasterio.open(
            path,
            "w",
            driver=driver,
            count=bands,
            height=rows,
            width=columns,
            dtype=pixels.dtype,
            **georeferencing,
            **profile,
        ) as dataset:
            dataset.write(np.asarray(pixels))
            dataset.update_tags(**(tags or {}))
            for number, description in enumerate(descriptions, 1):
                dataset.set_band_description(number, description)
        return path

    return write
