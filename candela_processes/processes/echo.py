"""Echo: returns its inputs. Instant, for clients, monitoring and the conformance tests of OGC API - Processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from candela_processes.errors import InvalidInput
from candela_processes.process import Inputs, Output, Process, Progress, Resources, Workdir

_MIXED = {"oneOf": [{"type": "string"}, {"type": "boolean"}]}
_BOX = {"type": "object", "format": "ogc-bbox"}
_NUMBERS = {"type": "array", "items": {"type": "integer"}}


class Record(BaseModel):
    """An object with one member."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    value: str


class BoundingBox(BaseModel):
    """An OGC bounding box: 4 or 6 numbers and the URI of their reference system."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra={"format": "ogc-bbox"})

    bbox: tuple[float, ...] = Field(min_length=4, max_length=6)
    crs: Annotated[str | None, WithJsonSchema({"type": "string", "format": "uri"})] = None


class EchoInputs(Inputs):
    """One input of every kind that OGC API - Processes knows."""

    text: str = Field(title="Text")
    record: Record | None = Field(default=None, title="Object")
    area: BoundingBox | None = Field(default=None, title="Bounding box")
    numbers: tuple[int, ...] | None = Field(default=None, title="Array")
    either: Annotated[str | bool | None, WithJsonSchema(_MIXED)] = Field(default=None, title="Mixed")
    image: str | None = Field(
        default=None,
        title="Media-typed text",
        json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/tiff; application=geotiff"},
    )
    pause: float | None = Field(default=None, title="Seconds to wait", ge=0, le=10)


def run(inputs: EchoInputs, workdir: Workdir, progress: Progress) -> Mapping[str, Any]:
    """Return the given inputs under their names, and how many there were; waits `pause` seconds (0..10) before."""
    if inputs.area is not None and len(inputs.area.bbox) == 5:
        raise InvalidInput("area/bbox", "has 5 numbers; a bounding box has 4, or 6 with heights")
    if inputs.pause:
        progress(50, "waiting")
        time.sleep(inputs.pause)
    given = inputs.model_dump(mode="json", exclude_unset=True)
    echoed = {output.id: given[output.id] for output in ECHO.outputs if output.id in given}
    return echoed | {"inputCount": len(given)}


ECHO = Process(
    id="echo",
    version="1.0.0",
    title="Echo",
    description="Returns its inputs; shaped so that ets-ogcapi-processes10 1.3 skips nothing.",
    inputs=EchoInputs,
    outputs=(
        Output(id="text", title="Text", schema={"type": "string"}),
        Output(id="record", title="Object", schema={"type": "object"}, optional=True),
        Output(id="area", title="Bounding box", schema=_BOX, optional=True),
        Output(id="numbers", title="Array", schema=_NUMBERS, optional=True),
        Output(id="either", title="Mixed", schema=_MIXED, optional=True),
        Output(id="inputCount", title="How many inputs were given", schema={"type": "integer"}),
    ),
    run="candela_processes.processes.echo:run",
    example={"text": "teststring", "numbers": [1, 2, 3]},
    resources=Resources(memory=256 * 1024**2, scratch=64 * 1024**2),
    inline=True,
)
