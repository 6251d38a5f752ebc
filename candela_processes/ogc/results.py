"""The results of a job in the form that was asked for at submission (18-062r2 clause 7.13).

document   a map by output id: values as they are (objects qualified), files as base64, or as links where that was asked
           for or the output is too large for a document; `value` is the default, as in the schemas of version 1.0
raw        one output as its bytes, several as multipart/related, all by reference: 204 with Link headers
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Request, Response

from candela_processes.execution.verify import open_output
from candela_processes.jobs.directory import OutputFile
from candela_processes.ogc.files import file_response, public_name
from candela_processes.ogc.links import RESULTS_REL, Addresses, Link
from candela_processes.ogc.multipart import Multipart, Part
from candela_processes.ogc.negotiation import JSON
from candela_processes.process import Output
from candela_processes.service.results import Results
from candela_processes.service.submission import OutputRequest, requested_outputs

type Document = dict[str, Any]

_ANY: Final = OutputRequest()
_BBOX: Final = "ogc-bbox"


@dataclass(frozen=True, kw_only=True)
class ResultsFace:
    """Writes the results of one job for one request; outputs above `value_bytes` become links."""

    request: Request
    results: Results
    to: Addresses
    value_bytes: int

    def response(self) -> Response:
        """Return the results in the form that the job's request asked for."""
        if self.results.job.request.get("response") == "document":
            return Response(json.dumps(self.document(), ensure_ascii=False), content_type=JSON)
        return self.raw(self._wanted())

    def document(self) -> Document:
        """Return the map of the wished outputs by their ids."""
        return {
            name: self._many(files, request) if self.results.declared(name).many else self._one(files[0], request)
            for name, (files, request) in self._wanted().items()
        }

    def raw(self, wanted: Mapping[str, tuple[Sequence[OutputFile], OutputRequest]]) -> Response:
        """Return the bytes of the outputs."""
        parts = [
            Part(file=file, location=self.link(file)["href"] if request.transmission == "reference" else "")
            for files, request in wanted.values()
            for file in files
        ]
        if all(part.location for part in parts):
            return self._references([part.file for part in parts])
        if len(parts) == 1:
            return file_response(self.request, self.results, parts[0].file)
        return self._multipart(parts)

    def output(self, output_id: str, number: int | None) -> Response:
        """Return one output, or one file of it; raises NoSuchResult."""
        files = self.results.files.get(output_id, ())
        if number is None and len(files) > 1:
            return self._multipart([Part(file=file) for file in files])
        return file_response(self.request, self.results, self.results.file(output_id, number))

    def link(self, file: OutputFile) -> Link:
        """Return the link to one file."""
        number = (str(file.n),) if file.n else ()
        href = self.to.url("jobs", self.results.job.id, "results", file.output, *number)
        return {"href": href, "type": file.media_type, "title": public_name(file)}

    def _wanted(self) -> dict[str, tuple[Sequence[OutputFile], OutputRequest]]:
        requests = requested_outputs(self.results.job.request)
        return {
            name: (files, _ANY if requests is None else requests[name])
            for name, files in self.results.files.items()
            if requests is None or name in requests
        }

    def _multipart(self, parts: Sequence[Part]) -> Response:
        body = Multipart(results=self.results, parts=parts)
        response = Response(iter(body), content_type=body.media_type)
        response.content_length = body.length
        return response

    def _references(self, files: Sequence[OutputFile]) -> Response:
        response = Response(status=204)
        for link in map(self.link, files):
            media_type = link["type"].replace('"', "'")
            value = f'<{link["href"]}>; rel="{RESULTS_REL}"; type="{media_type}"; title="{link["title"]}"'
            response.headers.add("Link", value)
        del response.headers["Content-Type"]
        return response

    def _many(self, files: Sequence[OutputFile], request: OutputRequest) -> list[Any]:
        fits = sum(file.size for file in files) <= self.value_bytes
        return [self._one(file, request) if fits else self.link(file) for file in files]

    def _one(self, file: OutputFile, request: OutputRequest) -> Any:
        """Return a value, or a link where a reference was asked for or the file is too large for a document."""
        if request.transmission == "reference" or file.size > self.value_bytes:
            return self.link(file)
        with open_output(self.results.directory, file) as source:
            data = source.read()
        declared = self.results.declared(file.output)
        if _is_json(file.media_type):
            return _inline(json.loads(data), declared, file.media_type)
        return {"value": base64.b64encode(data).decode("ascii"), "encoding": "base64", "mediaType": file.media_type}


def _is_json(media_type: str) -> bool:
    bare = media_type.partition(";")[0].strip()
    return bare == JSON or bare.endswith("+json")


def _inline(value: Any, declared: Output, media_type: str) -> Any:
    """Return a JSON value as the standard's `inlineOrRefData`: an object has to be qualified, unless it is a bbox."""
    is_bbox = (declared.schema or {}).get("format") == _BBOX
    if not isinstance(value, dict) or (declared.is_value and is_bbox):
        return value
    return {"value": value, "mediaType": media_type}
