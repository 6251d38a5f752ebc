"""The quick-look of a series: one row of panels for each couple."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from candela_processes.raster.palette import rgb_bands
from candela_processes.raster.quicklook import PictureRow, render
from candela_processes.raster.thumbnail import view_couple

if TYPE_CHECKING:
    from candela_processes.processes.change_couple import CoupleMaps

MOST_ROWS: Final = 12


def draw_series(maps: Sequence[CoupleMaps], agent: str, path: Path) -> tuple[str, ...]:
    """Write the PNG; return warnings: that of a long series only some couples are shown."""
    shown = _chosen(maps)
    rows = [_row(entry) for entry in shown]
    products = list(dict.fromkeys(product for entry in shown for product in entry.task.products))
    images = ", ".join(products) if len(products) <= 5 else f"{', '.join(products[:4])} and {len(products) - 4} more"
    path.write_bytes(render(rows, f"Images: {images}.  Map: {agent}"))
    if len(shown) == len(maps):
        return ()
    return (f"The quick-look shows {len(shown)} of {len(maps)} couples.",)


def _chosen(maps: Sequence[CoupleMaps]) -> list[CoupleMaps]:
    """Return all couples, or some evenly over a long series with the first and the last."""
    if len(maps) <= MOST_ROWS:
        return list(maps)
    return [maps[round(row * (len(maps) - 1) / (MOST_ROWS - 1))] for row in range(MOST_ROWS)]


def _row(entry: CoupleMaps) -> PictureRow:
    """Return the panels of one couple."""
    couple = entry.task.couple
    view = view_couple(couple, entry.changes, rgb_bands(couple.before.scene.band_names))
    before, after = entry.task.titles
    share = 100 * entry.report.changed_share
    return PictureRow(view, (before, after, f"{share:.2g} % changed" if share else "nothing changed"))
