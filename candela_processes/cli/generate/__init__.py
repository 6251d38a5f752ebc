"""The files of the repository that are derived from the code: pure functions from declarations to text.

Each of these files says in its first lines that it is generated and by which command, and `candela generate --check`
fails while one of them is stale.
"""

from __future__ import annotations

from pathlib import Path

from candela_processes.catalog import Catalog
from candela_processes.cli.generate.openapi_files import openapi_files
from candela_processes.cli.generate.process_pages import process_pages
from candela_processes.cli.generate.settings_example import settings_example


def generated_files(catalog: Catalog) -> dict[Path, str]:
    """Return the text of every generated file by its path below the root of the repository."""
    return {
        Path("config/candela.env.example"): settings_example(),
        **process_pages(catalog),
        **openapi_files(catalog),
    }
