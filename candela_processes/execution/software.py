"""Which software made a result: versions of what is loaded, nothing is imported for it."""

from __future__ import annotations

import platform
import sys
from typing import Final

from candela_processes._version import __version__

LIBRARIES: Final = ("numpy", "rasterio", "numba", "scipy", "pyproj", "shapely", "skimage", "PIL", "pydantic")


def software(process_id: str, process_version: str) -> dict[str, str]:
    """Return names and versions: this package, the process, Python and every library that the run has loaded."""
    versions = {"candela_processes": __version__, "python": platform.python_version()}
    versions[f"process {process_id}"] = process_version
    for name in LIBRARIES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            versions[name] = str(version)
    gdal = getattr(sys.modules.get("rasterio"), "__gdal_version__", None)
    if gdal:
        versions["gdal"] = str(gdal)
    return versions
