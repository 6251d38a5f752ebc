"""Builds the parts from settings, once per process, for command line, web application and dispatcher alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from candela_processes import catalog as catalogs
from candela_processes.catalog import Catalog
from candela_processes.dispatch.local import LocalRunner
from candela_processes.jobs.leadership import leadership_for
from candela_processes.jobs.sql import SqlStore
from candela_processes.jobs.store import JobStore
from candela_processes.service.round import Dispatcher
from candela_processes.service.service import Service
from candela_processes.settings import PREFIX, Settings
from candela_processes.telemetry.metrics import Metrics

WORKER_SETTINGS: Final = (
    "allowed_hosts",
    "private_hosts",
    "fetch_seconds",
    "fetch_bytes",
    "stop_grace_seconds",
    "fault_step",
    "fault_marker",
)
"""Settings that a worker is given; it never sees the others, above all not the database's URL."""

INHERITED: Final = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR"}
)
"""Variables of the server's own environment that a worker keeps."""


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The parts of one server process."""

    settings: Settings
    catalog: Catalog
    store: JobStore
    metrics: Metrics
    service: Service

    def runner(self) -> LocalRunner:
        """Return the runner that the settings name."""
        return LocalRunner(
            self.settings.workspace,
            parallel=self.settings.parallel_jobs,
            grace_seconds=self.settings.stop_grace_seconds,
            environment=worker_environment(os.environ, self.settings),
        )

    def dispatcher(self) -> Dispatcher:
        """Return a dispatcher; it does nothing before it is run."""
        return Dispatcher(
            settings=self.settings,
            catalog=self.catalog,
            store=self.store,
            runner=self.runner(),
            leadership=leadership_for(self.settings.store_url, self.settings.workspace),
        )


def assemble(settings: Settings) -> Assembly:
    """Build the parts; opens nothing yet. Raises SettingsError for a catalog or store URL that cannot be."""
    catalog = catalogs.load()
    store = SqlStore(settings.store_url)
    metrics = Metrics()
    service = Service(settings=settings, catalog=catalog, store=store, metrics=metrics)
    return Assembly(settings=settings, catalog=catalog, store=store, metrics=metrics, service=service)


def worker_environment(environment: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Return what a worker inherits: how to find Python and its packages, and the settings meant for it."""
    inherited = {name: value for name, value in environment.items() if name in INHERITED}
    meant = {f"{PREFIX}{name.upper()}": _as_variable(getattr(settings, name)) for name in WORKER_SETTINGS}
    return inherited | {name: value for name, value in meant.items() if value}


def _as_variable(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
