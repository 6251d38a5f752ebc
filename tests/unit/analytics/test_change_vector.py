from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from candela_processes.analytics.change_vector import magnitude, solve_cva
from candela_processes.analytics.pair import Tile, Tiles
from candela_processes.errors import InvalidInput


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_equals_the_distance_of_standard_scores(taizhou: SimpleNamespace, kind: str) -> None:
    x, y = taizhou.before.astype(kind), taizhou.after.astype(kind)
    tiles = [Tile(x[:, part], y[:, part], np.ones(80000, bool)) for part in (slice(80000), slice(80000, None))]
    cva = solve_cva(lambda: tiles, 6)
    ours = np.concatenate([magnitude(cva, tile) for tile in tiles])
    difference = stats.zscore(y.astype(float), axis=1) - stats.zscore(x.astype(float), axis=1)
    np.testing.assert_allclose(ours, np.linalg.norm(difference, axis=0), rtol=1e-4, atol=1e-5)
    raw = magnitude(solve_cva(lambda: tiles, 6, standardise=False), tiles[0])
    expected = np.linalg.norm((y.astype(float) - x.astype(float))[:, :80000], axis=0)
    np.testing.assert_allclose(raw, expected, rtol=1e-5, atol=1e-4)


def test_identical_images_and_nodata(taizhou: SimpleNamespace) -> None:
    valid = np.ones(160000, np.uint8)
    valid[3] = 0
    tile = Tile(taizhou.before, taizhou.before, valid)
    cva = solve_cva(lambda: [tile], 6)
    assert cva.identical
    assert np.flatnonzero(np.isnan(magnitude(cva, tile))).tolist() == [3]
    assert np.nanmax(magnitude(cva, tile)) == 0


def test_refuses_a_constant_band_only_where_it_must_be_standardised(whole: Callable[..., Tiles]) -> None:
    random = np.random.default_rng(0)
    x, y = (random.integers(0, 99, (2, 500), dtype=np.uint8) for _ in range(2))
    x[1] = 4
    with pytest.raises(InvalidInput, match="band 2 of the earlier image has one value"):
        solve_cva(whole(x, y), 2)
    assert solve_cva(whole(x, y), 2, standardise=False).pixels == 500
    with pytest.raises(InvalidInput, match="no pixel is valid"):
        solve_cva(whole(x, y, np.zeros(500, np.uint8)), 2)
