"""Runs of a process in a folder of their own, and images that a test writes in one line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from candela_processes.process import Limits, Process, Reference, Workdir

UTM_10_M = Affine(10, 0, 500000, 0, -10, 5000000)


@dataclass(frozen=True)
class Outcome:
    """What a run returned, with its report read back and what it said on the way."""

    returned: Mapping[str, Any]
    outputs: Path
    scratch: Path
    steps: list[tuple[float, str]] = field(default_factory=list)

    @property
    def report(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.returned["report"].path.read_text(), parse_constant=_refuse_constant)
        return document

    def map(self, number: int = 1, output: str = "changes") -> NDArray[Any]:
        with rasterio.open(self.returned[output][number - 1].path) as dataset:
            return np.asarray(dataset.read(1))


def _refuse_constant(text: str) -> float:
    raise AssertionError(f"{text} is not JSON")


type RunProcess = Callable[..., Outcome]
type WriteImage = Callable[..., Path]


@pytest.fixture
def run_process(tmp_path: Path, data: Path) -> RunProcess:
    """Validate inputs from JSON and run; hrefs are below tests/data, or absolute paths of files that a test wrote."""
    numbers = itertools.count()

    def run(process: Process, pixels: int | None = None, **inputs: Any) -> Outcome:
        module, _, function = process.run.partition(":")
        folder = tmp_path / f"run_{next(numbers)}"
        for name in ("outputs", "scratch", "steps"):
            (folder / name).mkdir(parents=True)
        model = process.inputs.model_validate_json(json.dumps(inputs))
        workdir = Workdir(
            outputs=folder / "outputs",
            scratch=folder / "scratch",
            steps=folder / "steps",
            staged={href: data / href for href in _hrefs(model)},
            limits=Limits() if pixels is None else Limits(pixels=pixels),
        )
        steps: list[tuple[float, str]] = []
        namespace = __import__(module, fromlist=[function])
        returned = getattr(namespace, function)(model, workdir, lambda percent, text: steps.append((percent, text)))
        return Outcome(returned, workdir.outputs, workdir.scratch, steps)

    return run


def _hrefs(model: Any) -> list[str]:
    """Return the hrefs of all references in a model."""
    members = [getattr(model, name) for name in type(model).model_fields]
    flat = [part for member in members for part in (member if isinstance(member, tuple) else (member,))]
    return [part.href for part in flat if isinstance(part, Reference)]


@pytest.fixture
def write_image(tmp_path: Path) -> WriteImage:
    """Write an array (bands, rows, columns) as a GeoTIFF in UTM 33N, 10 m, and return its path."""

    def write(
        name: str,
        pixels: NDArray[Any],
        *,
        crs: str | None = "EPSG:32633",
        transform: Affine | None = UTM_10_M,
        tags: Mapping[str, str] | None = None,
        descriptions: tuple[str, ...] = (),
        **profile: Any,
    ) -> Path:
        path = tmp_path / name
        count, height, width = pixels.shape
        place = {"crs": crs, "transform": transform} if crs else {}
        settings = {"driver": "GTiff", "dtype": pixels.dtype, "count": count, "height": height, "width": width}
        with rasterio.open(path, "w", **settings, **place, **profile) as dataset:
            dataset.write(pixels)
            dataset.update_tags(**(tags or {}))
            for number, description in enumerate(descriptions, 1):
                dataset.set_band_description(number, description)
        return path

    return write


@pytest.fixture
def scene() -> NDArray[np.float32]:
    """Four correlated bands of 200 x 240 pixels with structure, values about 1000."""
    generator = np.random.default_rng(20240117)
    rows, columns = np.mgrid[:200, :240]
    factors = np.stack(
        [
            300 * np.sin(rows / 17) * np.cos(columns / 23),
            200 * np.sin((rows + columns) / 31),
            generator.normal(0, 150, (200, 240)),
        ]
    )
    weights = generator.normal(0, 1, (4, 3))
    noise = generator.normal(0, 60, (4, 200, 240))
    return (1000 + np.tensordot(weights, factors, 1) + noise).astype(np.float32)


@pytest.fixture
def noisy(scene: NDArray[np.float32]) -> Callable[[int], NDArray[np.float32]]:
    """Return a copy of the scene with noise of its own (sigma 20)."""

    def copy(seed: int) -> NDArray[np.float32]:
        return scene + np.random.default_rng(seed).normal(0, 20, scene.shape).astype(np.float32)

    return copy
