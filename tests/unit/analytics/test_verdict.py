"""The verdict on real and synthetic pairs whose truth is known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

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
