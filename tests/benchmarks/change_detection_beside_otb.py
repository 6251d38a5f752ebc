"""ChangeDetection beside OTB's MultivariateAlterationDetector on one large pair, in one run, reading and writing.

    python tests/benchmarks/change_detection_beside_otb.py [--side 5490] [--runs 3]

The pair: two dates of tests/data/landsat_pucallpa, enlarged by repetition to side x side x 4 bands, scaled to uint16,
with Gaussian noise (sigma 20, fixed seed), tiled 512, uncompressed. OTB computes plain (un-iterated) MAD and writes
its four variates; ours iterates IR-MAD to convergence, thresholds, and writes change map and magnitude as COGs with
overviews, report and quick-look. Needs otb-bin.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from measured import in_turn, machine, table

SAMPLES = Path(__file__).parents[1] / "data" / "landsat_pucallpa"


def enlarge(source: Path, target: Path, side: int, seed: int) -> None:
    """Write an enlarged, noisy uint16 copy of a sample image."""
    random = np.random.default_rng(seed)
    with rasterio.open(source) as image:
        pixels = image.read()
        crs, (west, north) = image.crs, (image.transform.c, image.transform.f)
    bands, height, width = pixels.shape
    columns = np.arange(side) * width // side
    profile = {"driver": "GTiff", "count": bands, "width": side, "height": side, "dtype": "uint16", "nodata": 0}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "crs": crs, "interleave": "band"}
    profile["transform"] = rasterio.transform.from_origin(west, north, 0.56 / side, 0.30 / side)
    with rasterio.open(target, "w", **profile) as sink:
        for top in range(0, side, 512):
            rows = np.arange(top, min(top + 512, side)) * height // side
            block = pixels[:, rows][:, :, columns].astype(np.float32) * 30
            noisy = np.clip(block + random.normal(0, 20, block.shape), 1, 65535)
            window = rasterio.windows.Window(0, top, side, len(rows))
            sink.write(np.where(block > 0, noisy, 0).astype(np.uint16), window=window)


def otb_surroundings(launcher: str) -> dict[str, str]:
    """Return the environment that lets OTB find its applications, where the caller has not said so."""
    if "OTB_APPLICATION_PATH" in os.environ:
        return {}
    prefix = Path(launcher).resolve().parents[1]
    found = next((path for form in ("lib/otb", "lib/*/otb") for path in prefix.glob(f"{form}/applications")), None)
    return {"OTB_APPLICATION_PATH": str(found)} if found else {}


def main() -> None:
    """Make the pair, run both in turn, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=5490)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    otb = shutil.which("otbApplicationLauncherCommandLine")
    if otb is None:
        sys.exit("OTB is not installed (Debian: otb-bin); nothing was measured.")
    os.environ.update(otb_surroundings(otb))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before, after = folder / "before.tif", folder / "after.tif"
        enlarge(SAMPLES / "1985.tif", before, options.side, 1)
        enlarge(SAMPLES / "1995.tif", after, options.side, 2)
        ours = [sys.executable, "-m", "candela_processes", "run", "ChangeDetection", "--out", str(folder / "ours")]
        ours += ["-i", f"images={before}", "-i", f"images={after}"]
        peer = [otb, "MultivariateAlterationDetector", "-in1", str(before), "-in2", str(after)]
        peer += ["-out", str(folder / "mad.tif"), "float"]
        results = in_turn(
            {
                "candela IR-MAD to convergence + threshold + COGs": ours,
                "candela MAD + threshold + COGs": [*ours, "-i", "method=mad"],
                "OTB MAD, one iteration": peer,
            },
            options.runs,
        )
    print(f"{options.side} x {options.side} x 4 uint16, {options.runs} runs after one warm-up. {machine()}\n")
    print(table(results))


if __name__ == "__main__":
    main()
