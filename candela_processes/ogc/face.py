"""What every view is given: settings, service, pages, seats for those who wait, and who asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Request, Response

from candela_processes.identity import ANONYMOUS, Principal
from candela_processes.ogc.html import Pages
from candela_processes.ogc.links import Addresses, addresses
from candela_processes.ogc.negotiation import JSON, negotiate
from candela_processes.ogc.waiting import WaitingRoom
from candela_processes.service.service import Service
from candela_processes.settings import Settings


def anonymous(request: Request) -> Principal:
    """Return the principal of a server without identities."""
    return ANONYMOUS


@dataclass(frozen=True, kw_only=True)
class Face:
    """The parts of the HTTP face; one per application."""

    settings: Settings
    service: Service
    waits: WaitingRoom
    pages: Pages
    identify: Callable[[Request], Principal] = anonymous

    def addresses(self, request: Request) -> Addresses:
        """Return the addresses as this client sees them."""
        return addresses(request, self.settings.public_url)

    def answer(
        self, request: Request, document: Mapping[str, Any], page: str, *, json_type: str = JSON, **context: Any
    ) -> Response:
        """Return a document as JSON or as the page of that name, whichever the client wants."""
        if negotiate(request, json_type=json_type) == "html":
            return self.page(request, page, document=document, **context)
        return json_response(document, media_type=json_type)

    def page(self, request: Request, page: str, status: int = 200, **context: Any) -> Response:
        """Return a page."""
        to = self.addresses(request)
        text = self.pages.render(page, to=to, server_title=self.settings.title, path=request.path, **context)
        return Response(text, status=status, content_type="text/html; charset=utf-8", headers={"Vary": "Accept"})


def json_response(document: Mapping[str, Any], status: int = 200, media_type: str = JSON) -> Response:
    """Return a JSON document."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    return Response(text, status=status, content_type=media_type, headers={"Vary": "Accept"})
