"""What every answer carries: CORS and security headers; and what is noted of it: a log line and a counter."""

from __future__ import annotations

import logging
import time
from typing import Final

from flask import Flask, Request, Response, g, request

from candela_processes.ogc.html import PAGE_POLICY
from candela_processes.telemetry.metrics import Metrics

LOG = logging.getLogger("candela.http")

EXPOSED: Final = (
    *("Location", "Link", "Preference-Applied", "WWW-Authenticate", "ETag", "Content-Location"),
    *("Content-Disposition", "Accept-Ranges", "Content-Range", "Retry-After"),
)
ALLOWED: Final = ("Prefer", "Content-Type", "Authorization", "Accept", "Range", "If-Match", "If-None-Match", "If-Range")
METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
PREFLIGHT_SECONDS: Final = 86_400
_QUIET: Final = frozenset({"/livez", "/readyz", "/metrics"})


def install(app: Flask, metrics: Metrics) -> None:
    """Add headers to, and note, every answer of the application."""

    @app.before_request
    def start() -> None:
        g.started = time.monotonic()

    @app.after_request
    def finish(response: Response) -> Response:
        add_headers(request, response)
        note(request, response, metrics)
        return response


def add_headers(request: Request, response: Response) -> None:
    """Add CORS and security headers."""
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        headers["Access-Control-Allow-Methods"] = headers.get("Allow", "GET, HEAD, OPTIONS")
        headers["Access-Control-Allow-Headers"] = ", ".join(ALLOWED)
        headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "same-origin")


def note(request: Request, response: Response, metrics: Metrics) -> None:
    """Count and log an answer; the rule stands for the address, so that no query and no id becomes a label."""
    route = request.url_rule.rule if request.url_rule else "unmatched"
    method = request.method if request.method in METHODS else "other"
    metrics.requests.labels(method, route, str(response.status_code)).inc()
    level = logging.DEBUG if route in _QUIET else logging.INFO
    fields: dict[str, object] = {"status": response.status_code, "duration": round(time.monotonic() - g.started, 4)}
    path = request.view_args or {}
    fields |= {
        name: _printable(path[key]) for name, key in (("job", "job_id"), ("process_id", "process_id")) if key in path
    }
    LOG.log(level, "%s %s", method, route, extra=fields)


def _printable(text: str) -> str:
    """Return a piece of an address as one word, so that it cannot forge a line of the log."""
    return "".join(letter if letter.isprintable() and not letter.isspace() else "?" for letter in text[:80])
