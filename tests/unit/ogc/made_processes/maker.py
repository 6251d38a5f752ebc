"""A process with an output of every kind, instant, for the tests of the HTTP face."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from candela_processes.errors import InvalidInput
from candela_processes.process import COG, JSON, PNG, File, Inputs, Output, Process, Progress, Workdir


class MakerInputs(Inputs):
    tiles: int = Field(default=2, ge=0, le=9, title="Tiles")
    content: str = Field(default="pixels", title="Content")
    fail: str = Field(default="", title="Fail")


def run(inputs: MakerInputs, workdir: Workdir, progress: Progress) -> Mapping[str, Any]:
    """Write the content into files of every kind."""
    if inputs.fail == "input":
        raise InvalidInput("content", "cannot be used")
    if inputs.fail:
        raise RuntimeError(f"secret of the server: {workdir.outputs}")
    progress(50, inputs.content)

    def file(name: str, content: str, start: str = "", end: str = "") -> File:
        path = workdir.outputs / name
        path.write_text(content)
        return File(path=path, start=start, end=end)

    return {
        "picture": file("p", inputs.content),
        "tiles": tuple(
            file(f"t{n}", f"{inputs.content} {n}", start=f"200{n}0101", end=f"200{n + 1}0101")
            for n in range(1, inputs.tiles + 1)
        ),
        "report": file("r", '{"content": 1}'),
        "count": inputs.tiles,
    }


MAKER = Process(
    id="maker",
    version="2.1.0",
    title="Maker <b>&",
    description='Makes "files" & <script>alert(1)</script>.',
    aliases=("Fabricator",),
    inputs=MakerInputs,
    outputs=(
        Output(id="picture", title="Picture", media_types=(PNG,)),
        Output(id="tiles", title="Tiles", media_types=(COG,), many=True),
        Output(id="report", title="Report", media_types=(JSON,), schema={"type": "object"}),
        Output(id="count", title="Count", schema={"type": "integer"}),
        Output(id="extra", title="Extra", media_types=("text/csv",), optional=True),
    ),
    run="maker:run",
    example={"tiles": 1},
    inline=True,
)
