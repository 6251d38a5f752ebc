"""The WSGI application: the processes API of `ogc`, and the collections that a mounted pygeoapi serves."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Request

from candela_processes import settings as configuration
from candela_processes.identity import Principal
from candela_processes.ogc import exceptions, responses, routes
from candela_processes.ogc.collections import Collections
from candela_processes.ogc.face import Face, anonymous
from candela_processes.ogc.html import Pages
from candela_processes.ogc.waiting import WaitingRoom
from candela_processes.service.assemble import assemble
from candela_processes.service.service import Service
from candela_processes.settings import Settings
from candela_processes.telemetry import faults, logs


def create_app(settings: Settings, service: Service, identify: Callable[[Request], Principal] = anonymous) -> Flask:
    """Return the application; opens nothing. `identify` says who sent a request."""
    waits = WaitingRoom(settings.web_threads)
    face = Face(settings=settings, service=service, waits=waits, pages=Pages(), identify=identify)
    app = Flask("candela_processes", static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    routes.install(app, face)
    exceptions.install(app, face)
    responses.install(app, service.metrics)
    collections = Collections(settings, prepare=lambda inner: exceptions.install(inner, face))
    routes.mount(app, face, collections)
    app.extensions |= {"face": face, "collections": collections}
    return app


def build() -> Flask:
    """Return the application of this process from the environment; gunicorn's target, called in every web process."""
    settings = configuration.load()
    logs.start_logging(settings)
    faults.arm(settings.fault_step, settings.fault_marker)
    app = create_app(settings, assemble(settings).service)
    app.extensions["collections"].start()
    return app
