"""Pages: Jinja2 with everything escaped, one style sheet, no scripts, nothing from other hosts."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from candela_processes.ogc.links import RESULTS_REL
from candela_processes.ogc.wording import bytes_text, duration_text, time_text

STYLE_SHEET: Final = "candela.css"
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy of pages and of everything else that is not a file of a job."""


class Pages:
    """The templates of the package."""

    def __init__(self) -> None:
        """Prepare the environment; templates are read when they are first used."""
        self._environment = Environment(
            loader=PackageLoader("candela_processes.ogc", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"bytes": bytes_text, "time": time_text, "duration": duration_text}
        self._environment.globals |= {"results_rel": RESULTS_REL}

    def render(self, page: str, **context: Any) -> str:
        """Return a page as text."""
        return self._environment.get_template(page).render(context)


def style_sheet() -> bytes:
    """Return the style sheet of all pages."""
    return (files("candela_processes.ogc") / "templates" / STYLE_SHEET).read_bytes()
