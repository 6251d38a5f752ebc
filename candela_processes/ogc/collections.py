"""Collections, tiles and STAC by a mounted pygeoapi; nothing else of pygeoapi can be reached.

pygeoapi builds its application while it is imported, from files that two environment variables name. So the import
happens in a background thread after the start (it takes seconds), with an effective configuration written to
`<workspace>/run/`; a request that comes earlier waits for it. Of its rules only those below `KEPT` are taken over into
an application of our own: its landing page, processes, jobs, conformance, OpenAPI and administration are not mounted.
One process holds one pygeoapi.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast

import yaml
from flask import Flask, Request, Response

from candela_processes.errors import CANDELA_EXCEPTIONS, RecordedError, SettingsError, Unavailable
from candela_processes.settings import PREFIX, Settings

LOG = logging.getLogger("candela.collections")

KEPT: Final = ("/collections", "/TileMatrixSets", "/stac", "/stac-api", "/static")
METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
ANY_ROOT: Final = "https://root.invalid"
"""Stands in pygeoapi's configuration for the root URL, which is known only when a request comes."""

_LOAD_SECONDS: Final = 120.0
_TEXTUAL: Final = ("application/", "text/")
_POLICY: Final = "frame-ancestors 'none'; base-uri 'none'"


def effective_configuration(settings: Settings) -> dict[str, Any]:
    """Return pygeoapi's configuration: ours, with `metadata` and `resources` of the operator's file.

    Raises SettingsError for a file that is not such a configuration, or that declares processes.
    """
    given = _read(settings.pygeoapi_config) if settings.pygeoapi_config else {}
    resources = given.get("resources") or {}
    processes = [name for name, entry in resources.items() if _kind(entry) == "process"]
    if processes:
        raise SettingsError(f"{PREFIX}PYGEOAPI_CONFIG: {processes[0]!r} is a process; only collections belong here.")
    url = settings.public_url or ANY_ROOT
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": 5000},
            "url": url,
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "languages": ["en-US"],
            "limits": {"default_items": 20, "max_items": 1000},
            "map": {"url": "https://tile.openstreetmap.org/{z}/{x}/{y}.png", "attribution": "© OpenStreetMap"},
        },
        "logging": {"level": "ERROR"},
        "metadata": _metadata(settings.title, url) | (given.get("metadata") or {}),
        "resources": resources,
    }


def _kind(entry: object) -> object:
    return entry.get("type") if isinstance(entry, Mapping) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"{PREFIX}PYGEOAPI_CONFIG: the file cannot be read as YAML.") from error
    parts = document if isinstance(document, dict) else {"document": document}
    if not all(isinstance(parts.get(name) or {}, dict) for name in ("metadata", "resources")) or "document" in parts:
        raise SettingsError(f"{PREFIX}PYGEOAPI_CONFIG: metadata and resources must be mappings.")
    return parts


def _metadata(title: str, url: str) -> dict[str, Any]:
    return {
        "identification": {
            "title": title,
            "description": "Collections beside the processes.",
            "keywords": ["Earth observation"],
            "keywords_type": "theme",
            "terms_of_service": url,
            "url": url,
        },
        "license": {"name": "see the collections", "url": url},
        "provider": {"name": title, "url": url},
        "contact": {"name": title, "url": url},
    }


class Collections:
    """The mounted pygeoapi of this process."""

    def __init__(self, settings: Settings, prepare: Callable[[Flask], None]) -> None:
        """Do nothing yet; `start` or the first request loads pygeoapi. `prepare` is given the new application."""
        self._settings = settings
        self._prepare = prepare
        self._lock = threading.Lock()
        self._application: Flask | None = None

    def start(self) -> None:
        """Begin to load in the background; raises SettingsError for a wrong configuration."""
        effective_configuration(self._settings)
        threading.Thread(target=self._load_quietly, name="load-pygeoapi", daemon=True).start()

    def _load_quietly(self) -> None:
        try:
            self.application()
        except Unavailable:
            LOG.warning("/collections answers 503 until pygeoapi can be loaded")

    def application(self) -> Flask:
        """Return the application with the kept rules, loading it if need be; raises Unavailable."""
        if not self._lock.acquire(timeout=_LOAD_SECONDS):
            raise Unavailable("The collections are still being loaded; try again.")
        try:
            if self._application is None:
                self._application = self._load()
            return self._application
        except Exception as error:
            LOG.exception("pygeoapi cannot be loaded")
            raise Unavailable("The collections cannot be served; tell the operator.") from error
        finally:
            self._lock.release()

    def _load(self) -> Flask:
        with _environment(self._write_files()):
            from pygeoapi import flask_app
        application = kept_application(flask_app.BLUEPRINT)
        self._prepare(application)
        return application

    def _write_files(self) -> dict[str, str]:
        folder = self._settings.workspace / "run"
        folder.mkdir(parents=True, exist_ok=True)
        configuration = yaml.safe_dump(effective_configuration(self._settings), allow_unicode=True)
        return {
            "PYGEOAPI_CONFIG": _written(folder / "pygeoapi.yml", configuration),
            "PYGEOAPI_OPENAPI": _written(folder / "pygeoapi-openapi.json", json.dumps({"openapi": "3.0.3"})),
        }

    def answer(self, request: Request, root: str) -> Response:
        """Answer a request below `KEPT`; links show `root`. Raises pygeoapi's exceptions in our form."""
        inner = cast(Response, Response.from_app(self.application().wsgi_app, request.environ, buffered=True))
        _refuse_foreign_exception(inner)
        inner.headers.setdefault("Content-Security-Policy", _POLICY)
        if not self._settings.public_url and (inner.mimetype or "").startswith(_TEXTUAL):
            inner.set_data(inner.get_data().replace(ANY_ROOT.encode(), root.encode()))
            for name in ("Link", "Location", "Content-Location"):
                if name in inner.headers:
                    inner.headers[name] = inner.headers[name].replace(ANY_ROOT, root)
        return inner


def kept_application(blueprint: Any) -> Flask:
    """Return an application that has those rules of pygeoapi's blueprint that lie below `KEPT`, and no other."""
    whole = Flask("pygeoapi-whole", static_folder=None)
    whole.register_blueprint(blueprint)
    kept = Flask("pygeoapi-kept", static_folder=None)
    kept.url_map.strict_slashes = False
    for rule in whole.url_map.iter_rules():
        if is_kept(rule.rule):
            methods = sorted(rule.methods or ())
            kept.add_url_rule(rule.rule, rule.endpoint, whole.view_functions[rule.endpoint], methods=methods)
    return kept


def _refuse_foreign_exception(response: Response) -> None:
    """Raise an exception document of pygeoapi (`code`, `description`) as one of ours."""
    if response.status_code < 400 or not response.is_json:
        return
    document = response.get_json(silent=True)
    if isinstance(document, dict) and "description" in document:
        phrase = HTTPStatus(response.status_code).phrase
        kind = f"{CANDELA_EXCEPTIONS}{phrase.lower().replace(' ', '-')}"
        detail = str(document["description"])
        raise RecordedError({"type": kind, "title": phrase, "status": response.status_code, "detail": detail})


def is_kept(path: str) -> bool:
    """Return whether a path or rule lies below `KEPT`."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in KEPT)


def _written(path: Path, text: str) -> str:
    """Write a file by rename, for other web processes read the same one; return its path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return str(path)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
