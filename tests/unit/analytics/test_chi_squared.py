import numpy as np
import pytest
from scipy import stats

from candela_processes.analytics import chi_squared
from candela_processes.analytics.blocks import LANES, WEIGHT, Z, survival_series, weigh
from candela_processes.analytics.register_tiles import BLOCK

FREEDOM = [1, 2, 3, 4, 5, 6, 8, 13, 20, 51]


@pytest.mark.parametrize("p", FREEDOM)
def test_survival_equals_scipy(p: int) -> None:
    z = np.concatenate([[0.0], np.geomspace(1e-9, 1200.0, 400)])
    ours = [chi_squared.survival(value, p) for value in z]
    np.testing.assert_allclose(ours, stats.chi2.sf(z, p), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("p", FREEDOM)
def test_inverse_survival_equals_scipy(p: int) -> None:
    alpha = [1e-200, 1e-30, 1e-6, 1e-4, 0.01, 0.05, 0.25, 0.5, 0.75, 0.99, 0.999]
    ours = [chi_squared.inverse_survival(value, p) for value in alpha]
    np.testing.assert_allclose(ours, stats.chi2.isf(alpha, p), rtol=1e-12)
    assert chi_squared.median(p) == pytest.approx(stats.chi2.median(p), rel=1e-12)


def test_ends_of_the_distribution() -> None:
    assert chi_squared.survival(-1.0, 3) == 1.0
    assert chi_squared.survival(np.inf, 3) == 0.0
    assert chi_squared.inverse_survival(1.0, 3) == 0.0
    assert chi_squared.inverse_survival(0.0, 3) == np.inf


@pytest.mark.parametrize("p", [1, 2, 3, 4, 6, 8, 13, 26])
def test_block_weights_equal_scipy_in_single_precision(p: int) -> None:
    z = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, BLOCK - 1)])
    lanes = np.ones((LANES, BLOCK), np.float32)
    lanes[Z] = z
    weigh(lanes, lanes.view(np.int32), p, survival_series(p))
    np.testing.assert_allclose(lanes[WEIGHT], stats.chi2.sf(z, p), atol=1e-6)
