"""Chi-squared distribution with an integer number p >= 1 of degrees of freedom, in closed form.

Even p: Q(z) = exp(-z/2) * sum_{k < p/2} (z/2)^k / k!.
Odd p:  Q(z) = erfc(sqrt(z/2)) + exp(-z/2) * sum_{1 <= k <= (p-1)/2} (z/2)^(k-1/2) / Gamma(k+1/2).
Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 26.4.4 and 26.4.5.

The functions are compiled and may be called inside kernels.
"""

from __future__ import annotations

import math

from candela_processes.analytics.compiled import scalar


@scalar
def survival(z: float, p: int) -> float:
    """Return the probability that a chi-squared variable with p degrees of freedom exceeds z; 1 for z <= 0."""
    if z <= 0.0:
        return 1.0
    if math.isinf(z):
        return 0.0
    half = 0.5 * z
    # The exponential is applied in two halves: its first keeps the sum finite where exp(-z/2) alone is subnormal.
    root = math.exp(-0.5 * half)
    if p % 2 == 0:
        term = root
        first = 1
        total = term
    else:
        term = root * math.sqrt(half) / math.gamma(1.5)
        first = 2
        total = term if p > 1 else 0.0
    order = 1.0 if p % 2 == 0 else 1.5
    for _ in range(first, p // 2 + (0 if p % 2 == 0 else 1)):
        term *= half / order
        total += term
        order += 1.0
    tail = 0.0 if p % 2 == 0 else math.erfc(math.sqrt(half))
    return tail + root * total


@scalar
def density(z: float, p: int) -> float:
    """Return the probability density at z > 0."""
    return math.exp((0.5 * p - 1.0) * math.log(z) - 0.5 * z - 0.5 * p * math.log(2.0) - math.lgamma(0.5 * p))


@scalar
def inverse_survival(alpha: float, p: int) -> float:
    """Return z with survival(z, p) = alpha, for 0 < alpha < 1 (infinity for alpha <= 0, zero for alpha >= 1).

    Newton's method on log survival against log z, kept inside a bracket that bisection halves.
    """
    if alpha <= 0.0:
        return math.inf
    if alpha >= 1.0:
        return 0.0
    low, high = 0.0, float(p)
    while survival(high, p) > alpha:
        low, high = high, 2.0 * high
    z = 0.5 * (low + high)
    for _ in range(1100):  # enough for bisection alone down to the smallest positive number
        value = survival(z, p)
        if value > alpha:
            low = z
        else:
            high = z
        step = z + math.log(value / alpha) * value / max(density(z, p), 1e-300)
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - z) <= 1e-15 * z:
            return following
        z = following
    return z


@scalar
def median(p: int) -> float:
    """Return the median of the distribution with p degrees of freedom."""
    return inverse_survival(0.5, p)
