"""One couple of consecutive images: solved, divided into changed and unchanged, written and described."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from candela_processes.analytics.canonical import UnfitBands
from candela_processes.errors import InvalidInput
from candela_processes.process import Workdir
from candela_processes.processes.change_maps import (
    Counted,
    MagnitudeStore,
    fill_magnitude,
    write_changes,
    write_magnitude,
)
from candela_processes.processes.change_method import Solution, solve
from candela_processes.processes.change_report import CoupleReport, ShiftReport
from candela_processes.processes.change_shift import shift_of
from candela_processes.processes.change_threshold import Level, find_level
from candela_processes.processes.change_verdict import judge, warnings_of
from candela_processes.processes.process_log import say
from candela_processes.processes.progress_span import Span
from candela_processes.processes.series_order import ImageDate
from candela_processes.raster.area import pixel_area_km2
from candela_processes.raster.stack import Couple

if TYPE_CHECKING:
    from candela_processes.processes.change_detection import ChangeDetectionInputs


@dataclass(frozen=True)
class CoupleTask:
    """What there is to do for one couple."""

    number: int
    couple: Couple
    products: tuple[str, str]
    dates: tuple[ImageDate, ImageDate] | None
    inputs: ChangeDetectionInputs
    agent: str

    @property
    def titles(self) -> tuple[str, str]:
        """Return what people call the two images: their dates, else their products."""
        return (self.dates[0].text, self.dates[1].text) if self.dates else self.products

    @property
    def tags(self) -> dict[str, str]:
        """Return the TIFF tags of the maps of this couple."""
        dates = {"Start_date": self.dates[0].tag, "End_date": self.dates[1].tag} if self.dates else {}
        return dates | {
            "Product_id1": self.products[0],
            "Product_id2": self.products[1],
            "Agent": self.agent,
            "Category": f"CD_{self.inputs.method.upper()}",
        }


@dataclass(frozen=True)
class CoupleMaps:
    """The two files of a couple and its part of the report."""

    task: CoupleTask
    changes: Path
    magnitude: Path
    report: CoupleReport


def map_couple(task: CoupleTask, workdir: Workdir, span: Span) -> CoupleMaps:
    """Solve and map one couple; raises InvalidInput for images that have no solution."""
    say(f"Couple {task.number}: {task.titles[0]} to {task.titles[1]}")
    changes, magnitude = (workdir.outputs / f"{name}_{task.number}.tif" for name in ("changes", "magnitude"))
    areas = pixel_area_km2(task.couple.grid)
    solution = _solved(task, span.part(0.0, 0.5))
    store = MagnitudeStore.create(workdir.scratch, task.couple.grid)
    part, last = span.part(0.5, 0.6), span.part(0.75, 1.0)
    observed = fill_magnitude(task.couple, solution.magnitude, store, areas, lambda share: part(share, "magnitude"))
    # the file of magnitudes takes as long as the rest: it is made beside it
    with ThreadPoolExecutor(1) as beside:
        written = beside.submit(write_magnitude, store, magnitude, task.tags)
        span(0.6, "threshold")
        level = find_level(store, solution, task.inputs)
        changed = write_changes(store, level.found.value, changes, task.tags, areas, lambda share: last(share, "map"))
        shift = None if solution.identical else shift_of(task.couple)
        written.result()
    store.file.path.unlink()
    report = _report(task, solution, level, (observed, changed), shift)
    _say_result(report)
    return CoupleMaps(task, changes, magnitude, report)


def _solved(task: CoupleTask, span: Span) -> Solution:
    """Solve the couple; an InvalidInput says in which couple the trouble is."""
    try:
        return solve(task.couple, task.inputs, span)
    except InvalidInput as error:
        where = f"couple {task.number}, {task.titles[0]} to {task.titles[1]}"
        told = error.naming(task.couple.before.scene.band_labels) if isinstance(error, UnfitBands) else error
        raise InvalidInput(error.name, f"{where}: {told.problem}") from error


def _report(
    task: CoupleTask, solution: Solution, level: Level, counted: tuple[Counted, Counted], shift: ShiftReport | None
) -> CoupleReport:
    """Return the numbers of a couple; `counted` are the observed and the changed pixels."""
    observed, changed = counted
    total, changed_share = task.couple.grid.pixels, changed.pixels / observed.pixels
    verdict = judge(solution, level, changed_share, task.inputs)
    return CoupleReport(
        number=task.number,
        product_id1=task.products[0],
        product_id2=task.products[1],
        start_date=task.dates[0].text if task.dates else None,
        end_date=task.dates[1].text if task.dates else None,
        identical=solution.identical,
        rho=solution.rho,
        iterations=len(solution.rho),
        converged=solution.converged,
        mean_no_change_weight=solution.mean_weight,
        threshold=level.report(solution.freedom),
        reliable=verdict.reliable,
        reason=verdict.reason,
        total_pixels=total,
        observed_pixels=observed.pixels,
        observed_share=observed.pixels / total,
        changed_pixels=changed.pixels,
        changed_share=changed_share,
        mapped_area_km2=changed.area_km2,
        observed_area_km2=observed.area_km2,
        shift=shift,
        warnings=warnings_of(solution, level, observed.pixels / total, shift, task.inputs),
    )


def _say_result(report: CoupleReport) -> None:
    """Write what came out to the log of the user."""
    used = report.threshold
    say(
        f"  threshold {used.rule} {used.value:.4g}; changed {report.changed_pixels} of {report.observed_pixels} "
        f"observed pixels ({100 * report.changed_share:.3g} %), mapped area {report.mapped_area_km2:.4g} km2"
    )
    if report.shift is not None:
        say(f"  displacement {report.shift.columns:+.2f} columns, {report.shift.rows:+.2f} rows")
    say(f"  {'reliable' if report.reliable else 'not reliable'}: {report.reason}")
    for warning in report.warnings:
        say(f"  warning: {warning}")
