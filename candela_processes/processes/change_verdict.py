"""What a couple's numbers say about themselves: reliable or not and why, and what to beware of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from candela_processes.analytics.threshold import reliability
from candela_processes.analytics.verdict import LARGEST_CHANGED_SHARE, Verdict, is_uneven
from candela_processes.processes.change_method import Solution
from candela_processes.processes.change_report import ShiftReport
from candela_processes.processes.change_shift import LARGEST_SHIFT
from candela_processes.processes.change_threshold import CHANCE, Level

if TYPE_CHECKING:
    from candela_processes.processes.change_detection import ChangeDetectionInputs

LEAST_OBSERVED_SHARE: Final = 0.1


def judge(solution: Solution, level: Level, changed_share: float, inputs: ChangeDetectionInputs) -> Verdict:
    """Return whether the couple's map can be trusted, with the reason in a sentence."""
    if solution.identical:
        return Verdict(True, "the images are identical wherever both are observed: nothing changed.")
    if level.within_chance:
        return Verdict(
            False,
            f"the threshold {level.found.value:.3g} is so low that more than {100 * CHANCE:.0f} % of the unchanged "
            f"pixels seem to exceed it by chance ({level.chance.value:.3g} would do).",
        )
    if inputs.method == "cva":
        if changed_share > LARGEST_CHANGED_SHARE:
            return Verdict(False, f"{100 * changed_share:.0f} % of the pixels are called changed, not a minority.")
        return Verdict(True, "the unchanged pixels are a majority; differences of light and haze count as change.")
    return reliability(
        solution.mean_weight or 0.0,
        changed_share,
        level.chance.scale,
        p=round(solution.freedom),
        shape=level.chance.shape,
        correlation=max(solution.rho[0]),
        converged=solution.converged,
    )


def warnings_of(
    solution: Solution,
    level: Level,
    observed_share: float,
    shift: ShiftReport | None,
    inputs: ChangeDetectionInputs,
) -> tuple[str, ...]:
    """Return what to beware of in this couple, in sentences."""
    told = (
        (solution.identical, "Both images are identical; perhaps one was given twice."),
        (
            not solution.converged,
            f"No convergence: stopped after {len(solution.rho)} iterations (tolerance {inputs.tolerance}).",
        ),
        (
            observed_share < LEAST_OBSERVED_SHARE,
            f"Only {100 * observed_share:.2g} % of the pixels were observed on both dates.",
        ),
        (
            shift is not None and shift.length > LARGEST_SHIFT,
            f"The images seem displaced by {shift.length if shift else 0:.2f} pixels (more than {LARGEST_SHIFT}): "
            "edges may show as change; co-register the images first.",
        ),
        (
            level.found.rule == "chi2" and inputs.method == "irmad",
            "chi2 without scale calls too much changed after re-weighting; scaled_chi2 corrects that.",
        ),
        (
            level.found.alpha is not None and is_uneven(level.chance.shape),
            f"The unchanged pixels scatter more unevenly (shape {level.chance.shape or 0:.2f}) than the chi-square law "
            f"(1): more of them than alpha = {level.found.alpha} are called changed.",
        ),
    )
    return tuple(sentence for applies, sentence in told if applies)
