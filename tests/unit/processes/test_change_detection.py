"""ChangeDetection on real images with truth, and on images whose changes are known because they were planted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from jsonschema import Draft7Validator
from numpy.typing import NDArray
from PIL import Image
from rasterio.warp import Resampling, calculate_default_transform, reproject
from scipy.ndimage import gaussian_filter, shift
from scipy.stats import chi2

from candela_processes.processes.change_detection import CHANGE_DETECTION
from candela_processes.processes.change_report import REPORT_SCHEMA
from candela_processes.raster import stack

type Planted = Callable[[int], NDArray[np.float32]]

TAIZHOU = {
    "images": ["landsat_taizhou/2003TM", "landsat_taizhou/2000TM"],
    "dates": ["2003-02-06", "2000-03-17"],
}
PUCALLPA = {
    "images": [f"landsat_pucallpa/{year}.tif" for year in (2010, 1985, 2020, 1995)],
    "dates": ["2010", "1985", "2020", "1995"],
}
# reference numbers of Taizhou: mad_iteration1 equals OTB to 6 digits
MAD_RHO = [0.113582, 0.305496, 0.476108, 0.542166, 0.713781, 0.813041]
IRMAD_RHO = [0.45482, 0.57030, 0.70515, 0.87360, 0.96627, 0.98218]


def scored(changes: NDArray[Any], data: Path) -> tuple[float, float]:
    """Return overall accuracy and Cohen's kappa on the reference samples, written out from the definition."""
    changed, unchanged = (
        np.asarray(Image.open(data / "landsat_taizhou" / name)) > 0 for name in ("change.bmp", "unchanged.bmp")
    )
    hits, missed = int((changes[changed] == 1).sum()), int((changes[changed] == 0).sum())
    alarms, right = int((changes[unchanged] == 1).sum()), int((changes[unchanged] == 0).sum())
    total = hits + missed + alarms + right
    assert (hits + missed, alarms + right) == (4227, 17163)
    agreement = (hits + right) / total
    chance = ((hits + missed) * (hits + alarms) + (alarms + right) * (missed + right)) / total**2
    return agreement, (agreement - chance) / (1 - chance)


def test_taizhou_by_default(run_process: Any, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_process(CHANGE_DETECTION, **TAIZHOU)
    accuracy, kappa = scored(outcome.map(), data)
    assert accuracy >= 0.979
    assert kappa >= 0.933
    (couple,) = outcome.report["couples"]
    assert couple["rho"][0] == pytest.approx(MAD_RHO, abs=1e-6)
    assert couple["rho"][-1] == pytest.approx(IRMAD_RHO, abs=1e-5)
    assert couple["iterations"] == len(couple["rho"]) == 16
    assert couple["converged"] and couple["reliable"] and not couple["identical"]
    assert couple["threshold"]["value"] == pytest.approx(10.46, abs=0.01)
    assert couple["changed_share"] == pytest.approx(0.0869, abs=1e-4)
    assert (couple["start_date"], couple["end_date"]) == ("2000-03-17", "2003-02-06")
    assert couple["shift"]["length"] < 0.3
    log = capsys.readouterr().out
    assert "2000TM (2000-03-17), 2003TM (2003-02-06)" in log
    assert "iteration 16: rho 0.45482" in log
    assert str(data) not in log


@pytest.mark.parametrize(
    ("inputs", "accuracy", "kappa"),
    [
        # expected.json; k-means moves kappa by up to 0.003 with its start and stop rule
        ({"threshold": "otsu"}, 0.9792, 0.9329),
        ({"threshold": "kmeans"}, 0.9791, 0.9325),
        ({"method": "cva", "threshold": "kmeans"}, 0.9667, 0.8890),
        ({"method": "mad", "threshold": "kmeans"}, 0.9377, 0.8091),
        ({"threshold": 10.46}, 0.9793, 0.9335),
    ],
)
def test_taizhou_by_other_rules(
    run_process: Any, data: Path, inputs: dict[str, Any], accuracy: float, kappa: float
) -> None:
    outcome = run_process(CHANGE_DETECTION, **TAIZHOU, **inputs)
    found = scored(outcome.map(), data)
    assert found[0] == pytest.approx(accuracy, abs=0.0015)
    assert found[1] == pytest.approx(kappa, abs=0.003)


def test_taizhou_by_change_vectors_and_their_law(run_process: Any, data: Path) -> None:
    """The whole of CVA with scaled_chi2, written out with numpy and scipy."""
    scores = []
    for name in ("2000TM", "2003TM"):
        with rasterio.open(data / "landsat_taizhou" / name) as dataset:
            bands = dataset.read().reshape(6, -1).astype(float)
        scores.append((bands - bands.mean(axis=1, keepdims=True)) / bands.std(axis=1, keepdims=True))
    difference = scores[1] - scores[0]
    squares = (difference**2).sum(axis=0)
    covariance = np.cov(difference)
    freedom = np.trace(covariance) ** 2 / np.trace(covariance @ covariance)
    level = np.sqrt(np.median(squares) / chi2.median(freedom) * chi2.isf(1e-4, freedom))
    outcome = run_process(CHANGE_DETECTION, **TAIZHOU, method="cva")
    used = outcome.report["couples"][0]["threshold"]
    assert used["degrees_of_freedom"] == pytest.approx(freedom, rel=1e-6)
    assert used["value"] == pytest.approx(level, rel=1e-5)
    assert np.allclose(outcome.map(output="magnitude").ravel(), np.sqrt(squares), rtol=1e-4, atol=1e-5)
    assert outcome.map().sum() == pytest.approx((squares > level**2).sum(), abs=2)


def test_chi2_without_scale_is_called_unreliable(run_process: Any, data: Path) -> None:
    outcome = run_process(CHANGE_DETECTION, **TAIZHOU, threshold="chi2", alpha=1e-5)
    assert scored(outcome.map(), data)[0] == pytest.approx(0.8814, abs=0.0015)
    (couple,) = outcome.report["couples"]
    assert not couple["reliable"]
    assert any("chi2 without scale" in warning for warning in couple["warnings"])


def test_files_tags_and_nodata(run_process: Any) -> None:
    outcome = run_process(CHANGE_DETECTION, **TAIZHOU)
    expected = {
        "Start_date": "20000317",
        "End_date": "20030206",
        "Product_id1": "2000TM",
        "Product_id2": "2003TM",
        "Agent": f"candela_processes ChangeDetection {CHANGE_DETECTION.version}",
        "Category": "CD_IRMAD",
    }
    for output, dtype in (("changes", "uint8"), ("magnitude", "float32")):
        (file,) = outcome.returned[output]
        assert (file.start, file.end) == ("20000317", "20030206")
        with rasterio.open(file.path) as dataset:
            assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert {key: dataset.tags()[key] for key in expected} == expected
            assert dataset.dtypes == (dtype,)
            assert dataset.crs.to_epsg() == 32651
            assert tuple(dataset.transform)[:6] == (30, 0, 203325, 0, -30, 3604935)
            assert dataset.nodata == 255 if dtype == "uint8" else np.isnan(dataset.nodata)
    assert not list(outcome.scratch.glob("magnitude*"))


def test_the_report_is_as_published_and_its_areas_are_those_of_the_ellipsoid(run_process: Any) -> None:
    outcome = run_process(CHANGE_DETECTION, **PUCALLPA)
    report = outcome.report
    Draft7Validator(REPORT_SCHEMA).validate(report)
    assert [image["given"] for image in report["images"]] == [2, 4, 1, 3]
    assert [image["date"] for image in report["images"]] == ["1985", "1995", "2010", "2020"]
    geod = pyproj.Geod(ellps="WGS84")
    with rasterio.open(outcome.returned["changes"][0].path) as dataset:
        changes, transform = dataset.read(1), dataset.transform
    area = 0.0
    for row in range(changes.shape[0]):
        west, north = transform @ (0, row)
        east, south = transform @ (1, row + 1)
        one, _ = geod.polygon_area_perimeter([west, east, east, west], [south, south, north, north])
        area += abs(one) * int((changes[row] == 1).sum())
    assert report["couples"][0]["mapped_area_km2"] == pytest.approx(area / 1e6, rel=1e-6)
    assert "Olofsson" in report["area_note"]


def test_four_dates_give_three_maps(run_process: Any, data: Path) -> None:
    outcome = run_process(CHANGE_DETECTION, **PUCALLPA)
    assert [(file.start, file.end) for file in outcome.returned["changes"]] == [
        ("19850101", "19950101"),
        ("19950101", "20100101"),
        ("20100101", "20200101"),
    ]
    for number, years in enumerate(pairwise((1985, 1995, 2010, 2020)), 1):
        observed = np.ones((377, 697), bool)
        for year in years:
            with rasterio.open(data / f"landsat_pucallpa/{year}.tif") as dataset:
                observed &= (dataset.read() != 0).all(axis=0)
        changes, magnitude = outcome.map(number), outcome.map(number, "magnitude")
        assert np.array_equal(changes != 255, observed)
        assert np.array_equal(~np.isnan(magnitude), observed)
        couple = outcome.report["couples"][number - 1]
        assert np.array_equal(changes[observed] == 1, magnitude[observed] > couple["threshold"]["value"])
        assert couple["observed_pixels"] == int(observed.sum())
        assert couple["changed_pixels"] == int((changes == 1).sum()) > 1000
    with Image.open(outcome.returned["quicklook"].path) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1600


def test_progress_is_told_by_couple_and_iteration(run_process: Any) -> None:
    steps = run_process(CHANGE_DETECTION, **PUCALLPA).steps
    percents = [percent for percent, _ in steps]
    assert percents == sorted(percents)
    assert percents[-1] == pytest.approx(100)
    assert any(text.startswith("couple 2 of 3: IR-MAD iteration 7") for _, text in steps)


def test_each_image_is_decoded_once(run_process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    original = stack._decode_scene

    def counted(target: Any, grid: Any) -> Any:
        decoded.append(target.scene.name)
        return original(target, grid)

    monkeypatch.setattr(stack, "_decode_scene", counted)
    run_process(CHANGE_DETECTION, **PUCALLPA)
    assert sorted(decoded) == [f"images/{place}" for place in range(4)]


@pytest.mark.parametrize("method", ["irmad", "mad", "cva"])
def test_noise_is_no_change(run_process: Any, write_image: Any, noisy: Planted, method: str) -> None:
    paths = [str(write_image(f"{seed}.tif", noisy(seed))) for seed in (1, 2)]
    outcome = run_process(CHANGE_DETECTION, images=paths, method=method)
    assert outcome.report["couples"][0]["changed_share"] < 0.001


def test_otsu_splits_noise_and_is_called_unreliable(run_process: Any, write_image: Any, noisy: Planted) -> None:
    paths = [str(write_image(f"{seed}.tif", noisy(seed))) for seed in (1, 2)]
    (couple,) = run_process(CHANGE_DETECTION, images=paths, threshold="otsu").report["couples"]
    assert couple["changed_share"] > 0.1
    assert not couple["reliable"]


@pytest.mark.parametrize("rule", ["scaled_chi2", "otsu", "kmeans"])
def test_a_planted_hundredth_is_found(run_process: Any, write_image: Any, noisy: Planted, rule: str) -> None:
    planted = np.zeros((200, 240), bool)
    planted[60:84, 100:120] = True
    after = noisy(2)
    after[:, planted] += np.array([800, -700, 900, -600], np.float32)[:, None]
    paths = [str(write_image("a.tif", noisy(1))), str(write_image("b.tif", after))]
    outcome = run_process(CHANGE_DETECTION, images=paths, threshold=rule)
    changes = outcome.map() == 1
    assert changes[planted].mean() > 0.999
    assert changes[~planted].mean() < 0.001
    assert outcome.report["couples"][0]["reliable"]


def test_a_gain_and_an_offset_are_no_change(run_process: Any, write_image: Any, noisy: Planted) -> None:
    gain = np.array([2, 0.5, 1, 3], np.float32)[:, None, None]
    paths = [str(write_image("a.tif", noisy(1))), str(write_image("b.tif", noisy(2) * gain + 500))]
    assert run_process(CHANGE_DETECTION, images=paths).report["couples"][0]["changed_share"] < 0.001


@pytest.mark.parametrize("method", ["irmad", "mad", "cva"])
def test_identical_images_have_not_changed(run_process: Any, method: str) -> None:
    outcome = run_process(CHANGE_DETECTION, images=["landsat_taizhou/2000TM"] * 2, method=method)
    (couple,) = outcome.report["couples"]
    assert couple["identical"] and couple["reliable"]
    assert couple["changed_pixels"] == 0
    assert "nothing changed" in couple["reason"]
    assert any("identical" in warning for warning in couple["warnings"])
    assert not outcome.map().any()
    assert not outcome.map(output="magnitude").any()


def test_undated_images_stay_in_their_order(run_process: Any, write_image: Any, noisy: Planted) -> None:
    paths = [str(write_image(f"{name}.tif", noisy(seed))) for seed, name in ((1, "zebra"), (2, "ape"))]
    outcome = run_process(CHANGE_DETECTION, images=paths)
    report = outcome.report
    assert not report["dated"]
    assert "no date is known of image 1, 2" in report["order_note"]
    assert "date" not in report["images"][0]
    (file,) = outcome.returned["changes"]
    assert (file.start, file.end) == ("", "")
    with rasterio.open(file.path) as dataset:
        tags = dataset.tags()
    assert (tags["Product_id1"], tags["Product_id2"]) == ("zebra", "ape")
    assert not {"Start_date", "End_date"} & tags.keys()


def test_dates_in_the_metadata_sort_the_images(run_process: Any, write_image: Any, noisy: Planted) -> None:
    paths = [
        str(write_image(f"{seed}.tif", noisy(seed), tags={"ACQUISITION_DATE": day}))
        for seed, day in ((1, "2021-05-02"), (2, "2019-04-01"), (3, "2020-01-31"))
    ]
    report = run_process(CHANGE_DETECTION, images=paths).report
    assert [image["product"] for image in report["images"]] == ["2", "3", "1"]
    assert [couple["end_date"] for couple in report["couples"]] == ["2020-01-31", "2021-05-02"]


def test_bands_by_number_and_name(run_process: Any, write_image: Any, noisy: Planted) -> None:
    names = ("blue", "green", "red", "nir")
    paths = [str(write_image(f"{seed}.tif", noisy(seed), descriptions=names)) for seed in (1, 2)]
    report = run_process(CHANGE_DETECTION, images=paths, bands=["nir", 1]).report
    assert report["bands"] == ["nir", "blue"]
    assert len(report["couples"][0]["rho"][0]) == 2


def test_titles_of_users_are_names(
    run_process: Any, write_image: Any, noisy: Planted, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(write_image(f"{seed}.tif", noisy(seed)[:, :60, :60])) for seed in (1, 2)]
    images = [
        {"href": paths[0], "title": "before\n  reliable: forged\x1b[2J.tif"},
        {"href": paths[1], "title": "後 é" * 60},
    ]
    report = run_process(CHANGE_DETECTION, images=images).report
    assert [image["product"] for image in report["images"]] == ["before reliable: forged [2J", "後 é" * 60]
    log = capsys.readouterr().out
    assert "\x1b" not in log
    assert "  reliable: forged" not in log.splitlines()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_series_of_n_images_has_n_less_1_maps(run_process: Any, write_image: Any, noisy: Planted, count: int) -> None:
    paths = [str(write_image(f"{seed}.tif", noisy(seed)[:, :60, :60])) for seed in range(count)]
    outcome = run_process(CHANGE_DETECTION, images=paths)
    assert [couple["number"] for couple in outcome.report["couples"]] == list(range(1, count))
    assert len(outcome.returned["changes"]) == len(outcome.returned["magnitude"]) == count - 1


def test_other_grids_are_resampled_to_the_image_listed_first(
    run_process: Any, write_image: Any, noisy: Planted
) -> None:
    first = write_image("later.tif", noisy(1))
    aside = write_image("earlier.tif", noisy(2), transform=Affine(10, 0, 500035, 0, -10, 5000000))
    outcome = run_process(CHANGE_DETECTION, images=[str(first), str(aside)], dates=["2020", "2010"], align="first")
    report = outcome.report
    assert [image["product"] for image in report["images"]] == ["earlier", "later"]
    assert report["grid"]["transform"] == [10, 0, 500000, 0, -10, 5000000]
    changes = outcome.map()
    assert (changes[:, :3] == 255).all()
    assert (changes[:, 4:] != 255).all()


def test_another_reference_system_can_be_aligned(run_process: Any, data: Path, tmp_path: Path) -> None:
    with rasterio.open(data / "landsat_taizhou/2003TM") as source:
        transform, width, height = calculate_default_transform(
            source.crs, "EPSG:4326", source.width, source.height, *source.bounds
        )
        profile = {"driver": "GTiff", "count": 6, "dtype": "uint8", "nodata": 0, "width": width, "height": height}
        with rasterio.open(tmp_path / "b.tif", "w", **profile, crs="EPSG:4326", transform=transform) as target:
            for band in range(1, 7):
                reproject(rasterio.band(source, band), rasterio.band(target, band), resampling=Resampling.cubic)
    images = ["landsat_taizhou/2000TM", str(tmp_path / "b.tif")]
    outcome = run_process(CHANGE_DETECTION, images=images, align="first")
    assert outcome.report["couples"][0]["observed_share"] > 0.97
    changes = outcome.map()
    reference = np.asarray(Image.open(data / "landsat_taizhou/change.bmp")) > 0
    assert (changes[reference & (changes != 255)] == 1).mean() > 0.8


def test_a_displacement_is_warned_of(run_process: Any, write_image: Any, scene: NDArray[np.float32]) -> None:
    generator = np.random.default_rng(5)
    smooth = np.stack([gaussian_filter(band, 1.5) for band in scene])
    moved = np.stack([shift(band, (0.5, -0.25), order=3, mode="nearest") for band in smooth])
    paths = [
        str(write_image(name, (image + generator.normal(0, 2, image.shape)).astype(np.float32)))
        for name, image in (("a.tif", smooth), ("b.tif", moved))
    ]
    (couple,) = run_process(CHANGE_DETECTION, images=paths).report["couples"]
    assert couple["shift"]["rows"] == pytest.approx(0.5, abs=0.06)
    assert couple["shift"]["columns"] == pytest.approx(-0.25, abs=0.06)
    assert any("displaced" in warning for warning in couple["warnings"])


def test_a_negative_is_not_displaced(run_process: Any, write_image: Any, scene: NDArray[np.float32]) -> None:
    generator = np.random.default_rng(6)
    first, second = (scene + generator.normal(0, 20, scene.shape) for _ in range(2))
    images = {"a.tif": first, "b.tif": 9000 - second}
    paths = [str(write_image(name, image.astype(np.float32))) for name, image in images.items()]
    (couple,) = run_process(CHANGE_DETECTION, images=paths).report["couples"]
    assert couple["shift"]["length"] < 0.1
