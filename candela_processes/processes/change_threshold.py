"""Dividing changed from unchanged: the rule asked for, and whether its assumptions seem to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from candela_processes.analytics import threshold
from candela_processes.processes.change_maps import MagnitudeStore
from candela_processes.processes.change_method import Solution
from candela_processes.processes.change_report import ThresholdReport

if TYPE_CHECKING:
    from candela_processes.processes.change_detection import ChangeDetectionInputs


def find_level(store: MagnitudeStore, solution: Solution, inputs: ChangeDetectionInputs) -> threshold.Threshold:
    """Return the threshold by the rule asked for."""
    rule = inputs.threshold
    if isinstance(rule, float):
        return threshold.fixed(rule)
    if rule == "otsu":
        return threshold.otsu(store.magnitudes)
    if rule == "kmeans":
        return threshold.kmeans(store.magnitudes)
    if rule == "chi2":
        return threshold.chi2(round(solution.freedom), inputs.alpha)
    return threshold.scaled_chi2(store.magnitudes, round(solution.freedom), inputs.alpha)


def threshold_report(found: threshold.Threshold, freedom: float) -> ThresholdReport:
    """Return the threshold in plain numbers."""
    by_law = found.rule in ("scaled_chi2", "chi2")
    return ThresholdReport(
        rule="number" if found.rule == "fixed" else found.rule,
        value=found.value,
        alpha=found.alpha,
        degrees_of_freedom=freedom if by_law else None,
        c=found.scale,
    )
