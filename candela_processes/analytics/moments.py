"""Fused passes over two images: weights and weighted moments in one sweep over pixels of their native type.

Pixels go through a buffer of BLOCK pixels that stays in the first-level cache. In the first pass sums are float64
throughout. Later passes sum in the coordinates of the previous solution (canonical variates U of the first date, and
D = U - V): these have unit variance and next to no correlation, so float32 products and float32 sums over one
BLOCK are exact enough (the blocks add up in float64), and D keeps its relative precision where U and V all but agree.
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


@kernel
def raw_moments(
    before: NDArray[Any],
    after: NDArray[Any],
    valid: NDArray[Any],
    before_origin: NDArray[Any],
    after_origin: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], int, int]:
    """Sum the values, less their origin, and their products over the valid pixels with weight one.

    before, after (p, n); returns sums (2p,), products (2p, 2p) upper triangle, the number of pixels, and how many of
    them differ between the dates in any band.
    """
    bands, pixels = before.shape
    sums = np.zeros(2 * bands)
    products = np.zeros((2 * bands, 2 * bands))
    buffer = np.empty((2 * bands, BLOCK))
    used = np.empty(BLOCK, np.uint8)
    differs = np.empty(BLOCK, np.uint8)
    count = 0
    different = 0
    for start in range(0, pixels, BLOCK):
        size = min(BLOCK, pixels - start)
        for k in range(size):
            used[k] = valid[start + k] != 0
            differs[k] = 0
        for band in range(bands):
            for k in range(size):
                x = float(before[band, start + k])
                y = float(after[band, start + k])
                used[k] &= (abs(x) <= 1e300) & (abs(y) <= 1e300)
                differs[k] |= x != y
                buffer[band, k] = x - float(before_origin[band])
                buffer[bands + band, k] = y - float(after_origin[band])
        seen = 0
        for k in range(size):
            seen += used[k]
            different += used[k] & differs[k]
        if seen == 0:
            continue
        count += seen
        if seen < size:
            for i in range(2 * bands):
                for k in range(size):
                    buffer[i, k] = buffer[i, k] if used[k] else 0.0
        for i in range(2 * bands):
            total = 0.0
            for k in range(size):
                total += buffer[i, k]
            sums[i] += total
            for j in range(i, 2 * bands):
                total = 0.0
                for k in range(size):
                    total += buffer[i, k] * buffer[j, k]
                products[i, j] += total
    return sums, products, count, different


@kernel
def fill_variates(
    before: NDArray[Any],
    after: NDArray[Any],
    valid: NDArray[Any],
    start: int,
    size: int,
    origin: NDArray[Any],
    map_: NDArray[Any],
    offset: NDArray[Any],
    variates: NDArray[Any],
    used: NDArray[Any],
    value: NDArray[Any],
) -> None:
    """Fill one block: variates[:p] = U, variates[p:] = D = U - V, used = 1 where valid and finite, else 0.

    origin (2, p) float32, map_ (2, p, p) float32, offset (2, p) float32: U = map_[0] (x - origin[0]) + offset[0].
    """
    bands = before.shape[0]
    for k in range(size):
        used[k] = ONE if valid[start + k] != 0 else ZERO
    for i in range(bands):
        for k in range(size):
            variates[i, k] = offset[0, i]
            variates[bands + i, k] = offset[1, i]
    for band in range(bands):
        zero_x = origin[0, band]
        zero_y = origin[1, band]
        for k in range(size):
            x = np.float32(before[band, start + k]) - zero_x
            y = np.float32(after[band, start + k]) - zero_y
            good = (abs(x) < LARGEST) & (abs(y) < LARGEST)
            used[k] = used[k] if good else ZERO
            value[0, k] = x if good else ZERO
            value[1, k] = y if good else ZERO
        for i in range(bands):
            a = map_[0, i, band]
            b = map_[1, i, band]
            for k in range(size):
                variates[i, k] += a * value[0, k]
                variates[bands + i, k] += b * value[1, k]
    for i in range(bands):
        for k in range(size):
            variates[bands + i, k] = variates[i, k] - variates[bands + i, k]


@kernel
def fill_z(variates: NDArray[Any], size: int, inverse: NDArray[Any], z: NDArray[Any]) -> None:
    """Fill z = sum of D_i^2 / variance_i for one block; inverse (p,) float32 holds 1 / variance."""
    bands = inverse.shape[0]
    for k in range(size):
        z[k] = ZERO
    for i in range(bands):
        scale = inverse[i]
        for k in range(size):
            z[k] += scale * variates[bands + i, k] * variates[bands + i, k]


@kernel
def fill_exponential(x: NDArray[Any], size: int, power: NDArray[Any], bits: NDArray[Any]) -> None:
    """Replace x (float32, -87 <= x <= 0) by exp(x) to 1e-7 relative; bits is the int32 view of power.

    2^n exp(r), |r| <= ln 2 / 2, with the Taylor sum of exp: written out, because libm's does not vectorise.
    """
    for k in range(size):
        whole = np.int32(x[k] * LOG2_E - HALF)
        bits[k] = (whole + np.int32(127)) << np.int32(23)
        r = x[k] - np.float32(whole) * LN_2
        total = np.float32(1.0 / 5040.0)
        total = total * r + np.float32(1.0 / 720.0)
        total = total * r + np.float32(1.0 / 120.0)
        total = total * r + np.float32(1.0 / 24.0)
        total = total * r + np.float32(1.0 / 6.0)
        total = total * r + HALF
        total = total * r + ONE
        x[k] = total * r + ONE
    for k in range(size):
        x[k] *= power[k]


@kernel
def fill_weights(
    z: NDArray[Any],
    size: int,
    bands: int,
    series: NDArray[Any],
    work: NDArray[Any],
    power: NDArray[Any],
    bits: NDArray[Any],
    weight: NDArray[Any],
) -> None:
    """Multiply weight by the chi-squared survival of z with `bands` degrees of freedom, to about 3e-7.

    series: coefficients of the finite sum in z/2, lowest order first (see `survival_series`). For odd p the erfc is
    Numerical Recipes' Chebyshev fit (Press et al. 2007, 6.2.2), relative error below 1.2e-7.
    """
    odd = bands % 2 == 1
    for k in range(size):
        z[k] = min(HALF * z[k], np.float32(80.0))
        work[0, k] = -z[k]
    fill_exponential(work[0], size, power, bits)
    for k in range(size):
        work[1, k] = ZERO
    for order in range(series.shape[0] - 1, -1, -1):
        coefficient = series[order]
        for k in range(size):
            work[1, k] = work[1, k] * z[k] + coefficient
    if odd:
        for k in range(size):
            root = math.sqrt(z[k])
            work[1, k] *= root
            t = ONE / (ONE + HALF * root)
            fit = np.float32(0.17087277)
            fit = fit * t + np.float32(-0.82215223)
            fit = fit * t + np.float32(1.48851587)
            fit = fit * t + np.float32(-1.13520398)
            fit = fit * t + np.float32(0.27886807)
            fit = fit * t + np.float32(-0.18628806)
            fit = fit * t + np.float32(0.09678418)
            fit = fit * t + np.float32(0.37409196)
            fit = fit * t + np.float32(1.00002368)
            z[k] = t
            work[2, k] = min(fit * t + np.float32(-1.26551223), ZERO)
        fill_exponential(work[2], size, power, bits)
        for k in range(size):
            work[1, k] += z[k] * work[2, k]
    for k in range(size):
        weight[k] *= min(work[0, k] * work[1, k], ONE)


def survival_series(bands: int) -> NDArray[np.float32]:
    """Return the coefficients of the finite sum of the survival function, in powers of z/2, lowest first."""
    if bands % 2 == 0:
        return np.array([1.0 / math.gamma(k + 1.0) for k in range(bands // 2)], dtype=np.float32)
    return np.array([1.0 / math.gamma(k + 1.5) for k in range(bands // 2)], dtype=np.float32)


@kernel
def weighted_moments(
    before: NDArray[Any],
    after: NDArray[Any],
    valid: NDArray[Any],
    origin: NDArray[Any],
    map_: NDArray[Any],
    offset: NDArray[Any],
    inverse: NDArray[Any],
    series: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Sum U and D and their products with the no-change weight of the previous solution.

    Returns sums (2p,), products (2p, 2p) upper triangle, and the sum of the weights, all float64.
    """
    bands, pixels = before.shape
    size2 = 2 * bands
    sums = np.zeros(size2)
    products = np.zeros((size2, size2))
    variates = np.empty((size2, BLOCK), np.float32)
    weighted = np.empty(BLOCK, np.float32)
    weight = np.empty(BLOCK, np.float32)
    z = np.empty(BLOCK, np.float32)
    work = np.empty((3, BLOCK), np.float32)
    power = np.empty(BLOCK, np.float32)
    bits = power.view(np.int32)
    total_weight = 0.0
    for start in range(0, pixels, BLOCK):
        size = min(BLOCK, pixels - start)
        fill_variates(before, after, valid, start, size, origin, map_, offset, variates, weight, work)
        fill_z(variates, size, inverse, z)
        fill_weights(z, size, bands, series, work, power, bits, weight)
        part = ZERO
        for k in range(size):
            part += weight[k]
        if part == ZERO:
            continue
        total_weight += part
        for i in range(size2):
            part = ZERO
            for k in range(size):
                weighted[k] = weight[k] * variates[i, k]
                part += weighted[k]
            sums[i] += part
            for j in range(i, size2):
                part = ZERO
                for k in range(size):
                    part += weighted[k] * variates[j, k]
                products[i, j] += part
    return sums, products, total_weight


@kernel
def magnitudes(
    before: NDArray[Any],
    after: NDArray[Any],
    valid: NDArray[Any],
    origin: NDArray[Any],
    map_: NDArray[Any],
    offset: NDArray[Any],
    inverse: NDArray[Any],
    result: NDArray[Any],
) -> None:
    """Fill result (n,) float32 with sqrt(Z), NaN where not valid."""
    bands, pixels = before.shape
    variates = np.empty((2 * bands, BLOCK), np.float32)
    used = np.empty(BLOCK, np.float32)
    value = np.empty((2, BLOCK), np.float32)
    z = np.empty(BLOCK, np.float32)
    for start in range(0, pixels, BLOCK):
        size = min(BLOCK, pixels - start)
        fill_variates(before, after, valid, start, size, origin, map_, offset, variates, used, value)
        fill_z(variates, size, inverse, z)
        for k in range(size):
            result[start + k] = math.sqrt(z[k]) if used[k] > ZERO else np.float32(np.nan)
