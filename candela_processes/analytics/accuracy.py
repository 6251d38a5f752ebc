"""Accuracy of a map against reference samples, and areas with confidence intervals that the samples support.

Cohen 1960, Educational and Psychological Measurement 20(1), 37-46 (kappa); Olofsson, Foody, Herold, Stehman,
Woodcock & Wulder 2014, Remote Sensing of Environment 148, 42-57 (estimators, equations 1, 5-11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.errors import InvalidInput

# Standard normal quantile of a two-sided 95 % interval, as the paper rounds it.
Z_95 = 1.96


@dataclass(frozen=True)
class Accuracy:
    """How well a two-class map meets the reference samples; NaN where a ratio has nothing below the line."""

    overall: float
    kappa: float
    precision: float
    """of the change class: share of mapped change that is change; the user's accuracy"""
    recall: float
    """share of change that is mapped; the producer's accuracy"""
    f1: float
    false_alarms: int
    missed: int
    samples: int


@dataclass(frozen=True, eq=False)
class AreaEstimate:
    """Stratified estimates for q classes; every error is a standard error, half a 95 % interval is 1.96 times it."""

    proportions: NDArray[np.float64]
    """(q, q) estimated area shares: rows map class, columns reference class"""
    areas: NDArray[np.float64]
    """(q,) estimated area of every reference class, in the unit of the mapped areas"""
    area_errors: NDArray[np.float64]
    """(q,)"""
    overall: float
    overall_error: float
    users: NDArray[np.float64]
    """(q,) user's accuracies"""
    users_errors: NDArray[np.float64]
    producers: NDArray[np.float64]
    """(q,) producer's accuracies"""
    producers_errors: NDArray[np.float64]

    @property
    def intervals(self) -> NDArray[np.float64]:
        """The 95 % confidence intervals (q, 2) of the areas."""
        half = Z_95 * self.area_errors
        return np.stack([self.areas - half, self.areas + half], axis=1)


def confusion(mapped: NDArray[Any], reference: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Count samples (classes, classes): rows map class, columns reference class.

    mapped, reference: integers or booleans of one shape; samples with a class outside 0..classes-1 in either do
    not count (nodata). Raises InvalidInput("reference") for different shapes.
    """
    if mapped.shape != reference.shape:
        raise InvalidInput("reference", f"map {mapped.shape} and reference {reference.shape} must have one shape.")
    rows, columns = mapped.ravel().astype(np.int64), reference.ravel().astype(np.int64)
    counted = (rows >= 0) & (rows < classes) & (columns >= 0) & (columns < classes)
    cells = rows[counted] * classes + columns[counted]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def kappa(matrix: NDArray[Any]) -> float:
    """Return Cohen's kappa of a matrix of counts; NaN where chance alone agrees fully or nothing is counted."""
    counts = matrix.astype(np.float64)
    samples = counts.sum()
    if samples == 0.0:
        return float("nan")
    agreement = np.trace(counts) / samples
    chance = float(counts.sum(axis=0) @ counts.sum(axis=1)) / samples**2
    return _ratio(agreement - chance, 1.0 - chance)


def change_accuracy(matrix: NDArray[Any]) -> Accuracy:
    """Return the accuracy of a (2, 2) matrix of counts, class 1 being change."""
    (unchanged, missed), (false_alarms, hits) = ((int(cell) for cell in row) for row in matrix)
    samples = unchanged + missed + false_alarms + hits
    return Accuracy(
        overall=_ratio(hits + unchanged, samples),
        kappa=kappa(matrix),
        precision=_ratio(hits, hits + false_alarms),
        recall=_ratio(hits, hits + missed),
        f1=_ratio(2 * hits, 2 * hits + false_alarms + missed),
        false_alarms=false_alarms,
        missed=missed,
        samples=samples,
    )


def stratified_areas(matrix: NDArray[Any], mapped_areas: NDArray[Any]) -> AreaEstimate:
    """Estimate areas and accuracies from samples drawn per map class (Olofsson et al. 2014).

    matrix (q, q): sample counts, rows map class, columns reference class; mapped_areas (q,): area of every map class in
    any unit. Raises InvalidInput("reference") for wrong shapes, a class without area, or fewer than two samples
    in a map class.
    """
    counts, areas = matrix.astype(np.float64), mapped_areas.astype(np.float64)
    _require_samples(counts, areas)
    drawn = counts.sum(axis=1)
    weights = areas / areas.sum()
    proportions = weights[:, None] * counts / drawn[:, None]
    columns = proportions.sum(axis=0)
    users = np.diag(counts) / drawn
    users_variance = users * (1.0 - users) / (drawn - 1.0)
    producers = np.divide(np.diag(proportions), columns, out=np.full(areas.size, np.nan), where=columns > 0)
    share = counts / drawn[:, None]
    # W p - p^2 of equation 10, written so that rounding never makes it negative
    within = weights[:, None] ** 2 * share * (1.0 - share) / (drawn[:, None] - 1.0)
    return AreaEstimate(
        proportions=proportions,
        areas=columns * areas.sum(),
        area_errors=np.sqrt(within.sum(axis=0)) * areas.sum(),
        overall=float(np.trace(proportions)),
        overall_error=float(np.sqrt((weights**2 * users_variance).sum())),
        users=users,
        users_errors=np.sqrt(users_variance),
        producers=producers,
        producers_errors=_producers_errors(counts, areas, users_variance, producers),
    )


def _producers_errors(
    counts: NDArray[np.float64],
    areas: NDArray[np.float64],
    users_variance: NDArray[np.float64],
    producers: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the standard errors of the producer's accuracies: equation 7 of Olofsson et al. 2014."""
    drawn = counts.sum(axis=1)
    share = counts / drawn[:, None]
    estimated = (areas[:, None] * share).sum(axis=0)
    spread = (areas**2 / (drawn - 1.0))[:, None] * share * (1.0 - share)
    others = spread.sum(axis=0) - np.diag(spread)
    own = areas**2 * (1.0 - producers) ** 2 * users_variance
    variance = np.divide(
        own + producers**2 * others, estimated**2, out=np.full(areas.size, np.nan), where=estimated > 0
    )
    errors: NDArray[np.float64] = np.sqrt(variance)
    return errors


def _require_samples(counts: NDArray[np.float64], areas: NDArray[np.float64]) -> None:
    """Raise InvalidInput("reference") where the estimators are not defined."""
    classes = areas.size
    if counts.shape != (classes, classes):
        raise InvalidInput("reference", f"{classes} areas need a matrix of {classes} x {classes} sample counts.")
    if not (areas > 0.0).all():
        raise InvalidInput("reference", "every map class must have an area greater than zero.")
    if (counts.sum(axis=1) < 2).any():
        raise InvalidInput("reference", "every map class needs at least two reference samples.")


def _ratio(above: float, below: float) -> float:
    """Return the ratio, NaN where nothing stands below the line."""
    return above / below if below else float("nan")
