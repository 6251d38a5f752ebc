"""Canonical correlations of two sets of variables from their moments, and the sentences for what cannot be solved.

Hotelling 1936, Biometrika 28, 321-377. With Cholesky factors S11 = L1 L1', S22 = L2 L2', the singular values of
L1^-1 S12 L2^-T are the correlations rho; a_i' S11 a_i = b_i' S22 b_i = 1.
"""

from __future__ import annotations

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
    """Raise InvalidInput("bands") naming the bands (from 1) that are constant over the valid pixels."""
    constant = [str(band + 1) for band in np.flatnonzero(~(variance > 0.0))]
    if constant:
        raise InvalidInput(
            "bands",
            f"band {', '.join(constant)} of the {date} image has one value in all valid pixels; "
            "every band must vary. Leave it out.",
        )


def require_independence(covariance: NDArray[Any], date: str) -> None:
    """Raise InvalidInput("bands") naming the bands (from 1) that are linear combinations of one another."""
    deviation = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    if values[0] > SMALLEST_EIGENVALUE:
        return
    share = np.abs(vectors[:, 0])
    involved = ", ".join(str(band + 1) for band in np.flatnonzero(share > 0.1 * share.max()))
    raise InvalidInput(
        "bands",
        f"bands {involved} of the {date} image are linear combinations of one another; "
        "every band must add information. Leave one of them out.",
    )
