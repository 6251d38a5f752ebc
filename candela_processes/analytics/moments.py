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
    LANES,
    WEIGHT,
    ZERO,
    Constants,
    Pixels,
    Z,
    clear_unused,
    drop_unbounded,
    fill_variates,
    take_difference,
    take_valid,
    total,
    weigh,
)
from candela_processes.analytics.compiled import kernel
from candela_processes.analytics.register_tiles import BLOCK, ROWS, add_products

__all__ = ["Constants", "Pixels", "fill_magnitudes", "raw_moments", "weighted_moments"]


@kernel
def raw_moments(
    pixels: Pixels, before_origin: NDArray[Any], after_origin: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], int, int]:
    """Sum the values, less their origin, and their products over the valid pixels with weight one.

    Returns sums (2p,), products (2p, 2p) upper triangle, the number of pixels, and how often a value differs between
    the dates.
    """
    before, after, valid, steps, finite = pixels
    bands, size = before_origin.size, valid.size
    height = (2 * bands + ROWS - 1) // ROWS * ROWS
    sums, products = np.zeros(height), np.zeros((height, height))
    rows, lanes = np.zeros((height, BLOCK)), np.empty((1, BLOCK))
    count = 0
    different = 0
    for start in range(0, size, BLOCK):
        here = min(BLOCK, size - start)
        take_valid(valid, start, here, lanes)
        for band in range(bands):
            take_difference(before, band * steps[0] + start, here, float(before_origin[band]), rows, band)
            take_difference(after, band * steps[1] + start, here, float(after_origin[band]), rows, bands + band)
            if not finite:
                drop_unbounded(rows, band, lanes)
                drop_unbounded(rows, bands + band, lanes)
        for band in range(bands):
            different += count_different(before, after, band * steps[0] + start, band * steps[1] + start, here, lanes)
        count += int(total(lanes, WEIGHT))
        for i in range(2 * bands):
            clear_unused(rows, i, lanes)
            sums[i] += total(rows, i)
        add_products(rows, rows, products)
    return sums[: 2 * bands], products[: 2 * bands, : 2 * bands], count, different


@kernel
def count_different(
    before: NDArray[Any], after: NDArray[Any], early: int, late: int, count: int, lanes: NDArray[Any]
) -> int:
    """Count the used places among before[early : early + count] that differ from those of the other date."""
    first, second = np.uint64(early), np.uint64(late)
    result = 0
    for k in range(np.uint64(count)):
        result += (before[first + k] != after[second + k]) & (lanes[WEIGHT, k] > 0.0)
    return result


@kernel
def apply_weight(lanes: NDArray[Any], variates: NDArray[Any], weighted: NDArray[Any], row: int) -> Any:
    """Fill a row of weighted with the weight times the variate, and return its sum."""
    result = ZERO
    for k in range(BLOCK):
        value = lanes[WEIGHT, k] * variates[row, k]
        weighted[row, k] = value
        result += value
    return result


@kernel
def weighted_moments(
    pixels: Pixels, constants: Constants, freedom: int, series: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Sum U and D and their products with the no-change weight of the previous solution.

    Returns sums (2m,), products (2m, 2m) upper triangle, and the sum of the weights, all float64; m as in `Constants`.
    """
    _, map_, _, inverse = constants
    height, size = 2 * inverse.size, pixels[2].size
    sums, products = np.zeros(height), np.zeros((height, height))
    rows = np.zeros((map_.shape[2], BLOCK), np.float32)
    variates, weighted = np.empty((height, BLOCK), np.float32), np.empty((height, BLOCK), np.float32)
    lanes = np.empty((LANES, BLOCK), np.float32)
    bits = lanes.view(np.int32)
    total_weight = 0.0
    for start in range(0, size, BLOCK):
        fill_variates(pixels, start, min(BLOCK, size - start), constants, rows, variates, lanes)
        weigh(lanes, bits, freedom, series)
        total_weight += total(lanes, WEIGHT)
        for i in range(height):
            sums[i] += apply_weight(lanes, variates, weighted, i)
        add_products(variates, weighted, products)
    return sums, products, total_weight


@kernel
def fill_magnitudes(pixels: Pixels, constants: Constants, result: NDArray[Any]) -> None:
    """Fill result (n,) float32 with sqrt(Z), NaN where not valid."""
    _, map_, _, inverse = constants
    size = pixels[2].size
    rows = np.zeros((map_.shape[2], BLOCK), np.float32)
    variates = np.empty((2 * inverse.size, BLOCK), np.float32)
    lanes = np.empty((LANES, BLOCK), np.float32)
    for start in range(0, size, BLOCK):
        here = min(BLOCK, size - start)
        fill_variates(pixels, start, here, constants, rows, variates, lanes)
        begin = np.uint64(start)
        for k in range(np.uint64(here)):
            root = math.sqrt(lanes[Z, k])
            result[begin + k] = root if lanes[WEIGHT, k] > ZERO else np.float32(np.nan)
