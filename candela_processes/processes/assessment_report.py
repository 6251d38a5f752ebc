"""What the report of AssessChange says: models whose schema is published; members that do not apply are absent."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from candela_processes.processes.change_report import Part

SAMPLING_NOTE: Final = (
    "Estimated areas, their intervals and the area-weighted accuracies assume a probability sample, drawn at random "
    "within the classes of the map. From samples chosen by hand, clustered or drawn otherwise they are not valid."
)


class ConfusionMatrix(Part):
    """Counts of sample pixels, map against reference."""

    true_changed: int = Field(description="Changed in map and reference.")
    false_alarms: int = Field(description="Changed in the map, unchanged in the reference.")
    missed: int = Field(description="Unchanged in the map, changed in the reference.")
    true_unchanged: int = Field(description="Unchanged in map and reference.")


class AccuracyReport(Part):
    """Measures from the counts; one that would divide by zero is absent."""

    overall_accuracy: float = Field(description="Share of the samples that the map has right, 0 to 1.")
    kappa: float | None = Field(default=None, description="Cohen's kappa.")
    f1: float | None = Field(default=None, description="Harmonic mean of precision and recall of change.")
    precision: float | None = Field(default=None, description="Share of right ones among samples mapped as changed.")
    recall: float | None = Field(default=None, description="Share of changed samples that the map found.")


class EstimatedArea(Part):
    """Area of one class, stratified estimate with its interval."""

    mapped_km2: float = Field(description="Area in the map, on the ellipsoid (km2).")
    estimated_km2: float = Field(description="Estimate from the samples, equation 9 of the paper (km2).")
    half_width_95_km2: float = Field(description="Half the width of the 95 % interval, 1.96 standard errors (km2).")
    lower_95_km2: float = Field(description="Lower end of the interval, not below 0 (km2).")
    upper_95_km2: float = Field(description="Upper end of the interval, not above the observed area (km2).")


class AreaReport(Part):
    """The area-weighted estimates of Olofsson et al. (2014)."""

    changed: EstimatedArea
    unchanged: EstimatedArea
    overall_accuracy: float = Field(description="Area-weighted overall accuracy, equation 1, 0 to 1.")
    overall_accuracy_half_width_95: float = Field(description="Half the width of its 95 % interval.")


class AssessmentReport(Part):
    """The report of one assessment."""

    process: str = Field(description="Process and version.")
    map: str = Field(description="Name of the map.")
    reference: tuple[str, ...] = Field(description="Names of the files of samples.")
    sample_placement: str = Field(description="How the samples were laid over the map.")
    samples: int = Field(description="Sample pixels that count: they lie on observed pixels of the map.")
    samples_not_observed: int = Field(description="Sample pixels left out since the map did not observe them.")
    confusion: ConfusionMatrix
    accuracy: AccuracyReport
    area: AreaReport | None = Field(
        default=None, description="Absent where a class of the map has fewer than 2 samples or the map no georeference."
    )
    sampling_note: str = Field(default=SAMPLING_NOTE, description="What the estimates assume of the samples.")
    warnings: tuple[str, ...] = Field(description="What to beware of.")
    references: tuple[str, ...] = Field(description="Papers with the formulae that were used.")
    software: dict[str, str] = Field(description="Versions of this package and of the libraries that computed.")


ASSESSMENT_SCHEMA: Final[dict[str, Any]] = AssessmentReport.model_json_schema(mode="serialization")
