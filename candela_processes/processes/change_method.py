"""The methods of ChangeDetection behind one face: a solved couple that gives the magnitude of any tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics import change_vector, irmad
from candela_processes.analytics.pair import Tile
from candela_processes.processes.process_log import say
from candela_processes.processes.progress_span import Span
from candela_processes.raster.stack import Couple
from candela_processes.raster.stack import Tile as Rows

if TYPE_CHECKING:
    from candela_processes.processes.change_detection import ChangeDetectionInputs


@dataclass(frozen=True, eq=False)
class Solution:
    """One couple, solved: how long the change of a pixel is, and what the method says about itself."""

    magnitude: Callable[[Rows], NDArray[np.float32]]
    """magnitudes (n,) float32 of a tile, NaN where not observed"""
    freedom: float
    """degrees of freedom of the squared magnitude's law where nothing changed"""
    rho: tuple[tuple[float, ...], ...]
    """canonical correlations of every iteration; empty for cva"""
    converged: bool
    mean_weight: float | None
    """mean no-change weight; None for cva"""
    identical: bool


def solve(couple: Couple, inputs: ChangeDetectionInputs, span: Span) -> Solution:
    """Solve a couple by the method asked for; raises InvalidInput for images that have no solution."""
    if inputs.method == "cva":
        return _vector(couple, span)
    return _multivariate(couple, inputs, span)


def _stream(couple: Couple) -> Callable[[], Iterator[Tile]]:
    """Return the tiles of a couple as analytics wants them."""

    def tiles() -> Iterator[Tile]:
        for rows in couple.tiles():
            yield Tile(rows.before, rows.after, rows.valid)

    return tiles


def _multivariate(couple: Couple, inputs: ChangeDetectionInputs, span: Span) -> Solution:
    """Solve by MAD or IR-MAD."""
    name = "IR-MAD" if inputs.method == "irmad" else "MAD"

    def told(iteration: int, move: float) -> None:
        moved = f", largest move of rho {move:.2g}" if math.isfinite(move) else ""
        span(1 - 0.8**iteration, f"{name} iteration {iteration}{moved}")

    bands = couple.before.pixels.bands
    passes = inputs.max_iterations if inputs.method == "irmad" else 1
    mad = irmad.solve_change(_stream(couple), bands, passes, inputs.tolerance, told)
    rho = () if mad.identical else tuple(tuple(float(value) for value in row) for row in mad.rho_history)
    for iteration, row in enumerate(rho, 1):
        say(f"  iteration {iteration}: rho {' '.join(f'{value:.5f}' for value in row)}")
    return Solution(
        magnitude=lambda rows: irmad.magnitude(mad, Tile(rows.before, rows.after, rows.valid)),
        freedom=float(mad.degrees_of_freedom),
        rho=rho,
        converged=mad.converged or inputs.method == "mad",
        mean_weight=mad.mean_weight,
        identical=mad.identical,
    )


def _vector(couple: Couple, span: Span) -> Solution:
    """Solve by the length of the change vector between standardised bands."""
    span(0.0, "statistics of the bands")
    cva = change_vector.solve_cva(_stream(couple), couple.before.pixels.bands)
    return Solution(
        magnitude=lambda rows: change_vector.magnitude(cva, Tile(rows.before, rows.after, rows.valid)),
        freedom=cva.freedom,
        rho=(),
        converged=True,
        mean_weight=None,
        identical=cva.identical,
    )
