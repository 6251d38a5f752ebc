"""AssessChange: counts that can be done by hand, the Taizhou samples, and the areas of Olofsson et al. (2014)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
from jsonschema import Draft7Validator
from numpy.typing import NDArray
from PIL import Image

from candela_processes.errors import InvalidInput
from candela_processes.processes.assess_change import ASSESS_CHANGE, AssessChangeInputs
from candela_processes.processes.assessment_report import ASSESSMENT_SCHEMA

# 4 x 5 pixels of 10 m: unchanged, changed, not observed
MAP = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 1, 255], [0, 0, 0, 0, 255]], np.uint8)
CHANGED = np.array([[0, 0, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], np.uint8)
UNCHANGED = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 1, 1]], np.uint8)
# map against samples: 4 true changed, 1 false alarm (2, 3), 1 missed (0, 2), 6 true unchanged, 2 not observed
CONFUSION = {"true_changed": 4, "false_alarms": 1, "missed": 1, "true_unchanged": 6}


@pytest.fixture
def change_map(write_image: Any) -> str:
    return str(write_image("map.tif", MAP[None], nodata=255))


def picture(path: Path, array: NDArray[np.uint8]) -> str:
    """Write a raster without georeference."""
    Image.fromarray(array * 255).save(path)
    return str(path)


def assert_counted(report: dict[str, Any]) -> None:
    assert report["confusion"] == CONFUSION
    assert report["samples"] == 12
    assert report["samples_not_observed"] == 2
    accuracy = report["accuracy"]
    assert accuracy["overall_accuracy"] == pytest.approx(10 / 12)
    # chance: (5 * 5 + 7 * 7) / 144
    assert accuracy["kappa"] == pytest.approx((10 / 12 - 74 / 144) / (1 - 74 / 144))
    assert accuracy["precision"] == accuracy["recall"] == accuracy["f1"] == pytest.approx(0.8)


def test_two_pictures_without_georeference(run_process: Any, change_map: str, tmp_path: Path) -> None:
    inputs = {
        "changed": picture(tmp_path / "changed.bmp", CHANGED),
        "unchanged": picture(tmp_path / "unchanged.png", UNCHANGED),
    }
    report = run_process(ASSESS_CHANGE, map=change_map, **inputs).report
    assert_counted(report)
    assert report["sample_placement"] == "By row and column, for want of a georeference in changed, unchanged."
    assert "probability sample" in report["sampling_note"]
    Draft7Validator(ASSESSMENT_SCHEMA).validate(report)


def test_a_raster_of_classes(run_process: Any, change_map: str, write_image: Any) -> None:
    classes = np.where(CHANGED == 1, 20, np.where(UNCHANGED == 1, 10, 0)).astype(np.int16)
    reference = str(write_image("classes.tif", classes[None]))
    inputs = {"reference": reference, "changed_classes": [20], "unchanged_classes": [10]}
    report = run_process(ASSESS_CHANGE, map=change_map, **inputs).report
    assert_counted(report)
    assert report["sample_placement"] == "Rasters on the grid of the map."


def features(classes: dict[str | int, NDArray[np.uint8]], inset: float = 1.0) -> list[dict[str, Any]]:
    """Return each sample pixel as a square a little smaller than the pixel, in longitude and latitude."""
    to_degrees = pyproj.Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    found = []
    for name, array in classes.items():
        for row, column in np.argwhere(array).tolist():
            west, north = 500000 + 10 * column + inset, 5000000 - 10 * row - inset
            east, south = 500000 + 10 * column + 10 - inset, 5000000 - 10 * row - 10 + inset
            ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
            geometry = {"type": "Polygon", "coordinates": [[list(to_degrees.transform(*point)) for point in ring]]}
            found.append({"type": "Feature", "properties": {"class": name}, "geometry": geometry})
    return found


def geojson(path: Path, members: list[dict[str, Any]], **more: Any) -> str:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": members, **more}))
    return str(path)


def test_polygons(run_process: Any, change_map: str, tmp_path: Path) -> None:
    reference = geojson(
        tmp_path / "r.geojson", features({"changed": CHANGED, "unchanged": UNCHANGED, "water": MAP * 0 + 1})
    )
    report = run_process(ASSESS_CHANGE, map=change_map, reference=reference).report
    assert_counted(report)
    assert report["sample_placement"].startswith("Polygons")


def test_polygons_in_a_named_reference_system(run_process: Any, change_map: str, tmp_path: Path) -> None:
    square = [[500000, 4999960], [500050, 4999960], [500050, 5000000], [500000, 5000000], [500000, 4999960]]
    strip = [[500030, 4999970], [500050, 4999970], [500050, 5000000], [500030, 5000000], [500030, 4999970]]
    members = [
        {"properties": {"kind": 1}, "geometry": {"type": "Polygon", "coordinates": [strip]}},
        {"properties": {"kind": 0.0}, "geometry": {"type": "Polygon", "coordinates": [square, strip]}},
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    reference = geojson(tmp_path / "r.json", members, crs=crs)
    report = run_process(ASSESS_CHANGE, map=change_map, reference=reference, class_property="kind").report
    assert report["confusion"] == {"true_changed": 5, "false_alarms": 0, "missed": 0, "true_unchanged": 13}


def test_samples_in_both_classes_are_left_out(run_process: Any, change_map: str, tmp_path: Path) -> None:
    both = UNCHANGED | CHANGED * (np.arange(5) == 4)
    inputs = {"changed": picture(tmp_path / "c.bmp", CHANGED), "unchanged": picture(tmp_path / "u.bmp", both)}
    report = run_process(ASSESS_CHANGE, map=change_map, **inputs).report
    assert report["confusion"] == CONFUSION | {"true_changed": 2}
    assert any("3 sample pixels are in both classes" in warning for warning in report["warnings"])


def test_taizhou(run_process: Any) -> None:
    report = run_process(ASSESS_CHANGE, **ASSESS_CHANGE.example).report
    # expected.json: scaled_chi2, alpha 1e-4
    assert report["accuracy"]["overall_accuracy"] == pytest.approx(0.9793, abs=5e-5)
    assert report["accuracy"]["kappa"] == pytest.approx(0.9335, abs=5e-5)
    assert report["samples"] == 4227 + 17163


def test_areas_by_hand(run_process: Any, change_map: str, tmp_path: Path) -> None:
    """Olofsson et al. 2014, equations 9 to 11, written out for two classes."""
    inputs = {"changed": picture(tmp_path / "c.bmp", CHANGED), "unchanged": picture(tmp_path / "u.bmp", UNCHANGED)}
    area = run_process(ASSESS_CHANGE, map=change_map, **inputs).report["area"]
    # 18 observed pixels of 100 m2: 5 mapped as changed, 13 as unchanged; UTM scale at the central meridian 0.9996
    total = 18 * 100 / 0.9996**2 / 1e6
    w_changed, w_unchanged = 5 / 18, 13 / 18
    changed = total * (w_changed * 4 / 5 + w_unchanged * 1 / 7)
    variance = w_changed**2 * (4 / 5) * (1 / 5) / (5 - 1) + w_unchanged**2 * (1 / 7) * (6 / 7) / (7 - 1)
    half = 1.96 * total * variance**0.5
    assert area["changed"]["mapped_km2"] == pytest.approx(total * w_changed, rel=1e-6)
    assert area["changed"]["estimated_km2"] == pytest.approx(changed, rel=1e-6)
    assert area["changed"]["half_width_95_km2"] == pytest.approx(half, rel=1e-6)
    assert area["changed"]["upper_95_km2"] == pytest.approx(min(total, changed + half), rel=1e-6)
    assert area["unchanged"]["estimated_km2"] == pytest.approx(total - changed, rel=1e-6)


def test_a_map_without_georeference_has_no_areas(run_process: Any, tmp_path: Path) -> None:
    Image.fromarray(MAP).save(tmp_path / "map.png")
    inputs = {"changed": picture(tmp_path / "c.bmp", CHANGED), "unchanged": picture(tmp_path / "u.bmp", UNCHANGED)}
    report = run_process(ASSESS_CHANGE, map=str(tmp_path / "map.png"), **inputs).report
    assert_counted(report)
    assert "area" not in report
    assert any("no georeference" in warning for warning in report["warnings"])


def refused(run_process: Any, **inputs: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        run_process(ASSESS_CHANGE, **inputs)
    assert "/tmp" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({}, "reference"),
        ({"changed": "c.bmp"}, "unchanged"),
        ({"unchanged": "u.bmp"}, "changed"),
        ({"reference": "r.tif", "changed": "c.bmp"}, "reference"),
        ({"reference": "r.tif", "changed_classes": [1], "unchanged_classes": [0, 1]}, "changed_classes"),
    ],
)
def test_inputs_that_do_not_fit_together(inputs: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        AssessChangeInputs.model_validate_json(json.dumps({"map": "map.tif", **inputs}))
    assert caught.value.name == name


def test_sizes_differ(run_process: Any, change_map: str, tmp_path: Path) -> None:
    inputs = {"changed": picture(tmp_path / "c.bmp", CHANGED), "unchanged": picture(tmp_path / "u.bmp", UNCHANGED[:3])}
    error = refused(run_process, map=change_map, **inputs)
    assert error.name == "unchanged"
    assert "5 x 3 pixels and the map 5 x 4" in error.problem


@pytest.mark.parametrize("missing", ["changed", "unchanged"])
def test_one_class_has_no_sample(run_process: Any, change_map: str, tmp_path: Path, missing: str) -> None:
    inputs = {"changed": picture(tmp_path / "c.bmp", CHANGED), "unchanged": picture(tmp_path / "u.bmp", UNCHANGED)}
    inputs[missing] = picture(tmp_path / "none.bmp", MAP * 0)
    error = refused(run_process, map=change_map, **inputs)
    assert error.name == missing
    assert f"no sample of class {missing}" in error.problem


def test_no_sample_where_the_map_observed(run_process: Any, change_map: str, tmp_path: Path) -> None:
    outside = (MAP == 255).astype(np.uint8)
    inputs = {"changed": picture(tmp_path / "c.bmp", outside), "unchanged": picture(tmp_path / "u.bmp", MAP * 0)}
    assert "no sample lies on a pixel" in refused(run_process, map=change_map, **inputs).problem


def test_a_map_with_other_values(run_process: Any, write_image: Any, tmp_path: Path) -> None:
    other = str(write_image("other.tif", (MAP + (MAP == 1) * 6)[None].astype(np.uint8)))
    inputs = {"changed": picture(tmp_path / "c.bmp", CHANGED), "unchanged": picture(tmp_path / "u.bmp", UNCHANGED)}
    error = refused(run_process, map=other, **inputs)
    assert error.name == "map"
    assert "holds the value 7" in error.problem


def test_a_map_of_several_bands(run_process: Any, tmp_path: Path) -> None:
    inputs = {"changed": picture(tmp_path / "c.bmp", CHANGED), "unchanged": picture(tmp_path / "u.bmp", UNCHANGED)}
    error = refused(run_process, map="landsat_pucallpa/1985.tif", **inputs)
    assert error.name == "map"
    assert "4 bands" in error.problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ('{"type": "Feature"}', "not a GeoJSON FeatureCollection"),
        ('{"type": "FeatureCollection", "features": [1]}', "feature 1 is not an object"),
        (
            '{"type": "FeatureCollection", "features": [{"properties": {"kind": 1}}]}',
            "'class'; its properties are: kind",
        ),
        (
            '{"type": "FeatureCollection", "features": [{"properties": {"class": 1}, '
            '"geometry": {"type": "Point", "coordinates": [15, 45]}}]}',
            "feature 1 is not a polygon",
        ),
        (
            '{"type": "FeatureCollection", "features": [{"properties": {"class": 1}, '
            '"geometry": {"type": "Polygon", "coordinates": "x"}}]}',
            "geometry of feature 1 cannot be read",
        ),
        (
            '{"type": "FeatureCollection", "features": [], '
            '"crs": {"properties": {"name": "+proj=pipeline +step +grids=/etc/passwd"}}}',
            "crs member",
        ),
        ('{"type": "FeatureCollection", "features": [], "crs": {"properties": {"name": "EPSG:999999"}}}', "crs member"),
    ],
)
def test_polygons_that_cannot_be_read(run_process: Any, change_map: str, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r.geojson").write_text(text)
    error = refused(run_process, map=change_map, reference=str(tmp_path / "r.geojson"))
    assert error.name == "reference"
    assert words in error.problem


def test_polygons_of_other_classes(run_process: Any, change_map: str, tmp_path: Path) -> None:
    reference = geojson(tmp_path / "r.geojson", features({"flooded": CHANGED, "unchanged": UNCHANGED}))
    error = refused(run_process, map=change_map, reference=reference)
    assert error.name == "changed_classes"
    assert "flooded" in error.problem


def test_more_pixels_than_allowed(run_process: Any, change_map: str, tmp_path: Path) -> None:
    inputs = {"changed": picture(tmp_path / "c.bmp", CHANGED), "unchanged": picture(tmp_path / "u.bmp", UNCHANGED)}
    assert "20 pixels; allowed are 19" in refused(run_process, map=change_map, pixels=19, **inputs).problem
