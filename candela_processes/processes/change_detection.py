"""ChangeDetection: what changed between consecutive dates of a series of optical images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from candela_processes.errors import InvalidInput
from candela_processes.process import (
    COG,
    GIB,
    JSON,
    PNG,
    REFERENCE_SCHEMA,
    Inputs,
    Output,
    Process,
    Progress,
    Reference,
    Resources,
    Workdir,
)
from candela_processes.processes.change_report import REPORT_SCHEMA
from candela_processes.processes.series_order import given_dates

Method = Literal["irmad", "mad", "cva"]
Rule = Literal["scaled_chi2", "otsu", "kmeans", "chi2"]
Image = Annotated[Reference, WithJsonSchema(REFERENCE_SCHEMA)]
ImageDate = Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}-[0-9]{2})?$", examples=["2000-03-17", "1985"])]
BandName = Annotated[str, Field(min_length=1, max_length=256)]
BandNumber = Annotated[int, Field(ge=1)]
Level = Annotated[float, Field(gt=0, allow_inf_nan=False)]

MOST_IMAGES: Final = 100


class ChangeDetectionInputs(Inputs):
    """A series of images of one place and how to find what changed between each and the next."""

    images: tuple[Image, ...] = Field(
        title="Images",
        description="Two or more co-registered images of the same place, GeoTIFF or ENVI, each a link or a path. "
        "Every image and the next in time make a couple.",
        min_length=2,
        max_length=MOST_IMAGES,
    )
    dates: tuple[ImageDate, ...] = Field(
        default=(),
        title="Dates",
        description="One date for each image in the same order: 2000-03-17, or a year, which stands for its 1 January. "
        "Left out: read from the images' metadata; where that is silent, the images stay in the given order and the "
        "results carry no dates.",
        max_length=MOST_IMAGES,
    )
    bands: tuple[BandNumber | BandName, ...] = Field(
        default=(),
        title="Bands",
        description="Bands to use, by number from 1 or by name. Left out: all bands.",
        max_length=64,
    )
    method: Method = Field(
        default="irmad",
        title="Method",
        description="irmad: iteratively re-weighted multivariate alteration detection (Nielsen 2007). mad: its first "
        "iteration (Nielsen et al. 1998). cva: length of the change vector of standardised bands (Malila 1980).",
    )
    threshold: Rule | Level = Field(
        default="scaled_chi2",
        title="Threshold",
        description="Rule that divides changed from unchanged. scaled_chi2: the law of no change, scaled to what most "
        "pixels show, exceeded with probability alpha; needs most pixels unchanged. chi2: the same, not scaled (not "
        "for cva, which has no such law). otsu, kmeans: two classes of magnitude, which find change always, even "
        "where there is none. A number: the least magnitude that counts as change.",
    )
    alpha: float = Field(
        default=1e-4,
        title="Significance level",
        description="Probability that an unchanged pixel is called changed, as far as unchanged pixels follow the law; "
        "for scaled_chi2 and chi2.",
        gt=0,
        le=0.5,
    )
    max_iterations: int = Field(
        default=50, title="Most iterations", description="Where irmad stops without convergence.", ge=1, le=500
    )
    tolerance: float = Field(
        default=1e-3,
        title="Tolerance",
        description="irmad has converged when no canonical correlation moved by this much.",
        gt=0,
        le=0.1,
    )
    align: Literal["none", "first"] = Field(
        default="none",
        title="Alignment",
        description="none: the grids of all images must be the same. first: the others are resampled (bilinear) onto "
        "the grid of the image listed first.",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.dates and len(self.dates) != len(self.images):
            raise InvalidInput(
                "dates", f"has {len(self.dates)} entries for {len(self.images)} images; give one for each, or none"
            )
        given_dates(self.dates)
        if self.method == "cva" and self.threshold == "chi2":
            raise InvalidInput(
                "threshold",
                "chi2 does not go with the method cva, whose squared magnitude follows no chi-square law of unit "
                "scale; use scaled_chi2, otsu, kmeans or a number",
            )
        return self


def run(inputs: ChangeDetectionInputs, workdir: Workdir, progress: Progress) -> Mapping[str, Any]:
    """Map the changes of every consecutive couple; see `change_series.detect` for shapes, units and errors."""
    from candela_processes.processes.change_series import detect

    return detect(inputs, workdir, progress, f"candela_processes {CHANGE_DETECTION.id} {CHANGE_DETECTION.version}")


CHANGE_DETECTION = Process(
    id="ChangeDetection",
    version="1.0.0",
    title="Change detection",
    description="Maps what changed between consecutive dates of a series of optical images, by IR-MAD, MAD or CVA, "
    "with statistics of the whole scene; says in a report how far the result can be trusted.",
    keywords=("change detection", "optical", "multispectral", "IR-MAD", "MAD", "CVA", "time series"),
    inputs=ChangeDetectionInputs,
    outputs=(
        Output(
            id="changes",
            title="Change maps",
            description="One map for each consecutive couple, uint8: 0 observed and unchanged, 1 changed, 255 not "
            "observed (nodata). TIFF tags: Start_date, End_date, Product_id1, Product_id2, Agent, Category.",
            media_types=(COG,),
            many=True,
        ),
        Output(
            id="magnitude",
            title="Magnitude of change",
            description="One image for each consecutive couple, float32, without unit: the square root of the "
            "chi-square distance Z (irmad, mad) or the length of the change vector (cva) wherever observed, NaN "
            "elsewhere (nodata).",
            media_types=(COG,),
            many=True,
        ),
        Output(
            id="report",
            title="Report",
            description="Numbers of every couple: convergence, threshold, reliability, shares, mapped area, shift.",
            media_types=(JSON,),
            schema=REPORT_SCHEMA,
        ),
        Output(
            id="quicklook",
            title="Quick-look",
            description="Picture of the whole series: before, after and change of every couple, with a legend.",
            media_types=(PNG,),
        ),
    ),
    run="candela_processes.processes.change_detection:run",
    example={
        "images": ["landsat_pucallpa/1985.tif", "landsat_pucallpa/1995.tif"],
        "dates": ["1985", "1995"],
    },
    resources=Resources(cpu=2, memory=2 * GIB, scratch=20 * GIB),
)
