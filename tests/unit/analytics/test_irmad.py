from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from candela_processes.analytics.irmad import magnitude, solve_change
from candela_processes.analytics.pair import Tile, Tiles


def test_taizhou_plain_mad_equals_orfeo_toolbox(taizhou: SimpleNamespace, whole: Callable[..., Tiles]) -> None:
    mad = solve_change(whole(taizhou.before, taizhou.after), 6, 1, 1e-3)
    assert mad.iterations == 1
    assert not mad.converged
    assert mad.mean_weight == 1.0
    np.testing.assert_allclose(mad.rho, [0.113582, 0.305496, 0.476108, 0.542166, 0.713781, 0.813041], atol=1e-6)


def test_taizhou_irmad_reaches_the_reference(taizhou: SimpleNamespace, whole: Callable[..., Tiles]) -> None:
    mad = solve_change(whole(taizhou.before, taizhou.after), 6, 100, 1e-3)
    assert mad.iterations == len(mad.rho_history) == 16
    assert mad.converged
    np.testing.assert_allclose(mad.rho, [0.45482, 0.57030, 0.70515, 0.87360, 0.96627, 0.98218], atol=1e-5)
    z = magnitude(mad, Tile(taizhou.before, taizhou.after, np.ones(160000, np.uint8))).astype(float)
    assert abs((z > 10.46).mean() - 0.0869) < 2e-4
