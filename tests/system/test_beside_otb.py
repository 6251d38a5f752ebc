"""Plain MAD beside Orfeo ToolBox, an independent implementation, on real pairs: the same correlations, the same map."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio

import candela_processes

pytestmark = pytest.mark.system

LAUNCHER = "otbApplicationLauncherCommandLine"


@pytest.fixture(scope="module")
def otb() -> dict[str, str]:
    """Environment in which OTB finds its applications."""
    found = shutil.which(LAUNCHER)
    if found is None:
        reason = "no Orfeo ToolBox (Debian: otb-bin)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    prefix = Path(found).resolve().parents[1]
    folders = [*prefix.glob("lib/otb/applications"), *prefix.glob("lib/*/otb/applications")]
    return dict(os.environ) | {"OTB_APPLICATION_PATH": str(folders[0])}


def cropped(source: Path, target: Path) -> Path:
    """Write a part of a sample without nodata (0 becomes 1): OTB takes every pixel for data."""
    with rasterio.open(source) as image:
        window = rasterio.windows.Window(50, 100, 400, 200)
        profile = image.profile | {"width": 400, "height": 200, "nodata": None, "photometric": "minisblack"}
        pixels = np.maximum(image.read(window=window), 1)
        with rasterio.open(target, "w", **profile) as sink:
            sink.write(pixels)
    return target


@pytest.mark.parametrize("name", ["taizhou", "pucallpa"])
def test_mad_is_that_of_otb(otb: dict[str, str], data: Path, tmp_path: Path, name: str) -> None:
    if name == "taizhou":
        pair = [data / "landsat_taizhou" / "2000TM", data / "landsat_taizhou" / "2003TM"]
    else:
        pair = [cropped(data / "landsat_pucallpa" / f"{year}.tif", tmp_path / f"{year}.tif") for year in (1995, 2010)]
    command = [LAUNCHER, "MultivariateAlterationDetector", "-in1", str(pair[0]), "-in2", str(pair[1])]
    said = subprocess.run(
        [*command, "-out", str(tmp_path / "mad.tif"), "float"], env=otb, capture_output=True, text=True, check=True
    )
    theirs = [float(word) for word in re.search(r"Rho: ([\d. e-]+)", said.stdout + said.stderr)[1].split()]  # type: ignore[index]
    run = candela_processes.run("ChangeDetection", images=pair, method="mad", out=tmp_path / "ours")
    report = json.loads((tmp_path / "ours" / "report.json").read_text())
    (ours,) = report["couples"][0]["rho"]
    assert ours == pytest.approx(sorted(theirs), rel=2e-5)

    with rasterio.open(tmp_path / "mad.tif") as image:
        variates = image.read().astype(float)
    variances = variates.reshape(len(theirs), -1).var(axis=1)
    squares = (variates**2 / variances[:, None, None]).sum(axis=0)
    magnitudes = run.outputs["magnitude"]
    assert isinstance(magnitudes, tuple)
    with rasterio.open(magnitudes[0]) as image:
        found = image.read(1)
    np.testing.assert_allclose(found, np.sqrt(squares), rtol=2e-3)
