"""What a worker is told about one job: the checked inputs, and the declared limits under the operator's caps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from candela_processes.jobs.directory import JobInputs
from candela_processes.process import Process
from candela_processes.settings import Settings


def job_inputs(job_id: str, process: Process, values: Mapping[str, Any], settings: Settings) -> JobInputs:
    """Return `inputs.json` of a job; a cap of 0 leaves the declared limit (seconds, bytes of memory and of disk)."""
    limits, resources = process.limits, process.resources
    return JobInputs(
        job=job_id,
        process=process.id,
        process_version=process.version,
        inputs=values,
        seconds=min(limits.seconds, settings.job_seconds or limits.seconds),
        memory=min(resources.memory, settings.job_memory or resources.memory),
        scratch=min(resources.scratch, settings.job_scratch or resources.scratch),
        pixels=limits.pixels,
        input_bytes=limits.input_bytes,
    )
