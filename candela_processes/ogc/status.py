"""The statusInfo document of a job (18-062r2 clause 7.12) and the list of jobs (clause 11); pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from candela_processes.jobs.record import Job, Status
from candela_processes.ogc.links import RESULTS_REL, Addresses, Link
from candela_processes.ogc.negotiation import HTML

type Document = dict[str, Any]


def status_info(job: Job, to: Addresses) -> Document:
    """Return the statusInfo; what is not known is absent, never null."""
    document: Document = {
        "jobID": job.id,
        "processID": job.process_id,
        "type": "process",
        "status": str(job.status),
        "message": job.message,
        "progress": job.progress,
        "created": moment(job.created),
        "updated": moment(job.updated),
    }
    if job.started is not None:
        document["started"] = moment(job.started)
    if job.finished is not None:
        document["finished"] = moment(job.finished)
    return document | {"links": _links(job, to)}


def moment(value: datetime) -> str:
    """Return an RFC 3339 time with offset and milliseconds."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _links(job: Job, to: Addresses) -> list[Link]:
    here = ("jobs", job.id)
    links = [
        to.link("self", *here, title="This job"),
        {"rel": "alternate", "href": to.url(*here, query={"f": "html"}), "type": HTML, "title": "Page of this job"},
        to.link("up", "jobs", title="All jobs"),
        to.link("process", "processes", job.process_id, title="The process"),
    ]
    if job.status is Status.SUCCESSFUL:
        links.append(to.link(RESULTS_REL, *here, "results", title="Results"))
    elif not job.is_final:
        links.append(to.link("monitor", *here, title="Status of this job"))
    if job.status is not Status.DISMISSED:
        links.append(to.link("log", *here, "logs", title="Log", media_type="text/plain"))
    return links


def job_list(jobs: Sequence[Job], links: Sequence[Link], to: Addresses) -> Document:
    """Return the list of jobs."""
    return {"jobs": [status_info(job, to) for job in jobs], "links": list(links)}
