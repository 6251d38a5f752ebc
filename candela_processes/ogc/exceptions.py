"""Every error of the application leaves here: as an OGC exception (RFC 7807 members), or as a page for people."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from candela_processes.errors import (
    CANDELA_EXCEPTIONS,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    ProcessesError,
    Unavailable,
)
from candela_processes.ogc.face import Face, json_response
from candela_processes.ogc.negotiation import exception_type, prefers_html

LOG = logging.getLogger("candela.http")

RETRY_SECONDS: Final = 5
_KEPT: Final = ("Allow", "Content-Range", "Retry-After")


def install(app: Flask, face: Face) -> None:
    """Answer all errors of the application, foreign and unforeseen ones included."""

    def known(error: ProcessesError) -> Response:
        return render(face, error.as_data())

    def http(error: HTTPException) -> Response:
        response = render(face, http_document(error))
        for name, value in error.get_headers():
            if name in _KEPT:
                response.headers[name] = value
        return response

    def unforeseen(error: Exception) -> Response:
        LOG.error("unforeseen error in %s", request.url_rule or "no route", exc_info=error)
        return render(face, InternalError("The server failed; the operator finds the cause in the log.").as_data())

    app.register_error_handler(ProcessesError, known)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, unforeseen)


def http_document(error: HTTPException) -> dict[str, Any]:
    """Return the exception document of an error that the web framework raised."""
    code = error.code or 500
    ours: dict[int, ProcessesError] = {
        400: InvalidRequest("The request cannot be understood."),
        404: NotFound("There is nothing at this address; the landing page lists what there is."),
        405: MethodNotAllowed(f"Allowed here are {', '.join(sorted(getattr(error, 'valid_methods', None) or ()))}."),
        413: PayloadTooLarge("The body is too large."),
        500: InternalError("The server failed; the operator finds the cause in the log."),
    }
    if code in ours:
        return ours[code].as_data()
    phrase = HTTPStatus(code).phrase
    name = phrase.lower().replace(" ", "-")
    return {"type": f"{CANDELA_EXCEPTIONS}{name}", "title": phrase, "status": code, "detail": f"{phrase}."}


def status_of(document: dict[str, Any]) -> int:
    """Return the HTTP status of an exception document; 500 for one that holds no error status."""
    status = document.get("status")
    return status if isinstance(status, int) and 400 <= status <= 599 else 500


def render(face: Face, document: dict[str, Any]) -> Response:
    """Return the exception in the form that this client reads."""
    status = status_of(document)
    if prefers_html(request):
        try:
            response = face.page(request, "exception.html", status=status, document=document)
        except InvalidRequest:  # the Host header is unusable: a page needs links, JSON does not
            response = json_response(document, status)
    else:
        response = json_response(document, status, exception_type(request))
    response.headers["Cache-Control"] = "no-store"
    if status == Unavailable.status:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response
