"""Metrics: each set of counters has a registry of its own."""

from __future__ import annotations

from prometheus_client import generate_latest

from candela_processes.telemetry.metrics import Metrics


def test_two_servers_in_one_process_do_not_share_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.submissions.labels("echo", "sync").inc()
    one.submissions.labels("echo", "sync").inc()
    assert one.registry.get_sample_value("candela_submissions_total", {"process": "echo", "mode": "sync"}) == 2
    assert other.registry.get_sample_value("candela_submissions_total", {"process": "echo", "mode": "sync"}) is None


def test_the_exposition_names_every_family() -> None:
    text = generate_latest(Metrics().registry).decode()
    for family in ("candela_http_requests_total", "candela_submissions_total"):
        assert f"# TYPE {family} " in text
