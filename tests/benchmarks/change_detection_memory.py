"""Peak memory of ChangeDetection beside the size of the images: it has to stay flat.

    python tests/benchmarks/change_detection_memory.py [--sides 2745,5490,7764]

Each pair is made as in change_detection_beside_otb.py (4 bands uint16). The peak is that of the largest process of the
run as the kernel accounts it (ru_maxrss), mapped pages of files included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from change_detection_beside_otb import SAMPLES, enlarge
from measured import Run, machine, measure


def peak(folder: Path, side: int) -> Run:
    """Make a pair of this side, run ChangeDetection on it and return what it took."""
    before, after = folder / "before.tif", folder / "after.tif"
    enlarge(SAMPLES / "1985.tif", before, side, 1)
    enlarge(SAMPLES / "1995.tif", after, side, 2)
    command = [sys.executable, "-m", "candela_processes", "run", "ChangeDetection", "--out", str(folder / "ours")]
    return measure([*command, "-i", f"images={before}", "-i", f"images={after}"])


def main() -> None:
    """Print one row for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sides", default="2745,5490,7764")
    sides = [int(side) for side in parser.parse_args().sides.split(",")]
    print(f"{machine()}\n\n| side, pixels | Mpx | peak MiB | cpu s | wall s |\n|---|---|---|---|---|")
    for side in sides:
        with tempfile.TemporaryDirectory() as name:
            run = peak(Path(name), side)
        print(f"| {side} | {side * side / 1e6:.1f} | {run.peak:.0f} | {run.cpu:.1f} | {run.wall:.1f} |", flush=True)


if __name__ == "__main__":
    main()
