"""What the page of a job shows beside its status: inputs as submitted, log, result files, quick-looks."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Final

from candela_processes.errors import ProcessesError
from candela_processes.identity import Principal
from candela_processes.jobs.directory import OutputFile
from candela_processes.jobs.record import Job, Status
from candela_processes.ogc.masking import masked, masked_text
from candela_processes.process import Process
from candela_processes.service.results import Results
from candela_processes.service.service import Service

LOG = logging.getLogger("candela.http")

RENEW_SECONDS: Final = 2
LOG_LINES: Final = 200
LARGEST_IMAGE: Final = 20 * 1024 * 1024
LONGEST_VALUE: Final = 2000
_IMAGES: Final = ("image/png", "image/jpeg")


@dataclass(frozen=True, kw_only=True)
class ShownFile:
    """One result file with the path segments of its address below the job."""

    title: str
    file: OutputFile
    segments: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's public name."""
        return self.file.path.rpartition("/")[2]

    @property
    def is_image(self) -> bool:
        """Whether a browser can show it on the page."""
        return self.file.media_type in _IMAGES and self.file.size <= LARGEST_IMAGE


def job_context(service: Service, principal: Principal, job: Job) -> dict[str, Any]:
    """Return the variables of the templates `job.html` and `results.html`."""
    results = _results(service, principal, job)
    lines = service.log(principal, job.id).splitlines() if job.status is not Status.DISMISSED else []
    return {
        "process": service.catalog.get(job.process_id),
        "inputs": _input_rows(service, principal, job),
        "log_lines": [masked_text(line) for line in lines[-LOG_LINES:]],
        "log_is_cut": len(lines) > LOG_LINES,
        "files": shown_files(results) if results else (),
        "seconds": _seconds(service, job),
        "renew": RENEW_SECONDS if not job.is_final else 0,
    }


def _results(service: Service, principal: Principal, job: Job) -> Results | None:
    """Return the results; None where there are none, or none any more: the page still shows the rest."""
    if job.status is not Status.SUCCESSFUL:
        return None
    try:
        return service.results(principal, job.id)
    except ProcessesError as error:
        LOG.warning("the results are not shown: %s", error.detail, extra=job.log_context())
        return None


def _seconds(service: Service, job: Job) -> float | None:
    if job.started is None:
        return None
    return ((job.finished or service.clock()) - job.started).total_seconds()


def _input_rows(service: Service, principal: Principal, job: Job) -> list[tuple[str, str]]:
    """Return titles and values of the inputs as submitted, secrets masked."""
    values = service.inputs(principal, job.id)
    process = service.catalog.get(job.process_id)
    return [(_title(process, name), _value_text(masked(value))) for name, value in values.items()]


def _title(process: Process | None, name: str) -> str:
    field = process.inputs.model_fields.get(name) if process else None
    return (field.title if field else None) or name


def _value_text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(member, str) or _is_plain_link(member) for member in value):
        text = "\n".join(member if isinstance(member, str) else member["href"] for member in value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …"


def _is_plain_link(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"href"}


def shown_files(results: Results) -> tuple[ShownFile, ...]:
    """Return the result files in the order of the declaration, images first within the page's own layout."""
    return tuple(
        ShownFile(
            title=results.declared(name).title + (f" {file.n}" if file.n else ""),
            file=file,
            segments=("jobs", results.job.id, "results", name, *((str(file.n),) if file.n else ())),
        )
        for name, files in results.files.items()
        for file in files
    )
