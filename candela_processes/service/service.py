"""The use-cases of a client: list and describe, submit, wait, look, fetch, dismiss. Others' jobs do not exist."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from candela_processes.catalog import Catalog
from candela_processes.dispatch.wake import wake
from candela_processes.errors import InsufficientStorage, InternalError, InvalidInput, NoSuchJob, Unavailable
from candela_processes.execution.beneath import NotPlain, open_beneath
from candela_processes.identity import Principal
from candela_processes.jobs.directory import (
    AttemptDirectory,
    ContractError,
    JobDirectory,
    OutputFile,
    Staging,
)
from candela_processes.jobs.record import Job, Mode, new_job
from candela_processes.jobs.store import JobPage, JobQuery, JobStore
from candela_processes.process import Process
from candela_processes.service.inline import run_inline_job
from candela_processes.service.job_inputs import job_inputs
from candela_processes.service.results import Results, results_of
from candela_processes.service.staging import Stager, StagingPlan, pin_files
from candela_processes.service.submission import CheckedInputs, Submission, check_inputs
from candela_processes.settings import Settings
from candela_processes.telemetry.faults import step
from candela_processes.telemetry.metrics import Metrics

LOG_BYTES: Final = 1024 * 1024
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.25


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Service:
    """What every face calls; holds no state of its own besides its parts."""

    settings: Settings
    catalog: Catalog
    store: JobStore
    metrics: Metrics
    clock: Callable[[], datetime] = _now

    def submit(self, submission: Submission) -> Job:
        """Accept a job: check, pin, write the directory, then the row. An inline one asked for in sync also runs.

        Raises NoSuchProcess, InvalidInput, InsufficientStorage, Unavailable. Nothing is left behind on an error.
        """
        process = self.catalog.require(submission.process_id)
        check_outputs(process, submission)
        checked = check_inputs(process, submission.inputs)
        self._require_space()
        plan = self._stager(submission).plan(checked.all_references())
        inline = process.inline and submission.mode is Mode.SYNC and not checked.deferred
        job = self._new_job(process, submission, inline=inline)
        directory = self._create_directory(job)
        try:
            with self._locked(directory):
                self._write_directory(directory, process, job, checked, plan)
                self.store.add(job)
                step("submit.row-written")
                self.metrics.submissions.labels(process.id, str(submission.mode)).inc()
                if inline:
                    return run_inline_job(self.store, process, directory, job, self.clock)
        except BaseException:
            if self._has_no_row(job):
                shutil.rmtree(directory.path, ignore_errors=True)
            raise
        wake(self.settings.workspace)
        return job

    def _new_job(self, process: Process, submission: Submission, *, inline: bool) -> Job:
        job = new_job(
            process_id=process.id,
            process_version=process.version,
            owner=submission.principal.subject,
            mode=submission.mode,
            request=submission.as_request(),
            now=self.clock(),
        )
        return job.starting(self.clock(), "inline").running(self.clock()) if inline else job

    @contextmanager
    def _locked(self, directory: JobDirectory) -> Iterator[None]:
        with directory.locked() as free:
            if not free:
                raise InternalError("The directory of the new job is in use.")
            yield

    def _has_no_row(self, job: Job) -> bool:
        """Return whether it is certain that a row was never written; when in doubt the sweeper decides later."""
        try:
            return self.store.get(job.id) is None
        except Unavailable:  # the directory is kept, nothing is lost
            return False

    def _create_directory(self, job: Job) -> JobDirectory:
        directory = JobDirectory.of(self.settings.workspace, job.id)
        directory.path.mkdir(parents=True, mode=0o750)
        step("submit.directory-created")
        return directory

    def _write_directory(
        self, directory: JobDirectory, process: Process, job: Job, checked: CheckedInputs, plan: StagingPlan
    ) -> None:
        pin_files(directory, plan.pins)
        inputs = job_inputs(job.id, process, checked.values, self.settings)
        directory.write_inputs(inputs, Staging(references=plan.references))
        step("submit.inputs-written")

    def _stager(self, submission: Submission) -> Stager:
        return Stager(
            settings=self.settings,
            find_output=self._find_output,
            principal=submission.principal,
            root=submission.root,
        )

    def _find_output(
        self, principal: Principal, job_id: str, output_id: str, number: int | None
    ) -> tuple[AttemptDirectory, OutputFile]:
        results = self.results(principal, job_id)
        return results.directory, results.file(output_id, number)

    def _require_space(self) -> None:
        self.settings.workspace.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.settings.workspace).free
        if free < self.settings.free_space_floor:
            raise InsufficientStorage("The server has too little free space for new jobs; try again later.")

    def job(self, principal: Principal, job_id: str) -> Job:
        """Return a job; raises NoSuchJob, also for others' jobs."""
        job = self.store.get(job_id)
        if job is None or not principal.owns(job.owner):
            raise NoSuchJob(f"There is no job {job_id[:80]!r}.")
        return job

    def jobs(self, principal: Principal, query: JobQuery) -> JobPage:
        """Return one page of the principal's own jobs, newest first."""
        return self.store.find(replace(query, owner=principal.subject, now=query.now or self.clock()))

    def wait(self, principal: Principal, job_id: str, seconds: float) -> Job:
        """Return the job as soon as it is final, or as it is after `seconds`."""
        deadline = time.monotonic() + seconds
        pause = _FIRST_PAUSE
        while True:
            job = self.job(principal, job_id)
            left = deadline - time.monotonic()
            if job.is_final or left <= 0:
                return job
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def results(self, principal: Principal, job_id: str) -> Results:
        """Return the results of a successful job; raises what `results_of` raises."""
        job = self.job(principal, job_id)
        return results_of(job, self.catalog.require(job.process_id), self.settings.workspace)

    def inputs(self, principal: Principal, job_id: str) -> Mapping[str, Any]:
        """Return the inputs as they were accepted; empty when they were removed with the job's files."""
        job = self.job(principal, job_id)
        try:
            return JobDirectory.of(self.settings.workspace, job.id).read_inputs().inputs
        except ContractError:
            return {}

    def log(self, principal: Principal, job_id: str) -> str:
        """Return the process log of the latest attempt (its last MiB); empty when there is none yet."""
        job = self.job(principal, job_id)
        attempt = JobDirectory.of(self.settings.workspace, job.id).attempt(job.attempt)
        try:
            # the process may have put a link in the place of its log: it must not be followed
            descriptor = open_beneath(attempt.path, str(attempt.process_log.relative_to(attempt.path)))
        except NotPlain:
            return ""
        with os.fdopen(descriptor, "rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(0, size - LOG_BYTES))
            return source.read().decode("utf-8", "replace")

    def dismiss(self, principal: Principal, job_id: str) -> Job:
        """Dismiss a job: recorded first, then worker and files are removed by the dispatcher. Repeated: the same."""
        while True:
            job = self.job(principal, job_id)
            dismissed = job.dismissed(self.clock())
            if dismissed is job or self.store.replace(job, dismissed):
                step("dismiss.row-written")
                wake(self.settings.workspace)
                return dismissed


def check_outputs(process: Process, submission: Submission) -> None:
    """Refuse outputs that the process does not declare, and media types and transmissions it does not offer."""
    for name, request in (submission.outputs or {}).items():
        output = process.output(name)
        if output is None:
            offered = ", ".join(declared.id for declared in process.outputs)
            raise InvalidInput(f"outputs/{name[:80]}", f"is not an output of {process.id}; it has {offered}")
        offered_types = output.media_types or ("application/json",)
        if request.media_type and not any(_is_a(offered, request.media_type) for offered in offered_types):
            raise InvalidInput(f"outputs/{name}/format/mediaType", f"allowed are {', '.join(offered_types)}")
        if request.transmission == "reference" and all(declared.is_value for declared in process.outputs):
            raise InvalidInput(f"outputs/{name}/transmissionMode", "this process offers 'value' only")


def _is_a(offered: str, wished: str) -> bool:
    """Return whether a media type is the wished one or a kind of it: a COG is an `image/tiff; application=geotiff`."""
    (own, *have), (wanted, *asked) = ([part.strip().lower() for part in text.split(";")] for text in (offered, wished))
    return own == wanted and set(asked) <= set(have)
