"""A client of OGC API - Processes servers: what the command line and Python scripts need, with time-outs.

Works with any conforming server: it follows links and the standard's paths, and needs nothing of ours.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urljoin

import urllib3

from candela_processes.errors import InvalidParameter, RecordedError, Unavailable

FINAL: Final = frozenset({"successful", "failed", "dismissed"})
RESULTS_REL: Final = "http://www.opengis.net/def/rel/ogc/1.0/results"
_TIMEOUT: Final = urllib3.Timeout(connect=10, read=90)
_POLL_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Server:
    """A server by its root URL."""

    url: str
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(timeout=_TIMEOUT, retries=False))

    def __post_init__(self) -> None:
        """Refuse what is no http(s) URL."""
        if not self.url.startswith(("http://", "https://")):
            raise InvalidParameter("server", "must be an http or https URL")

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send one request; raises the server's exception as RecordedError, Unavailable when it is out of reach."""
        url = path if "://" in path else f"{self.url.rstrip('/')}{path}"
        sent = {"Accept": "application/json, */*;q=0.5"} | dict(headers or {})
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        try:
            answer = self.pool.request(method, url, body=data, headers=sent, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"The server does not answer ({type(error).__name__}).") from error
        if answer.status >= 400:
            raise _exception(answer)
        return answer

    def document(self, path: str) -> dict[str, Any]:
        """Return a JSON document of the server."""
        document: dict[str, Any] = self.request("GET", path).json()
        return document

    def submit(self, process_id: str, inputs: Mapping[str, Any]) -> RemoteJob:
        """Start a job asynchronously; outputs are asked for by reference where the process offers that."""
        path = f"/processes/{quote(process_id, safe='')}"
        body: dict[str, Any] = {"inputs": dict(inputs), "response": "document"}
        description = self.document(path)
        if "reference" in description.get("outputTransmission", []):
            body["outputs"] = {name: {"transmissionMode": "reference"} for name in description["outputs"]}
        answer = self.request("POST", f"{path}/execution", body, {"Prefer": "respond-async"})
        location = answer.headers.get("Location")
        if not location:
            raise Unavailable("The server ran the process at once and kept no job.")
        return RemoteJob(self, urljoin(f"{self.url}/", location))

    def job(self, job_id: str) -> RemoteJob:
        """Return the job of that id."""
        return RemoteJob(self, f"{self.url.rstrip('/')}/jobs/{quote(job_id, safe='')}")


@dataclass(frozen=True)
class RemoteJob:
    """A job on a server, by its URL."""

    server: Server
    url: str

    @property
    def id(self) -> str:
        """Return the job's id."""
        return self.url.rstrip("/").rpartition("/")[2]

    def status(self) -> dict[str, Any]:
        """Return the statusInfo document."""
        return self.server.document(self.url)

    def wait(self, on_progress: Callable[[float, str], None] | None = None) -> dict[str, Any]:
        """Return the statusInfo once the status is final; a server that is away for a moment is asked again."""
        while True:
            try:
                status = self.status()
            except Unavailable:
                status = {"status": "unknown", "message": "the server does not answer, asking again"}
            if on_progress is not None:
                on_progress(status.get("progress", 0), status.get("message", status["status"]))
            if status["status"] in FINAL:
                return status
            time.sleep(_POLL_SECONDS)

    def log(self) -> str:
        """Return the process log."""
        return self.server.request("GET", f"{self.url}/logs", headers={"Accept": "text/plain"}).data.decode("utf-8")

    def dismiss(self) -> dict[str, Any]:
        """Dismiss the job and return its statusInfo."""
        status: dict[str, Any] = self.server.request("DELETE", self.url).json()
        return status

    def results(self) -> dict[str, Any]:
        """Return the results document: values, qualified values or links by output id."""
        return self.server.document(f"{self.url}/results")

    def files(self) -> dict[str, list[str]]:
        """Return the URLs of the outputs that are given by reference, by output id."""
        found = {}
        for name, entry in self.results().items():
            links = [part["href"] for part in _parts(entry) if isinstance(part, dict) and "href" in part]
            if links:
                found[name] = links
        return found

    def download(self, folder: str | Path) -> list[Path]:
        """Store every output below `folder`: files under the server's names, values as `<output>[_<n>].<ext>`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        stored = []
        for name, entry in self.results().items():
            parts = _parts(entry)
            for number, part in enumerate(parts, 1):
                label = name if len(parts) == 1 else f"{name}_{number}"
                linked = isinstance(part, dict) and "href" in part
                stored.append(self._store(part["href"], target) if linked else _store_value(part, target, label))
        return stored

    def _store(self, href: str, folder: Path) -> Path:
        answer = self.server.request("GET", href)
        disposition = answer.headers.get("Content-Disposition", "")
        name = Path(disposition.partition("filename=")[2].strip('"') or href.rpartition("/")[2]).name
        temporary = folder / f".{name}.part"
        with temporary.open("wb") as sink:
            for chunk in answer.stream(1024 * 1024):
                sink.write(chunk)
        return temporary.replace(folder / name)


def _parts(entry: Any) -> list[Any]:
    """Return the files of an array output, or the one entry."""
    files = isinstance(entry, list) and all(
        isinstance(part, dict) and {"href", "value"} & part.keys() for part in entry
    )
    return entry if files else [entry]


def _store_value(entry: Any, folder: Path, label: str) -> Path:
    """Write a value that came inside the document: base64 as bytes, anything else as JSON."""
    qualified = isinstance(entry, dict) and "value" in entry and "mediaType" in entry
    if qualified and entry.get("encoding") == "base64":
        media_type = str(entry["mediaType"]).partition(";")[0]
        path = folder / f"{label}{mimetypes.guess_extension(media_type) or '.bin'}"
        path.write_bytes(base64.b64decode(entry["value"]))
        return path
    path = folder / f"{label}.json"
    path.write_text(json.dumps(entry["value"] if qualified else entry, ensure_ascii=False), encoding="utf-8")
    return path


def submit(server: str, process_id: str, **inputs: Any) -> RemoteJob:
    """Start a job on a server; returns at once."""
    return Server(server).submit(process_id, inputs)


def _exception(answer: urllib3.BaseHTTPResponse) -> RecordedError:
    try:
        document = json.loads(answer.data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {"title": "HTTP error", "status": answer.status, "detail": f"The server answered {answer.status}."}
    return RecordedError(document)
