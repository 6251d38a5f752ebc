import numpy as np
import pytest

from candela_processes.analytics.order import coarse, quantiles_of_square, ranked
from candela_processes.errors import InvalidInput


def test_counts_sums_and_ranks_are_exact() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.gamma(2, 3, 50001), [0.0, -0.0, 1e-42, 1e-30, 3e38]]).astype(np.float32)
    values[::7] = np.nan
    parts = np.array_split(values, 5)
    seen = np.sort(values[~np.isnan(values)]).astype(np.float64)
    table = coarse(lambda: parts)
    assert table.pixels == seen.size
    assert table.mean == pytest.approx(seen.mean(), rel=1e-14)
    ranks = [0, 1, 2, 3, 777, seen.size // 2, seen.size - 2, seen.size - 1]
    assert ranked(lambda: parts, table, ranks) == [seen[rank] for rank in ranks]


@pytest.mark.parametrize("size", [1, 2, 3, 10, 11, 1000])
def test_quantiles_of_squares_equal_numpy(size: int) -> None:
    values = np.random.default_rng(size).gamma(2, 3, size).astype(np.float32)
    table = coarse(lambda: [values])
    ours = quantiles_of_square(lambda: [values], table, (0.25, 0.5, 1.0))
    np.testing.assert_allclose(ours, np.quantile(values.astype(np.float64) ** 2, (0.25, 0.5, 1.0)), rtol=1e-14)


def test_refuses_nothing_observed() -> None:
    with pytest.raises(InvalidInput, match="no pixel is valid"):
        coarse(lambda: [np.full(5, np.nan, np.float32)])
