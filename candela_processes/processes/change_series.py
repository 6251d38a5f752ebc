"""The work of ChangeDetection: a series put in order, decoded once, and every consecutive couple mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from candela_processes.errors import InvalidInput
from candela_processes.process import File, Progress, Workdir
from candela_processes.processes.change_couple import CoupleMaps, CoupleTask, map_couple
from candela_processes.processes.change_picture import draw_series
from candela_processes.processes.change_report import ChangeReport, GridReport, ImageReport
from candela_processes.processes.process_log import say
from candela_processes.processes.progress_span import Span
from candela_processes.processes.report_file import software, write_report
from candela_processes.processes.series_order import ImageDate, Order, product_name, put_in_order
from candela_processes.raster.grid import Grid, crs_name
from candela_processes.raster.scene import Scene, open_scenes
from candela_processes.raster.stack import Stack, decode

if TYPE_CHECKING:
    from candela_processes.processes.change_detection import ChangeDetectionInputs

REFERENCES: Final = {
    "irmad": (
        "Nielsen 2007, IEEE Transactions on Image Processing 16(2), 463-478",
        "Canty and Nielsen 2008, Remote Sensing of Environment 112(3), 1025-1036",
    ),
    "mad": ("Nielsen, Conradsen and Simpson 1998, Remote Sensing of Environment 64, 1-19",),
    "cva": ("Malila 1980, LARS Symposia 385", "Bovolo and Bruzzone 2007, IEEE TGRS 45(1), 218-236"),
}


@dataclass(frozen=True)
class Series:
    """The images of a request in the order of time, on one grid, decoded."""

    order: Order
    products: tuple[str, ...]
    scenes: tuple[Scene, ...]
    stack: Stack


def detect(inputs: ChangeDetectionInputs, workdir: Workdir, progress: Progress, agent: str) -> Mapping[str, Any]:
    """Map the changes of every consecutive couple and write maps, report and quick-look.

    Every image is decoded once to scratch; statistics, magnitudes and maps are streamed from there, so memory does
    not grow with the images. `agent` is the name of process and version. Raises InvalidInput naming the input for
    images that cannot be read or compared, that hold too little for the statistics or more pixels than allowed.
    """
    whole = Span(progress)
    series = _prepared(inputs, workdir, whole.part(0.0, 0.2))
    couples = len(series.scenes) - 1
    maps = []
    for index in range(couples):
        span = whole.part(0.2 + 0.7 * index / couples, 0.2 + 0.7 * (index + 1) / couples)
        maps.append(map_couple(_task(series, index, inputs, agent), workdir, _numbered(span, index, couples)))
    whole(0.9, "drawing the quick-look")
    quicklook = workdir.outputs / "quicklook.png"
    warnings = draw_series(maps, agent, quicklook)
    report = _report(inputs, series, maps, agent, (*series.order.warnings, *warnings))
    whole(1.0, "done")
    return {
        "changes": tuple(_file(entry.changes, entry.task.dates) for entry in maps),
        "magnitude": tuple(_file(entry.magnitude, entry.task.dates) for entry in maps),
        "report": File(path=write_report(report, workdir.outputs / "report.json")),
        "quicklook": File(path=quicklook),
    }


def _prepared(inputs: ChangeDetectionInputs, workdir: Workdir, span: Span) -> Series:
    """Check the headers, find the order and decode all images."""
    names = [f"images/{place}" for place in range(len(inputs.images))]
    span(0.0, "reading headers")
    scenes = open_scenes(
        [workdir.file(reference) for reference in inputs.images],
        names,
        inputs.bands or None,
        "exact" if inputs.align == "none" else "first",
    )
    for scene in scenes:
        if scene.grid.pixels > workdir.limits.pixels:
            raise InvalidInput(
                scene.name,
                f"it has {scene.grid.width} x {scene.grid.height} = {scene.grid.pixels} pixels; "
                f"allowed are {workdir.limits.pixels}",
            )
    order = put_in_order(inputs.dates, [_found_date(scene) for scene in scenes])
    products = tuple(product_name(workdir.name(inputs.images[place])) for place in order.places)
    say(f"{len(scenes)} images of {scenes[0].grid.describe()}; bands: {', '.join(map(_short, scenes[0].band_names))}")
    say(f"Order: {', '.join(_titles(order, products))}. {order.note}")
    stack = decode(scenes, workdir.scratch, lambda share: span(0.05 + 0.95 * share, "decoding the images"))
    in_time = Stack(stack.grid, stack.dtype, tuple(stack.decoded[place] for place in order.places))
    return Series(order, products, tuple(scenes[place] for place in order.places), in_time)


def _short(name: str) -> str:
    """Return a band's name at a length that can be read in a line."""
    return name if len(name) <= 40 else f"{name[:37]}..."


def _found_date(scene: Scene) -> ImageDate | None:
    """Return the date in the metadata of an image."""
    found = scene.acquired
    return ImageDate(found.date.isoformat(), found.date, found.source) if found else None


def _titles(order: Order, products: Sequence[str]) -> list[str]:
    """Return product and date of every image."""
    dates = [order.date_of(position) for position in range(len(products))]
    return [f"{product} ({day.text})" if day else product for product, day in zip(products, dates, strict=True)]


def _numbered(span: Span, index: int, couples: int) -> Span:
    """Return the span with the number of the couple before every message."""
    return span.part(0.0, 1.0, f"couple {index + 1} of {couples}: ")


def _task(series: Series, index: int, inputs: ChangeDetectionInputs, agent: str) -> CoupleTask:
    """Return what there is to do for one couple."""
    dates = series.order.dates[index : index + 2]
    return CoupleTask(
        number=index + 1,
        couple=series.stack.couple(index),
        products=(series.products[index], series.products[index + 1]),
        dates=(dates[0], dates[1]) if dates else None,
        inputs=inputs,
        agent=agent,
    )


def _file(path: Path, dates: tuple[ImageDate, ImageDate] | None) -> File:
    """Return an output file with the dates that go into its name."""
    return File(path=path, start=dates[0].tag, end=dates[1].tag) if dates else File(path=path)


def _report(
    inputs: ChangeDetectionInputs, series: Series, maps: Sequence[CoupleMaps], agent: str, warnings: tuple[str, ...]
) -> ChangeReport:
    """Return the report of the run."""
    order = series.order
    return ChangeReport(
        process=agent,
        method=inputs.method,
        dated=bool(order.dates),
        order_note=order.note,
        images=tuple(
            ImageReport(
                product=series.products[position],
                given=place + 1,
                date=order.dates[position].text if order.dates else None,
                date_source=order.dates[position].source if order.dates else None,
            )
            for position, place in enumerate(order.places)
        ),
        bands=series.scenes[0].band_names,
        grid=_grid(series.stack.grid),
        couples=tuple(entry.report for entry in maps),
        warnings=warnings,
        references=REFERENCES[inputs.method],
        software=software(),
    )


def _grid(grid: Grid) -> GridReport:
    """Return the grid in plain numbers."""
    return GridReport(
        crs=crs_name(grid.crs),
        width=grid.width,
        height=grid.height,
        transform=tuple(float(value) + 0.0 for value in tuple(grid.transform)[:6]),
    )
