"""Small matrix products over one block of pixels, in tiles that stay in the registers of the processor.

Taken row by row these products would wait for the first-level cache: two loads for every multiplication. A tile of
2 x 4 loads six rows for eight products. Rows are therefore padded with nought: bands of an image to a multiple of
four, variates of a date to an even number. Kernels take whole arrays and row numbers: a view of a row would cost
more, in counting references, than the loop over a block.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics.compiled import kernel

BLOCK = 512
"""Places of a block: long against the costs of a loop, short enough for the caches next to the processor."""

ROWS = 4
"""Rows of images, and of what is multiplied, come in multiples of this."""

PAIR = 2
"""Variates of one date come in multiples of this."""


def padded(array: NDArray[Any], *multiples: int) -> NDArray[Any]:
    """Return the array with nought at the end of each axis, up to a multiple of the number given for that axis."""
    return np.pad(array, [(0, -size % multiple) for size, multiple in zip(array.shape, multiples, strict=True)])


@kernel
def mix(factors: NDArray[Any], offsets: NDArray[Any], rows: NDArray[Any], out: NDArray[Any], first: int) -> None:
    """Fill out[first + i] with offsets[i] + sum over b of factors[i, b] * rows[b]; padded (m, p), (m,), (p, BLOCK)."""
    for i in range(0, factors.shape[0], PAIR):
        start_2x4(factors, i, offsets, rows, out, first + i)
        for b in range(ROWS, factors.shape[1], ROWS):
            mix_2x4(factors, i, b, rows, out, first + i)


@kernel
def start_2x4(
    factors: NDArray[Any], i: int, offsets: NDArray[Any], rows: NDArray[Any], out: NDArray[Any], first: int
) -> None:
    """Fill out[first : first + 2] with the offsets and the products of factors[i : i + 2, :4] with the first rows."""
    c, f0, f1, f2, f3 = offsets[i], factors[i, 0], factors[i, 1], factors[i, 2], factors[i, 3]
    d, g0, g1, g2, g3 = offsets[i + 1], factors[i + 1, 0], factors[i + 1, 1], factors[i + 1, 2], factors[i + 1, 3]
    for k in range(BLOCK):
        r0, r1, r2, r3 = rows[0, k], rows[1, k], rows[2, k], rows[3, k]
        out[first, k] = c + (f0 * r0 + f1 * r1) + (f2 * r2 + f3 * r3)
        out[first + 1, k] = d + (g0 * r0 + g1 * r1) + (g2 * r2 + g3 * r3)


@kernel
def mix_2x4(factors: NDArray[Any], i: int, b: int, rows: NDArray[Any], out: NDArray[Any], first: int) -> None:
    """Add to out[first : first + 2] the products of factors[i : i + 2, b : b + 4] with four rows."""
    f0, f1, f2, f3 = factors[i, b], factors[i, b + 1], factors[i, b + 2], factors[i, b + 3]
    g0, g1, g2, g3 = factors[i + 1, b], factors[i + 1, b + 1], factors[i + 1, b + 2], factors[i + 1, b + 3]
    for k in range(BLOCK):
        r0, r1, r2, r3 = rows[b, k], rows[b + 1, k], rows[b + 2, k], rows[b + 3, k]
        out[first, k] += (f0 * r0 + f1 * r1) + (f2 * r2 + f3 * r3)
        out[first + 1, k] += (g0 * r0 + g1 * r1) + (g2 * r2 + g3 * r3)


@kernel
def add_products(rows: NDArray[Any], weighted: NDArray[Any], products: NDArray[Any]) -> None:
    """Add weighted[i] . rows[j] to products[i, j] for i <= j, and some below the diagonal; (q, BLOCK), (q, q)."""
    for i in range(0, rows.shape[0], PAIR):
        for j in range(i - i % ROWS, rows.shape[0], ROWS):
            dot_2x4(rows, weighted, products, i, j)


@kernel
def dot_2x4(rows: NDArray[Any], weighted: NDArray[Any], products: NDArray[Any], i: int, j: int) -> None:
    """Add the eight products of weighted[i : i + 2] and rows[j : j + 4]."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = rows.dtype.type(0)
    for k in range(BLOCK):
        w0, w1 = weighted[i, k], weighted[i + 1, k]
        r0, r1, r2, r3 = rows[j, k], rows[j + 1, k], rows[j + 2, k], rows[j + 3, k]
        a0 += w0 * r0
        a1 += w0 * r1
        a2 += w0 * r2
        a3 += w0 * r3
        b0 += w1 * r0
        b1 += w1 * r1
        b2 += w1 * r2
        b3 += w1 * r3
    products[i, j] += a0
    products[i, j + 1] += a1
    products[i, j + 2] += a2
    products[i, j + 3] += a3
    products[i + 1, j] += b0
    products[i + 1, j + 1] += b1
    products[i + 1, j + 2] += b2
    products[i + 1, j + 3] += b3
