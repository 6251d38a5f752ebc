"""Fused passes over two images: weights and weighted moments in one sweep over pixels of their native type.

In the first pass all sums are float64. Later passes sum in the coordinates of the previous solution (the canonical
variates U of the first date, and D = U - V): these have unit variance and next to no correlation, so float32 products
and float32 sums over one block are exact enough (the blocks add up in float64), and D keeps its relative precision
where U and V all but agree.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics.blocks import (
    BLOCK,
    ZERO,
    clear_unused,
    dot,
    drop_unbounded,
    fill_variates,
    fill_z,
    take_difference,
    take_valid,
    total,
    weigh,
)
from candela_processes.analytics.compiled import kernel

# before (p, n), after (p, n), valid (n,)
type Pixels = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
# float32 origin (2, p), map (2, p, p), offset (2, p), 1 / variance (p,): see `blocks.fill_variates`
type Constants = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


@kernel
def raw_moments(
    pixels: Pixels, before_origin: NDArray[Any], after_origin: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], int, int]:
    """Sum the values, less their origin, and their products over the valid pixels with weight one.

    Returns sums (2p,), products (2p, 2p) upper triangle, the number of pixels, and how often a value differs between
    the dates.
    """
    bands, size = pixels[0].shape
    sums = np.zeros(2 * bands)
    products = np.zeros((2 * bands, 2 * bands))
    rows = np.empty((2 * bands, BLOCK))
    used = np.empty(BLOCK)
    count = 0
    different = 0
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        take_valid(pixels[2][start:stop], used)
        for band in range(bands):
            take_difference(pixels[0][band, start:stop], float(before_origin[band]), rows[band])
            take_difference(pixels[1][band, start:stop], float(after_origin[band]), rows[bands + band])
            drop_unbounded(rows[band], used)
            drop_unbounded(rows[bands + band], used)
        for band in range(bands):
            different += count_different(pixels[0][band, start:stop], pixels[1][band, start:stop], used)
        count += int(total(used))
        for i in range(2 * bands):
            clear_unused(rows[i], used)
        add_products(rows, rows, sums, products)
    return sums, products, count, different


@kernel
def count_different(before: NDArray[Any], after: NDArray[Any], used: NDArray[Any]) -> int:
    """Count the used places where the dates differ."""
    result = 0
    for k in range(before.size):
        result += (before[k] != after[k]) & (used[k] > 0.0)
    return result


@kernel
def add_products(rows: NDArray[Any], weighted: NDArray[Any], sums: NDArray[Any], products: NDArray[Any]) -> None:
    """Add the sums of the weighted rows, and their products with the rows (upper triangle)."""
    for i in range(rows.shape[0]):
        sums[i] += total(weighted[i])
        for j in range(i, rows.shape[0]):
            products[i, j] += dot(weighted[i], rows[j])


@kernel
def weighted_moments(
    pixels: Pixels, constants: Constants, freedom: int, series: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Sum U and D and their products with the no-change weight of the previous solution.

    Returns sums (2p,), products (2p, 2p) upper triangle, and the sum of the weights, all float64.
    """
    bands, size = pixels[0].shape
    sums = np.zeros(2 * bands)
    products = np.zeros((2 * bands, 2 * bands))
    variates = np.empty((2 * bands, BLOCK), np.float32)
    weighted = np.empty((2 * bands, BLOCK), np.float32)
    scratch = np.empty((4, BLOCK), np.float32)
    weight = np.empty(BLOCK, np.float32)
    z = np.empty(BLOCK, np.float32)
    total_weight = 0.0
    for start in range(0, size, BLOCK):
        fill_variates(pixels, start, min(start + BLOCK, size), constants, variates, weight, scratch[0])
        fill_z(variates, constants[3], z)
        weigh(weight, z, freedom, series, scratch)
        total_weight += total(weight)
        for i in range(2 * bands):
            for k in range(BLOCK):
                weighted[i, k] = weight[k] * variates[i, k]
        add_products(variates, weighted, sums, products)
    return sums, products, total_weight


@kernel
def fill_magnitudes(pixels: Pixels, constants: Constants, result: NDArray[Any]) -> None:
    """Fill result (n,) float32 with sqrt(Z), NaN where not valid."""
    bands, size = pixels[0].shape
    variates = np.empty((2 * bands, BLOCK), np.float32)
    used = np.empty(BLOCK, np.float32)
    row = np.empty(BLOCK, np.float32)
    z = np.empty(BLOCK, np.float32)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        fill_variates(pixels, start, stop, constants, variates, used, row)
        fill_z(variates, constants[3], z)
        for k in range(stop - start):
            result[start + k] = math.sqrt(z[k]) if used[k] > ZERO else np.float32(np.nan)
