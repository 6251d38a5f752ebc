"""What ChangeDetection refuses, and how it says so: the input's name, what is wrong, what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from candela_processes.errors import InvalidInput
from candela_processes.processes.change_detection import CHANGE_DETECTION, ChangeDetectionInputs

type Copy = Callable[[int], NDArray[np.float32]]

IMAGES = ["a.tif", "b.tif"]


def refused(run_process: Any, **inputs: Any) -> InvalidInput:
    """Run and return the error, which must not tell where files are."""
    with pytest.raises(InvalidInput) as caught:
        run_process(CHANGE_DETECTION, **inputs)
    assert "/tmp" not in str(caught.value)
    assert "run_" not in str(caught.value)
    return caught.value


def parsed(**inputs: Any) -> ChangeDetectionInputs:
    return ChangeDetectionInputs.model_validate_json(json.dumps(inputs))


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"images": ["a.tif"]},
        {"images": "a.tif"},
        {"images": ["a.tif", 1]},
        {"images": ["a.tif", {"href": "b.tif", "surprise": 1}]},
        {"images": IMAGES, "surprise": 1},
        {"images": IMAGES, "dates": ["17.3.2000", "2003-02-06"]},
        {"images": IMAGES, "bands": [0]},
        {"images": IMAGES, "bands": [True]},
        {"images": IMAGES, "bands": [1.5]},
        {"images": IMAGES, "method": "magic"},
        {"images": IMAGES, "threshold": "magic"},
        {"images": IMAGES, "threshold": 0},
        {"images": IMAGES, "threshold": -1.0},
        {"images": IMAGES, "alpha": 0},
        {"images": IMAGES, "alpha": 0.6},
        {"images": IMAGES, "max_iterations": 0},
        {"images": IMAGES, "max_iterations": "50"},
        {"images": IMAGES, "tolerance": 0},
        {"images": IMAGES, "align": "last"},
    ],
)
def test_values_out_of_the_schema(inputs: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parsed(**inputs)


@pytest.mark.parametrize("name", ["dates", "bands", "threshold", "align"])
def test_null_is_refused(name: str) -> None:
    with pytest.raises((InvalidInput, ValidationError), match=name):
        parsed(images=IMAGES, **{name: None})


def test_infinite_thresholds_are_refused() -> None:
    with pytest.raises(ValidationError):
        ChangeDetectionInputs.model_validate_json('{"images": ["a.tif", "b.tif"], "threshold": 1e999}')


@pytest.mark.parametrize(
    ("inputs", "name", "words"),
    [
        ({"dates": ["2000"]}, "dates", "1 entries for 2 images"),
        ({"dates": ["2000", "2000"]}, "dates/1", "date of its own"),
        ({"dates": ["2000-02-30", "2001"]}, "dates/0", "calendar"),
        ({"method": "cva", "threshold": "chi2"}, "threshold", "chi2 does not go with the method cva"),
    ],
)
def test_inputs_that_do_not_fit_together(inputs: dict[str, Any], name: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        parsed(images=IMAGES, **inputs)
    assert caught.value.name == name


def test_a_whole_number_is_a_threshold_too() -> None:
    assert parsed(images=IMAGES, threshold=3).threshold == 3.0


def test_constant_band(run_process: Any, write_image: Any, noisy: Copy) -> None:
    images = [noisy(1), noisy(2)]
    for image in images:
        image[2] = 7
    error = refused(run_process, images=[str(write_image(f"{i}.tif", image)) for i, image in enumerate(images)])
    assert error.name == "bands"
    assert "band 3" in error.problem


def test_collinear_bands(run_process: Any, write_image: Any, noisy: Copy) -> None:
    images = [noisy(1), noisy(2)]
    for image in images:
        image[3] = 2 * image[0] - image[1]
    error = refused(run_process, images=[str(write_image(f"{i}.tif", image)) for i, image in enumerate(images)])
    assert error.name == "bands"
    assert "1, 2, 4" in error.problem


def test_nothing_but_nodata(run_process: Any, write_image: Any, noisy: Copy) -> None:
    empty = write_image("empty.tif", np.zeros((4, 200, 240), np.float32), nodata=0)
    error = refused(run_process, images=[str(write_image("a.tif", noisy(1))), str(empty)])
    assert error.name == "images"
    assert "no pixel is valid" in error.problem


def test_the_couple_with_the_trouble_is_named(run_process: Any, write_image: Any, noisy: Copy) -> None:
    images = [noisy(seed) for seed in range(3)]
    images[2][1] = 5
    paths = [str(write_image(f"{number}.tif", image)) for number, image in enumerate(images)]
    error = refused(run_process, images=paths, dates=["2001", "2002", "2003"])
    assert error.name == "bands"
    assert error.problem.startswith("couple 2, 2002 to 2003: band 2 of the later image")


def test_too_few_pixels(run_process: Any, write_image: Any, noisy: Copy) -> None:
    paths = [str(write_image(f"{seed}.tif", noisy(seed)[:, :7, :7])) for seed in (1, 2)]
    error = refused(run_process, images=paths)
    assert error.name == "images"
    assert "only 49 pixels" in error.problem


@pytest.mark.parametrize("align", ["none", "first"])
def test_images_of_different_places(run_process: Any, write_image: Any, noisy: Copy, align: str) -> None:
    far = write_image("far.tif", noisy(2), transform=Affine(10, 0, 700000, 0, -10, 5000000))
    error = refused(run_process, images=[str(write_image("a.tif", noisy(1))), str(far)], align=align)
    assert error.name == "images/1"
    assert "overlap" in error.problem


def test_different_grids(run_process: Any, write_image: Any, noisy: Copy) -> None:
    aside = write_image("b.tif", noisy(2), transform=Affine(10, 0, 500005, 0, -10, 5000000))
    error = refused(run_process, images=[str(write_image("a.tif", noisy(1))), str(aside)])
    assert error.name == "images/1"
    assert 'align: "first"' in error.problem


def test_different_numbers_of_bands(run_process: Any, write_image: Any, noisy: Copy) -> None:
    paths = [str(write_image("a.tif", noisy(1))), str(write_image("b.tif", noisy(2)[:3]))]
    error = refused(run_process, images=paths)
    assert error.name == "images/1"
    assert "3 bands" in error.problem and "4" in error.problem


@pytest.mark.parametrize("band", [5, "nir"])
def test_a_band_that_is_not_there(run_process: Any, write_image: Any, noisy: Copy, band: int | str) -> None:
    paths = [str(write_image(f"{seed}.tif", noisy(seed))) for seed in (1, 2)]
    error = refused(run_process, images=paths, bands=[1, band])
    assert error.name == "bands/1"
    assert "bands 1 to 4" in error.problem


def test_a_truncated_file(run_process: Any, write_image: Any, noisy: Copy) -> None:
    paths = [write_image(f"{seed}.tif", noisy(seed)) for seed in (1, 2)]
    paths[1].write_bytes(paths[1].read_bytes()[:300_000])
    error = refused(run_process, images=[str(path) for path in paths])
    assert error.name == "images/1"
    assert "truncated or damaged" in error.problem


def test_vrt_text_in_a_tif(run_process: Any, write_image: Any, noisy: Copy, tmp_path: Path) -> None:
    inner = write_image("a.tif", noisy(1))
    text = f'<VRTDataset rasterXSize="240" rasterYSize="200"><SRS>{inner}</SRS></VRTDataset>'
    (tmp_path / "b.tif").write_text(text)
    error = refused(run_process, images=[str(inner), str(tmp_path / "b.tif")])
    assert error.name == "images/1"
    assert "VRT" in error.problem


def test_a_picture_without_georeference(run_process: Any, write_image: Any, noisy: Copy, tmp_path: Path) -> None:
    Image.fromarray(np.full((200, 240, 3), 9, np.uint8)).save(tmp_path / "b.png")
    error = refused(run_process, images=[str(write_image("a.tif", noisy(1))), str(tmp_path / "b.png")])
    assert error.name == "images/1"
    assert "no georeferencing" in error.problem


def test_more_pixels_than_allowed(run_process: Any, write_image: Any, noisy: Copy, tmp_path: Path) -> None:
    paths = [str(write_image(f"{seed}.tif", noisy(seed))) for seed in (1, 2)]
    error = refused(run_process, images=paths, pixels=47_999)
    assert error.name == "images/0"
    assert "48000 pixels; allowed are 47999" in error.problem
    assert not list((tmp_path / "run_0" / "scratch").iterdir())


def test_a_band_is_called_by_its_place_in_the_file(run_process: Any, write_image: Any, noisy: Copy) -> None:
    first, second = noisy(1), noisy(2).copy()
    second[2] = 7
    paths = [str(write_image("a.tif", first)), str(write_image("b.tif", second))]
    for method in ("irmad", "mad", "cva"):
        error = refused(run_process, images=paths, bands=[1, 3, 2], method=method)
        assert error.name == "bands"
        assert "band 3 of the later image" in error.problem
        assert "band 2" not in error.problem


def test_a_palette_is_no_measurement(run_process: Any, write_image: Any, noisy: Copy) -> None:
    paths = []
    for number in (1, 2):
        path = write_image(f"{number}.tif", (noisy(number)[:1] / 50).astype(np.uint8))
        with rasterio.open(path, "r+") as dataset:
            dataset.write_colormap(1, {value: (value, 0, 255 - value, 255) for value in range(256)})
        paths.append(str(path))
    error = refused(run_process, images=paths)
    assert error.name == "images/0"
    assert "palette" in error.problem
