"""Canonical correlations of two sets of variables from their moments, and the sentences for what cannot be solved.

Hotelling 1936, Biometrika 28, 321-377. With Cholesky factors S11 = L1 L1', S22 = L2 L2', the singular values of
L1^-1 S12 L2^-T are the correlations rho; a_i' S11 a_i = b_i' S22 b_i = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candela_processes.errors import InvalidInput

# Smallest eigenvalue of a correlation matrix that float64 moments can still tell from zero.
SMALLEST_EIGENVALUE = 1e-10


@dataclass(frozen=True, eq=False)
class Canonical:
    """Canonical variates of two sets of p variables; rows i of a and b belong to rho[i], ascending."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    rho: NDArray[np.float64]


class UnfitBands(InvalidInput):
    """Bands from which no change can be computed; `naming` says the same of bands as the user knows them."""

    def __init__(self, positions: Sequence[int], sentence: str, labels: Sequence[str] = ()) -> None:
        """Take positions from 0, how the sentence goes on after them, and names for all bands: 1, 2, 3 ...."""
        self._positions = tuple(int(position) for position in positions)
        self._sentence = sentence
        named = [labels[position] if labels else str(position + 1) for position in self._positions]
        word = "band" if len(named) == 1 else "bands"
        super().__init__("bands", f"{word} {', '.join(named)} {sentence}")

    def naming(self, labels: Sequence[str]) -> UnfitBands:
        """Return the same error with other names of all bands."""
        return UnfitBands(self._positions, self._sentence, labels)


def canonical(s11: NDArray[Any], s12: NDArray[Any], s22: NDArray[Any]) -> Canonical:
    """Solve for covariances (p, p); raises numpy.linalg.LinAlgError where S11 or S22 is not positive definite."""
    whiten1 = np.linalg.inv(np.linalg.cholesky(s11))
    whiten2 = np.linalg.inv(np.linalg.cholesky(s22))
    left, rho, right = np.linalg.svd(whiten1 @ s12 @ whiten2.T)
    order = np.arange(rho.size)[::-1]
    return Canonical(left.T[order] @ whiten1, right[order] @ whiten2, np.clip(rho[order], 0.0, 1.0))


def is_sound(covariance: NDArray[Any]) -> bool:
    """Tell whether a covariance is finite, has positive variances and no direction without variance."""
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if not np.isfinite(covariance).all() or deviation.min() <= 0.0:
        return False
    correlation = covariance / np.outer(deviation, deviation)
    return bool(np.linalg.eigvalsh(correlation)[0] > SMALLEST_EIGENVALUE)


def require_variance(variance: NDArray[Any], date: str) -> None:
    """Raise UnfitBands naming the bands that are constant over the valid pixels."""
    constant = np.flatnonzero(~(variance > 0.0))
    if constant.size:
        raise UnfitBands(
            constant.tolist(),
            f"of the {date} image {'has' if constant.size == 1 else 'have'} one value in all valid pixels; "
            "every band must vary. Leave it out.",
        )


def require_independence(covariance: NDArray[Any], date: str) -> None:
    """Raise UnfitBands naming the bands that are linear combinations of one another."""
    deviation = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    if values[0] > SMALLEST_EIGENVALUE:
        return
    share = np.abs(vectors[:, 0])
    raise UnfitBands(
        np.flatnonzero(share > 0.1 * share.max()).tolist(),
        f"of the {date} image are linear combinations of one another; every band must add information. "
        "Leave one of them out.",
    )
