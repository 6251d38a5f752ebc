"""Iteratively reweighted multivariate alteration detection (IR-MAD) over a stream of tiles.

Nielsen, Conradsen & Simpson 1998, RSE 64, 1-19 (MAD); Nielsen 2007, IEEE TIP 16(2), 463-478 (re-weighting);
Canty & Nielsen 2008, RSE 112(3), 1025-1036. Affine changes of either image leave the result as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics import moments
from candela_processes.analytics.blocks import survival_series
from candela_processes.analytics.canonical import canonical, is_sound, require_independence, require_variance
from candela_processes.analytics.pair import Origin, Tile, Tiles, checked, origin
from candela_processes.analytics.sweep import (
    MINIMUM_PIXELS_PER_BAND,
    constants_of,
    narrow,
    summed,
    swept_magnitude,
    unweighted,
)

# Least variance of a MAD variate, in units where both canonical variates have variance one. Where rho reaches 1 (a band
# that is the same on both dates, an exact affine relation) D is zero up to the rounding of float32, about 1e-6: the
# floor lies above its square, so such pixels have Z near 0, while any true difference has a Z without bound.
LEAST_VARIANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Mad:
    """A solved change model of two images of p bands."""

    mean_before: NDArray[np.float64]
    """(p,) weighted mean of the first date"""
    mean_after: NDArray[np.float64]
    """(p,) of the second"""
    a: NDArray[np.float64]
    """(p, p) rows are the canonical vectors of the first date, ascending in rho"""
    b: NDArray[np.float64]
    """(p, p) of the second"""
    rho: NDArray[np.float64]
    """(p,) canonical correlations, ascending"""
    rho_history: list[NDArray[np.float64]]
    """rho of every iteration; the first is plain MAD"""
    iterations: int
    """solutions computed"""
    converged: bool
    """the last iteration moved no correlation by as much as the tolerance"""
    mean_weight: float
    """mean probability of no change over the valid pixels, as used in the last pass (1 for plain MAD)"""
    pixels: int
    """valid pixels"""
    origin: Origin
    """values near the middle of the data that kernels subtract first"""
    identical: bool = False
    """both images agree in every valid pixel; nothing was solved and every magnitude is zero"""

    @property
    def degrees_of_freedom(self) -> int:
        """Degrees of freedom of Z where nothing changed: the MAD variates that vary at all (p where none does)."""
        return int((2.0 * (1.0 - self.rho) > LEAST_VARIANCE).sum()) or self.rho.size


def solve_change(
    tiles: Tiles,
    bands: int,
    max_iterations: int,
    tolerance: float,
    progress: Callable[[int, float], None] | None = None,
) -> Mad:
    """Solve IR-MAD; max_iterations = 1 is plain MAD.

    Every iteration is one pass over the tiles. It stops when no correlation moves by `tolerance`, or, as not converged,
    after `max_iterations` or when the weights leave too little to solve again. `progress` is told the iteration
    and the largest move of a correlation (infinity for the first).
    Raises InvalidInput("images") for no or too few valid pixels, InvalidInput("bands") for constant or collinear bands.
    """
    solution = _first(tiles, bands)
    _tell(progress, 1, np.inf)
    while not (solution.identical or solution.converged) and solution.iterations < max_iterations:
        following = _next(tiles, solution, tolerance)
        if following is None:
            break
        solution = following
        history = solution.rho_history
        _tell(progress, solution.iterations, float(np.abs(history[-1] - history[-2]).max()))
    return _signed(solution) if not solution.identical else solution


def magnitude(mad: Mad, tile: Tile) -> NDArray[np.float32]:
    """Return sqrt(Z) (pixels,) float32, NaN where not valid; Z ~ chi-squared(p) up to scale where nothing changed."""
    (tile,) = checked(lambda: [tile], mad.rho.size)
    if mad.identical:
        return np.where(tile.valid, np.float32(0), np.float32(np.nan))
    return swept_magnitude(tile, mad.origin, _constants(mad))


def _tell(progress: Callable[[int, float], None] | None, iteration: int, move: float) -> None:
    """Report one iteration where somebody listens."""
    if progress is not None:
        progress(iteration, move)


def _first(tiles: Tiles, bands: int) -> Mad:
    """Solve plain MAD with float64 sums, after refusing images that have no solution."""
    start = origin(tiles, bands)
    sums, products, pixels, different = unweighted(tiles, bands, start)
    means, covariance = _centred(sums, products, pixels)
    mean_before, mean_after = start.before + means[:bands], start.after + means[bands:]
    if different == 0:
        one, unit = np.ones(bands), np.eye(bands)
        return Mad(mean_before, mean_after, unit, unit, one, [one], 1, True, 1.0, pixels, start, identical=True)
    s11, s12, s22 = covariance[:bands, :bands], covariance[:bands, bands:], covariance[bands:, bands:]
    for matrix, date in ((s11, "earlier"), (s22, "later")):
        require_variance(np.diag(matrix), date)
        require_independence(matrix, date)
    found = canonical(s11, s12, s22)
    return Mad(mean_before, mean_after, found.a, found.b, found.rho, [found.rho], 1, False, 1.0, pixels, start)


def _centred(
    sums: NDArray[Any], products: NDArray[Any], weight: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means (q,) and covariance (q, q) from sums and the upper triangle of the products."""
    means = sums / weight
    full = np.triu(products) + np.triu(products, 1).T
    return means, full / weight - np.outer(means, means)


def _next(tiles: Tiles, last: Mad, tolerance: float) -> Mad | None:
    """Return the following solution, or None where the weights leave nothing that can be solved.

    The equations are solved in the coordinates (U, D) of the last solution and composed with them.
    """
    bands = last.rho.size
    freedom = last.degrees_of_freedom
    constants, series = _constants(last), survival_series(freedom)

    def sums_of(part: Tile) -> tuple[Any, ...]:
        return moments.weighted_moments(narrow(part, last.origin), constants, freedom, series)

    padded_sums, padded_products, weight = summed(tiles, bands, sums_of)
    used = np.r_[:bands, padded_sums.size // 2 : padded_sums.size // 2 + bands]
    sums, products = padded_sums[used], padded_products[np.ix_(used, used)]
    if weight < MINIMUM_PIXELS_PER_BAND * bands:
        return None
    means, covariance = _centred(sums, products, weight)
    s_uu, s_ud, s_dd = covariance[:bands, :bands], covariance[:bands, bands:], covariance[bands:, bands:]
    s_vv = s_uu - s_ud - s_ud.T + s_dd
    if not (is_sound(s_uu) and is_sound(s_vv)):
        return None
    found = canonical(s_uu, s_uu - s_ud, s_vv)
    map_, offset = constants[1][:, :bands, :bands].astype(np.float64), constants[2][:, :bands].astype(np.float64)
    return replace(
        last,
        mean_before=last.origin.before + np.linalg.solve(map_[0], means[:bands] - offset[0]),
        mean_after=last.origin.after + np.linalg.solve(map_[1], means[:bands] - means[bands:] - offset[1]),
        a=found.a @ map_[0],
        b=found.b @ map_[1],
        rho=found.rho,
        rho_history=[*last.rho_history, found.rho],
        iterations=last.iterations + 1,
        converged=bool(np.abs(found.rho - last.rho).max() < tolerance),
        mean_weight=weight / last.pixels,
    )


def _constants(mad: Mad) -> moments.Constants:
    """Return what kernels need of a solution."""
    before, after = mad.origin.before.astype(np.float64), mad.origin.after.astype(np.float64)
    zero = np.stack([before, after])
    if mad.origin.before.dtype == np.float64:
        zero = np.zeros_like(zero)  # already taken off by `narrow`
    offset = np.stack([mad.a @ (before - mad.mean_before), mad.b @ (after - mad.mean_after)])
    variance = np.maximum(2.0 * (1.0 - mad.rho), LEAST_VARIANCE)
    return constants_of(zero, np.stack([mad.a, mad.b]), offset, 1.0 / variance)


def _signed(mad: Mad) -> Mad:
    """Turn every pair of vectors so that the first date's variates correlate positively with its bands in sum.

    corr(x_j, a_i'x) = (A^-1)_ji / deviation_j, because A S11 A' = 1; deviation_j is the norm of row j of A^-1.
    """
    inverse = np.linalg.inv(mad.a)
    correlations = inverse / np.linalg.norm(inverse, axis=1, keepdims=True)
    sign = np.where(correlations.sum(axis=0) < 0.0, -1.0, 1.0)
    return replace(mad, a=mad.a * sign[:, None], b=mad.b * sign[:, None])
