"""The work of AssessChange: one pass over map and samples, then measures and areas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from candela_processes.analytics import accuracy
from candela_processes.errors import InvalidInput
from candela_processes.process import File, Progress, Workdir
from candela_processes.processes.assessment_report import (
    AccuracyReport,
    AreaReport,
    AssessmentReport,
    ConfusionMatrix,
    EstimatedArea,
)
from candela_processes.processes.process_log import say
from candela_processes.processes.reference_samples import Samples, open_samples
from candela_processes.processes.report_file import software, write_report
from candela_processes.raster.area import pixel_area_km2
from candela_processes.raster.classes import ClassRaster, open_classes

if TYPE_CHECKING:
    from candela_processes.processes.assess_change import AssessChangeInputs

UNCHANGED, CHANGED, NOT_OBSERVED = 0, 1, 255

REFERENCES: Final = (
    "Cohen 1960, Educational and Psychological Measurement 20(1), 37-46",
    "Olofsson et al. 2014, Remote Sensing of Environment 148, 42-57",
)


@dataclass
class Tally:
    """What one pass counted: `matrix[map class, reference class]` with 0 unchanged and 1 changed; areas in km2."""

    matrix: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 2), np.int64))
    not_observed: int = 0
    contradictory: int = 0
    mapped_km2: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    mapped_pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))


def tally(map_: ClassRaster, samples: Samples, progress: Progress) -> Tally:
    """Count map against samples, and the area of both classes of the map, in one pass over blocks of rows.

    Raises InvalidInput("map") for a code other than 0, 1 and 255 (or nodata).
    """
    counted = Tally()
    areas = pixel_area_km2(map_.grid) if map_.grid is not None else None
    for first, rows in map_.blocks():
        codes, seen = map_.rows(first, rows)
        seen = seen & (codes != NOT_OBSERVED)
        _require_codes(codes[seen])
        changed, unchanged = samples.masks(first, rows)
        both = changed & unchanged
        counted.contradictory += int(both.sum())
        counted.not_observed += int(((changed ^ unchanged) & ~seen).sum())
        for mapped in (UNCHANGED, CHANGED):
            here = seen & (codes == mapped)
            counted.mapped_pixels[mapped] += int(here.sum())
            counted.matrix[mapped] += (int((here & unchanged & ~both).sum()), int((here & changed & ~both).sum()))
            if areas is not None:
                counted.mapped_km2[mapped] += areas.mapped_km2(first, here)
        progress(95 * (first + rows) / map_.height, f"row {first + rows} of {map_.height}")
    return counted


def _require_codes(codes: NDArray[Any]) -> None:
    """Raise InvalidInput for a code that a change map cannot have."""
    other = codes[(codes != UNCHANGED) & (codes != CHANGED)]
    if other.size:
        raise InvalidInput("map", f"holds the value {other[0]}; a change map has 0, 1 and 255 (not observed) only")


def assess(inputs: AssessChangeInputs, workdir: Workdir, progress: Progress, agent: str) -> Mapping[str, Any]:
    """Compare a change map with reference samples and write the report.

    Only pixels that the map observed count. Areas are on the ellipsoid (km2); their 95 % intervals are those of
    stratified random samples. Raises InvalidInput naming the input for files that cannot be read, samples that do not
    fit the map, and where no sample of one class lies on an observed pixel.
    """
    with open_classes(workdir.file(inputs.map), "map") as map_:
        if map_.width * map_.height > workdir.limits.pixels:
            raise InvalidInput("map", f"it has {map_.width * map_.height} pixels; allowed are {workdir.limits.pixels}")
        with open_samples(inputs, workdir, map_) as samples:
            counted = tally(map_, samples, progress)
            placement, placed = samples.placement, map_.grid is not None
    _require_both_classes(counted, inputs)
    area, why = _area(counted, placed)
    report = AssessmentReport(
        process=agent,
        map=workdir.name(inputs.map),
        reference=tuple(workdir.name(file) for file in (inputs.reference, inputs.changed, inputs.unchanged) if file),
        sample_placement=placement,
        samples=int(counted.matrix.sum()),
        samples_not_observed=counted.not_observed,
        confusion=_confusion(counted),
        accuracy=_accuracy(counted),
        area=area,
        warnings=(*why, *_warnings(counted)),
        references=REFERENCES,
        software=software(),
    )
    _say(report)
    return {"report": File(path=write_report(report, workdir.outputs / "report.json"))}


def _require_both_classes(counted: Tally, inputs: AssessChangeInputs) -> None:
    """Raise InvalidInput where no sample of one class counts."""
    single = inputs.reference is not None
    if not counted.matrix.sum():
        raise InvalidInput("reference" if single else "changed", "no sample lies on a pixel that the map observed")
    for index, name in ((CHANGED, "changed"), (UNCHANGED, "unchanged")):
        if not counted.matrix[:, index].sum():
            raise InvalidInput(
                "reference" if single else name, f"no sample of class {name} lies on a pixel that the map observed"
            )


def _confusion(counted: Tally) -> ConfusionMatrix:
    """Return the counts by name."""
    (true_unchanged, missed), (false_alarms, true_changed) = counted.matrix.tolist()
    return ConfusionMatrix(
        true_changed=true_changed, false_alarms=false_alarms, missed=missed, true_unchanged=true_unchanged
    )


def _accuracy(counted: Tally) -> AccuracyReport:
    """Return the measures that are defined."""
    found = accuracy.change_accuracy(counted.matrix)
    return AccuracyReport(
        overall_accuracy=found.overall,
        kappa=_defined(found.kappa),
        f1=_defined(found.f1),
        precision=_defined(found.precision),
        recall=_defined(found.recall),
    )


def _defined(value: float) -> float | None:
    """Return a number, or None for what is not defined."""
    return float(value) if isfinite(value) else None


def _area(counted: Tally, placed: bool) -> tuple[AreaReport | None, tuple[str, ...]]:
    """Return the estimated areas, or why there are none."""
    if not placed:
        return None, ("No areas: the map has no georeference.",)
    for index, name in ((CHANGED, "changed"), (UNCHANGED, "unchanged")):
        if counted.matrix[index].sum() < 2:
            return None, (f"No estimated areas: fewer than 2 samples lie on pixels that the map calls {name}.",)
    found = accuracy.stratified_areas(counted.matrix, counted.mapped_km2)
    classes = [_class_area(found, counted, index) for index in (UNCHANGED, CHANGED)]
    report = AreaReport(
        changed=classes[CHANGED],
        unchanged=classes[UNCHANGED],
        overall_accuracy=found.overall,
        overall_accuracy_half_width_95=accuracy.Z_95 * found.overall_error,
    )
    return report, ()


def _class_area(found: accuracy.AreaEstimate, counted: Tally, index: int) -> EstimatedArea:
    """Return the area of one class."""
    low, high = found.intervals[index]
    return EstimatedArea(
        mapped_km2=float(counted.mapped_km2[index]),
        estimated_km2=float(found.areas[index]),
        half_width_95_km2=float(accuracy.Z_95 * found.area_errors[index]),
        lower_95_km2=max(0.0, float(low)),
        upper_95_km2=min(float(counted.mapped_km2.sum()), float(high)),
    )


def _warnings(counted: Tally) -> tuple[str, ...]:
    """Return what to beware of."""
    found = []
    if counted.contradictory:
        found.append(f"{counted.contradictory} sample pixels are in both classes and were left out.")
    if counted.not_observed:
        found.append(f"{counted.not_observed} sample pixels lie where the map observed nothing and were left out.")
    return tuple(found)


def _say(report: AssessmentReport) -> None:
    """Write the main numbers to the log of the user."""
    counts, found = report.confusion, report.accuracy
    say(f"{report.samples} samples. {report.sample_placement}")
    say(
        f"true changed {counts.true_changed}, false alarms {counts.false_alarms}, missed {counts.missed}, "
        f"true unchanged {counts.true_unchanged}"
    )
    kappa = f", kappa {found.kappa:.4f}" if found.kappa is not None else ""
    say(f"overall accuracy {found.overall_accuracy:.4f}{kappa}")
    if report.area is not None:
        area = report.area.changed
        say(
            f"changed: mapped {area.mapped_km2:.4g} km2, estimated {area.estimated_km2:.4g} +- "
            f"{area.half_width_95_km2:.2g} km2 (valid for stratified random samples only)"
        )
    for warning in report.warnings:
        say(f"warning: {warning}")
