"""Own checks of OGC API - Processes 1.0, each named after the test of ets-ogcapi-processes10 1.3 that it imitates.

Standard library only. NOT the OGC suite and no certificate: it imitates what that suite was observed to demand, its
traps included, where the suite itself cannot be had.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TEXT = "teststring"
OGC = "http://www.opengis.net/def"
RESULTS_REL = f"{OGC}/rel/ogc/1.0/results"
NOT_READY = f"{OGC}/exceptions/ogcapi-processes-1/1.0/result-not-ready"
CORE = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core"
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
TIMES = ("created", "started", "finished", "updated")
STATUS_MEMBERS = {"processID", "type", "jobID", "status", "message", "progress", "links", *TIMES}
STATES = {"accepted", "running", "successful", "failed", "dismissed"}
POLL = threading.Event()
ASYNC = {"Prefer": "respond-async"}
ASYNC_SPACE = {"Prefer": "respond-async "}

Json = Any
Check = Callable[["Server"], None]
CHECKS: list[tuple[str, Check]] = []


class Failed(Exception):
    """The server does not do what the check demands."""


class Skipped(Exception):
    """The check does not apply to this server."""


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    version: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        """First value of a header, else an empty string."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")

    def json(self) -> Json:
        """The body as JSON."""
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise Failed(f"status {self.status}, body is not JSON: {self.text[:80]!r}") from error


@dataclass
class Server:
    """The server under test and its echo process."""

    root: str
    echo: str
    description: dict[str, Json] = field(default_factory=dict)

    def get(self, url: str, accept: str = "application/json") -> Reply:
        """GET a path of the server or an absolute URL."""
        return self.send("GET", url, None, {"Accept": accept} if accept else {})

    def post(self, body: Json, headers: dict[str, str] | None = None) -> Reply:
        """Execute the echo process."""
        sent = {"Accept": "application/json", "Content-Type": "application/json; charset=UTF-8"} | (headers or {})
        return self.send("POST", f"/processes/{self.echo}/execution", json.dumps(body), sent)

    def send(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> Reply:
        """One request on its own connection."""
        parts = urlsplit(url if "://" in url else self.root + url)
        need(parts.hostname in ("127.0.0.1", "localhost", "::1"), f"link leaves this machine: {url}")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=60)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return Reply(answer.status, answer.version, answer.getheaders(), text)
        finally:
            connection.close()

    @property
    def is_async(self) -> bool:
        """Whether the echo process offers asynchronous execution."""
        return "async-execute" in self.description.get("jobControlOptions", [])

    @property
    def is_sync(self) -> bool:
        """Whether the echo process offers synchronous execution."""
        return "sync-execute" in self.description.get("jobControlOptions", [])


def check(name: str) -> Callable[[Check], Check]:
    """Register a check under the name of the CITE test it imitates."""

    def register(function: Check) -> Check:
        CHECKS.append((name, function))
        return function

    return register


def need(condition: object, message: str) -> None:
    """Fail the check unless the condition holds."""
    if not condition:
        raise Failed(message)


# ---------------------------------------------------------------- documents


def check_links(links: Json) -> None:
    """A list of links with href."""
    need(isinstance(links, list), "links is not an array")
    need(all(isinstance(x, dict) and isinstance(x.get("href"), str) for x in links), "a link has no href")


def check_exception(document: Json) -> None:
    """An exception document: an object with a string `type`, members of the right JSON type."""
    need(isinstance(document, dict) and isinstance(document.get("type"), str), "exception without a string 'type'")
    for name in ("title", "detail", "instance"):
        need(isinstance(document.get(name, ""), str), f"exception.{name} is not a string")
    status = document.get("status", 0)
    need(isinstance(status, int) and not isinstance(status, bool), "exception.status is not an integer")


def check_status(document: Json) -> None:
    """A statusInfo document; null is never a value."""
    need(isinstance(document, dict), "statusInfo is not an object")
    for name in STATUS_MEMBERS & document.keys():
        need(document[name] is not None, f"statusInfo.{name} is null")
    need(isinstance(document.get("jobID"), str), "statusInfo.jobID is missing")
    need(document.get("type") == "process", "statusInfo.type is not 'process'")
    need(document.get("status") in STATES, f"statusInfo.status is {document.get('status')!r}")
    for name in TIMES:
        if name in document:
            need(DATE_TIME.fullmatch(str(document[name])), f"statusInfo.{name} is no RFC 3339 time with offset")
    progress = document.get("progress", 0)
    need(isinstance(progress, int) and 0 <= progress <= 100, f"statusInfo.progress is {progress!r}")
    check_links(document.get("links", []))


def plain_shapes(value: Json) -> int:
    """How many of the suite's inputValueNoObject alternatives a value matches; 1 means valid."""
    if isinstance(value, (bool, float, list)):
        return 1
    if isinstance(value, int):
        return 2
    if isinstance(value, str):
        return 2 if BASE64.fullmatch(value) else 1
    return int(isinstance(value, dict) and isinstance(value.get("bbox"), list) and known_crs(value.get("crs")))


def known_crs(crs: Json) -> bool:
    """The suite's bbox schema knows two CRS."""
    return crs is None or crs in (f"{OGC}/crs/OGC/1.3/CRS84", f"{OGC}/crs/OGC/0/CRS84h")


def is_inline_or_ref(value: Json) -> bool:
    """Exactly one of plain value, qualified value and link, as the suite's schema has it."""
    shapes = int(plain_shapes(value) == 1)
    if isinstance(value, dict):
        inner = value.get("value")
        shapes += int("value" in value and (plain_shapes(inner) == 1) != isinstance(inner, dict))
        shapes += int(isinstance(value.get("href"), str))
    return shapes == 1


def check_raw_result(document: Json) -> None:
    """The oneOf trap: the suite fails a JSON result that also is a valid map of results."""
    need(not isinstance(document, str), "a JSON string matches several alternatives of the suite's result schema")
    if isinstance(document, dict):
        matches = 1 + all(map(is_inline_or_ref, document.values())) + isinstance(document.get("type"), str)
        need(matches == 1, "the result object matches several alternatives of the suite's result schema")


# ---------------------------------------------------------------- execute requests


def schemas(server: Server, part: str) -> dict[str, dict[str, Json]]:
    """The schema of every input or output of the echo process, in order."""
    return {name: value.get("schema", {}) for name, value in server.description.get(part, {}).items()}


def types(schema: dict[str, Json]) -> list[str]:
    """Types the suite sees in a schema: its own, its items' and those of its oneOf."""
    found = [s["type"] for s in (schema.get("items", {}), schema, *schema.get("oneOf", [])) if "type" in s]
    return found


def is_bbox(schema: dict[str, Json]) -> bool:
    """Whether the suite takes an input for a bounding box."""
    return schema.get("type") == "object" and "bbox" in schema.get("properties", {})


def generic_value(schema: dict[str, Json]) -> Json:
    """What the suite sends for an input it does not test in particular; None: nothing."""
    if is_bbox(schema):
        return {"crs": "urn:ogc:def:crs:EPSG:6.6:4326", "bbox": [345345345] * 4}
    if "string" in types(schema) and "format" not in schema and "contentMediaType" not in schema:
        return TEXT
    return {"value": TEXT} if "object" in types(schema) else None


def request(
    server: Server, special: dict[str, Json] | None = None, outputs: list[str] | None = None, response: str = ""
) -> dict[str, Json]:
    """An execute request as the suite builds it: every sendable input, the outputs by value."""
    values = {name: generic_value(schema) for name, schema in schemas(server, "inputs").items()} | (special or {})
    body: dict[str, Json] = {"inputs": {k: v for k, v in values.items() if v is not None}}
    need(body["inputs"], "no input that the suite can fill: declare a plain string")
    wanted = list(schemas(server, "outputs")) if outputs is None else outputs
    body["outputs"] = {name: {"transmissionMode": "value"} for name in wanted}
    return body | ({"response": response} if response else {})


def first(server: Server, wanted: Callable[[dict[str, Json]], bool], what: str) -> str:
    """The first input whose schema is wanted; the check is skipped without one."""
    for name, schema in schemas(server, "inputs").items():
        if wanted(schema):
            return name
    raise Skipped(f"no input of type {what}")


def one_output(server: Server) -> list[str]:
    """The output named like the first input, as the suite asks for 'one' output; none if there is no such name."""
    name = next(iter(schemas(server, "inputs")), "")
    return [name] if name in schemas(server, "outputs") else []


def post_ok(server: Server, body: Json, headers: dict[str, str] | None = None) -> Reply:
    """Execute; 200 or 201 is demanded."""
    reply = server.post(body, headers)
    need(reply.status in (200, 201), f"status {reply.status}: {reply.text[:120]}")
    return reply


def start_async(server: Server, body: Json, headers: dict[str, str] | None = None) -> str:
    """Execute asynchronously; returns the job's URL."""
    if not server.is_async:
        raise Skipped("the echo process is not asynchronous")
    location = post_ok(server, body, headers or ASYNC).header("Location")
    need(location, "no Location header")
    return location


def poll_result(server: Server, status: Json) -> str:
    """Follow results or monitor links, 20 s at most, as the suite does; returns the result."""
    for _ in range(40):
        need(status.get("status") != "failed", "the job failed")
        links = {x.get("rel"): x.get("href") for x in status.get("links", [])}
        if RESULTS_REL in links:
            return server.get(str(links[RESULTS_REL]), "").text
        following = links.get("monitor") or links.get("status")
        need(following, "neither a results nor a monitor link in the status document")
        status = server.get(str(following)).json()
        POLL.wait(0.5)
    raise Failed("no result within 20 s")


# ---------------------------------------------------------------- checks: landing page to process


@check("GeneralHttp.testHttp")
def http_version(server: Server) -> None:
    need(server.get("/", "*/*").version == 11, "the status line is not HTTP/1.1")


@check("LandingPage.testLandingPageRetrieval")
def landing(server: Server) -> None:
    reply = server.get("/")
    need(reply.status == 200, f"status {reply.status}")
    reply.json()


@check("LandingPage.testLandingPageValidation")
def landing_links(server: Server) -> None:
    links = server.get("/").json().get("links")
    check_links(links)
    rels = {x.get("rel") for x in links}
    need(rels & {"service-desc", "service-doc"}, "no service-desc or service-doc link")
    need(rels & {"conformance", f"{OGC}/rel/ogc/1.0/conformance"}, "no conformance link")
    need(rels & {"processes", f"{OGC}/rel/ogc/1.0/processes"}, "no processes link")


@check("Conformance.testValidateConformanceOperationAndResponse")
def conformance(server: Server) -> None:
    reply = server.get("/conformance")
    need(reply.status == 200, f"status {reply.status}")
    need(CORE in reply.json().get("conformsTo", []), "core is not declared")


@check("ProcessList.testProcessList")
def process_list(server: Server) -> None:
    need(server.get("/processes").json().get("processes"), "no processes listed")


@check("ProcessList.testProcessListSuccess")
def process_list_valid(server: Server) -> None:
    document = server.get("/processes").json()
    check_links(document.get("links"))
    for process in document["processes"]:
        named = isinstance(process.get("id"), str) and isinstance(process.get("version"), str)
        need(named, "a process without id or version")


@check("ProcessList.testPlLimitResponse")
def process_list_limit(server: Server) -> None:
    need(len(server.get("/processes?limit=1").json()["processes"]) == 1, "limit=1 does not return one process")


@check("ProcessList.testPlLinks")
def process_list_links(server: Server) -> None:
    need(isinstance(server.get("/processes?limit=1").json().get("links"), list), "no links")


@check("Process.testProcess")
def process(server: Server) -> None:
    reply = server.get(f"/processes/{server.echo}")
    need(reply.status == 200, f"status {reply.status}")
    need(reply.header("Content-Type").startswith("application/json"), "not application/json")
    need({"id", "version"} <= reply.json().keys(), "id or version is missing")


@check("Process.testProcessExceptionNoSuchProcess")
def process_unknown(server: Server) -> None:
    reply = server.get(f"/processes/invalid-process-{uuid.uuid4()}")
    need(reply.status == 404, f"status {reply.status}")
    check_exception(reply.json())


# ---------------------------------------------------------------- checks: jobs


@check("Jobs.testJobCreationAutoExecutionMode")
def auto_mode(server: Server) -> None:
    if not server.is_async:
        raise Skipped("the echo process is not asynchronous")
    status = server.post(request(server), ASYNC).status
    need(status == 201 or (status == 200 and server.is_sync), f"status {status}")


@check("Jobs.testJobCreationDefaultExecutionMode")
def default_mode(server: Server) -> None:
    status = server.post(request(server)).status
    need(status == 200 or (status == 201 and not server.is_sync), f"status {status}")


@check("Jobs.testJobCreationDefaultOutputs")
def default_outputs(server: Server) -> None:
    body = request(server)
    del body["outputs"]
    post_ok(server, body)


@check("Jobs.testJobCreationInputArray")
def input_array(server: Server) -> None:
    name = first(server, lambda s: "array" in types(s), "array")
    items = schemas(server, "inputs")[name].get("items", {}).get("type")
    value = {"integer": [1, 2, 3], "string": ["test1", "test2", "test3"]}.get(items, [])
    arrays = [k for k, s in schemas(server, "outputs").items() if "array" in types(s)]
    post_ok(server, request(server, {name: value}, arrays[:1]))


@check("Jobs.testJobCreationInputInlineBbox")
def input_bbox(server: Server) -> None:
    value = {"bbox": [51.9, 7, 52, 7.1], "crs": f"{OGC}/crs/OGC/1.3/CRS84"}
    name = first(server, is_bbox, "bounding box")
    boxes = [k for k, s in schemas(server, "outputs").items() if is_bbox(s)]
    post_ok(server, request(server, {name: value}, boxes))


@check("Jobs.testJobCreationInputInlineObject")
def input_object(server: Server) -> None:
    objects = [k for k, s in schemas(server, "inputs").items() if "object" in types(s)]
    post_ok(server, request(server, {k: {"value": TEXT} for k in objects[:1]}))


@check("Jobs.testJobCreationInputInlineBinary")
def input_binary(server: Server) -> None:
    for name, schema in schemas(server, "inputs").items():
        binary = schema.get("format") == "byte" or schema.get("contentEncoding") == "binary"
        need(not binary, f"input {name}: release 1.3 of the suite breaks on it, declare contentEncoding base64 instead")
    post_ok(server, request(server))


@check("Jobs.testJobCreationInputInline")
def input_inline(server: Server) -> None:
    post_ok(server, request(server))


@check("Jobs.testJobCreationInputRef")
def input_ref(server: Server) -> None:
    reply = post_ok(server, request(server))
    if not reply.header("Content-Type").startswith("multipart/related"):
        (check_raw_result if reply.status == 200 else lambda d: None)(reply.json())


@check("Jobs.testJobCreationInputValidation")
def input_validation(server: Server) -> None:
    input_ref(server)
    typed = [k for k, s in schemas(server, "inputs").items() if "contentMediaType" in s]
    if not typed:
        raise Skipped("no input with a media type")
    reply = server.post(request(server, {k: {"type": f"wrong/type_{uuid.uuid4()}"} for k in typed}))
    if reply.status == 201:
        need(server.get(reply.header("Location")).json().get("status") == "failed", "the job did not fail")
        return
    need(reply.status in (400, 500), f"a wrong media type got status {reply.status}")
    kind = reply.header("Content-Type")
    need(kind == "application/json" or kind.startswith("application/json;"), f"Content-Type is {kind}")
    check_exception(reply.json())


@check("Jobs.testJobCreationOp")
def async_status(server: Server) -> None:
    check_status(server.get(start_async(server, request(server), ASYNC_SPACE), "").json())


@check("Jobs.testJobResults")
def async_created(server: Server) -> None:
    if server.is_async:
        reply = server.post(request(server), ASYNC)
        need(reply.status == 201, f"respond-async got {reply.status}, this test wants 201")
        status = server.get(reply.header("Location"))
        need(status.status == 200, f"status document: {status.status}")
        check_status(status.json())
    else:
        need(server.post(request(server)).status == 200, "not 200")


@check("Jobs.testJobCreationSyncDocument")
def sync_document(server: Server) -> None:
    post_ok(server, request(server, response="document"))


@check("Jobs.testJobCreationSyncRawValueMulti")
def sync_raw(server: Server) -> None:
    post_ok(server, request(server, response="raw"))


@check("Jobs.testJobCreationSyncRawValueOne")
def sync_raw_one(server: Server) -> None:
    need(TEXT in post_ok(server, request(server, None, one_output(server), "raw")).text, f"{TEXT} is not in the result")


@check("Jobs.testJobResultsAsyncRawValueOne")
def async_raw_one(server: Server) -> None:
    if not server.is_async:
        raise Skipped("the echo process is not asynchronous")
    reply = post_ok(server, request(server, None, one_output(server), "raw"), ASYNC)
    if reply.status == 200:
        need(reply.json() == TEXT, "answered at once, but not with the JSON string that was sent")
        return
    status = server.get(reply.header("Location")).json()
    need(TEXT in poll_result(server, status), f"{TEXT} is not in the result")


@check("Jobs.testJobResultsAsyncRawValueMulti")
def async_raw(server: Server) -> None:
    check_status(server.get(start_async(server, request(server))).json())


@check("Jobs.testJobResultsAsyncDocument")
def async_document(server: Server) -> None:
    if not server.is_async:
        raise Skipped("the echo process is not asynchronous")
    post_ok(server, request(server, response="document"), ASYNC)


@check("Jobs.testJobResultsSync")
def sync_monitor(server: Server) -> None:
    links = [v for k, v in post_ok(server, request(server)).headers if k.lower() == "link"]
    if links:
        monitor = next((v.split(";")[0] for v in links if "rel=monitor" in v), "")
        need(monitor, "Link headers, but none with a literal rel=monitor")
        need(not monitor.startswith("<"), "the suite takes <...> as part of the URL: send no Link header to it")


@check("Jobs.testJobResultsFailed")
def invalid_request(server: Server) -> None:
    reply = server.post({"invalid-execute-request": "true)"})
    need(reply.status > 200, f"status {reply.status}")
    kind = reply.header("Content-Type")
    need(kind.startswith("application/json") or kind == "application/problem+json", f"Content-Type is {kind}")
    check_exception(reply.json())


@check("Jobs.testJobExceptionNoSuchJob")
def job_unknown(server: Server) -> None:
    reply = server.get(f"/jobs/invalid-job-{uuid.uuid4()}")
    need(reply.status == 404, f"status {reply.status}")
    check_exception(reply.json())


@check("Jobs.testJobResultsNoSuchJob")
def results_unknown(server: Server) -> None:
    reply = server.get(f"/jobs/invalid-job-{uuid.uuid4()}/results")
    need(reply.status == 404, f"status {reply.status}")
    check_exception(reply.json())


@check("Jobs.testJobResultsExceptionResultsNotReady")
def not_ready(server: Server) -> None:
    if "pause" not in schemas(server, "inputs"):
        raise Skipped("no input with id pause")
    name = next(iter(schemas(server, "inputs")))
    body = request(server, None, one_output(server), "raw")
    body["inputs"] = {k: v for k, v in body["inputs"].items() if k == name} | {"pause": 5}
    reply = server.get(start_async(server, body) + "/results")
    need(reply.status == 404, f"results of a running job: status {reply.status}")
    need(reply.json().get("type") == NOT_READY, f"type is {reply.json().get('type')!r}")


# ---------------------------------------------------------------- checks: process description and job list


@check("OGCProcessDescription.testOGCProcessDescriptionInputDef")
def input_schemas(server: Server) -> None:
    need("inputs" in server.description, "no inputs")
    need(all("schema" in x for x in server.description["inputs"].values()), "an input without schema")


@check("OGCProcessDescription.testOGCProcessDescriptionOutputDef")
def output_schemas(server: Server) -> None:
    need("outputs" in server.description, "no outputs")
    need(all("schema" in x for x in server.description["outputs"].values()), "an output without schema")


@check("OGCProcessDescription.testOGCProcessDescriptionInputDefinitionOfMixedType")
def mixed_input(server: Server) -> None:
    first(server, lambda s: "oneOf" in s, "mixed (oneOf)")


@check("OGCProcessDescription.testOGCProcessDescriptionOutputDefinitionOfMixedType")
def mixed_output(server: Server) -> None:
    if not any("oneOf" in s for s in schemas(server, "outputs").values()):
        raise Skipped("no output of type mixed (oneOf)")


@check("JobList.testJobList")
def job_list(server: Server) -> None:
    need(server.get("/jobs").json().get("jobs"), "no jobs listed")


@check("JobList.testJobListSuccess")
def job_list_valid(server: Server) -> None:
    document = server.get("/jobs").json()
    check_links(document.get("links"))
    for status in document["jobs"]:
        check_status(status)


# ---------------------------------------------------------------- all of them


def run_checks(url: str, echo: str = "echo") -> dict[str, tuple[str, str]]:
    """Run every check against a server on a loopback address: status and message by the name of the check.

    Raises Failed when the echo process has no description.
    """
    server = Server(url.rstrip("/"), echo)
    reply = server.get(f"/processes/{echo}")
    need(reply.status == 200, f"no description of process {echo!r}: status {reply.status}")
    server.description = reply.json()
    return {name: run_one(function, server) for name, function in CHECKS}


def run_one(function: Check, server: Server) -> tuple[str, str]:
    """Status and message of one check."""
    try:
        function(server)
    except Skipped as reason:
        return "skipped", str(reason)
    except Failed as reason:
        return "failed", str(reason)
    except (OSError, http.client.HTTPException, KeyError, TypeError, AttributeError) as error:
        return "failed", f"{type(error).__name__}: {error}"
    return "passed", ""
