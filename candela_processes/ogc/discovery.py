"""Views of what the server is: landing page, conformance, OpenAPI, processes."""

from __future__ import annotations

import json
import shlex
from typing import Final

from flask import Request, Response

from candela_processes.ogc.describe import describe, summarize
from candela_processes.ogc.face import Face
from candela_processes.ogc.job_filters import limit
from candela_processes.ogc.links import RELATIONS, Addresses, Link
from candela_processes.ogc.negotiation import HTML, OPENAPI
from candela_processes.ogc.openapi import build_openapi
from candela_processes.ogc.wording import input_rows, output_rows

MOST_PROCESSES: Final = 1000

CONFORMANCE: Final = tuple(
    f"http://www.opengis.net/spec/{part}"
    for part in (
        "ogcapi-processes-1/1.0/conf/core",
        "ogcapi-processes-1/1.0/conf/ogc-process-description",
        "ogcapi-processes-1/1.0/conf/json",
        "ogcapi-processes-1/1.0/conf/html",
        "ogcapi-processes-1/1.0/conf/oas30",
        "ogcapi-processes-1/1.0/conf/job-list",
        "ogcapi-processes-1/1.0/conf/dismiss",
    )
)
"""The classes that are implemented; callback is not."""


def landing(face: Face, request: Request) -> Response:
    """GET /: links to everything."""
    to = face.addresses(request)
    links = [
        *to.self_links(),
        to.link("service-desc", "openapi", title="This API in OpenAPI 3.0", media_type=OPENAPI),
        {
            "rel": "service-doc",
            "href": to.url("openapi", query={"f": "html"}),
            "type": HTML,
            "title": "This API for people",
        },
        to.link("conformance", "conformance", title="Conformance classes"),
        to.link(f"{RELATIONS}conformance", "conformance", title="Conformance classes"),
        to.link(f"{RELATIONS}processes", "processes", title="Processes"),
        to.link("processes", "processes", title="Processes"),
        to.link(f"{RELATIONS}job-list", "jobs", title="Jobs"),
        to.link("data", "collections", title="Collections"),
    ]
    document = {"title": face.settings.title, "description": "OGC API - Processes 1.0.", "links": links}
    return face.answer(request, document, "landing.html", processes=face.service.catalog.processes)


def conformance(face: Face, request: Request) -> Response:
    """GET /conformance."""
    return face.answer(request, {"conformsTo": list(CONFORMANCE)}, "conformance.html")


def openapi(face: Face, request: Request) -> Response:
    """GET /openapi: the description of this API, made from the catalog."""
    document = build_openapi(face.service.catalog, face.settings.title, face.addresses(request).root)
    return face.answer(request, document, "openapi.html", json_type=OPENAPI)


def processes(face: Face, request: Request) -> Response:
    """GET /processes: all of them, or `limit` at a time."""
    every = face.service.catalog.processes
    size = limit(request.args.get("limit", ""), MOST_PROCESSES, MOST_PROCESSES)
    names = [process.id for process in every]
    after = request.args.get("after", "")
    begin = names.index(after) + 1 if after in names else 0
    shown = every[begin : begin + size]
    to = face.addresses(request)
    links = to.self_links("processes", query=request.args.to_dict())
    if begin + size < len(every):
        query = {"limit": str(size), "after": shown[-1].id}
        links.append({"rel": "next", "href": to.url("processes", query=query), "type": "application/json"})
    document = {"processes": [summarize(process, _process_links(to, process.id)) for process in shown], "links": links}
    return face.answer(request, document, "processes.html")


def process(face: Face, request: Request, process_id: str) -> Response:
    """GET /processes/{processID}: the description."""
    found = face.service.catalog.require(process_id)
    to = face.addresses(request)
    document = describe(found, _process_links(to, found.id))
    example = json.dumps({"inputs": dict(found.example)}, ensure_ascii=False, indent=2)
    return face.answer(
        request,
        document,
        "process.html",
        process=found,
        input_rows=input_rows(found),
        output_rows=output_rows(found),
        quoted_example=shlex.quote(example),
    )


def _process_links(to: Addresses, process_id: str) -> list[Link]:
    here = ("processes", process_id)
    return [
        *to.self_links(*here),
        to.link(f"{RELATIONS}execute", *here, "execution", title="Execute"),
        to.link("up", "processes", title="All processes"),
        {
            "rel": f"{RELATIONS}job-list",
            "href": to.url("jobs", query={"processID": process_id}),
            "type": "application/json",
            "title": "Jobs of this process",
        },
    ]
