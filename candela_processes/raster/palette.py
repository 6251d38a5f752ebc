"""Colours and stretches of pictures: readable with every kind of colour vision, and on paper."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Okabe and Ito 2008, Color Universal Design: vermillion
CHANGED = (213, 94, 0)
UNCHANGED = (110, 235)  # greys of the ground, darkest and lightest
MISSING_LIGHT = (238, 238, 238)
MISSING_DARK = (165, 165, 165)
INK = (34, 34, 34)
PALE_INK = (102, 102, 102)
PAPER = (255, 255, 255)

RED_GREEN_BLUE_NM = (660.0, 560.0, 485.0)
FARTHEST_NM = 60.0  # from the middle of a colour
WAVELENGTH = re.compile(r"([\d.]+)\s*(micro|nano|µ|u|n)m", re.IGNORECASE)


def rgb_bands(names: Sequence[str]) -> tuple[int, int, int]:
    """Return the three positions from 0 to be shown as red, green, blue, judged by the bands' descriptions.

    Natural colour where the bands are called so (red, B04) or state wavelengths; else the first three in their
    order; a grey picture where there are fewer than three.
    """
    if len(names) < 3:
        return 0, 0, 0
    for wanted in (("red", "green", "blue"), ("b04", "b03", "b02"), ("b4", "b3", "b2")):
        found = [_position(names, word) for word in wanted]
        if None not in found:
            return found[0] or 0, found[1] or 0, found[2] or 0
    return _by_wavelength([_nanometres(name) for name in names]) or (0, 1, 2)


def _position(names: Sequence[str], word: str) -> int | None:
    """Return the position of the band whose name is a word or begins with it."""
    words = [re.split(r"[\s_(:-]+", name.strip().casefold())[0] for name in names]
    return words.index(word) if word in words else None


def _nanometres(name: str) -> float | None:
    """Return the wavelength that a description states."""
    match = WAVELENGTH.search(re.sub(r"met(re|er)s?", "m", name, flags=re.IGNORECASE))
    if match is None or not match[1].strip("."):
        return None
    return float(match[1]) * (1 if match[2].casefold().startswith("n") else 1000)


def _by_wavelength(wavelengths: Sequence[float | None]) -> tuple[int, int, int] | None:
    """Return the bands nearest to red, green and blue, where all three are there."""
    chosen = []
    for wanted in RED_GREEN_BLUE_NM:
        distances = [abs(w - wanted) if w is not None else np.inf for w in wavelengths]
        if min(distances) > FARTHEST_NM:
            return None
        chosen.append(int(np.argmin(distances)))
    return chosen[0], chosen[1], chosen[2]


def stretch_couple(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
    """Return two pictures (rows, columns, 3), 2nd to 98th percentile as 0 to 1, and whether one scale serves both.

    One scale serves both dates as long as their ranges are alike in every band; equal colours then are equal values.
    Dates of different radiometry get each their own. NaN stays NaN.
    """
    low_before, high_before = _range(before)
    low_after, high_after = _range(after)
    shared = np.minimum(high_before, high_after) - np.maximum(low_before, low_after)
    union = np.maximum(high_before, high_after) - np.minimum(low_before, low_after)
    same = bool(np.all(shared >= 0.4 * union))
    if same:
        low, high = np.minimum(low_before, low_after), np.maximum(high_before, high_after)
        low_before = low_after = low
        high_before = high_after = high
    return _scaled(before, low_before, high_before), _scaled(after, low_after, high_after), same


def _range(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the 2nd and 98th percentile of each band; 0 and 1 where nothing was observed."""
    seen = picture[np.isfinite(picture).all(axis=-1)]
    if not len(seen):
        return np.zeros(3, np.float32), np.ones(3, np.float32)
    low, high = np.percentile(seen, (2, 98), axis=0).astype(np.float32)
    return low, np.maximum(high, low + np.maximum(np.abs(low) * 1e-6, 1e-6))


def _scaled(picture: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to 0..1."""
    return np.clip((picture - low) / (high - low), 0, 1).astype(np.float32)


def hatch(rows: int, columns: int) -> NDArray[np.uint8]:
    """Return diagonal grey lines, the sign of pixels that were not observed."""
    y, x = np.ogrid[:rows, :columns]
    dark = ((x + y) % 8 < 2)[..., None]
    return np.where(dark, np.array(MISSING_DARK), np.array(MISSING_LIGHT)).astype(np.uint8)


def ground_grey(share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the greys, 110 to 235, of a picture 0 to 1 that changes are drawn upon: light, so that they stand out."""
    dark, light = UNCHANGED
    return np.asarray(dark + (light - dark) * np.sqrt(np.clip(share, 0, 1)), np.float32)
