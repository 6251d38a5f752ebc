"""Counters of one process, exposed at `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram


class Metrics:
    """Counters of one process; a registry of its own, so that two servers in one test do not share numbers."""

    def __init__(self) -> None:
        """Create the registry and its counters."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "candela_http_requests", "HTTP requests", ("method", "route", "status"), registry=self.registry
        )
        self.submissions = Counter("candela_submissions", "Jobs accepted", ("process", "mode"), registry=self.registry)
        self.actions = Counter(
            "candela_dispatcher_actions", "Dispatcher actions", ("action", "outcome"), registry=self.registry
        )
        self.round_seconds = Histogram(
            "candela_dispatcher_round_seconds", "Time of one dispatcher round", registry=self.registry
        )
