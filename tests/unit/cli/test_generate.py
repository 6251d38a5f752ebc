"""Pages derived from declarations: every input, output and limit as it was declared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from click.testing import CliRunner
from pydantic import Field, WithJsonSchema

from candela_processes import catalog
from candela_processes.cli.generate import generated_files
from candela_processes.cli.generate.process_pages import process_page
from candela_processes.cli.generated import generate
from candela_processes.process import GIB, PNG, REFERENCE_SCHEMA, Inputs, Limits, Output, Process, Reference, Resources

Image = Annotated[Reference, WithJsonSchema(REFERENCE_SCHEMA)]


class BlurInputs(Inputs):
    """Inputs with one of everything that a page has to show."""

    image: Image = Field(title="Image", description="A picture; either a | or b.")
    radius: float = Field(default=1.5, title="Radius", description="Radius (pixels).", gt=0, le=100)
    kernel: Literal["box", "gauss"] = Field(default="box", title="Kernel", description="Shape of the window.")
    names: tuple[str, ...] = Field(default=(), title="Names", description="Names.", max_length=3)
    repeat: int | None = Field(default=None, title="Repeat", ge=1)


BLUR = Process(
    id="blur",
    version="2.1.0",
    title="Blur",
    description="Blurs a picture.",
    aliases=("Smooth",),
    inputs=BlurInputs,
    outputs=(
        Output(id="pictures", title="Pictures", media_types=(PNG,), many=True, optional=True),
        Output(id="width", title="Width", schema={"type": "integer"}),
    ),
    run="nowhere:run",
    example={"image": "a.png", "radius": 2},
    resources=Resources(memory=GIB // 4, scratch=3 * GIB),
    limits=Limits(seconds=90, pixels=12_345_678),
)


def rows(page: str) -> Mapping[str, list[str]]:
    """The rows of all tables of a page by their first cell."""
    cells = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in cells}


def test_an_installed_package_changes_no_file_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_installed", lambda: iter([BLUR]))
    assert catalog.load().get("blur") is BLUR
    done = CliRunner().invoke(generate, ["--root", str(tmp_path)])
    assert done.exit_code == 0
    pages = {path.name for path in (tmp_path / "docs" / "processes").iterdir()}
    assert pages == {"README.md", *(f"{process.id}.md" for process in catalog.BUILT_IN)}
    assert CliRunner().invoke(generate, ["--root", str(tmp_path), "--check"]).exit_code == 0


def test_a_page_shows_every_input_with_type_default_range_and_meaning() -> None:
    shown = rows(process_page(BLUR))
    assert shown["`image`"] == ["link or path", "required", "", "A picture; either a \\| or b."]
    assert shown["`radius`"] == ["number", "`1.5`", "more than 0, at most 100", "Radius (pixels)."]
    assert shown["`kernel`"] == ["one of `box`, `gauss`", '`"box"`', "", "Shape of the window."]
    assert shown["`names`"] == ["array of: string", "`[]`", "at most 3 entries", "Names."]
    assert shown["`repeat`"] == ["integer", "left out", "at least 1", "Repeat"]


def test_a_page_shows_outputs_and_limits() -> None:
    page = process_page(BLUR)
    shown = rows(page)
    assert shown["`pictures`"] == ["array of files, `image/png`, may be missing", "Pictures"]
    assert shown["`width`"] == ["JSON value, integer", "Width"]
    assert shown["memory"] == ["256 MiB"]
    assert shown["disk while it runs"] == ["3 GiB"]
    assert shown["time"] == ["90 s"]
    assert shown["pixels of one image"] == ["12,345,678"]
    assert "Also called `Smooth`." in page


def test_the_example_of_a_page_is_the_declared_one() -> None:
    block = process_page(BLUR).split("```json\n")[1].split("\n```")[0]
    assert json.loads(block) == {"inputs": BLUR.example}


def test_every_process_has_its_page_and_its_description() -> None:
    files = generated_files(catalog.build([BLUR]))
    assert set(files) == {
        Path("config/candela.env.example"),
        Path("docs/processes/README.md"),
        Path("docs/processes/blur.md"),
        Path("openapi/openapi.json"),
        Path("openapi/processes/blur.json"),
    }
    description: dict[str, Any] = json.loads(files[Path("openapi/processes/blur.json")])
    assert description["id"] == "blur"
    assert set(description["inputs"]) == {"image", "radius", "kernel", "names", "repeat"}
    assert "[blur](blur.md) | 2.1.0 | Blur | Blurs a picture." in files[Path("docs/processes/README.md")]
