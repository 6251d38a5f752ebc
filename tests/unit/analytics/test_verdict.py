"""The verdict on real and synthetic pairs whose truth is known."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy.stats import chi2

from candela_processes.analytics.irmad import magnitude, solve_change
from candela_processes.analytics.pair import Tile
from candela_processes.analytics.threshold import scaled_chi2
from candela_processes.analytics.verdict import Verdict, least_shape, reliability


def judge(x: NDArray[Any], y: NDArray[Any], max_iterations: int = 100) -> Verdict:
    tile = Tile(x, y, np.ones(x.shape[1], np.uint8))
    mad = solve_change(lambda: [tile], len(x), max_iterations, 1e-3)
    z = magnitude(mad, tile)
    found = scaled_chi2(lambda: [z], mad.degrees_of_freedom, 1e-4)
    return reliability(
        mad.mean_weight,
        float((z > found.value).mean()),
        found.scale,
        p=mad.degrees_of_freedom,
        shape=found.shape,
        correlation=float(mad.rho_history[0].max()),
        converged=mad.converged,
    )


def pucallpa(data: Path, year: str) -> NDArray[Any]:
    with rasterio.open(data / "landsat_pucallpa" / f"{year}.tif") as image:
        return np.asarray(image.read())


def test_taizhou_is_reliable(taizhou: SimpleNamespace) -> None:
    assert judge(taizhou.before, taizhou.after).reliable


def test_iterations_cut_short_are_not(taizhou: SimpleNamespace) -> None:
    verdict = judge(taizhou.before, taizhou.after, 5)
    assert not verdict.reliable
    assert "did not settle" in verdict.reason


@pytest.mark.parametrize("bands", [3, 4, 8])
def test_two_noisy_copies_are_reliable(bands: int, scenes: SimpleNamespace) -> None:
    random = np.random.default_rng(bands)
    truth = scenes.scene(random, bands, 50000)
    assert judge(scenes.observed(random, truth), scenes.observed(random, truth)).reliable


@pytest.mark.parametrize("bands", [3, 6])
def test_two_unrelated_noises_are_not(bands: int) -> None:
    random = np.random.default_rng(bands)
    x, y = (random.integers(0, 3000, (bands, 50000), dtype=np.uint16) for _ in range(2))
    verdict = judge(x, y)
    assert not verdict.reliable
    assert "little in common" in verdict.reason


def test_two_unrelated_landscapes_are_not(taizhou: SimpleNamespace) -> None:
    assert "little in common" in judge(taizhou.before, taizhou.after[:, ::-1]).reason


@pytest.mark.parametrize(("share", "reliable"), [(0.1, True), (0.3, True), (0.55, False), (0.7, False), (0.9, False)])
@pytest.mark.parametrize("bands", [4, 6])
def test_reliable_only_with_an_unchanged_majority(
    share: float, reliable: bool, bands: int, scenes: SimpleNamespace
) -> None:
    random = np.random.default_rng(7)
    truth = scenes.scene(random, bands, 50000)
    x, y = scenes.observed(random, truth), scenes.observed(random, truth)
    changed = int(share * 50000)
    y[:, :changed] = scenes.observed(random, scenes.scene(random, bands, changed))
    assert judge(x, y).reliable is reliable


def test_every_doubt_is_told() -> None:
    assert reliability(0.5, 0.1, 2.0, p=4).reliable
    assert "0.5 % of the pixels only" in reliability(0.005, 0.1, 2.0, p=4).reason
    assert "45 % of the pixels are called changed" in reliability(0.5, 0.45, 2.0, p=4).reason
    assert "far from the model" in reliability(0.5, 0.1, 26.0, p=4).reason
    assert "smaller half" in reliability(0.5, 0.1, None, p=4, shape=0.3).reason
    assert all(0.2 < least_shape(p) < 1.0 for p in (1, 2, 3, 6, 13))


def test_thirty_five_years_of_a_river_keep_a_majority(data: Path) -> None:
    # most of the forest stands on each couple of the series; its noise is far from one chi-square law
    for before, after in pairwise(("1985", "1995", "2010", "2020")):
        x, y = (
            rasterio.open(data / "landsat_pucallpa" / f"{year}.tif").read().reshape(4, -1) for year in (before, after)
        )
        seen = (x > 0).all(axis=0) & (y > 0).all(axis=0)
        verdict = judge(x[:, seen], y[:, seen])
        assert verdict.reliable
        assert "unevenly" in verdict.reason


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.2])
def test_noise_that_differs_from_place_to_place_is_told(spread: float, scenes: SimpleNamespace) -> None:
    # nothing changed; with a spread of 1.2 a fifth of the pixels is called changed all the same
    random = np.random.default_rng(5)
    truth = scenes.scene(random, 4, 50000).astype(np.float64)
    noise = 30 * np.exp(random.normal(0, spread, 50000))
    x, y = ((truth + noise * random.normal(0, 1, truth.shape)).astype(np.float32) for _ in range(2))
    verdict = judge(x, y)
    assert verdict.reliable is (spread < 1)
    if verdict.reliable:
        assert ("unevenly" in verdict.reason) is (spread > 0)


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7])
def test_half_a_landscape_replaced_by_another_is_not_reliable(share: float, data: Path) -> None:
    x, later = pucallpa(data, "2010"), pucallpa(data, "2020")
    rows, y = int(share * later.shape[1]), later.copy()
    y[:, :rows] = later[:, ::-1, ::-1][:, :rows]
    assert not judge(x.reshape(4, -1), y.reshape(4, -1)).reliable


@pytest.mark.parametrize("p", [1, 2, 4, 6, 13])
def test_the_bound_of_the_shape_is_the_quantiles_of_scipy(p: int) -> None:
    law = chi2(p)
    expected = law.ppf(0.25 * 2 * 0.99) / law.ppf(0.99) / (law.ppf(0.25) / law.median())
    assert least_shape(p) == pytest.approx(expected, rel=1e-9)
