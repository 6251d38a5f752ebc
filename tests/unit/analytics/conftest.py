"""Real and synthetic pairs of images for the tests of this room."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from candela_processes.analytics.pair import Tile, Tiles


@pytest.fixture(scope="session")
def taizhou(data: Path) -> SimpleNamespace:
    """Hold the benchmark pair (6, 160000) with its reference samples (160000,)."""
    folder = data / "landsat_taizhou"
    before, after = (np.fromfile(folder / name, np.uint8).reshape(6, -1) for name in ("2000TM", "2003TM"))
    return SimpleNamespace(
        before=before,
        after=after,
        changed=_bitmap(folder / "change.bmp"),
        unchanged=_bitmap(folder / "unchanged.bmp"),
    )


def _bitmap(path: Path) -> NDArray[np.bool_]:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L")).ravel() > 0


@pytest.fixture(scope="session")
def whole() -> Callable[..., Tiles]:
    """Make the stream of one tile that holds both images."""

    def tiles(before: NDArray[Any], after: NDArray[Any], valid: NDArray[Any] | None = None) -> Tiles:
        seen = np.ones(before.shape[1], np.uint8) if valid is None else valid
        return lambda: [Tile(before, after, seen)]

    return tiles


def scene(random: np.random.Generator, bands: int, pixels: int, spread: float = 300.0) -> NDArray[np.float64]:
    """Make a correlated scene (bands, pixels) around 2000 of four hidden factors."""
    factors = random.normal(size=(4, pixels))
    return 2000.0 + spread * (random.normal(size=(bands, 4)) @ factors)


def observed(random: np.random.Generator, truth: NDArray[np.float64], sigma: float = 20.0) -> NDArray[np.uint16]:
    """Observe a scene with Gaussian noise as 16-bit counts."""
    return np.clip(np.round(truth + sigma * random.normal(size=truth.shape)), 0, 65535).astype(np.uint16)


@pytest.fixture(scope="session")
def scenes() -> SimpleNamespace:
    """Hold the makers of synthetic pairs."""
    return SimpleNamespace(scene=scene, observed=observed)
