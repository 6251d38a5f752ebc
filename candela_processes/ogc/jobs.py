"""Views of jobs: list, status, dismiss, results, one output, log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from flask import Request, Response

from candela_processes.errors import NoSuchResult
from candela_processes.jobs.record import Job
from candela_processes.ogc.face import Face, json_response
from candela_processes.ogc.job_filters import job_query
from candela_processes.ogc.job_page import job_context
from candela_processes.ogc.links import Addresses, Link
from candela_processes.ogc.negotiation import JSON, prefers_html
from candela_processes.ogc.results import ResultsFace
from candela_processes.ogc.status import job_list, status_info

_LONGEST_NUMBER: Final = 9


def jobs(face: Face, request: Request) -> Response:
    """GET /jobs: one page of the caller's jobs, newest first."""
    arguments = dict(request.args.lists())
    page = face.service.jobs(face.identify(request), job_query(arguments, face.service.catalog))
    to = face.addresses(request)
    links = to.self_links("jobs", query={name: ",".join(values) for name, values in arguments.items()})
    if page.next:
        links.append(_next_page(to, arguments, page.next))
    return _fresh(face.answer(request, job_list(page.jobs, links, to), "jobs.html", jobs=page.jobs))


def _next_page(to: Addresses, arguments: Mapping[str, list[str]], cursor: str) -> Link:
    query = urlencode({**arguments, "cursor": [cursor]}, doseq=True)
    return {"rel": "next", "href": f"{to.url('jobs')}?{query}", "type": JSON, "title": "Next page"}


def job(face: Face, request: Request, job_id: str) -> Response:
    """GET /jobs/{jobID}: statusInfo, or the page of the job."""
    found = face.service.job(face.identify(request), job_id)
    document = status_info(found, face.addresses(request))
    context: dict[str, Any] = {}
    if prefers_html(request):
        context = job_context(face.service, face.identify(request), found)
    return _fresh(face.answer(request, document, "job.html", job=found, **context))


def dismiss(face: Face, request: Request, job_id: str) -> Response:
    """DELETE /jobs/{jobID}: dismiss; repeated, the answer is the same."""
    dismissed = face.service.dismiss(face.identify(request), job_id)
    return _fresh(json_response(status_info(dismissed, face.addresses(request))))


def results(face: Face, request: Request, job_id: str) -> Response:
    """GET /jobs/{jobID}/results in the form that was asked for at submission; people get a page."""
    found = results_face(face, request, face.service.job(face.identify(request), job_id))
    if prefers_html(request):
        context = job_context(face.service, face.identify(request), found.results.job)
        return face.page(request, "results.html", job=found.results.job, **context)
    response = found.response()
    response.vary.add("Accept")
    return response


def output(face: Face, request: Request, job_id: str, output_id: str, number: str | None = None) -> Response:
    """GET /jobs/{jobID}/results/{outputID}[/{n}]: the bytes of one output."""
    found = results_face(face, request, face.service.job(face.identify(request), job_id))
    return found.output(output_id, None if number is None else _number(output_id, number))


def _number(output_id: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise NoSuchResult(f"{output_id[:80]}/{text[:80]!r}: the files of an output have whole numbers, from 1.")
    return int(text)


def log(face: Face, request: Request, job_id: str) -> Response:
    """GET /jobs/{jobID}/logs: what the process said, as plain text."""
    text = face.service.log(face.identify(request), job_id)
    return _fresh(Response(text, content_type="text/plain; charset=utf-8"))


def results_face(face: Face, request: Request, found: Job) -> ResultsFace:
    """Return the writer of a job's results; raises ResultNotReady, ResultGone, or the job's own error."""
    return ResultsFace(
        request=request,
        results=face.service.results(face.identify(request), found.id),
        to=face.addresses(request),
        value_bytes=face.settings.value_bytes,
    )


def _fresh(response: Response) -> Response:
    """Keep caches away from what changes at any moment."""
    response.headers["Cache-Control"] = "no-store"
    return response
