"""The picture of a result: for each couple before, after and change side by side, with legend, scale and dates."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from candela_processes.raster.palette import (
    CHANGED,
    INK,
    PALE_INK,
    PAPER,
    ground_grey,
    hatch,
    stretch_couple,
)
from candela_processes.raster.scale import bar_length, ground_size, north_is_up
from candela_processes.raster.thumbnail import CoupleView

WIDTH = 1600
MARGIN, GAP = 24, 14
PANEL_WIDTH = (WIDTH - 2 * MARGIN - 2 * GAP) // 3
PANEL_HEIGHT = 720
NARROWEST = 330  # room for a panel's title, and for the legend below three of them
LONGEST_BAR = 200
TITLE, LEGEND, FOOT = 40, 52, 26
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One couple with the titles of its three panels (dates, and what the change panel says)."""

    view: CoupleView
    titles: tuple[str, str, str]


def render(rows: Sequence[PictureRow], attribution: str) -> bytes:
    """Return a PNG at most 1600 pixels wide with one row of panels per couple, and one legend for all.

    Panels keep the shape that the ground has at the middle of the image. Changed pixels are vermillion over a grey
    picture of the later date, pixels that were not observed are hatched.
    """
    size = _panel_size(rows[0].view)
    height = MARGIN + len(rows) * (TITLE + size[1] + GAP) + LEGEND + FOOT + MARGIN // 2
    pitch = max(size[0], NARROWEST) + GAP
    page = Image.new("RGB", (2 * MARGIN + 3 * pitch - GAP, height), PAPER)
    draw = ImageDraw.Draw(page)
    top, scales = MARGIN // 2, []
    for row in rows:
        *panels, same = _panels(row.view, size)
        scales.append(same)
        for column, (panel, title) in enumerate(zip(panels, row.titles, strict=True)):
            left = MARGIN + column * pitch
            _title(draw, (left, top), title, pitch - GAP)
            page.paste(panel, (left, top + TITLE))
            draw.rectangle((left, top + TITLE, left + size[0] - 1, top + TITLE + size[1] - 1), outline=PALE_INK)
        top += TITLE + size[1] + GAP
    _legend(page, draw, top)
    _scale_bar(draw, rows[0].view, size[0], (page.width - MARGIN, top + LEGEND // 2))
    notes = _notes(rows[0].view, attribution, all(scales))
    place = (MARGIN, top + LEGEND + FOOT // 2)
    draw.text(place, notes, PALE_INK, _fitting(draw, notes, 14, page.width - 2 * MARGIN), anchor="lm")
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _panel_size(view: CoupleView) -> tuple[int, int]:
    """Return width and height of a panel in the true shape of the ground, within the room that a panel has."""
    pixel_width, pixel_height = ground_size(view.grid)
    shape = (view.grid.height * pixel_height) / (view.grid.width * pixel_width)
    width = min(PANEL_WIDTH, PANEL_HEIGHT / shape)
    return max(1, round(width)), max(1, round(width * shape))


def _panels(view: CoupleView, size: tuple[int, int]) -> tuple[Image.Image, Image.Image, Image.Image, bool]:
    """Return the three panels, north up, and whether both dates have one colour scale."""
    before, after, same = stretch_couple(view.before, view.after)
    flip = view.grid.transform.e > 0 and view.grid.axis_aligned  # rows that run from south to north
    pictures = [
        _picture(_smooth(picture, size) * 255, _classes(np.isnan(picture[..., 0]), size)) for picture in (before, after)
    ]
    ground = ground_grey(_smooth(after, size) @ LUMA)[..., None]
    # to the eye a block counts as changed already where a third of it is
    weight = np.clip(_classes(view.changed, size) * 3, 0, 1)[..., None]
    changed = ground * (1 - weight) + np.array(CHANGED, np.float32) * weight
    pictures.append(_picture(changed, _classes(view.missing, size)))
    first, second, third = (picture[::-1] if flip else picture for picture in pictures)
    return Image.fromarray(first), Image.fromarray(second), Image.fromarray(third), same


def _picture(colours: NDArray[np.float32], missing: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return RGB bytes with hatching where nothing was observed."""
    lines = hatch(*missing.shape)
    return np.where(missing[..., None] > 0.5, lines, np.clip(colours, 0, 255).round()).astype(np.uint8)


def _smooth(picture: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a picture (rows, columns, 3); what was not observed becomes middle grey and does not spoil the rest."""
    filled = np.nan_to_num(picture, nan=0.5)
    method = Image.Resampling.BOX if size[0] < picture.shape[1] else Image.Resampling.BICUBIC
    return np.stack([_resized(filled[..., band], size, method) for band in range(3)], axis=-1)


def _classes(share: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize shares of classes (rows, columns): means where it shrinks, whole pixels where it grows."""
    return _resized(share, size, Image.Resampling.BOX)


def _resized(layer: NDArray[Any], size: tuple[int, int], method: Image.Resampling) -> NDArray[np.float32]:
    """Resize one layer."""
    image = Image.fromarray(np.ascontiguousarray(layer, np.float32))
    return np.asarray(image.resize(size, method), np.float32)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that Pillow brings."""
    return ImageFont.load_default(size)


def _title(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int) -> None:
    """Write a title above a panel, smaller where it would not fit."""
    draw.text((place[0], place[1] + TITLE - 10), text, INK, _fitting(draw, text, 22, width), anchor="ls")


def _fitting(
    draw: ImageDraw.ImageDraw, text: str, size: int, width: int
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font, of at most `size`, in which a text has a width; never smaller than can be read."""
    while size > 9 and draw.textlength(text, _font(size)) > width:
        size -= 1
    return _font(size)


def _legend(page: Image.Image, draw: ImageDraw.ImageDraw, top: int) -> None:
    """Draw what the colours of the change panel mean; unchanged ground is a range of greys."""
    greys = np.broadcast_to(ground_grey(np.linspace(0, 1, 33, dtype=np.float32))[None, :, None], (21, 33, 3))
    entries = (
        ("changed", np.broadcast_to(np.array(CHANGED, np.uint8), (21, 33, 3))),
        ("unchanged (later date in grey)", greys.astype(np.uint8)),
        ("not observed", hatch(21, 33)),
    )
    left, middle = MARGIN, top + LEGEND // 2
    for text, swatch in entries:
        page.paste(Image.fromarray(np.ascontiguousarray(swatch)), (left, middle - 10))
        draw.rectangle((left, middle - 10, left + 32, middle + 10), outline=PALE_INK)
        draw.text((left + 42, middle), text, INK, _font(18), anchor="lm")
        left += 42 + round(draw.textlength(text, _font(18))) + 30


def _scale_bar(draw: ImageDraw.ImageDraw, view: CoupleView, width: int, end: tuple[int, int]) -> None:
    """Draw a bar of a round length on the ground of panels of a width, and an arrow where north is up, up to `end`."""
    right, middle = end
    metres_per_dot = ground_size(view.grid)[0] * view.grid.width / width
    length, text = bar_length(metres_per_dot * min(0.4 * width, LONGEST_BAR))
    dots = round(length / metres_per_dot)
    if north_is_up(view.grid):
        draw.polygon([(right - 8, middle - 18), (right - 15, middle + 3), (right - 1, middle + 3)], fill=INK)
        draw.text((right - 8, middle + 5), "N", INK, _font(14), anchor="mt")
        right -= 40
    draw.rectangle((right - dots, middle - 2, right, middle + 2), fill=INK)
    for tick in (right - dots, right):
        draw.line((tick, middle - 7, tick, middle + 7), INK, 2)
    draw.text((right - dots - 12, middle), text, INK, _font(18), anchor="rm")


def _notes(view: CoupleView, attribution: str, one_scale: bool) -> str:
    """Return the attribution, which bands are shown, and how their values became colours."""
    shown = view.bands
    bands = f"bands {shown[0]}, {shown[1]}, {shown[2]} as red, green, blue"
    scale = "one scale for both dates" if one_scale else "each date by itself"
    notes = (attribution, bands if len(set(shown)) > 1 else f"band {shown[0]}", f"stretched from 2 to 98 %, {scale}")
    return "  |  ".join(note for note in notes if note)
