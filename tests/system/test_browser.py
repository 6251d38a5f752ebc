"""The pages as a browser shows them: the page of a finished job has its state, its files and the picture."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.integration.conftest import Site, new_site, nursery
from tests.integration.test_serve import Serving, serve

pytestmark = pytest.mark.system

__all__ = ["new_site", "nursery", "serve"]  # fixtures of the integration tests, used here too

VERMILLION = (213, 94, 0)  # the colour of change in the quick-look (Okabe and Ito)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def chromium() -> str:
    """Path of the browser."""
    found = shutil.which("chromium")
    if found is None:
        reason = "no Chromium (Debian: chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def site(new_site: Callable[..., Site], data: Path) -> Site:
    """A site that may read the sample images."""
    return new_site(input_roots=str(data))


def browse(chromium: str, folder: Path, *options: str) -> str:
    command = [chromium, *OPTIONS, f"--user-data-dir={folder / 'profile'}", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_page_of_a_job_shows_its_results_and_the_picture(
    chromium: str, serve: Callable[..., Serving], tmp_path: Path
) -> None:
    server = serve().server
    images = ["landsat_taizhou/2000TM", "landsat_taizhou/2003TM"]
    job = server.submit("ChangeDetection", {"images": images, "dates": ["2000-03-17", "2003-02-06"]})
    assert job.wait()["status"] == "successful"
    page = browse(chromium, tmp_path, "--dump-dom", f"{job.url}?f=html")
    assert "successful" in page
    for name in ("changes", "magnitude", "report", "quicklook"):
        assert f"/results/{name}" in page
    shot = tmp_path / "page.png"
    browse(chromium, tmp_path, f"--screenshot={shot}", "--window-size=1200,2400", f"{job.url}?f=html")
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    change = np.abs(pixels - VERMILLION).max(axis=2) < 12
    assert change.sum() > 1000
