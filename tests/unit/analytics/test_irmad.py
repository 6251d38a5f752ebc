"""Change statistics against Orfeo ToolBox's figures, a plain float64 implementation, and their invariances."""

import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import linalg, stats

from candela_processes.analytics import compiled
from candela_processes.analytics.irmad import Mad, magnitude, solve_change
from candela_processes.analytics.pair import Tile, Tiles
from candela_processes.errors import InvalidInput

Whole = Callable[..., Tiles]


def ones(pixels: int) -> NDArray[np.uint8]:
    return np.ones(pixels, np.uint8)


def textbook(x: NDArray[Any], y: NDArray[Any], iterations: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rho and Z by the generalised eigenproblem of Nielsen 2007, in float64 and without any care."""
    p, n = x.shape
    both = np.concatenate([x, y]).astype(np.float64)
    weight = np.ones(n)
    for _ in range(iterations):
        s = np.cov(both, aweights=weight, ddof=0)
        centred = both - np.average(both, axis=1, weights=weight)[:, None]
        s11, s12, s22 = s[:p, :p], s[:p, p:], s[p:, p:]
        squares, a = linalg.eigh(s12 @ np.linalg.inv(s22) @ s12.T, s11)
        rho = np.sqrt(squares)
        b = np.linalg.inv(s22) @ s12.T @ a / rho
        z = ((a.T @ centred[:p] - b.T @ centred[p:]) ** 2 / (2 * (1 - rho))[:, None]).sum(axis=0)
        weight = stats.chi2.sf(z, p)
    return rho, z


def test_taizhou_plain_mad_equals_orfeo_toolbox(taizhou: SimpleNamespace, whole: Whole) -> None:
    mad = solve_change(whole(taizhou.before, taizhou.after), 6, 1, 1e-3)
    assert mad.iterations == 1
    assert not mad.converged
    assert mad.mean_weight == 1.0
    np.testing.assert_allclose(mad.rho, [0.113582, 0.305496, 0.476108, 0.542166, 0.713781, 0.813041], atol=1e-6)


def test_taizhou_irmad_reaches_the_reference(taizhou: SimpleNamespace, whole: Whole) -> None:
    seen: list[tuple[int, float]] = []
    tiles = whole(taizhou.before, taizhou.after)
    mad = solve_change(tiles, 6, 100, 1e-3, lambda iteration, move: seen.append((iteration, move)))
    assert mad.iterations == len(mad.rho_history) == 16
    assert mad.converged
    assert [iteration for iteration, _ in seen] == list(range(1, 17))
    assert seen[-1][1] < 1e-3 <= seen[-2][1]
    np.testing.assert_allclose(mad.rho, [0.45482, 0.57030, 0.70515, 0.87360, 0.96627, 0.98218], atol=1e-5)


@pytest.mark.parametrize(
    ("bands", "kind"), [(1, "uint16"), (2, "uint8"), (3, "float32"), (4, "int16"), (8, "float64"), (13, "uint16")]
)
def test_equals_the_textbook(bands: int, kind: str, whole: Whole, scenes: SimpleNamespace) -> None:
    random = np.random.default_rng(bands)
    truth = scenes.scene(random, bands, 20000) + 80 * random.normal(size=(bands, 20000))
    before, after = truth + 60 * random.normal(size=truth.shape), 1.3 * truth + 60 * random.normal(size=truth.shape)
    after[:, :1500] = 1.3 * scenes.scene(random, bands, 1500)
    scale = {"uint8": 0.03, "uint16": 10.0, "int16": 3.0, "float32": 1e-4, "float64": 1.0}[kind]
    info = np.iinfo(kind) if kind[0] in "ui" else np.finfo(kind)
    x, y = (np.clip(scale * image, info.min, info.max).astype(kind) for image in (before, after))
    for iterations in (1, 5):
        mad = solve_change(whole(x, y), bands, iterations, 0.0)
        rho, z = textbook(x, y, iterations)
        np.testing.assert_allclose(mad.rho, rho, atol=2e-6)
        np.testing.assert_allclose(magnitude(mad, Tile(x, y, ones(20000))), np.sqrt(z), rtol=1e-3, atol=1e-3)


def test_vectors_have_unit_variance_and_the_agreed_sign(taizhou: SimpleNamespace, whole: Whole) -> None:
    mad = solve_change(whole(taizhou.before, taizhou.after), 6, 1, 1e-3)
    x, y = taizhou.before.astype(float), taizhou.after.astype(float)
    np.testing.assert_allclose(mad.mean_before, x.mean(axis=1))
    np.testing.assert_allclose(mad.mean_after, y.mean(axis=1))
    u, v = mad.a @ x, mad.b @ y
    np.testing.assert_allclose(np.cov(u, ddof=0), np.eye(6), atol=1e-9)
    np.testing.assert_allclose(np.cov(v, ddof=0), np.eye(6), atol=1e-9)
    assert (np.corrcoef(x, u)[:6, 6:].sum(axis=0) > 0).all()
    np.testing.assert_allclose([np.corrcoef(u[i], v[i])[0, 1] for i in range(6)], mad.rho, atol=1e-9)


@settings(max_examples=15, deadline=None)  # type: ignore[untyped-decorator, unused-ignore]
@given(cuts=st.lists(st.integers(0, 160000), max_size=6), seed=st.integers(0, 100))  # type: ignore[untyped-decorator, unused-ignore]
def test_tiled_equals_whole(cuts: list[int], seed: int, taizhou: SimpleNamespace) -> None:
    x, y = taizhou.before, taizhou.after
    valid = (np.random.default_rng(seed).random(160000) > 0.1).astype(np.uint8)
    edges = [0, *sorted(cuts), 160000]
    parts = [Tile(x[:, start:stop], y[:, start:stop], valid[start:stop]) for start, stop in pairwise(edges)]
    tiled = solve_change(lambda: parts, 6, 4, 0.0)
    single = solve_change(lambda: [Tile(x, y, valid)], 6, 4, 0.0)
    np.testing.assert_allclose(tiled.rho, single.rho, atol=1e-7)
    ours = np.concatenate([magnitude(tiled, part) for part in parts])
    np.testing.assert_allclose(ours, magnitude(single, Tile(x, y, valid)), rtol=1e-5, atol=2e-5)
    np.testing.assert_array_equal(np.isnan(ours), valid == 0)


def test_the_number_of_threads_changes_no_bit(taizhou: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = [Tile(taizhou.before, taizhou.after, ones(160000))] * 2
    found: list[Mad] = []
    for threads in (1, 3):
        monkeypatch.setattr(compiled, "cores", lambda threads=threads: threads)
        found.append(solve_change(lambda: tiles, 6, 5, 0.0))
    np.testing.assert_array_equal(found[0].a, found[1].a)
    np.testing.assert_array_equal(found[0].rho, found[1].rho)


def test_affine_changes_and_order_of_pixels_leave_z(taizhou: SimpleNamespace, whole: Whole) -> None:
    x, y = taizhou.before.astype(np.uint16), taizhou.after.astype(np.uint16)
    plain = magnitude(solve_change(whole(x, y), 6, 16, 0.0), Tile(x, y, ones(160000)))
    other = 200 * y + 1000  # up to 52000
    moved = magnitude(solve_change(whole(x, other), 6, 16, 0.0), Tile(x, other, ones(160000)))
    np.testing.assert_allclose(moved, plain, rtol=1e-4)
    order = np.random.default_rng(0).permutation(160000)
    mixed_x, mixed_y = x[:, order], y[:, order]
    mixed = magnitude(solve_change(whole(mixed_x, mixed_y), 6, 16, 0.0), Tile(mixed_x, mixed_y, ones(160000)))
    np.testing.assert_allclose(mixed, plain[order], rtol=1e-4)


def test_pixels_that_are_not_valid_or_not_finite_do_not_count(scenes: SimpleNamespace, whole: Whole) -> None:
    random = np.random.default_rng(5)
    truth = scenes.scene(random, 3, 5000)
    x, y = (scenes.observed(random, truth, 200).astype(np.float32) for _ in range(2))
    expected = solve_change(whole(x[:, 40:], y[:, 40:]), 3, 3, 0.0)
    x[0, :10], y[2, 10:20], x[:, 20:30], y[:, 30:40] = np.nan, np.inf, -9999, 3e38
    valid = ones(5000)
    valid[20:40] = 0
    found = solve_change(whole(x, y, valid), 3, 3, 0.0)
    assert found.pixels == 4960
    np.testing.assert_allclose(found.rho, expected.rho, atol=1e-7)
    assert np.isnan(magnitude(found, Tile(x, y, valid))[:40]).all()


def test_identical_images_have_no_magnitude(taizhou: SimpleNamespace, whole: Whole) -> None:
    valid = ones(160000)
    valid[:7] = 0
    mad = solve_change(whole(taizhou.before, taizhou.before, valid), 6, 100, 1e-3)
    assert mad.identical
    assert mad.converged
    z = magnitude(mad, Tile(taizhou.before, taizhou.before, valid))
    assert np.isnan(z[:7]).all()
    assert (z[7:] == 0).all()


@pytest.mark.parametrize("kind", ["uint16", "float32", "float64"])
def test_an_exact_affine_relation_is_no_change_and_one_planted_pixel_is(
    kind: str, taizhou: SimpleNamespace, whole: Whole
) -> None:
    x = taizhou.before.astype(kind)
    y = (2 * x + 10).astype(kind)
    mad = solve_change(whole(x, y), 6, 100, 1e-3)
    assert mad.converged
    np.testing.assert_allclose(mad.rho, 1.0, atol=1e-9)
    assert magnitude(mad, Tile(x, y, ones(160000))).max() < 0.1
    y[:, 77] += np.array(9, dtype=kind)
    planted = magnitude(solve_change(whole(x, y), 6, 100, 1e-3), Tile(x, y, ones(160000)))
    assert planted[77] > 100
    assert np.delete(planted, 77).max() < 0.1


def test_one_identical_band_among_others_counts_no_degree_of_freedom(scenes: SimpleNamespace, whole: Whole) -> None:
    random = np.random.default_rng(3)
    truth = scenes.scene(random, 4, 50000)
    x, y = scenes.observed(random, truth), scenes.observed(random, truth)
    y[2] = x[2]
    mad = solve_change(whole(x, y), 4, 100, 1e-3)
    assert mad.rho[-1] == pytest.approx(1.0, abs=1e-9)
    assert mad.degrees_of_freedom == 3
    assert np.isfinite(magnitude(mad, Tile(x, y, ones(50000)))).all()


def test_weights_that_leave_a_constant_area_stop_unconverged(scenes: SimpleNamespace, whole: Whole) -> None:
    random = np.random.default_rng(4)
    x, y = (
        scenes.observed(random, scenes.scene(random, 4, 50000)),
        scenes.observed(random, scenes.scene(random, 4, 50000)),
    )
    x[:, :30000], y[:, :30000] = 7, 9
    mad = solve_change(whole(x, y), 4, 100, 1e-3)
    assert not mad.converged
    assert np.isfinite(magnitude(mad, Tile(x, y, ones(50000)))).all()


def _noise(bands: int = 3, pixels: int = 5000) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    random = np.random.default_rng(0)
    x, y = (random.integers(0, 4000, (bands, pixels), dtype=np.uint16) for _ in range(2))
    return x, y


def test_refuses_images_without_valid_pixels(whole: Whole) -> None:
    with pytest.raises(InvalidInput, match="images: no pixel is valid on both dates"):
        solve_change(whole(*_noise(), np.zeros(5000, np.uint8)), 3, 5, 1e-3)


def test_refuses_too_few_pixels(whole: Whole) -> None:
    valid = np.zeros(5000, np.uint8)
    valid[:59] = 1
    with pytest.raises(InvalidInput, match="only 59 pixels are valid on both dates; 3 bands need at least 60"):
        solve_change(whole(*_noise(), valid), 3, 5, 1e-3)


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_refuses_a_constant_band(kind: str, whole: Whole) -> None:
    x, y = (image.astype(kind) for image in _noise())
    y[1] = np.array(0.1 if kind[0] == "f" else 9).astype(kind)
    with pytest.raises(InvalidInput, match="bands: band 2 of the later image has one value"):
        solve_change(whole(x, y), 3, 5, 1e-3)


def test_refuses_collinear_bands(whole: Whole) -> None:
    x, y = _noise(4)
    x[3] = 2 * x[0] + x[2]
    with pytest.raises(InvalidInput, match="bands 1, 3, 4 of the earlier image are linear combinations"):
        solve_change(whole(x, y), 4, 5, 1e-3)


def test_refuses_pixel_types_and_shapes_that_do_not_fit(whole: Whole) -> None:
    x, y = _noise()
    with pytest.raises(InvalidInput, match="got uint16 and float32"):
        solve_change(whole(x, y.astype(np.float32)), 3, 5, 1e-3)
    with pytest.raises(InvalidInput, match="must have 4 bands of 5000 pixels"):
        solve_change(whole(x, y), 4, 5, 1e-3)


def test_works_where_no_folder_for_machine_code_can_be_written() -> None:
    script = (
        "import numpy as np\n"
        "from candela_processes.analytics import chi_squared\n"
        "assert abs(chi_squared.survival(2.0, 2) - np.exp(-1)) < 1e-12\n"
        "assert not chi_squared.survival.stats.cache_path\n"
    )
    environment = os.environ | {
        "NUMBA_CACHE_DIR": "/proc/no-such-folder",
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
    }
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)


def test_only_a_few_tiles_are_held_at_once(taizhou: SimpleNamespace) -> None:
    alive: list[weakref.ref[NDArray[np.uint8]]] = []
    most = 0

    def tiles() -> Iterator[Tile]:
        nonlocal most
        for start in range(0, 160000, 2000):
            part = slice(start, start + 2000)
            tile = Tile(taizhou.before[:, part].copy(), taizhou.after[:, part].copy(), ones(2000))
            alive.append(weakref.ref(tile.before))
            most = max(most, sum(reference() is not None for reference in alive))
            yield tile
            del tile

    assert solve_change(tiles, 6, 3, 0.0).pixels == 160000
    assert len(alive) > 3 * 80
    assert most <= 3 * compiled.cores() + 4
