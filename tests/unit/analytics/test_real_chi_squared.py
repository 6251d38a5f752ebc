"""The chi-squared law of real freedom against scipy."""

import pytest
from scipy.stats import chi2

from candela_processes.analytics import chi_squared, real_chi_squared

FREEDOMS = (1.0, 1.43, 1.81, 2.5, 4.0, 7.3, 13.0, 63.7)


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("z", (1e-6, 0.2, 1.0, 3.3, 12.0, 80.0, 600.0))
def test_survival(z: float, freedom: float) -> None:
    assert real_chi_squared.survival(z, freedom) == pytest.approx(chi2.sf(z, freedom), rel=1e-9, abs=1e-300)


def test_survival_of_nothing() -> None:
    assert real_chi_squared.survival(0.0, 1.5) == 1.0
    assert real_chi_squared.survival(-1.0, 1.5) == 1.0


@pytest.mark.parametrize("freedom", FREEDOMS)
@pytest.mark.parametrize("alpha", (0.99, 0.5, 0.25, 1e-2, 1e-4, 1e-12))
def test_inverse_survival(alpha: float, freedom: float) -> None:
    assert real_chi_squared.inverse_survival(alpha, freedom) == pytest.approx(chi2.isf(alpha, freedom), rel=1e-9)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_median(freedom: float) -> None:
    assert real_chi_squared.median(freedom) == pytest.approx(chi2.median(freedom), rel=1e-9)


@pytest.mark.parametrize("p", (1, 2, 5, 12))
def test_the_closed_forms_agree(p: int) -> None:
    assert real_chi_squared.inverse_survival(1e-4, p) == pytest.approx(chi_squared.inverse_survival(1e-4, p), rel=1e-9)
