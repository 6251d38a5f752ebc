"""Views for operators and machines: /livez, /readyz, /metrics, and the style sheet."""

from __future__ import annotations

from flask import Request, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from candela_processes.ogc.face import Face
from candela_processes.ogc.gauges import Gauges
from candela_processes.ogc.html import style_sheet


def livez(face: Face, request: Request) -> Response:
    """GET /livez: this process answers; depends on nothing."""
    return _plain("ok\n")


def readyz(face: Face, request: Request) -> Response:
    """GET /readyz: the store is reachable and migrated; raises Unavailable (503)."""
    face.service.store.ping()
    return _plain("ready\n")


def metrics(face: Face, request: Request) -> Response:
    """GET /metrics: counters of this process and the state of store and workspace, as Prometheus text."""
    own = generate_latest(face.service.metrics.registry)
    shared = generate_latest(Gauges(face.service))
    response = Response(own + shared, content_type=CONTENT_TYPE_LATEST)
    response.headers["Cache-Control"] = "no-store"
    return response


def assets(face: Face, request: Request) -> Response:
    """GET /assets/candela.css: the style sheet of all pages."""
    response = Response(style_sheet(), content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _plain(text: str) -> Response:
    return Response(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
