"""Loops over one block of pixels, small enough for the nearest caches; compiled into the passes of `moments`.

Every block has BLOCK places; places past the end of an image are not used (weight zero), so that all loops have one
fixed length and vectorise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics.compiled import kernel
from candela_processes.analytics.register_tiles import BLOCK, PAIR, mix

LARGEST = np.float32(3.0e38)
LOG2_E = np.float32(1.4426950408889634)
LN_2 = np.float32(0.6931471805599453)
ONE = np.float32(1.0)
HALF = np.float32(0.5)
ZERO = np.float32(0.0)
LARGEST_HALF_Z = np.float32(80.0)  # beyond it the survival is below the smallest float32

# Rows of `lanes` (LANES, BLOCK) float32: the weight of every place (first 1 where used, else 0), Z, and scratch.
LANES = 6
WEIGHT, Z, DECAY, INNER, ROOT, POWER = range(LANES)

# Both dates, each as one flat array in which band b begins at b * step: before (m,), after (m,), valid (n,), the two
# steps, and whether their type has finite values only.
type Pixels = tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[int, int], bool]
# float32: origin (2, p); padded, so that further variates are nought: map (2, m, r), offset (2, m), 1 / variance (m,)
type Constants = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


@kernel
def take_difference(values: NDArray[Any], first: int, count: int, zero: float, rows: NDArray[Any], row: int) -> None:
    """Fill rows[row] with values[first : first + count] - zero in the precision of rows, and with nought after that."""
    begin = np.uint64(first)  # unsigned, so that no place is taken for one counted from the end
    for k in range(np.uint64(count)):
        rows[row, k] = rows.dtype.type(values[begin + k]) - zero
    for k in range(count, BLOCK):
        rows[row, k] = 0.0


@kernel
def take_valid(valid: NDArray[Any], first: int, count: int, lanes: NDArray[Any]) -> None:
    """Set the weight to 1 where valid, else to 0."""
    begin = np.uint64(first)
    for k in range(np.uint64(count)):
        lanes[WEIGHT, k] = min(valid[begin + k], 1)
    for k in range(count, BLOCK):
        lanes[WEIGHT, k] = 0.0


@kernel
def drop_unbounded(rows: NDArray[Any], row: int, lanes: NDArray[Any]) -> None:
    """Set the weight to 0 where a row is infinite or not a number."""
    for k in range(BLOCK):
        lanes[WEIGHT, k] = lanes[WEIGHT, k] if abs(rows[row, k]) < LARGEST else lanes.dtype.type(0)


@kernel
def clear_unused(rows: NDArray[Any], row: int, lanes: NDArray[Any]) -> None:
    """Set a row to nought where the weight is 0, whatever stood there."""
    for k in range(BLOCK):
        rows[row, k] = rows[row, k] if lanes[WEIGHT, k] > 0.0 else rows.dtype.type(0)


@kernel
def total(rows: NDArray[Any], row: int) -> Any:
    """Return the sum of a row in its own precision."""
    result = rows.dtype.type(0)
    for k in range(BLOCK):
        result += rows[row, k]
    return result


@kernel
def fill_variates(
    pixels: Pixels,
    start: int,
    count: int,
    constants: Constants,
    rows: NDArray[Any],
    variates: NDArray[Any],
    lanes: NDArray[Any],
) -> None:
    """Fill one block: variates[:m] = U, variates[m:] = D = U - V, and lanes: the weight 1 where used, and Z.

    U = map[0] (x - origin[0]) + offset[0], V likewise from the later date; Z = sum of D_i^2 / variance_i.
    rows (r, BLOCK) is scratch, nought from row p on.
    """
    before, after, valid, steps, finite = pixels
    origin, map_, offset, inverse = constants
    take_valid(valid, start, count, lanes)
    for date in range(2):
        image = before if date == 0 else after
        for band in range(origin.shape[1]):
            take_difference(image, band * steps[date] + start, count, origin[date, band], rows, band)
            if not finite:
                drop_unbounded(rows, band, lanes)
                clear_unused(rows, band, lanes)
        mix(map_[date], offset[date], rows, variates, date * inverse.size)
    lanes[Z] = ZERO
    for i in range(0, inverse.size, PAIR):
        take_squares(variates, i, inverse, lanes)


@kernel
def take_squares(variates: NDArray[Any], i: int, inverse: NDArray[Any], lanes: NDArray[Any]) -> None:
    """Turn V into D for the variates i and i + 1, and add D^2 / variance to Z."""
    j = inverse.size + i
    first, second = inverse[i], inverse[i + 1]
    for k in range(BLOCK):
        d = variates[i, k] - variates[j, k]
        e = variates[i + 1, k] - variates[j + 1, k]
        variates[j, k] = d
        variates[j + 1, k] = e
        lanes[Z, k] += first * d * d + second * e * e


@kernel
def fill_exponential(lanes: NDArray[Any], bits: NDArray[Any], row: int) -> None:
    """Replace x in a row (-87 <= x <= 0) by exp(x), to about 1e-7 (1 - x) relative; bits is lanes as int32.

    exp(x) = 2^n exp(r), |r| <= ln 2 / 2, with the Taylor sum: written out, because libm's does not vectorise.
    """
    for k in range(BLOCK):
        x = lanes[row, k]
        whole = np.int32(x * LOG2_E - HALF)
        bits[POWER, k] = (whole + np.int32(127)) << np.int32(23)
        r = x - np.float32(whole) * LN_2
        series = np.float32(1.0 / 5040.0)
        series = series * r + np.float32(1.0 / 720.0)
        series = series * r + np.float32(1.0 / 120.0)
        series = series * r + np.float32(1.0 / 24.0)
        series = series * r + np.float32(1.0 / 6.0)
        series = series * r + HALF
        series = series * r + ONE
        lanes[row, k] = series * r + ONE
    for k in range(BLOCK):
        lanes[row, k] *= lanes[POWER, k]


@kernel
def fill_scaled_erfc(lanes: NDArray[Any], bits: NDArray[Any]) -> None:
    """Replace x >= 0 in the row ROOT by exp(x^2) erfc(x), to 3e-7 relative; the row Z is scratch.

    Chebyshev fit of Press et al., Numerical Recipes, 2nd edition 1992, 6.2 (`erfcc`).
    """
    for k in range(BLOCK):
        t = ONE / (ONE + HALF * lanes[ROOT, k])
        fit = np.float32(0.17087277)
        fit = fit * t + np.float32(-0.82215223)
        fit = fit * t + np.float32(1.48851587)
        fit = fit * t + np.float32(-1.13520398)
        fit = fit * t + np.float32(0.27886807)
        fit = fit * t + np.float32(-0.18628806)
        fit = fit * t + np.float32(0.09678418)
        fit = fit * t + np.float32(0.37409196)
        fit = fit * t + np.float32(1.00002368)
        lanes[ROOT, k] = t
        lanes[Z, k] = min(fit * t + np.float32(-1.26551223), ZERO)
    fill_exponential(lanes, bits, Z)
    for k in range(BLOCK):
        lanes[ROOT, k] *= lanes[Z, k]


@kernel
def weigh(lanes: NDArray[Any], bits: NDArray[Any], freedom: int, series: NDArray[Any]) -> None:
    """Multiply the weight by the chi-squared survival of Z with `freedom` degrees of freedom, to 1e-6; Z is spoilt.

    lanes (LANES, BLOCK) float32 and the same memory as int32; series: coefficients of the finite sum
    (`survival_series`).
    """
    for k in range(BLOCK):
        lanes[Z, k] = min(HALF * lanes[Z, k], LARGEST_HALF_Z)
        lanes[DECAY, k] = -lanes[Z, k]
        lanes[INNER, k] = ZERO
    fill_exponential(lanes, bits, DECAY)
    for order in range(series.size - 1, -1, -1):
        for k in range(BLOCK):
            lanes[INNER, k] = lanes[INNER, k] * lanes[Z, k] + series[order]
    if freedom % 2 == 1:
        for k in range(BLOCK):
            lanes[ROOT, k] = math.sqrt(lanes[Z, k])
            lanes[INNER, k] *= lanes[ROOT, k]
        fill_scaled_erfc(lanes, bits)
        for k in range(BLOCK):
            lanes[INNER, k] += lanes[ROOT, k]
    for k in range(BLOCK):
        lanes[WEIGHT, k] *= min(lanes[DECAY, k] * lanes[INNER, k], ONE)


def survival_series(freedom: int) -> NDArray[np.float32]:
    """Return the coefficients of the finite sum of the survival function, in powers of z/2, lowest first."""
    first = 1.0 if freedom % 2 == 0 else 1.5
    return np.array([math.exp(-math.lgamma(first + k)) for k in range(freedom // 2)], dtype=np.float32)
