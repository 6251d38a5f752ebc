"""What the report of ChangeDetection says: models whose schema is published; members that do not apply are absent."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

AREA_NOTE: Final = (
    "Areas are mapped areas: counted pixels of the map on the ellipsoid. They carry the errors of the map; for an "
    "estimate with a confidence interval assess the map with reference samples (AssessChange; Olofsson et al. 2014)."
)


class Part(BaseModel):
    """Base of the parts of a report: immutable, and finite numbers only."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GridReport(Part):
    """The grid of all maps."""

    crs: str = Field(description="Coordinate reference system: authority and code, else WKT.")
    width: int = Field(description="Columns.")
    height: int = Field(description="Rows.")
    transform: tuple[float, ...] = Field(
        description="Coefficients a, b, c, d, e, f: x = a column + b row + c, y = d column + e row + f, at the upper "
        "left corner of a pixel."
    )


class ImageReport(Part):
    """One image of the series."""

    product: str = Field(description="Name of the image without its suffix.")
    given: int = Field(description="Place in the list of inputs, from 1.")
    date: str | None = Field(default=None, description="Date as given or found: YYYY-MM-DD or a year.")
    date_source: str | None = Field(default=None, description="Where the date comes from: dates, or a metadata item.")


class ThresholdReport(Part):
    """How changed and unchanged were divided."""

    rule: Literal["scaled_chi2", "otsu", "kmeans", "chi2", "number"] = Field(description="The rule.")
    value: float = Field(description="Magnitude above which a pixel is called changed.")
    alpha: float | None = Field(default=None, description="Significance level, where the rule uses one.")
    degrees_of_freedom: float = Field(
        description="Degrees of freedom of the chi-square law of no change: the number of bands (irmad, mad), or the "
        "effective one of the change vector (cva)."
    )
    c: float = Field(
        description="Scale of that law: median of the squared magnitude over the median of chi-square; the rule "
        "scaled_chi2 uses it, for the others it says what they compare with."
    )
    shape: float | None = Field(
        default=None,
        description="How evenly the smaller half of the pixels scatters: lower quartile over median of the squared "
        "magnitude, over the same of that law. 1 where they follow it; the lower, the more unchanged pixels than alpha "
        "says are called changed. Absent where it cannot be told.",
    )


class ShiftReport(Part):
    """Displacement of the second image against the first."""

    columns: float = Field(description="To the right (pixels).")
    rows: float = Field(description="Downwards (pixels).")
    length: float = Field(description="Length of the displacement (pixels).")


class CoupleReport(Part):
    """One couple of consecutive images."""

    number: int = Field(description="Number of the couple, from 1; that of its maps.")
    product_id1: str = Field(description="Product of the first image.")
    product_id2: str = Field(description="Product of the second image.")
    start_date: str | None = Field(default=None, description="Date of the first image (YYYY-MM-DD, or a year).")
    end_date: str | None = Field(default=None, description="Date of the second image (YYYY-MM-DD, or a year).")
    identical: bool = Field(description="Whether both images are equal wherever both are observed.")
    rho: tuple[tuple[float, ...], ...] = Field(
        description="Canonical correlations of every iteration, each ascending; empty for cva and identical images."
    )
    iterations: int = Field(description="Number of passes; 0 for cva and identical images.")
    converged: bool = Field(description="Whether the last pass moved no correlation by the tolerance or more.")
    mean_no_change_weight: float | None = Field(
        default=None, description="Mean probability of no change of the observed pixels, 0 to 1 (irmad, mad)."
    )
    threshold: ThresholdReport
    reliable: bool = Field(description="Whether the assumptions of method and threshold seem to hold.")
    reason: str = Field(description="Why the result is called reliable or not.")
    total_pixels: int = Field(description="Pixels of the grid.")
    observed_pixels: int = Field(description="Pixels with valid values in both images.")
    observed_share: float = Field(description="Observed pixels over all pixels, 0 to 1.")
    changed_pixels: int = Field(description="Pixels called changed.")
    changed_share: float = Field(description="Changed pixels over observed pixels, 0 to 1.")
    mapped_area_km2: float = Field(description="Mapped area of change: of the changed pixels on the ellipsoid (km2).")
    observed_area_km2: float = Field(description="Area of the observed pixels on the ellipsoid (km2).")
    shift: ShiftReport | None = Field(
        default=None, description="Estimated displacement between the images; absent where it cannot be estimated."
    )
    warnings: tuple[str, ...] = Field(description="What to beware of in this couple.")


class ChangeReport(Part):
    """The report of one run."""

    process: str = Field(description="Process and version.")
    method: Literal["irmad", "mad", "cva"] = Field(description="The method.")
    dated: bool = Field(description="Whether the dates of all images are known; if not, the given order was kept.")
    order_note: str = Field(description="How the images were put in order.")
    images: tuple[ImageReport, ...] = Field(description="The images in the order of time.")
    bands: tuple[str, ...] = Field(description="Names or numbers of the bands used.")
    grid: GridReport
    couples: tuple[CoupleReport, ...] = Field(description="One entry for each consecutive couple.")
    area_note: str = Field(default=AREA_NOTE, description="What the areas mean.")
    warnings: tuple[str, ...] = Field(description="What to beware of in the whole series.")
    references: tuple[str, ...] = Field(description="Papers with the formulae that were used.")
    software: dict[str, str] = Field(description="Versions of this package and of the libraries that computed.")


REPORT_SCHEMA: Final[dict[str, Any]] = ChangeReport.model_json_schema(mode="serialization")
