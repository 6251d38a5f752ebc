"""Reference samples laid over a change map: from two rasters, one raster of classes, or polygons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from candela_processes.errors import InvalidInput
from candela_processes.process import Reference, Workdir
from candela_processes.raster.classes import ClassRaster, open_classes
from candela_processes.raster.grid import Grid, differences
from candela_processes.raster.polygons import ClassPolygon, burn, is_geojson, read_polygons

if TYPE_CHECKING:
    from candela_processes.processes.assess_change import AssessChangeInputs

type Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Which pixels of some whole rows are samples of change, and of no change, both (rows, width)."""


class Samples(Protocol):
    """Where the samples of change and of no change are."""

    @property
    def placement(self) -> str:
        """Say how the samples were laid over the map."""

    def masks(self, first_row: int, rows: int) -> Masks:
        """Return the samples of some whole rows of the map."""


@dataclass(frozen=True)
class SamplePair:
    """Two rasters whose values above 0 are samples."""

    changed: ClassRaster
    unchanged: ClassRaster
    placement: str

    def masks(self, first_row: int, rows: int) -> Masks:
        """Return the valid pixels above 0 of both."""
        (changed, seen), (unchanged, seen_too) = (
            raster.rows(first_row, rows) for raster in (self.changed, self.unchanged)
        )
        return (changed > 0) & seen, (unchanged > 0) & seen_too


@dataclass(frozen=True)
class SampleClasses:
    """One raster whose codes say what a sample is."""

    raster: ClassRaster
    changed: tuple[int, ...]
    unchanged: tuple[int, ...]
    placement: str

    def masks(self, first_row: int, rows: int) -> Masks:
        """Return the valid pixels with a code of either class."""
        codes, seen = self.raster.rows(first_row, rows)
        return np.isin(codes, self.changed) & seen, np.isin(codes, self.unchanged) & seen


@dataclass(frozen=True)
class SamplePolygons:
    """Polygons of either class, in the reference system of the map."""

    changed: tuple[ClassPolygon, ...]
    unchanged: tuple[ClassPolygon, ...]
    grid: Grid
    placement: str = "Polygons, brought to the reference system of the map; pixels with their centre inside."

    def masks(self, first_row: int, rows: int) -> Masks:
        """Return the pixels whose centre is in a polygon."""
        return burn(self.changed, self.grid, first_row, rows), burn(self.unchanged, self.grid, first_row, rows)


@contextmanager
def open_samples(inputs: AssessChangeInputs, workdir: Workdir, map_: ClassRaster) -> Iterator[Samples]:
    """Open the samples of a request; raises InvalidInput where they do not fit the map or hold no class asked for."""
    with ExitStack() as stack:
        if inputs.reference is None:
            changed, unchanged = (
                stack.enter_context(_opened(reference, name, workdir))
                for name, reference in (("changed", inputs.changed), ("unchanged", inputs.unchanged))
            )
            yield SamplePair(changed, unchanged, _placement(map_, (changed, unchanged)))
        elif is_geojson(workdir.file(inputs.reference)):
            yield _polygons(workdir.file(inputs.reference), inputs, map_)
        else:
            raster = stack.enter_context(_opened(inputs.reference, "reference", workdir))
            yield SampleClasses(
                raster,
                _numbers(inputs.changed_classes, "changed_classes"),
                _numbers(inputs.unchanged_classes, "unchanged_classes"),
                _placement(map_, (raster,)),
            )


@contextmanager
def _opened(reference: Reference | None, name: str, workdir: Workdir) -> Iterator[ClassRaster]:
    """Open one raster of samples; the inputs model sees to it that it is given."""
    if reference is None:
        raise InvalidInput(name, "is missing")
    with open_classes(workdir.file(reference), name) as raster:
        yield raster


def _placement(map_: ClassRaster, rasters: Sequence[ClassRaster]) -> str:
    """Say how rasters lie over the map; raises InvalidInput where one does not."""
    for raster in rasters:
        _require_fit(map_, raster)
    bare = [raster.name for raster in (map_, *rasters) if raster.grid is None]
    if not bare:
        return "Rasters on the grid of the map."
    return f"By row and column, for want of a georeference in {', '.join(bare)}."


def _require_fit(map_: ClassRaster, raster: ClassRaster) -> None:
    """Raise InvalidInput where a raster does not lie pixel on pixel with the map."""
    if map_.grid is not None and raster.grid is not None:
        found = differences(map_.grid, raster.grid)
        if found:
            raise InvalidInput(raster.name, f"its grid differs from that of map in {', '.join(found)}")
    elif (raster.width, raster.height) != (map_.width, map_.height):
        raise InvalidInput(
            raster.name,
            f"it has {raster.width} x {raster.height} pixels and the map {map_.width} x {map_.height}; without "
            "georeference in both of them the sizes must be the same",
        )


def _numbers(classes: tuple[int | str, ...], name: str) -> tuple[int, ...]:
    """Return those classes that can be codes of a raster."""
    numbers = tuple(value for value in classes if isinstance(value, int))
    if not numbers:
        raise InvalidInput(name, "holds no whole number, and the reference is a raster of numbers")
    return numbers


def _polygons(path: Path, inputs: AssessChangeInputs, map_: ClassRaster) -> SamplePolygons:
    """Read the polygons and divide them by class."""
    if map_.grid is None:
        raise InvalidInput("map", "has no georeference, so polygons cannot be laid over it; give rasters of samples")
    polygons = read_polygons(path, "reference", inputs.class_property, map_.grid)
    divided = []
    for name, wanted in (("changed_classes", inputs.changed_classes), ("unchanged_classes", inputs.unchanged_classes)):
        divided.append(tuple(polygon for polygon in polygons if polygon.value in wanted))
        if not divided[-1]:
            there = sorted({str(polygon.value) for polygon in polygons})[:20]
            raise InvalidInput(
                name, f"no polygon has one of the classes {list(wanted)}; the classes in the reference are {there}"
            )
    return SamplePolygons(divided[0], divided[1], map_.grid)
