"""Sub-pixel translation between two images by phase correlation.

Kuglin & Hines 1975 (phase correlation); Stone, Orchard, Chang & Martucci 2001, IEEE TGRS 39(10), 2235-2243 (window,
low frequencies only); Guizar-Sicairos, Thurman & Fienup 2008, Optics Letters 33(2), 156-158 (DFT of the
neighbourhood of the peak by two matrix products).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.errors import InvalidInput

# Cycles per pixel up to which phases are trusted: beyond lie aliasing and the smoothing of resampled products.
HIGHEST_FREQUENCY = 0.35

LARGEST_SIDE = 2048
SMALLEST_SIDE = 16


def estimate_shift(
    before: NDArray[Any], after: NDArray[Any], valid: NDArray[Any], upsample: int = 100
) -> tuple[float, float]:
    """Return (rows, columns) by which the content of `after` lies further down and right than in `before`.

    before, after, valid: (height, width), 16 to 2048 pixels a side; pixels that are not valid or not finite on either
    date count as the mean. The answer is a multiple of 1 / upsample pixel. First whole pixels, then the fraction on
    the area that both images share at that offset, so that the window does not draw the answer to zero.
    Raises InvalidInput("images") for other sizes, fewer than a quarter of valid pixels, or an image without structure.
    """
    first, second, seen = _checked(before, after, valid)
    rows, columns = _whole(_cross_power(first, second, seen))
    down, right = _overlap(rows, first.shape[0]), _overlap(columns, first.shape[1])
    inside = (down[0], right[0]), (down[1], right[1])
    both = seen[inside[0]] & seen[inside[1]]
    if min(both.shape) < SMALLEST_SIDE or not both.any():
        return float(rows), float(columns)
    power = _cross_power(first[inside[0]], second[inside[1]], both)
    centre = (0.0, 0.0)
    for step, reach in ((0.1, 15), (1.0 / upsample, max(1, round(0.15 * upsample)))):
        centre = _peak_near(power, centre, step, reach)
    return rows + round(centre[0] * upsample) / upsample, columns + round(centre[1] * upsample) / upsample


def _checked(
    before: NDArray[Any], after: NDArray[Any], valid: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return both images as float64 and the mask of pixels that both observe; see `estimate_shift` for errors."""
    first, second = before.astype(np.float64), after.astype(np.float64)
    if first.ndim != 2 or first.shape != second.shape or first.shape != valid.shape:
        raise InvalidInput("images", "a shift needs two images and a mask of one height and width.")
    if min(first.shape) < SMALLEST_SIDE or max(first.shape) > LARGEST_SIDE:
        raise InvalidInput(
            "images",
            f"a shift is estimated on {SMALLEST_SIDE} to {LARGEST_SIDE} pixels a side; got {first.shape[1]} x "
            f"{first.shape[0]}.",
        )
    seen = valid.astype(bool) & np.isfinite(first) & np.isfinite(second)
    if 4 * int(seen.sum()) < seen.size:
        raise InvalidInput("images", "less than a quarter of the pixels is valid on both dates: no shift can be found.")
    for image, date in ((first, "earlier"), (second, "later")):
        if np.ptp(image[seen]) == 0.0:
            raise InvalidInput("images", f"the {date} image has one value everywhere: no shift can be found.")
    return first, second, seen


def _cross_power(
    first: NDArray[np.float64], second: NDArray[np.float64], seen: NDArray[np.bool_]
) -> NDArray[np.complex128]:
    """Return the cross-power spectrum (height, width) with unit modulus in its low frequencies, else zero."""
    height, width = first.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    spectra = [np.fft.fft2(np.where(seen, image - image[seen].mean(), 0.0) * window) for image in (first, second)]
    power = spectra[1] * np.conj(spectra[0])
    modulus = np.abs(power)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    kept = (radius <= HIGHEST_FREQUENCY) & (modulus > 1e-12 * modulus.max())
    return np.where(kept, power / np.where(kept, modulus, 1.0), 0.0)


def _whole(power: NDArray[np.complex128]) -> tuple[int, int]:
    """Return the whole-pixel peak of the correlation, as signed rows and columns."""
    correlation = np.fft.ifft2(power).real
    row, column = np.unravel_index(int(correlation.argmax()), correlation.shape)
    height, width = power.shape
    return (int(row) + height // 2) % height - height // 2, (int(column) + width // 2) % width - width // 2


def _overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Return where the shared part lies in the first and in the second image, along one axis."""
    return slice(max(0, -offset), size - max(0, offset)), slice(max(0, offset), size - max(0, -offset))


def _peak_near(
    power: NDArray[np.complex128], centre: tuple[float, float], step: float, reach: int
) -> tuple[float, float]:
    """Return the peak of the correlation among (2 reach + 1)^2 points `step` apart around the centre."""
    offsets = step * np.arange(-reach, reach + 1)
    down, right = centre[0] + offsets, centre[1] + offsets
    rows = np.exp(2j * np.pi * np.outer(down, np.fft.fftfreq(power.shape[0])))
    columns = np.exp(2j * np.pi * np.outer(np.fft.fftfreq(power.shape[1]), right))
    correlation = (rows @ power @ columns).real
    row, column = np.unravel_index(int(correlation.argmax()), correlation.shape)
    return float(down[row]), float(right[column])
