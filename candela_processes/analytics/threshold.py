"""Thresholds on change magnitudes sqrt(Z): a pixel has changed where its magnitude exceeds the value.

All rules are exact: they see every number, never a histogram of them; memory does not grow with the image.
Otsu and k-means always split, also where nothing changed; `scaled_chi2` needs no change to exist, but needs more than
half of the pixels to be unchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics import real_chi_squared
from candela_processes.analytics.order import (
    Coarse,
    Magnitudes,
    coarse,
    edges,
    fine,
    quantiles_of_square,
    values_of,
)
from candela_processes.analytics.verdict import reliability
from candela_processes.errors import InvalidInput

__all__ = ["Magnitudes", "Rule", "Threshold", "chi2", "fixed", "kmeans", "otsu", "reliability", "scaled_chi2"]

type Rule = Literal["scaled_chi2", "chi2", "otsu", "kmeans", "fixed"]

# Least scale c. Below it Z is rounding noise (images that agree but for some pixels, exact affine relations): the
# noise of IR-MAD's float32 arithmetic gives Z of about 1e-3, and must not become the yardstick of change.
LEAST_SCALE = 1e-3

# Coarse bins whose counts are held at once: 0.5 MiB each.
BATCH = 32


@dataclass(frozen=True)
class Threshold:
    """A threshold on the magnitude and what it was made of."""

    value: float
    """changed where the magnitude is greater"""
    rule: Rule
    scale: float | None = None
    """c of `scaled_chi2`: median of Z over the median of chi-squared"""
    shape: float | None = None
    """of `scaled_chi2`: lower quartile over median of Z, relative to that of chi-squared; 1 where Z is scaled
    chi-squared, None where it cannot be told because Z is rounding noise"""
    alpha: float | None = None
    """false-alarm probability of the chi-squared rules"""
    iterations: int | None = None
    """steps of k-means"""


def fixed(value: float) -> Threshold:
    """Return a threshold that the caller chose; raises InvalidInput("threshold") unless finite and >= 0."""
    if not (math.isfinite(value) and value >= 0.0):
        raise InvalidInput("threshold", f"a threshold must be a finite number >= 0; got {value}.")
    return Threshold(value, "fixed")


def chi2(p: float, alpha: float) -> Threshold:
    """Return sqrt of the chi-squared quantile with p degrees of freedom: right for plain MAD, too low for IR-MAD."""
    _require_alpha(alpha)
    return Threshold(math.sqrt(real_chi_squared.inverse_survival(alpha, p)), "chi2", alpha=alpha)


def scaled_chi2(magnitudes: Magnitudes, p: float, alpha: float) -> Threshold:
    """Return sqrt(c * chi2_p.isf(alpha)) with c = median(Z) / median(chi2_p), in two passes.

    Re-weighting shrinks the variances behind Z; c restores them from what the unchanged majority shows. p is the
    number of bands, or the effective degrees of freedom of a change vector's squared length.
    Raises InvalidInput("alpha") outside 0..1, InvalidInput("images") where nothing is observed.
    """
    _require_alpha(alpha)
    table = coarse(magnitudes)
    quartile, median = quantiles_of_square(magnitudes, table, (0.25, 0.5))
    scale = median / real_chi_squared.median(p)
    shape = None
    if scale > LEAST_SCALE:
        shape = quartile / median * real_chi_squared.median(p) / real_chi_squared.inverse_survival(0.75, p)
    scale = max(scale, LEAST_SCALE)
    value = math.sqrt(scale * real_chi_squared.inverse_survival(alpha, p))
    return Threshold(value, "scaled_chi2", scale=scale, shape=shape, alpha=alpha)


def otsu(magnitudes: Magnitudes) -> Threshold:
    """Return the value whose split maximises the variance between the classes (Otsu 1979, IEEE SMC 9(1), 62-66).

    The value is the largest of the lower class; of equal splits the lowest; of a constant image its one value.
    Exact by bounds: cuts at the edges of the coarse bins are evaluated first. Between-class variance is jointly convex
    in count and sum below the cut, and inside a bin that pair stays in a triangle, so the corners bound it: only bins
    whose bound beats the best cut known are counted number by number.
    """
    table = coarse(magnitudes)
    below, sums = np.cumsum(table.counts), np.cumsum(table.sums)
    pixels, total = int(below[-1]), float(sums[-1])
    between = _between(below, sums, pixels, total)
    best = float(between.max())
    bound = _bound(table, below, sums)
    best_cut = -1.0
    candidates = np.argsort(-bound, kind="stable")
    candidates = candidates[(bound[candidates] >= best) & (table.counts[candidates] > 0)]
    best = -1.0
    for first in range(0, candidates.size, BATCH):
        batch = [int(bin_) for bin_ in candidates[first : first + BATCH] if bound[bin_] >= best]
        for bin_, counts in fine(magnitudes, batch).items():
            start = (below[bin_] - table.counts[bin_], sums[bin_] - table.sums[bin_])
            found, cut = _best_inside(counts, values_of(bin_), start, pixels, total)
            if found > best or (found == best and cut < best_cut):
                best, best_cut = found, cut
    return Threshold(best_cut, "otsu")


def kmeans(magnitudes: Magnitudes) -> Threshold:
    """Return the middle between the two centres of two-means in one dimension (Lloyd 1982, IEEE IT 28(2), 129-137).

    Start: split at the mean of all numbers. Step: the split moves to the middle between the means of both sides. Stop:
    no number changes its side. Means are exact. A constant image gives its value.
    """
    table = coarse(magnitudes)
    known: dict[int, NDArray[np.int64]] = {}
    split, visited = table.mean, set[int]()
    while True:
        count, total = _below(magnitudes, table, known, split)
        if count in visited or count in (0, table.pixels):  # any visited count, lest rounding go to and fro
            return Threshold(split, "kmeans", iterations=len(visited))
        visited.add(count)
        split = 0.5 * (total / count + (float(table.sums.sum()) - total) / (table.pixels - count))


def _require_alpha(alpha: float) -> None:
    """Raise InvalidInput("alpha") unless 0 < alpha < 1."""
    if not 0.0 < alpha < 1.0:
        raise InvalidInput("alpha", f"a false-alarm probability must lie between 0 and 1; got {alpha}.")


def _between(
    count: NDArray[np.int64] | NDArray[np.float64], total_below: NDArray[np.float64], pixels: int, total: float
) -> NDArray[np.float64]:
    """Return the between-class variance, times pixels, of cuts with that count and sum below; 0 for no cut."""
    above = pixels - count
    cut = (count > 0) & (above > 0)
    lower = total_below / np.where(cut, count, 1)
    upper = (total - total_below) / np.where(cut, above, 1)
    return np.where(cut, count * (above / pixels) * (upper - lower) ** 2, 0.0)


def _bound(table: Coarse, below: NDArray[np.int64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for every coarse bin a number that no cut inside or at its ends exceeds.

    With m numbers of [low, high] summing to s in the bin, j of them below the cut sum to at least j low and
    s - (m - j) high, and at most j s / m: the corner of both lower limits is j = (m high - s) / (high - low).
    """
    pixels, total = int(below[-1]), float(sums[-1])
    low = edges()
    high = np.append(low[1:], np.inf)
    usable = (table.counts > 0) & np.isfinite(high)
    width = np.where(usable, high - low, 1.0)
    with np.errstate(invalid="ignore"):
        inner = np.where(usable, (table.counts * high - table.sums) / width, 0.0)
        corner_sum = np.where(usable, inner * low, 0.0)
    start_count, start_sum = below - table.counts, sums - table.sums
    corner = _between(start_count + inner, start_sum + corner_sum, pixels, total)
    ends = np.maximum(_between(start_count, start_sum, pixels, total), _between(below, sums, pixels, total))
    # a hair of slack, so that rounding never hides the optimum
    return np.where(usable, np.maximum(corner, ends) * (1.0 + 1e-12), np.where(table.counts > 0, np.inf, -1.0))


def _best_inside(
    counts: NDArray[np.int64], values: NDArray[np.float64], start: tuple[int, float], pixels: int, total: float
) -> tuple[float, float]:
    """Return the best between-class variance of the cuts after each number of a bin, and the number."""
    present = np.flatnonzero(counts)
    count = start[0] + np.cumsum(counts[present])
    below = start[1] + np.cumsum(counts[present] * values[present])
    between = _between(count, below, pixels, total)
    best = int(between.argmax())
    return float(between[best]), float(values[present[best]])


def _below(
    magnitudes: Magnitudes, table: Coarse, known: dict[int, NDArray[np.int64]], split: float
) -> tuple[int, float]:
    """Return count and sum of the numbers <= split; the bin that the split cuts is counted once and kept."""
    home = int(np.searchsorted(edges()[:0x7F80], split, side="right")) - 1
    if home not in known:
        known.update(fine(magnitudes, [home]))
    values, counts = values_of(home), known[home]
    inside = values <= split
    count = int(table.counts[:home].sum()) + int(counts[inside].sum())
    return count, float(table.sums[:home].sum()) + float((counts * values)[inside].sum())
