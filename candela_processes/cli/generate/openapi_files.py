"""`openapi/`: the API of a server with the built-in processes, and the description of each process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from candela_processes.catalog import Catalog
from candela_processes.ogc.describe import describe
from candela_processes.ogc.openapi import build_openapi
from candela_processes.settings import Settings

FOLDER: Final = Path("openapi")
_MARK: Final = {"x-generated-by": "candela generate; do not edit"}


def openapi_files(catalog: Catalog) -> dict[Path, str]:
    """Return the text of every file of the folder by path below the root of the repository."""
    title = str(Settings.model_fields["title"].default)
    return {
        FOLDER / "openapi.json": _text(build_openapi(catalog, title, root="")),
        **{FOLDER / "processes" / f"{process.id}.json": _text(describe(process)) for process in catalog},
    }


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps({**_MARK, **document}, indent=2, ensure_ascii=False) + "\n"
