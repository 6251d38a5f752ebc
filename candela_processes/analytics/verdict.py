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

# The shape of Z must be no worse than where this share is unchanged and the rest lies beyond all of it.
LEAST_UNCHANGED_SHARE = 0.52


class Verdict(NamedTuple):
    """Whether a map can be trusted, and why not, or what speaks for it."""

    reliable: bool
    reason: str


def least_shape(p: int) -> float:
    """Return the least `Threshold.shape` that a majority of unchanged pixels can produce.

    Where a share f is unchanged and follows c chi2_p, and the rest is larger, the quartile and the median of all
    pixels are the quantiles 0.25 / f and 0.5 / f of the unchanged. Their ratio falls to zero as f nears one half,
    whatever c is: it tells a mixture from a majority, which c alone cannot.
    """
    share = LEAST_UNCHANGED_SHARE
    mixed = inverse_survival(1.0 - 0.25 / share, p) / inverse_survival(1.0 - 0.5 / share, p)
    return mixed / (inverse_survival(0.75, p) / inverse_survival(0.5, p))


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
    doubts = (
        (not converged, "the iterations did not settle"),
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
        (
            scale is not None and scale > LARGEST_SCALE,
            "most pixels lie far from the model of no change: the unchanged pixels are probably a minority",
        ),
        (
            shape is not None and shape < least_shape(p),
            "the smaller half of the magnitudes does not look like unchanged pixels alone",
        ),
    )
    reasons = [sentence for doubtful, sentence in doubts if doubtful]
    if reasons:
        return Verdict(False, "; ".join(reasons) + ".")
    return Verdict(True, "an unchanged majority fits the model.")
