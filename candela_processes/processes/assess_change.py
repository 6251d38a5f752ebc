"""AssessChange: how right a change map is, judged by reference samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, WithJsonSchema, model_validator

from candela_processes.errors import InvalidInput
from candela_processes.process import (
    GIB,
    JSON,
    REFERENCE_SCHEMA,
    Inputs,
    Output,
    Process,
    Progress,
    Reference,
    Resources,
    Workdir,
)
from candela_processes.processes.assessment_report import ASSESSMENT_SCHEMA

File = Annotated[Reference, WithJsonSchema(REFERENCE_SCHEMA)]
OptionalFile = Annotated[Reference | None, WithJsonSchema(REFERENCE_SCHEMA)]
ClassName = Annotated[str, Field(min_length=1, max_length=256)]
Classes = tuple[int | ClassName, ...]


class AssessChangeInputs(Inputs):
    """A change map and its reference: two rasters of samples, or one file with both classes."""

    map: File = Field(
        title="Change map",
        description="Map of ChangeDetection: 0 unchanged, 1 changed, 255 (or the nodata value) not observed.",
    )
    changed: OptionalFile = Field(
        default=None,
        title="Changed samples",
        description="Raster whose values above 0 mark samples of change. Without georeference it must have the size "
        "of the map. Goes with unchanged.",
    )
    unchanged: OptionalFile = Field(
        default=None,
        title="Unchanged samples",
        description="Raster whose values above 0 mark samples of no change. Goes with changed.",
    )
    reference: OptionalFile = Field(
        default=None,
        title="Reference",
        description="In place of changed and unchanged: one raster of classes, or GeoJSON polygons with the class as "
        "a property. Polygons are brought to the map's reference system; a pixel belongs to the polygon that holds "
        "its centre.",
    )
    class_property: str = Field(
        default="class",
        title="Class property",
        description="Property of the polygons that names their class.",
        min_length=1,
        max_length=256,
    )
    changed_classes: Classes = Field(
        default=("changed", 1),
        title="Classes of change",
        description="Values of the raster or of the class property that mean changed.",
        min_length=1,
        max_length=256,
    )
    unchanged_classes: Classes = Field(
        default=("unchanged", 0),
        title="Classes of no change",
        description="Values of the raster or of the class property that mean unchanged; any other value is no sample.",
        min_length=1,
        max_length=256,
    )

    @model_validator(mode="after")
    def _one_kind_of_reference(self) -> Self:
        rasters = self.changed is not None or self.unchanged is not None
        if self.reference is not None and rasters:
            raise InvalidInput("reference", "is given together with changed or unchanged; give the one or the others")
        if self.reference is None and (self.changed is None or self.unchanged is None):
            missing = "changed" if self.changed is None else "unchanged"
            what = f"{missing} is missing" if rasters else "no reference samples are given"
            raise InvalidInput(missing if rasters else "reference", f"{what}; give changed and unchanged, or reference")
        both = set(self.changed_classes) & set(self.unchanged_classes)
        if both:
            raise InvalidInput("changed_classes", f"{sorted(map(str, both))} are also among unchanged_classes")
        return self


def run(inputs: AssessChangeInputs, workdir: Workdir, progress: Progress) -> Mapping[str, Any]:
    """Compare map and samples; see `assessment.assess` for the numbers and the errors."""
    from candela_processes.processes.assessment import assess

    return assess(inputs, workdir, progress, f"candela_processes {ASSESS_CHANGE.id} {ASSESS_CHANGE.version}")


ASSESS_CHANGE = Process(
    id="AssessChange",
    version="1.0.0",
    title="Accuracy of a change map",
    description="Compares a change map with reference samples: confusion matrix, overall accuracy, kappa, F1, and the "
    "area of change with its 95 % confidence interval (Olofsson et al. 2014).",
    keywords=("accuracy assessment", "confusion matrix", "kappa", "area estimation", "change detection"),
    inputs=AssessChangeInputs,
    outputs=(
        Output(
            id="report",
            title="Report",
            description="Confusion matrix, measures of accuracy, mapped and estimated areas, and what they rest on.",
            media_types=(JSON,),
            schema=ASSESSMENT_SCHEMA,
        ),
    ),
    run="candela_processes.processes.assess_change:run",
    example={
        "map": "landsat_taizhou/changes.tif",
        "changed": "landsat_taizhou/change.bmp",
        "unchanged": "landsat_taizhou/unchanged.bmp",
    },
    resources=Resources(memory=2 * GIB, scratch=10 * GIB),
)
