"""Whether a change map can be trusted, judged from what its statistics say of themselves."""

from __future__ import annotations

from typing import NamedTuple

from candela_processes.analytics.chi_squared import inverse_survival

# Largest share of changed pixels up to which the unchanged majority is beyond doubt: the median of Z, from which the
# scale comes, then is at most the 5/6 quantile of the unchanged pixels.
LARGEST_CHANGED_SHARE = 0.4

# Least mean no-change weight: below it the model rests on less than a hundredth of the image.
LEAST_MEAN_WEIGHT = 0.01

# Least correlation of the best pair of plain-MAD variates: below it less than a quarter of the variance is common to
# both dates, and there is no scenery that could stay unchanged.
LEAST_CORRELATION = 0.5

# Largest scale: the majority then lies five times further out than the pixels on which the model rests.
LARGEST_SCALE = 25.0

# The median of Z must not lie beyond this share of the unchanged pixels, as it does where they are hardly a majority.
BEYOND_SHARE = 0.99

# Shape of Z below which unchanged pixels exceed the threshold of alpha 1e-4 more often than once in a hundred, where
# their noise differs from place to place with log-normal spread (0.90 to 0.93 for 1 to 13 degrees of freedom).
LEAST_EVEN_SHAPE = 0.9


class Verdict(NamedTuple):
    """Whether a map can be trusted, and why not, or what speaks for it."""

    reliable: bool
    reason: str


def least_shape(p: int) -> float:
    """Return the least `Threshold.shape` at which most pixels still pass for unchanged.

    Where a share f of the pixels is unchanged and follows c chi2_p, and the rest is larger, the quartile and the median
    of all are the quantiles 0.25 / f and 0.5 / f of the unchanged. The bound is where the latter is `BEYOND_SHARE`. The
    noise of real unchanged pixels differs from place to place, which lowers the shape too: to 0.7 to 0.9 between
    scenes days apart, to 0.5 between scenes ten years apart. So the bound is no closer.
    """
    share = 0.5 / BEYOND_SHARE
    mixed = inverse_survival(1.0 - 0.25 / share, p) / inverse_survival(1.0 - 0.5 / share, p)
    return mixed / (inverse_survival(0.75, p) / inverse_survival(0.5, p))


def is_uneven(shape: float | None) -> bool:
    """Say whether unchanged pixels scatter so unevenly that many more than alpha of them are called changed."""
    return shape is not None and shape < LEAST_EVEN_SHAPE


def reliability(
    mean_weight: float,
    changed_share: float,
    scale: float | None,
    *,
    p: int,
    shape: float | None = None,
    correlation: float = 1.0,
    converged: bool = True,
) -> Verdict:
    """Judge a change map made by IR-MAD.

    mean_weight: `Mad.mean_weight`; changed_share: of the observed pixels; scale, shape: of `Threshold` (None
    where the rule has none); p: degrees of freedom; correlation: the largest correlation of the first iteration
    (`Mad.rho_history[0].max()`); converged: `Mad.converged`, or True where one iteration was asked for.
    """
    reasons = [] if converged else ["the iterations did not settle"]
    reasons += _doubts_of_dates(correlation, mean_weight, changed_share)
    reasons += _doubts_of_law(scale, shape, p)
    if reasons:
        return Verdict(False, "; ".join(reasons) + ".")
    if is_uneven(shape):
        return Verdict(True, "most pixels pass for unchanged, though they scatter more unevenly than the model.")
    return Verdict(True, "an unchanged majority fits the model.")


def _doubts_of_dates(correlation: float, mean_weight: float, changed_share: float) -> list[str]:
    """Return what speaks against having enough unchanged scenery on both dates."""
    doubts = (
        (
            correlation < LEAST_CORRELATION,
            f"the dates have little in common: no combination of bands correlates by more than {correlation:.2f}",
        ),
        (
            mean_weight < LEAST_MEAN_WEIGHT,
            f"the model rests on {100 * mean_weight:.1f} % of the pixels only",
        ),
        (
            changed_share > LARGEST_CHANGED_SHARE,
            f"{100 * changed_share:.0f} % of the pixels are called changed; the rule needs an unchanged majority",
        ),
    )
    return [sentence for doubtful, sentence in doubts if doubtful]


def _doubts_of_law(scale: float | None, shape: float | None, p: int) -> list[str]:
    """Return what speaks against the scaled law of no change."""
    doubts = (
        (
            scale is not None and scale > LARGEST_SCALE,
            "most pixels lie far from the model of no change: they changed, or the model rests on a few quiet pixels",
        ),
        (
            shape is not None and shape < least_shape(p),
            "the smaller half of the magnitudes does not look like unchanged pixels alone: half of the scene changed, "
            "or its noise differs too much from place to place",
        ),
    )
    return [sentence for doubtful, sentence in doubts if doubtful]
