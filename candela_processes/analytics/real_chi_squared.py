"""Chi-squared distribution with a real number f >= 1 of degrees of freedom; for single numbers, not for pixels.

Q(z; f) is the regularised upper incomplete gamma function of f/2 and z/2: by its series below z = f + 2, by Legendre's
continued fraction above (Abramowitz & Stegun, Handbook of Mathematical Functions, 6.5.29 and 6.5.31).
`chi_squared` has the closed forms for integers, compiled.
"""

from __future__ import annotations

import math

PRECISION = 1e-15
TINY = 1e-300
MOST_TERMS = 100_000


def survival(z: float, freedom: float) -> float:
    """Return the probability that the variable exceeds z; 1 for z <= 0."""
    if z <= 0.0:
        return 1.0
    half, shape = 0.5 * z, 0.5 * freedom
    factor = math.exp(shape * math.log(half) - half - math.lgamma(shape))
    if half < shape + 1.0:
        return 1.0 - factor * _series(half, shape)
    return factor * _fraction(half, shape)


def inverse_survival(alpha: float, freedom: float) -> float:
    """Return z with survival(z, freedom) = alpha for 0 < alpha < 1, by bisection to the last digits."""
    low, high = 0.0, freedom
    while survival(high, freedom) > alpha:
        low, high = high, 2.0 * high
    while high - low > PRECISION * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if survival(middle, freedom) > alpha:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def median(freedom: float) -> float:
    """Return the median."""
    return inverse_survival(0.5, freedom)


def _series(half: float, shape: float) -> float:
    """Return the sum of half^n / (shape (shape + 1) ... (shape + n)), n >= 0."""
    term = total = 1.0 / shape
    for n in range(1, MOST_TERMS):
        term *= half / (shape + n)
        total += term
        if term < PRECISION * total:
            break
    return total


def _fraction(half: float, shape: float) -> float:
    """Return the continued fraction by the modified method of Lentz."""
    b = half + 1.0 - shape
    c, d = 1.0 / TINY, 1.0 / b
    value = d
    for n in range(1, MOST_TERMS):
        a = n * (shape - n)
        b += 2.0
        d = a * d + b
        c = b + a / c
        d = 1.0 / (d if abs(d) > TINY else TINY)
        c = c if abs(c) > TINY else TINY
        value *= c * d
        if abs(c * d - 1.0) < PRECISION:
            break
    return value
