"""Addresses of this server as the client sees it, and OGC links to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from flask import Request

from candela_processes.errors import InvalidRequest
from candela_processes.ogc.negotiation import HTML, JSON

RELATIONS: Final = "http://www.opengis.net/def/rel/ogc/1.0/"
RESULTS_REL: Final = f"{RELATIONS}results"
_HOST: Final = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")

type Link = dict[str, str]


@dataclass(frozen=True)
class Addresses:
    """Builds absolute URLs below the server's root, which has no trailing slash."""

    root: str

    def url(self, *parts: str, query: Mapping[str, str] | None = None) -> str:
        """Return the URL of a path of segments, each encoded, with an optional query."""
        path = "".join(f"/{quote(part, safe='')}" for part in parts) or "/"
        return f"{self.root}{path}" + (f"?{urlencode(query)}" if query else "")

    def link(self, rel: str, *parts: str, title: str = "", media_type: str = JSON) -> Link:
        """Return an OGC link object."""
        link = {"rel": rel, "href": self.url(*parts), "type": media_type}
        return link | ({"title": title} if title else {})

    def self_links(self, *parts: str, query: Mapping[str, str] | None = None) -> list[Link]:
        """Return `self` and `alternate` links of a resource that has a JSON form and a page."""
        kept = {name: value for name, value in (query or {}).items() if name != "f"}
        return [
            {"rel": rel, "href": self.url(*parts, query={**kept, "f": form}), "type": media_type}
            for rel, form, media_type in (("self", "json", JSON), ("alternate", "html", HTML))
        ]


def addresses(request: Request, public_url: str) -> Addresses:
    """Return the addresses below `public_url`, or else below the host that was asked.

    Raises InvalidRequest for a Host header that is not a host: it would be written into links.
    """
    if public_url:
        return Addresses(public_url)
    host = request.environ.get("HTTP_HOST") or request.environ.get("SERVER_NAME", "")
    if not _HOST.fullmatch(host):
        raise InvalidRequest("The Host header is not a host name with an optional port.")
    return Addresses(f"{request.scheme}://{host}{request.root_path.rstrip('/')}")
