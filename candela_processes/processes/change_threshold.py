"""Dividing changed from unchanged: the rule asked for, and whether its assumptions seem to hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from candela_processes.analytics import threshold
from candela_processes.processes.change_maps import MagnitudeStore
from candela_processes.processes.change_method import Solution
from candela_processes.processes.change_report import ThresholdReport

if TYPE_CHECKING:
    from candela_processes.processes.change_detection import ChangeDetectionInputs


# Share of unchanged pixels that a threshold may exceed by chance before the map is called unreliable.
CHANCE: Final = 0.01


@dataclass(frozen=True)
class Level:
    """The threshold by the rule asked for, and beside it what unchanged pixels reach by chance."""

    found: threshold.Threshold
    chance: threshold.Threshold
    """scaled_chi2 at `CHANCE`: its scale and shape say what the unchanged majority looks like"""

    @property
    def within_chance(self) -> bool:
        """Say whether more unchanged pixels exceed the threshold than chance may explain."""
        return self.found.rule != "scaled_chi2" and self.found.value < self.chance.value

    def report(self, freedom: float) -> ThresholdReport:
        """Return the threshold in plain numbers."""
        found = self.found
        return ThresholdReport(
            rule="number" if found.rule == "fixed" else found.rule,
            value=found.value,
            alpha=found.alpha,
            degrees_of_freedom=freedom,
            c=self.chance.scale,
            shape=self.chance.shape,
        )


def find_level(store: MagnitudeStore, solution: Solution, inputs: ChangeDetectionInputs) -> Level:
    """Return the threshold by the rule asked for; every rule is exact."""
    return Level(
        _by_rule(store, solution.freedom, inputs),
        threshold.scaled_chi2(store.magnitudes, solution.freedom, CHANCE),
    )


def _by_rule(store: MagnitudeStore, freedom: float, inputs: ChangeDetectionInputs) -> threshold.Threshold:
    """Apply one rule."""
    match inputs.threshold:
        case "otsu":
            return threshold.otsu(store.magnitudes)
        case "kmeans":
            return threshold.kmeans(store.magnitudes)
        case "chi2":
            return threshold.chi2(freedom, inputs.alpha)
        case "scaled_chi2":
            return threshold.scaled_chi2(store.magnitudes, freedom, inputs.alpha)
        case value:
            return threshold.fixed(value)
