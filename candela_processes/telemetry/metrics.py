"""Counters of one web process, exposed at `/metrics`; what the dispatcher counts comes by its heartbeat."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class Metrics:
    """Counters of one web process; a registry of its own, so that two servers in one test do not share numbers."""

    def __init__(self) -> None:
        """Create the registry and its counters."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "candela_http_requests", "HTTP requests", ("method", "route", "status"), registry=self.registry
        )
        self.submissions = Counter("candela_submissions", "Jobs accepted", ("process", "mode"), registry=self.registry)
