"""Change vector analysis (CVA): the length of the difference of two dates, band by band in standard scores.

Malila 1980, Machine Processing of Remotely Sensed Data, Purdue, 326-335; Bovolo & Bruzzone 2007, IEEE TGRS 45(1),
218-236. Unlike IR-MAD it sees a changed correlation only through the values, but needs no equation to be solvable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics.canonical import require_variance
from candela_processes.analytics.pair import Origin, Tile, Tiles, checked, origin
from candela_processes.analytics.sweep import constants_of, swept_magnitude, unweighted


@dataclass(frozen=True, eq=False)
class Cva:
    """Means and standard deviations of two images of p bands."""

    mean_before: NDArray[np.float64]
    """(p,) zero where values are compared as they are"""
    mean_after: NDArray[np.float64]
    """(p,)"""
    deviation_before: NDArray[np.float64]
    """(p,) standard deviations (of the population); one where values are compared as they are"""
    deviation_after: NDArray[np.float64]
    """(p,)"""
    pixels: int
    """valid pixels"""
    origin: Origin
    """values near the middle of the data that kernels subtract first"""
    identical: bool = False
    """both images agree in every valid pixel; every magnitude is zero"""
    freedom: float = 1.0
    """effective degrees of freedom of the squared length, 1 to p; see `effective_freedom`"""


def solve_cva(tiles: Tiles, bands: int, standardise: bool = True) -> Cva:
    """Take the statistics of both dates in one pass; `standardise=False` compares the values as they are.

    Raises InvalidInput("images") for no or too few valid pixels, InvalidInput("bands") for a constant band that would
    have to be standardised.
    """
    start = origin(tiles, bands)
    sums, products, pixels, different = unweighted(tiles, bands, start)
    means = sums / pixels
    variance = np.diag(products) / pixels - means**2
    middle = np.concatenate([start.before, start.after]).astype(np.float64)
    if not standardise:
        middle, means, variance = np.zeros_like(means), np.zeros_like(means), np.ones_like(means)
    elif different:
        require_variance(variance[:bands], "earlier")
        require_variance(variance[bands:], "later")
    mean, deviation = middle + means, np.sqrt(np.maximum(variance, 0.0))
    identical = different == 0
    freedom = 1.0 if identical else _freedom(sums, products, pixels, deviation)
    return Cva(mean[:bands], mean[bands:], deviation[:bands], deviation[bands:], pixels, start, identical, freedom)


def effective_freedom(covariance: NDArray[np.float64]) -> float:
    """Return the degrees of freedom f of the scaled chi-squared law nearest to the squared length of a normal vector.

    f = trace(C)^2 / trace(C C) for the covariance C (p, p): the law c chi2(f) has the mean and the variance of the
    weighted sum that the squared length is; f is p for independent bands of one variance and 1 for wholly
    dependent ones. Satterthwaite 1946, Biometrics Bulletin 2(6), 110-114; Box 1954, Ann. Math. Stat. 25, 290-302.
    """
    spread = float(np.sum(covariance * covariance.T))
    return float(np.trace(covariance)) ** 2 / spread if spread > 0.0 else 1.0


def _freedom(
    sums: NDArray[np.float64], products: NDArray[np.float64], pixels: int, deviation: NDArray[np.float64]
) -> float:
    """Return the effective degrees of freedom of the difference of the scores, from the moments of both dates."""
    bands = deviation.size // 2
    means = sums / pixels
    covariance = (np.triu(products) + np.triu(products, 1).T) / pixels - np.outer(means, means)
    scores = covariance / np.outer(deviation, deviation)
    before, cross, after = scores[:bands, :bands], scores[:bands, bands:], scores[bands:, bands:]
    return effective_freedom(before + after - cross - cross.T)


def magnitude(cva: Cva, tile: Tile) -> NDArray[np.float32]:
    """Return the length of the difference of the standard scores (pixels,) float32, NaN where not valid."""
    (tile,) = checked(lambda: [tile], cva.mean_before.size)
    if cva.identical:
        return np.where(tile.valid, np.float32(0), np.float32(np.nan))
    before, after = cva.origin.before.astype(np.float64), cva.origin.after.astype(np.float64)
    zero = np.stack([before, after])
    if cva.origin.before.dtype == np.float64:
        zero = np.zeros_like(zero)  # already taken off before the kernel
    offset = np.stack(
        [(before - cva.mean_before) / cva.deviation_before, (after - cva.mean_after) / cva.deviation_after]
    )
    map_ = np.stack([np.diag(1.0 / cva.deviation_before), np.diag(1.0 / cva.deviation_after)])
    constants = constants_of(zero, map_, offset, np.ones(before.size))
    return swept_magnitude(tile, cva.origin, constants)
