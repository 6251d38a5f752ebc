"""Which representation a client wants: `f=json|html` first, then the Accept header; JSON when it takes anything."""

from __future__ import annotations

from typing import Final, Literal

from flask import Request

from candela_processes.errors import InvalidParameter, NotAcceptable

Form = Literal["json", "html"]

JSON: Final = "application/json"
HTML: Final = "text/html"
PROBLEM: Final = "application/problem+json"
OPENAPI: Final = "application/vnd.oai.openapi+json;version=3.0"

MEDIA_TYPES: Final[dict[Form, str]] = {"json": JSON, "html": HTML}


def negotiate(request: Request, *, json_type: str = JSON) -> Form:
    """Return the form to answer in; raises InvalidParameter for an unknown `f`, NotAcceptable when nothing fits.

    `json_type` is an additional media type under which the JSON form is offered.
    """
    asked = request.args.get("f")
    if asked is not None:
        if asked not in MEDIA_TYPES:
            raise InvalidParameter("f", "allowed are json and html")
        return "html" if asked == "html" else "json"
    if not request.accept_mimetypes:
        return "json"
    best = request.accept_mimetypes.best_match((JSON, json_type, json_type.partition(";")[0], HTML))
    if best is None:
        raise NotAcceptable(f"This resource is offered as {JSON} and {HTML}.")
    return "html" if best == HTML else "json"


def prefers_html(request: Request) -> bool:
    """Return whether an answer that never fails to negotiate, such as an error, should be a page."""
    if "f" in request.args:
        return request.args["f"] == "html"
    return request.accept_mimetypes.best_match((JSON, PROBLEM, HTML)) == HTML


def exception_type(request: Request) -> str:
    """Return the media type of a JSON exception: `application/problem+json` only for those who ask for it by name."""
    accepted = request.accept_mimetypes
    named = any(value == PROBLEM for value, _ in accepted)
    return PROBLEM if named and accepted.best_match((PROBLEM, JSON)) == PROBLEM else JSON
