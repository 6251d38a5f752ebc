"""POST /processes/{processID}/execution: at once, within a wait, or as a job, as the client prefers."""

from __future__ import annotations

import time

from flask import Request, Response

from candela_processes.errors import Unavailable
from candela_processes.jobs.record import Job, Mode
from candela_processes.ogc.body import read_json_object
from candela_processes.ogc.execute import parse_execute
from candela_processes.ogc.face import Face, json_response
from candela_processes.ogc.jobs import results_face
from candela_processes.ogc.prefer import Preferences, parse_preferences
from candela_processes.ogc.status import status_info
from candela_processes.service.submission import Submission


def execute(face: Face, request: Request, process_id: str) -> Response:
    """Run the process and answer with its results, or with 201 and the job when it is or became asynchronous."""
    began = time.monotonic()
    process = face.service.catalog.require(process_id)
    preferences = parse_preferences(request.headers.getlist("Prefer"))
    submission = parse_execute(
        process.id,
        read_json_object(request, face.settings.request_bytes),
        mode=Mode.ASYNC if preferences.asynchronous else Mode.SYNC,
        principal=face.identify(request),
        root=face.addresses(request).root,
    )
    if preferences.asynchronous and not preferences.wait:
        return _created(face, request, face.service.submit(submission), preferences)
    with face.waits.seat() as seated:
        if not seated and not preferences.asynchronous:
            raise Unavailable("Too many requests wait for results; try again, or use 'Prefer: respond-async'.")
        job = _submit_and_wait(face, submission, preferences, seated=seated)
    if not job.is_final:
        return _created(face, request, job, preferences)
    applied = preferences.applied(asynchronous=False, seconds=time.monotonic() - began)
    return _applied(_results(face, request, job), applied)


def _submit_and_wait(face: Face, submission: Submission, preferences: Preferences, *, seated: bool) -> Job:
    job = face.service.submit(submission)
    longest = face.settings.sync_wait_seconds
    seconds = longest if preferences.wait is None else min(preferences.wait, longest)
    return face.service.wait(submission.principal, job.id, seconds) if seated and not job.is_final else job


def _created(face: Face, request: Request, job: Job, preferences: Preferences) -> Response:
    to = face.addresses(request)
    response = json_response(status_info(job, to), status=201)
    response.headers["Location"] = to.url("jobs", job.id)
    return _applied(response, preferences.applied(asynchronous=True, seconds=0))


def _results(face: Face, request: Request, job: Job) -> Response:
    """Answer with the results; `Content-Location` names the job's results.

    No Link header: the conformance suite 1.3 cannot read a correct one (it takes the angle brackets for the URL), see
    docs/decisions/0010.
    """
    response = results_face(face, request, job).response()
    if response.status_code == 200:
        response.headers["Content-Location"] = face.addresses(request).url("jobs", job.id, "results")
    return response


def _applied(response: Response, applied: str) -> Response:
    response.headers["Cache-Control"] = "no-store"
    if applied:
        response.headers["Preference-Applied"] = applied
    return response
