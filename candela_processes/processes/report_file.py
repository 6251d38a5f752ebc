"""Writing a report, and the versions of the software that it names."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from candela_processes._version import __version__

LIBRARIES: Final = ("numba", "numpy", "pyproj", "rasterio")


def software() -> dict[str, str]:
    """Return the versions of this package and of the libraries that compute."""
    return {"candela_processes": __version__} | {name: version(name) for name in LIBRARIES}


def write_report(report: BaseModel, path: Path) -> Path:
    """Write a report as JSON (UTF-8, no NaN) without its absent members; return the path."""
    document = report.model_dump(mode="json", exclude_none=True)
    path.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n", encoding="utf-8")
    return path
