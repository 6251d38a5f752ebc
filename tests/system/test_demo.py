"""`make demo` as a newcomer runs it, and with everything killed in the middle."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system


def demo(folder: Path, **environment: str) -> str:
    """Run the demonstration to its end and return what it says."""
    answer = subprocess.run(
        [sys.executable, "-m", "candela_processes", "demo"],
        env={**os.environ, "CANDELA_WORKSPACE": str(folder), "ONCE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_it_shows_the_river_its_accuracy_and_a_picture(tmp_path: Path) -> None:
    said = demo(tmp_path)
    assert len(re.findall(r"% changed, mapped area \d+ km2", said)) == 3
    accuracy, kappa = re.search(r"IR-MAD.*?([01]\.\d{4}) +([01]\.\d{4})", said).groups()  # type: ignore[union-attr]
    assert float(accuracy) >= 0.979
    assert float(kappa) >= 0.933
    picture = Path(re.search(r"Picture +(\S+)", said).group(1))  # type: ignore[union-attr]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_everything_killed_in_mid_job_changes_no_bit_of_the_result(tmp_path: Path) -> None:
    said = demo(tmp_path, KILL="1")
    assert re.search(r"killed -9: server \(pids \d+.*worker \(pids \d+", said)
    assert len(re.findall(r"sha256 \w{16}…  same", said)) == 8
    assert "The killed job ended right" in said
