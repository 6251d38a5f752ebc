"""Compiled kernels are kept apart by all sources of the analytics, not by the file of the kernel alone."""

import shutil
from pathlib import Path

import pytest

from candela_processes.worker import child


def test_the_name_of_the_kernels_changes_with_any_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(child.__file__).parents[1]
    shutil.copytree(package / "analytics", tmp_path / "analytics", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(child, "__file__", str(tmp_path / "worker" / "child.py"))
    before = child._kernels()
    assert child._kernels() == before
    with (tmp_path / "analytics" / "chi_squared.py").open("a") as source:
        source.write("# one more line\n")
    assert child._kernels() != before
