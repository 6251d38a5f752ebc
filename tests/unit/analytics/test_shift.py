"""Shifts of real and synthetic images by known amounts, and scikit-image as an independent estimate."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from skimage.registration import phase_cross_correlation

from candela_processes.analytics.shift import estimate_shift
from candela_processes.errors import InvalidInput

SHIFTS = [(0.0, 0.0), (0.3, -0.7), (2.37, -5.81), (-12.5, 7.25)]


def moved(image: NDArray[Any], rows: float, columns: float) -> NDArray[np.float64]:
    """Move the content down and right, by the shift theorem."""
    down, right = np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1])[None, :]
    turned = np.fft.fft2(image) * np.exp(-2j * np.pi * (down * rows + right * columns))
    return np.fft.ifft2(turned).real


def inner(image: NDArray[Any], margin: int = 30) -> NDArray[Any]:
    return image[margin:-margin, margin:-margin]


@pytest.fixture(scope="module")
def images(taizhou: SimpleNamespace, data: Path) -> dict[str, NDArray[np.float64]]:
    random = np.random.default_rng(0)
    spectrum = np.fft.fft2(random.normal(size=(300, 260)))
    radius = np.hypot(np.fft.fftfreq(300)[:, None], np.fft.fftfreq(260)[None, :])
    with rasterio.open(data / "landsat_pucallpa" / "2010.tif") as source:
        pucallpa = source.read(2)[:320, :400].astype(float)
    return {
        "band-limited": np.fft.ifft2(np.where(radius < 0.3, spectrum, 0)).real,
        "taizhou": taizhou.before[3].reshape(400, 400).astype(float),
        "pucallpa": pucallpa,
    }


@pytest.mark.parametrize("name", ["band-limited", "taizhou", "pucallpa"])
@pytest.mark.parametrize("shift", SHIFTS)
def test_known_shifts_within_a_twentieth_of_a_pixel(
    name: str, shift: tuple[float, float], images: dict[str, NDArray[np.float64]]
) -> None:
    before, after = inner(images[name]), inner(moved(images[name], *shift))
    found = estimate_shift(before, after, np.ones(before.shape, bool))
    np.testing.assert_allclose(found, shift, atol=0.05)
    if name == "band-limited":  # scikit-image whitens all frequencies, without a window: leakage misleads it here
        return
    independent = -phase_cross_correlation(before, after, upsample_factor=100)[0]
    np.testing.assert_allclose(found, independent, atol=0.05)


def test_noise_nodata_and_a_linear_change_of_values_do_not_disturb(images: dict[str, NDArray[np.float64]]) -> None:
    random = np.random.default_rng(1)
    before = inner(images["taizhou"])
    after = 3 * inner(moved(images["taizhou"], 1.4, -2.6)) + 100 + random.normal(size=before.shape)
    valid = np.ones(before.shape, np.uint8)
    before[100:160, 50:120], valid[100:160, 50:120] = -9999, 0
    after[5, 5] = np.nan
    np.testing.assert_allclose(estimate_shift(before, after, valid), (1.4, -2.6), atol=0.05)


def _refused(change: Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], tuple[NDArray[Any], ...]]) -> str:
    random = np.random.default_rng(2)
    image = random.normal(size=(40, 50))
    with pytest.raises(InvalidInput) as refusal:
        before, after, valid = change(image, image.copy(), np.ones((40, 50), bool))
        estimate_shift(before, after, valid)
    return refusal.value.detail


def test_refuses_what_has_no_shift() -> None:
    assert "less than a quarter" in _refused(lambda x, y, valid: (x, y, valid & False))
    assert "later image has one value" in _refused(lambda x, y, valid: (x, 0 * y, valid))
    assert "one height and width" in _refused(lambda x, y, valid: (x, y[1:], valid))
    assert "16 to 2048" in _refused(lambda x, y, valid: (x[:9], y[:9], valid[:9]))
