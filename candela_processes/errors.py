"""The one tree of errors; an error is data: an OGC exception type, a status and a sentence for the client.

ProcessesError
├── InvalidRequest (400)              the request itself cannot be understood
│   ├── InvalidInput (400)            one named input is wrong; also raised by analytics on bad pixels
│   └── InvalidParameter (400)        a query parameter or header is wrong
├── NotFound (404)
│   ├── NoSuchProcess
│   ├── NoSuchJob
│   ├── NoSuchResult                  the job has no output of that name or number
│   └── ResultNotReady
├── MethodNotAllowed (405)
├── NotAcceptable (406)
├── ResultGone (410)                  dismissed or expired
├── PayloadTooLarge (413)
├── UnsupportedMediaType (415)
├── JobFailed (status of its cause)   what /results of a failed job answers
│   ├── ProcessFailed (500)           the analytic itself failed
│   ├── LimitExceeded (500)           time, memory or scratch
│   └── Interrupted (500)             the system lost the job more often than it may be retried
├── InternalError (500)
├── Unavailable (503)                 store out of reach, too many synchronous waits
├── InsufficientStorage (507)         free space below the configured floor
└── SettingsError                     the start is refused; never reaches a client

Every message may be shown to a client: it names the input, what was wrong and what is allowed, and never a path
of the server, a secret or the text of a foreign exception. Sources: OGC 18-062r2 clause 7 and 8, RFC 7807.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

OGC_EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
CANDELA_EXCEPTIONS = "urn:candela:exceptions:"


class ProcessesError(Exception):
    """Base of the tree; subclasses fix type URI, status and title, an instance adds the detail."""

    type: ClassVar[str] = f"{CANDELA_EXCEPTIONS}internal-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str) -> None:
        """Keep the sentence that a client may read."""
        super().__init__(detail)
        self.detail = detail

    def as_data(self) -> dict[str, Any]:
        """Return the OGC exception document: type, title, status, detail."""
        return {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail}


class InvalidRequest(ProcessesError):
    """The request cannot be understood."""

    type = f"{CANDELA_EXCEPTIONS}invalid-request"
    status = 400
    title = "Invalid request"


class InvalidInput(InvalidRequest):
    """An input is missing, unknown, of the wrong kind, out of range, or holds pixels that cannot be used."""

    type = f"{CANDELA_EXCEPTIONS}invalid-input"
    title = "Invalid input"

    def __init__(self, name: str, problem: str) -> None:
        """Name the input (`images/1`, a JSON-pointer-like path) and say what is wrong and what is allowed."""
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


class InvalidParameter(InvalidRequest):
    """A query parameter or header has a value that is not allowed."""

    type = f"{CANDELA_EXCEPTIONS}invalid-parameter"
    title = "Invalid parameter"

    def __init__(self, name: str, problem: str) -> None:
        """Name the parameter and say what is allowed."""
        super().__init__(f"{name}: {problem}")
        self.name = name


class NotFound(ProcessesError):
    """No such resource."""

    type = f"{CANDELA_EXCEPTIONS}not-found"
    status = 404
    title = "Not found"


class NoSuchProcess(NotFound):
    """The process id is not in the catalog."""

    type = f"{OGC_EXCEPTIONS}no-such-process"
    title = "No such process"


class NoSuchJob(NotFound):
    """The job does not exist, has expired, or belongs to somebody else."""

    type = f"{OGC_EXCEPTIONS}no-such-job"
    title = "No such job"


class NoSuchResult(NotFound):
    """The job has no output of that name or number."""

    type = f"{CANDELA_EXCEPTIONS}no-such-result"
    title = "No such result"


class ResultNotReady(NotFound):
    """The job has not finished."""

    type = f"{OGC_EXCEPTIONS}result-not-ready"
    title = "Result not ready"


class MethodNotAllowed(ProcessesError):
    """The resource exists but not with this method."""

    type = f"{CANDELA_EXCEPTIONS}method-not-allowed"
    status = 405
    title = "Method not allowed"


class NotAcceptable(ProcessesError):
    """No representation fits the Accept header or the f parameter."""

    type = f"{CANDELA_EXCEPTIONS}not-acceptable"
    status = 406
    title = "Not acceptable"


class ResultGone(ProcessesError):
    """The results were removed: the job was dismissed or its files expired."""

    type = f"{CANDELA_EXCEPTIONS}result-gone"
    status = 410
    title = "Result gone"


class PayloadTooLarge(ProcessesError):
    """The request body is larger than allowed."""

    type = f"{CANDELA_EXCEPTIONS}payload-too-large"
    status = 413
    title = "Payload too large"


class UnsupportedMediaType(ProcessesError):
    """The request body has a media type that is not accepted."""

    type = f"{CANDELA_EXCEPTIONS}unsupported-media-type"
    status = 415
    title = "Unsupported media type"


class JobFailed(ProcessesError):
    """A job ended without results; subclasses say why."""

    type = f"{CANDELA_EXCEPTIONS}job-failed"
    title = "Job failed"


class ProcessFailed(JobFailed):
    """The analytic raised an error that is not the caller's fault."""

    type = f"{CANDELA_EXCEPTIONS}process-failed"
    title = "Process failed"


class LimitExceeded(JobFailed):
    """The job used more time, memory or scratch space than it may."""

    type = f"{CANDELA_EXCEPTIONS}limit-exceeded"
    title = "Limit exceeded"


class Interrupted(JobFailed):
    """The system lost the job and may not retry it any more."""

    type = f"{CANDELA_EXCEPTIONS}interrupted"
    title = "Interrupted"


class InternalError(ProcessesError):
    """A defect of the server; the log has the rest."""


class Unavailable(ProcessesError):
    """A part of the server cannot answer now; the client may try again."""

    type = f"{CANDELA_EXCEPTIONS}unavailable"
    status = 503
    title = "Service unavailable"


class InsufficientStorage(ProcessesError):
    """The free space of the workspace is below its floor."""

    type = f"{CANDELA_EXCEPTIONS}insufficient-storage"
    status = 507
    title = "Insufficient storage"


class SettingsError(ProcessesError):
    """A setting is wrong; the start is refused with this sentence."""

    type = f"{CANDELA_EXCEPTIONS}settings"
    title = "Wrong setting"


class RecordedError(ProcessesError):
    """An error read back from a job record or `result.json`; it answers exactly as it was stored."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take over a document made by `as_data`."""
        super().__init__(str(document.get("detail", "")))
        self._document = dict(document)

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> Self:
        """Return the stored error, or a plain `JobFailed` where none was stored."""
        return cls(document or JobFailed("The job failed; no cause was recorded.").as_data())

    def as_data(self) -> dict[str, Any]:
        """Return the stored document."""
        return dict(self._document)
