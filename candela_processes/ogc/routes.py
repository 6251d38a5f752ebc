"""The route table: every address of the processes API, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Flask, Response, request

from candela_processes.ogc import discovery, execution, jobs, operations
from candela_processes.ogc.collections import KEPT, METHODS, Collections
from candela_processes.ogc.face import Face
from candela_processes.ogc.html import STYLE_SHEET

type View = Callable[..., Response]
"""Answers one request: `view(face, request, **path parameters)`; raises a ProcessesError otherwise."""


@dataclass(frozen=True)
class Route:
    """One address and method; GET includes HEAD, OPTIONS is everywhere."""

    rule: str
    view: View
    method: str = "GET"

    @property
    def endpoint(self) -> str:
        """The unique name within the application."""
        return f"{self.method} {self.rule}".replace(".", "_")


ROUTES: Final[tuple[Route, ...]] = (
    Route("/", discovery.landing),
    Route("/conformance", discovery.conformance),
    Route("/openapi", discovery.openapi),
    Route("/processes", discovery.processes),
    Route("/processes/<process_id>", discovery.process),
    Route("/processes/<process_id>/execution", execution.execute, "POST"),
    Route("/jobs", jobs.jobs),
    Route("/jobs/<job_id>", jobs.job),
    Route("/jobs/<job_id>", jobs.dismiss, "DELETE"),
    Route("/jobs/<job_id>/results", jobs.results),
    Route("/jobs/<job_id>/results/<output_id>", jobs.output),
    Route("/jobs/<job_id>/results/<output_id>/<number>", jobs.output),
    Route("/jobs/<job_id>/logs", jobs.log),
    Route("/livez", operations.livez),
    Route("/readyz", operations.readyz),
    Route("/metrics", operations.metrics),
    Route(f"/assets/{STYLE_SHEET}", operations.assets),
)


def install(app: Flask, face: Face) -> None:
    """Add all routes to the application."""
    for route in ROUTES:
        app.add_url_rule(route.rule, route.endpoint, _bound(route.view, face), methods=[route.method])


def mount(app: Flask, face: Face, collections: Collections) -> None:
    """Hand the addresses of the collections, with every method, to the mounted pygeoapi."""

    def answer(**path: str) -> Response:
        return collections.answer(request, face.addresses(request).root)

    for prefix in KEPT:
        for rule in (prefix, f"{prefix}/<path:rest>"):
            app.add_url_rule(rule, f"pygeoapi {rule}", answer, methods=METHODS, provide_automatic_options=False)


def _bound(view: View, face: Face) -> Callable[..., Response]:
    """Return the view as Flask calls it, with path parameters only."""

    def bound(**path: str) -> Response:
        return view(face, request, **path)

    return bound
