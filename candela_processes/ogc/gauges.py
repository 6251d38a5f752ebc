"""The state of store and workspace as Prometheus gauges, read anew at every scrape."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from candela_processes.errors import Unavailable
from candela_processes.jobs.record import Phase
from candela_processes.jobs.store import Tally
from candela_processes.service.heartbeat import Heartbeat
from candela_processes.service.service import Service

LOG = logging.getLogger("candela.metrics")


@dataclass(frozen=True)
class Gauges(Collector):
    """Collects the gauges of one service; a part that cannot be read is left out and counted as down."""

    service: Service

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        try:
            tally = self.service.store.tally()
        except Unavailable:
            LOG.warning("the store is out of reach; /metrics leaves the jobs out")
            yield GaugeMetricFamily("candela_store_up", "Whether the job store answers", 0)
        else:
            yield GaugeMetricFamily("candela_store_up", "Whether the job store answers", 1)
            yield self._jobs(tally)
            yield self._oldest_queued(tally)
        yield from self._workspace()

    def _jobs(self, tally: tuple[Tally, ...]) -> GaugeMetricFamily:
        labels = ("phase", "status", "process", "reason")
        family = GaugeMetricFamily(
            "candela_jobs", "Jobs by phase, status, process and reason of failure", labels=labels
        )
        counts: dict[tuple[str, str, str, str], int] = {}
        for entry in tally:
            process = entry.process_id if self.service.catalog.get(entry.process_id) else "unknown"
            key = (str(entry.phase), str(entry.status), process, reason(entry.error_type))
            counts[key] = counts.get(key, 0) + entry.count
        for key, count in sorted(counts.items()):
            family.add_metric(key, count)
        return family

    def _oldest_queued(self, tally: tuple[Tally, ...]) -> GaugeMetricFamily:
        queued = [entry.oldest for entry in tally if entry.phase is Phase.QUEUED]
        age = (self.service.clock() - min(queued)).total_seconds() if queued else 0.0
        return GaugeMetricFamily("candela_oldest_queued_seconds", "Age of the oldest queued job", max(0.0, age))

    def _workspace(self) -> Iterator[GaugeMetricFamily]:
        workspace = self.service.settings.workspace
        try:
            free = shutil.disk_usage(workspace).free
        except OSError:
            LOG.warning("the workspace cannot be looked at; /metrics leaves its free space out")
        else:
            yield GaugeMetricFamily("candela_workspace_free_bytes", "Free space of the workspace", free)
        beat = Heartbeat.read(workspace)
        if beat is not None:
            yield from self._dispatcher(beat)

    def _dispatcher(self, beat: Heartbeat) -> Iterator[GaugeMetricFamily]:
        age = max(0.0, self.service.clock().timestamp() - beat.time)
        yield GaugeMetricFamily("candela_dispatcher_age_seconds", "Time since the last good dispatcher round", age)
        yield GaugeMetricFamily(
            "candela_dispatcher_lag_seconds", "How late the last dispatcher round began", beat.lag_seconds
        )
        yield GaugeMetricFamily("candela_dispatcher_last_round_seconds", "Time of the last round", beat.round_seconds)
        yield GaugeMetricFamily(
            "candela_dispatcher_failed_rounds", "Rounds that failed in a row", float(beat.failed_rounds)
        )
        done = GaugeMetricFamily(
            "candela_dispatcher_actions_done", "What actions of the dispatcher came to", labels=("action", "outcome")
        )
        for action, outcomes in beat.actions.items():
            for outcome, count in outcomes.items():
                done.add_metric((action, outcome), count)
        yield done


def reason(error_type: str) -> str:
    """Return the last part of an error type URI, a name from a fixed list."""
    return error_type.rstrip("/").replace("/", ":").rpartition(":")[2]
