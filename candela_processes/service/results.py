"""The results of a finished job: which outputs were asked for, where their files are, and why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from candela_processes.errors import InternalError, NoSuchResult, RecordedError, ResultGone, ResultNotReady
from candela_processes.jobs.directory import AttemptDirectory, ContractError, JobDirectory, Outcome, OutputFile
from candela_processes.jobs.record import Job, Status
from candela_processes.process import Output, Process


@dataclass(frozen=True, kw_only=True)
class Results:
    """The verified outputs of a successful job."""

    job: Job
    process: Process
    directory: AttemptDirectory
    outcome: Outcome

    @property
    def files(self) -> Mapping[str, tuple[OutputFile, ...]]:
        """Return the files by output id, in the order of the declaration; a `many` output may have several."""
        found = {
            output.id: tuple(entry for entry in self.outcome.outputs if entry.output == output.id)
            for output in self.process.outputs
        }
        return {name: files for name, files in found.items() if files}

    def file(self, output_id: str, number: int | None = None) -> OutputFile:
        """Return one file; `number` counts from 1 and is needed where there are several. Raises NoSuchResult."""
        files = self.files.get(output_id)
        if files is None:
            raise NoSuchResult(f"This job has no output {output_id[:80]!r}; it has {', '.join(self.files)}.")
        if number is None and len(files) > 1:
            raise NoSuchResult(f"{output_id} has {len(files)} files; ask for one of 1..{len(files)}.")
        wanted = 1 if number is None else number
        if not 1 <= wanted <= len(files):
            raise NoSuchResult(f"{output_id} has no file {wanted}; it has 1..{len(files)}.")
        return files[wanted - 1]

    def path(self, file: OutputFile) -> Path:
        """Return where a file lies; open it with `execution.verify.open_output`, never directly."""
        return self.directory.outputs / file.path

    def declared(self, output_id: str) -> Output:
        """Return the declaration of an output that these results have."""
        output = self.process.output(output_id)
        if output is None:
            raise NoSuchResult(f"{self.process.id} has no output {output_id[:80]!r}.")
        return output


def results_of(job: Job, process: Process, workspace: Path) -> Results:
    """Return the results; raises ResultNotReady, ResultGone, the job's own error, InternalError when files are lost."""
    if job.status is Status.DISMISSED:
        raise ResultGone("The job was dismissed; its results were removed.")
    if job.status is Status.FAILED:
        raise RecordedError.of(job.error)
    if job.status is not Status.SUCCESSFUL or job.accepted_attempt is None:
        raise ResultNotReady(f"The job is {job.status}; its results are not ready.")
    directory = JobDirectory.of(workspace, job.id).attempt(job.accepted_attempt)
    try:
        outcome = directory.read_outcome()
    except ContractError as error:
        raise InternalError("The results of this job cannot be read any more; tell the operator.") from error
    if outcome is None:
        raise ResultGone("The results of this job were removed from the server.")
    return Results(job=job, process=process, directory=directory, outcome=outcome)
