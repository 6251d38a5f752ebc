"""Sends one output file: streamed, with ranges, strong ETag (its sha256), length and its public name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flask import Request, Response
from werkzeug.http import http_date
from werkzeug.wsgi import wrap_file

from candela_processes.execution.verify import open_output
from candela_processes.jobs.directory import OutputFile
from candela_processes.service.results import Results

SHOWN_INLINE: Final = ("image/png", "image/jpeg", "application/json", "application/geo+json", "text/plain", "text/csv")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]")
_ONE_RANGE: Final = re.compile(r"bytes=(?:\d{1,18}-\d{0,18}|-\d{1,18})")


def file_response(request: Request, results: Results, file: OutputFile) -> Response:
    """Return the file; a request for several or malformed ranges gets all of it, as RFC 9110 section 14.2 allows.

    Raises OutputsRejected when the file is not what was verified, RequestedRangeNotSatisfiable (416).
    """
    source = open_output(results.directory, file)
    response = Response(wrap_file(request.environ, source), direct_passthrough=True)
    response.call_on_close(source.close)
    response.headers.update(file_headers(file))
    response.content_length = file.size
    response.set_etag(file.sha256)
    response.headers["Cache-Control"] = "no-cache"  # asked again each time: a dismissal takes the file away
    if results.job.finished is not None:
        response.headers["Last-Modified"] = http_date(results.job.finished)
    try:
        response.make_conditional(_with_plain_range(request.environ), accept_ranges=True, complete_length=file.size)
    except BaseException:
        response.close()
        raise
    return response


def file_headers(file: OutputFile) -> dict[str, str]:
    """Return the headers that say what a file is; a worker named it, so only plain letters of the name are kept."""
    bare = file.media_type.partition(";")[0].strip()
    disposition = "inline" if bare in SHOWN_INLINE else "attachment"
    charset = "; charset=utf-8" if bare.startswith("text/") and "charset" not in file.media_type else ""
    return {
        "Content-Type": file.media_type + charset,
        "Content-Disposition": f'{disposition}; filename="{public_name(file)}"',
    }


def public_name(file: OutputFile) -> str:
    """Return the name of a file that may stand in a header as it is."""
    return _NOT_PLAIN.sub("_", file.path.rpartition("/")[2])


def _with_plain_range(environ: Mapping[str, Any]) -> dict[str, Any]:
    wished = str(environ.get("HTTP_RANGE", ""))
    keep = _ONE_RANGE.fullmatch(wished.replace(" ", ""))
    return {name: value for name, value in environ.items() if name != "HTTP_RANGE" or keep}
