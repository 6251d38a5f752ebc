"""Loops over one block of pixels, small enough for the first-level cache; compiled into the passes of `moments`.

Every block has BLOCK places; places past the end of an image are not used (weight zero), so that all loops have one
fixed length and vectorise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics.compiled import kernel

BLOCK = 256
LARGEST = np.float32(3.0e38)
LOG2_E = np.float32(1.4426950408889634)
LN_2 = np.float32(0.6931471805599453)
ONE = np.float32(1.0)
HALF = np.float32(0.5)
ZERO = np.float32(0.0)
LARGEST_HALF_Z = np.float32(80.0)  # beyond it the survival is below the smallest float32


@kernel
def take_difference(values: NDArray[Any], zero: float, out: NDArray[Any]) -> None:
    """Fill out[:n] with values - zero in the precision of out, and with nought past the end."""
    for k in range(values.size):
        out[k] = values[k] - zero
    for k in range(values.size, BLOCK):
        out[k] = 0.0


@kernel
def take_valid(valid: NDArray[Any], used: NDArray[Any]) -> None:
    """Set used to 1 where valid, else 0."""
    for k in range(valid.size):
        used[k] = 1.0 if valid[k] else 0.0
    for k in range(valid.size, BLOCK):
        used[k] = 0.0


@kernel
def drop_unbounded(row: NDArray[Any], used: NDArray[Any]) -> None:
    """Set used to 0 where the row is infinite or not a number."""
    for k in range(BLOCK):
        used[k] = used[k] if abs(row[k]) < LARGEST else row.dtype.type(0)


@kernel
def clear_unused(row: NDArray[Any], used: NDArray[Any]) -> None:
    """Set the row to nought where used is 0, whatever stood there."""
    for k in range(BLOCK):
        row[k] = row[k] if used[k] > 0.0 else row.dtype.type(0)


@kernel
def add_scaled(row: NDArray[Any], factor: float, other: NDArray[Any]) -> None:
    """Add factor * other to the row."""
    for k in range(BLOCK):
        row[k] += factor * other[k]


@kernel
def total(row: NDArray[Any]) -> Any:
    """Return the sum of the row in its own precision."""
    result = row.dtype.type(0)
    for k in range(BLOCK):
        result += row[k]
    return result


@kernel
def dot(row: NDArray[Any], other: NDArray[Any]) -> Any:
    """Return the sum of products in the rows' own precision."""
    result = row.dtype.type(0)
    for k in range(BLOCK):
        result += row[k] * other[k]
    return result


@kernel
def fill_variates(
    tile: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    start: int,
    stop: int,
    constants: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]],
    variates: NDArray[Any],
    used: NDArray[Any],
    row: NDArray[Any],
) -> None:
    """Fill one block: variates[:p] = U, variates[p:] = D = U - V; used = 1 where valid and finite, else 0.

    tile: before, after (p, n), valid (n,). constants, float32: origin (2, p), map (2, p, p), offset (2, p) and
    1 / variance (p,), with U = map[0] (x - origin[0]) + offset[0], V likewise from the later date.
    """
    origin, map_, offset, _ = constants
    bands = origin.shape[1]
    take_valid(tile[2][start:stop], used)
    for i in range(bands):
        variates[i, :] = offset[0, i]
        variates[bands + i, :] = offset[1, i]
    for band in range(bands):
        for date in range(2):
            image = tile[0] if date == 0 else tile[1]
            take_difference(image[band, start:stop], origin[date, band], row)
            drop_unbounded(row, used)
            clear_unused(row, used)
            for i in range(bands):
                add_scaled(variates[date * bands + i], map_[date, i, band], row)
    for i in range(bands):
        for k in range(BLOCK):
            variates[bands + i, k] = variates[i, k] - variates[bands + i, k]


@kernel
def fill_z(variates: NDArray[Any], inverse: NDArray[Any], z: NDArray[Any]) -> None:
    """Fill z = sum of D_i^2 / variance_i for one block; inverse (p,) float32 holds 1 / variance."""
    bands = inverse.size
    z[:] = ZERO
    for i in range(bands):
        for k in range(BLOCK):
            z[k] += inverse[i] * variates[bands + i, k] * variates[bands + i, k]


@kernel
def fill_exponential(x: NDArray[Any], power: NDArray[Any], bits: NDArray[Any]) -> None:
    """Replace x (float32, -87 <= x <= 0) by exp(x), to about 1e-7 (1 - x) relative; bits is power as int32.

    exp(x) = 2^n exp(r), |r| <= ln 2 / 2, with the Taylor sum: written out, because libm's does not vectorise.
    """
    for k in range(BLOCK):
        whole = np.int32(x[k] * LOG2_E - HALF)
        bits[k] = (whole + np.int32(127)) << np.int32(23)
        r = x[k] - np.float32(whole) * LN_2
        series = np.float32(1.0 / 5040.0)
        series = series * r + np.float32(1.0 / 720.0)
        series = series * r + np.float32(1.0 / 120.0)
        series = series * r + np.float32(1.0 / 24.0)
        series = series * r + np.float32(1.0 / 6.0)
        series = series * r + HALF
        series = series * r + ONE
        x[k] = series * r + ONE
    for k in range(BLOCK):
        x[k] *= power[k]


@kernel
def fill_scaled_erfc(root: NDArray[Any], out: NDArray[Any], power: NDArray[Any], bits: NDArray[Any]) -> None:
    """Replace root, x >= 0, by exp(x^2) erfc(x), to 3e-7 relative; out is scratch.

    Chebyshev fit of Press et al., Numerical Recipes, 2nd edition 1992, 6.2 (`erfcc`).
    """
    for k in range(BLOCK):
        t = ONE / (ONE + HALF * root[k])
        fit = np.float32(0.17087277)
        fit = fit * t + np.float32(-0.82215223)
        fit = fit * t + np.float32(1.48851587)
        fit = fit * t + np.float32(-1.13520398)
        fit = fit * t + np.float32(0.27886807)
        fit = fit * t + np.float32(-0.18628806)
        fit = fit * t + np.float32(0.09678418)
        fit = fit * t + np.float32(0.37409196)
        fit = fit * t + np.float32(1.00002368)
        root[k] = t
        out[k] = min(fit * t + np.float32(-1.26551223), ZERO)
    fill_exponential(out, power, bits)
    for k in range(BLOCK):
        root[k] *= out[k]


@kernel
def weigh(weight: NDArray[Any], z: NDArray[Any], freedom: int, series: NDArray[Any], scratch: NDArray[Any]) -> None:
    """Multiply weight by the chi-squared survival of z with `freedom` degrees of freedom, to 1e-6; z is spoilt.

    series: coefficients of the finite sum (`survival_series`); scratch (4, BLOCK) float32.
    """
    decay, inner, root, power = scratch[0], scratch[1], scratch[2], scratch[3]
    bits = power.view(np.int32)
    for k in range(BLOCK):
        z[k] = min(HALF * z[k], LARGEST_HALF_Z)
        decay[k] = -z[k]
        inner[k] = ZERO
    fill_exponential(decay, power, bits)
    for order in range(series.size - 1, -1, -1):
        for k in range(BLOCK):
            inner[k] = inner[k] * z[k] + series[order]
    if freedom % 2 == 1:
        for k in range(BLOCK):
            root[k] = math.sqrt(z[k])
            inner[k] *= root[k]
        fill_scaled_erfc(root, z, power, bits)
        add_scaled(inner, 1, root)
    for k in range(BLOCK):
        weight[k] *= min(decay[k] * inner[k], ONE)


def survival_series(freedom: int) -> NDArray[np.float32]:
    """Return the coefficients of the finite sum of the survival function, in powers of z/2, lowest first."""
    first = 1.0 if freedom % 2 == 0 else 1.5
    return np.array([math.exp(-math.lgamma(first + k)) for k in range(freedom // 2)], dtype=np.float32)
