"""How fast a job store is: `python tests/benchmarks/job_store.py [URL]`; without a URL on SQLite in a new folder.

Prints writes per second (add, then one compare-and-set: two durable commits per job) and the median and 95th
percentile of `find` over 100 000 jobs of one owner, the worst case of an anonymous server.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import batched
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert, text

from candela_processes.jobs.migrations import migrate
from candela_processes.jobs.record import Job, Mode, Phase, Status, new_job
from candela_processes.jobs.schema import JOBS
from candela_processes.jobs.sql import SqlStore, row_of
from candela_processes.jobs.store import JobQuery

WRITES = 1000
JOBS_IN_STORE = 100_000
REPEATS = 30
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=365)
NEARLY_ALL = START + timedelta(days=5)


def history(count: int) -> Iterable[Job]:
    """Yield jobs of a year: 96 % successful, 2 % failed, 2 % dismissed, 20 that are still active."""
    choice = random.Random(1)
    for number in range(count):
        created = START + timedelta(seconds=number * 300)
        job = new_job(
            process_id=choice.choice(["echo", "ChangeDetection", "NDVI"]),
            process_version="1.0.0",
            owner="anonymous",
            mode=Mode.ASYNC,
            request={"outputs": {"changes": {}}, "response": "document"},
            now=created,
        ).starting(created, "local")
        if number >= count - 20:
            yield job.running(created)
            continue
        job = job.running(created).accepted(created)
        finished = created + timedelta(seconds=choice.expovariate(1 / 60))
        status = choice.choices([Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED], [96, 2, 2])[0]
        yield replace(job, phase=Phase.DONE, status=status, finished=finished)


QUERIES: dict[str, dict[str, Any]] = {
    "no filter, page of 10": {},
    "page of 100": {"limit": 100},
    "one status, frequent": {"statuses": (Status.SUCCESSFUL,)},
    "one status, rare": {"statuses": (Status.RUNNING,)},
    "three statuses": {"statuses": (Status.RUNNING, Status.FAILED, Status.DISMISSED)},
    "process": {"process_ids": ("NDVI",)},
    "created, one day": {"created_from": START + timedelta(days=100), "created_to": START + timedelta(days=101)},
    "duration, rare": {"min_duration": 600, "now": NOW},
    "duration, frequent": {"min_duration": 1, "now": NOW},
    "dispatcher: active phases": {"owner": None, "phases": tuple(sorted(set(Phase) - {Phase.DONE})), "limit": 500},
    "sweep: nothing expired": {"owner": None, "phases": (Phase.DONE,), "finished_before": START},
    "sweep: five days expired": {"owner": None, "phases": (Phase.DONE,), "finished_before": NEARLY_ALL},
}


def milliseconds(action: Callable[[], object]) -> str:
    """Return median and 95th percentile of an action."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        action()
        times.append((time.perf_counter() - begin) * 1000)
    return f"p50 {statistics.median(times):8.2f} ms   p95 {statistics.quantiles(times, n=20)[-1]:8.2f} ms"


def main(url: str) -> None:
    """Measure and print."""
    migrate(url)
    store = SqlStore(url)
    begin = time.perf_counter()
    for job in history(WRITES):
        queued = replace(job, status=Status.ACCEPTED, phase=Phase.QUEUED, revision=0)
        store.add(queued)
        store.replace(queued, queued.starting(NOW, "local"))
    print(f"add + replace: {WRITES / (time.perf_counter() - begin):.0f} jobs/s, durable")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(JOBS.delete())
        for some in batched(history(JOBS_IN_STORE), 5000):
            connection.execute(insert(JOBS), [row_of(job) for job in some])
        if engine.dialect.name == "postgresql":
            connection.execute(text("ANALYZE jobs"))  # its autovacuum would do so within a minute
    engine.dispose()
    deep = JobQuery(owner="anonymous", limit=100)
    for _ in range(50):
        deep = replace(deep, after=store.find(deep).next)
    print(f"{'page 50 of 100':28} {milliseconds(lambda: store.find(deep))}")
    for name, filters in QUERIES.items():
        query = JobQuery(**({"owner": "anonymous"} | filters))
        took = milliseconds(partial(store.find, query))
        print(f"{name:28} {took}   ({len(store.find(query).jobs)} found)")
    some_id = store.find(deep).jobs[0].id
    print(f"{'get':28} {milliseconds(lambda: store.get(some_id))}")
    print(f"{'tally':28} {milliseconds(store.tally)}")
    print(f"{'ping':28} {milliseconds(store.ping)}")
    store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'jobs.sqlite'}")
