"""Thresholds against brute force, the Taizhou reference samples and simulations where nothing changed."""

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from candela_processes.analytics import change_vector, irmad, threshold
from candela_processes.analytics.accuracy import Accuracy, change_accuracy, confusion
from candela_processes.analytics.pair import Tile, Tiles
from candela_processes.errors import InvalidInput

Whole = Callable[..., Tiles]

SAMPLES = arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.one_of(
        st.sampled_from([0.0, 0.5, 1.0, 1.0000001, 7.0, 1e30]),
        st.floats(0, 100, width=32, allow_subnormal=False),
        st.floats(0, 1e6, width=32, allow_subnormal=False),
    ),
)


def between(values: NDArray[Any], cut: float) -> float:
    """Return the between-class variance of one split, from its definition."""
    wide = values.astype(np.float64)
    low, high = wide[wide <= cut], wide[wide > cut]
    if not low.size or not high.size:
        return 0.0
    return low.size * high.size / wide.size**2 * (low.mean() - high.mean()) ** 2


@settings(max_examples=120, deadline=None)  # type: ignore[untyped-decorator, unused-ignore]
@given(values=SAMPLES)  # type: ignore[untyped-decorator, unused-ignore]
def test_otsu_equals_brute_force(values: NDArray[np.float32]) -> None:
    found = threshold.otsu(lambda: np.array_split(values, 3)).value
    best = max(between(values, cut) for cut in np.unique(values))
    assert found in values
    assert between(values, found) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_otsu_equals_brute_force_on_heavy_tails(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.abs(random.standard_t(1.5, 3000)).astype(np.float32) + np.float32(20 * (seed % 2))
    wide = np.sort(values.astype(np.float64))
    below = np.arange(1, wide.size)
    means = np.cumsum(wide)[:-1] / below
    upper = (wide.sum() - np.cumsum(wide)[:-1]) / (wide.size - below)
    expected = wide[np.argmax(below * (wide.size - below) * (upper - means) ** 2)]
    assert threshold.otsu(lambda: [values]).value == expected


@settings(max_examples=80, deadline=None)  # type: ignore[untyped-decorator, unused-ignore]
@given(values=SAMPLES)  # type: ignore[untyped-decorator, unused-ignore]
def test_kmeans_equals_plain_lloyd(values: NDArray[np.float32]) -> None:
    wide = values.astype(np.float64)
    split, before = wide.mean(), None
    while True:
        low = wide <= split
        if low.all() or (before is not None and (low == before).all()):
            break
        split, before = 0.5 * (wide[low].mean() + wide[~low].mean()), low
    found = threshold.kmeans(lambda: np.array_split(values, 3))
    if np.ptp(wide) > 1e-6 * wide.max():  # else the mean itself is within rounding of the values
        np.testing.assert_allclose(found.value, split, rtol=1e-9)


def test_a_constant_image_has_no_change_under_any_rule() -> None:
    values = np.full(500, 0.1, np.float32)
    assert threshold.otsu(lambda: [values]).value == values[0]
    assert threshold.kmeans(lambda: [values]).value == pytest.approx(values[0])
    assert threshold.scaled_chi2(lambda: [values], 3, 1e-4).value > values[0]


def test_two_values_are_parted() -> None:
    values = np.array([1, 1, 1, 5], np.float32)
    assert threshold.otsu(lambda: [values]).value == 1
    assert threshold.kmeans(lambda: [values]).value == 3


def test_chi2_and_fixed_thresholds() -> None:
    assert threshold.chi2(6, 1e-4).value == pytest.approx(math.sqrt(stats.chi2.isf(1e-4, 6)), rel=1e-12)
    assert threshold.fixed(3.5).value == 3.5
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(InvalidInput, match="threshold"):
            threshold.fixed(wrong)
    for wrong in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(InvalidInput, match="alpha"):
            threshold.chi2(6, wrong)


@pytest.mark.parametrize("p", [1, 2, 6, 13])
def test_scaled_chi2_recovers_the_scale(p: int) -> None:
    z = 7.0 * stats.chi2.rvs(p, size=400000, random_state=p)
    found = threshold.scaled_chi2(lambda: [np.sqrt(z).astype(np.float32)], p, 1e-3)
    assert found.scale == pytest.approx(np.median(z) / stats.chi2.median(p), rel=1e-6)
    assert found.shape == pytest.approx(1.0, abs=0.02)
    assert (z > found.value**2).mean() == pytest.approx(1e-3, abs=3e-4)


def score(taizhou: SimpleNamespace, magnitudes: NDArray[np.float32], value: float) -> Accuracy:
    reference = np.where(taizhou.changed, 1, np.where(taizhou.unchanged, 0, -1))
    return change_accuracy(confusion(magnitudes > value, reference, 2))


@pytest.fixture(scope="module")
def taizhou_irmad(taizhou: SimpleNamespace) -> NDArray[np.float32]:
    tile = Tile(taizhou.before, taizhou.after, np.ones(160000, np.uint8))
    return irmad.magnitude(irmad.solve_change(lambda: [tile], 6, 100, 1e-3), tile)


def test_taizhou_scaled_chi2(taizhou: SimpleNamespace, taizhou_irmad: NDArray[np.float32]) -> None:
    found = threshold.scaled_chi2(lambda: [taizhou_irmad], 6, 1e-4)
    assert found.value == pytest.approx(10.46, abs=0.005)
    assert (taizhou_irmad > found.value).mean() == pytest.approx(0.0869, abs=5e-5)
    accuracy = score(taizhou, taizhou_irmad, found.value)
    assert accuracy.samples == 4227 + 17163
    assert accuracy.overall == pytest.approx(0.9793, abs=1e-4)
    assert accuracy.kappa == pytest.approx(0.9335, abs=1e-4)


def test_taizhou_otsu_and_kmeans(taizhou: SimpleNamespace, taizhou_irmad: NDArray[np.float32]) -> None:
    for rule in (threshold.otsu, threshold.kmeans):
        accuracy = score(taizhou, taizhou_irmad, rule(lambda: [taizhou_irmad]).value)
        assert accuracy.overall == pytest.approx(0.9792, abs=2e-4)
        assert accuracy.kappa == pytest.approx(0.9329, abs=3e-3)
        assert accuracy.f1 == pytest.approx(0.9458, abs=1e-3)


def test_taizhou_change_vectors(taizhou: SimpleNamespace) -> None:
    tile = Tile(taizhou.before, taizhou.after, np.ones(160000, np.uint8))
    length = change_vector.magnitude(change_vector.solve_cva(lambda: [tile], 6), tile)
    accuracy = score(taizhou, length, threshold.kmeans(lambda: [length]).value)
    assert accuracy.overall == pytest.approx(0.9667, abs=5e-4)
    assert accuracy.kappa == pytest.approx(0.8890, abs=3e-3)
    raw = change_vector.magnitude(change_vector.solve_cva(lambda: [tile], 6, standardise=False), tile)
    assert score(taizhou, raw, threshold.kmeans(lambda: [raw]).value).kappa == pytest.approx(0.0628, abs=3e-3)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 8, 13])
def test_two_noisy_copies_show_no_change_and_one_planted_percent_is_found(
    bands: int, scenes: SimpleNamespace, whole: Whole
) -> None:
    random = np.random.default_rng(bands)
    truth = scenes.scene(random, bands, 100000)
    x, y = scenes.observed(random, truth), scenes.observed(random, truth)
    changed = np.zeros(100000, bool)
    for planted in (0, 1000):
        y[:, :planted] = np.clip(y[:, :planted] + 1500.0, 0, 65535)
        changed[:planted] = True
        mad = irmad.solve_change(whole(x, y), bands, 100, 1e-3)
        z = irmad.magnitude(mad, Tile(x, y, np.ones(100000, np.uint8)))
        called = z > threshold.scaled_chi2(partial(list, [z]), mad.degrees_of_freedom, 1e-4).value
        assert called[~changed].mean() < 1e-3
        assert called[changed].sum() > 0.97 * planted - 1e-9


def test_otsu_finds_change_where_there_is_none(scenes: SimpleNamespace, whole: Whole) -> None:
    random = np.random.default_rng(9)
    truth = scenes.scene(random, 4, 100000)
    x, y = scenes.observed(random, truth), scenes.observed(random, truth)
    z = irmad.magnitude(irmad.solve_change(whole(x, y), 4, 100, 1e-3), Tile(x, y, np.ones(100000, np.uint8)))
    assert (z > threshold.otsu(lambda: [z]).value).mean() == pytest.approx(0.4275, abs=0.02)
