"""What was compiled a moment ago and what another process compiled before give the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOLVE = """
import numpy as np
from candela_processes.analytics.irmad import magnitude, solve_change
from candela_processes.analytics.pair import Tile

random = np.random.default_rng(1)
before = random.integers(1, 255, (4, 50_000)).astype(np.uint8)
after = np.clip(before + random.normal(0, 20, before.shape), 1, 255).astype(np.uint8)
tile = Tile(before, after, np.ones(before.shape[1], np.bool_))
mad = solve_change(lambda: [tile], 4, 3, 1e-9)
print([float(rho).hex() for rho in mad.rho], float(magnitude(mad, tile).sum(dtype=np.float64)).hex())
"""


def solved(cache: Path) -> str:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", SOLVE], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_results_do_not_depend_on_who_compiled(tmp_path: Path) -> None:
    first = solved(tmp_path)
    assert list(tmp_path.rglob("*.nbc"))
    assert solved(tmp_path) == first
