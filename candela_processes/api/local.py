"""One run on this machine without a server: the same checks, job directory, worker and limits as a job."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from candela_processes import catalog
from candela_processes import settings as configuration
from candela_processes.errors import InternalError, InvalidInput, ProcessesError, RecordedError
from candela_processes.execution.verify import verify
from candela_processes.jobs.directory import (
    EXIT_DONE,
    EXIT_INTERNAL,
    ContractError,
    JobDirectory,
    Outcome,
    Staging,
    write_json,
)
from candela_processes.jobs.record import new_job_id
from candela_processes.process import Process
from candela_processes.references.policy import FetchPolicy
from candela_processes.references.resolve import resolve
from candela_processes.service.assemble import worker_environment
from candela_processes.service.job_inputs import job_inputs
from candela_processes.service.submission import CheckedInputs, check_inputs
from candela_processes.settings import Settings

type Watch = Callable[[float, str], None]

_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class LocalRun:
    """How a local run ended: files by output id (a tuple for a `many` output), or the error as data."""

    exit_code: int
    outputs: Mapping[str, Path | tuple[Path, ...]] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    log: str = ""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return all files in the order of the declaration."""
        groups = [entry if isinstance(entry, tuple) else (entry,) for entry in self.outputs.values()]
        return tuple(path for group in groups for path in group)


def run(process_id: str, *, out: str | Path, on_progress: Watch | None = None, **inputs: Any) -> LocalRun:
    """Run a process here and put its results below `out`.

    Paths among the inputs are relative to the working directory; `Path` objects are taken as their text. Raises
    NoSuchProcess, InvalidInput for bad inputs, and the job's own error as ProcessesError when the run failed.
    """
    process = catalog.load().require(process_id)
    finished = run_process(process, _plain(inputs), Path(out), on_progress=on_progress)
    if finished.error is not None:
        raise _raised(finished.error)
    return finished


def run_process(
    process: Process, inputs: Mapping[str, Any], out: Path, *, on_progress: Watch | None = None
) -> LocalRun:
    """Run a declared process on JSON inputs; like `run`, but a failed run is returned, not raised."""
    settings = configuration.load()
    checked = check_inputs(process, inputs)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".candela-", dir=out) as folder:
        directory = _prepare(Path(folder), process, checked, settings)
        code = _work(directory, settings, on_progress or _ignore)
        return _collect(directory, process, out, code)


def _prepare(workspace: Path, process: Process, checked: CheckedInputs, settings: Settings) -> JobDirectory:
    directory = JobDirectory.of(workspace, new_job_id())
    directory.path.mkdir(parents=True)
    roots, policy = (Path.cwd(), Path("/")), FetchPolicy.from_settings(settings)
    staged = tuple(
        resolve(name, reference, roots, policy=policy, deferred=deferred)
        for name, reference, deferred in checked.all_references()
    )
    inputs = job_inputs(directory.job_id, process, checked.values, settings)
    directory.write_inputs(inputs, Staging(references=staged))
    return directory


def _work(directory: JobDirectory, settings: Settings, on_progress: Watch) -> int:
    """Run the worker and report its progress; Ctrl-C asks it to end and waits for that."""
    command = [sys.executable, "-m", "candela_processes.worker", str(directory.path), "--attempt", "1"]
    environment = worker_environment(os.environ, settings)
    with subprocess.Popen(command, env=environment, start_new_session=True) as worker:  # noqa: S603 - our own module
        while True:
            try:
                code = worker.wait(_LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                report = directory.attempt(1).read_progress()
                if report is not None:
                    on_progress(report.percent, report.message)
            except KeyboardInterrupt:
                worker.send_signal(signal.SIGTERM)
    if code == EXIT_DONE:
        on_progress(100, "done")
    return code


def _collect(directory: JobDirectory, process: Process, out: Path, code: int) -> LocalRun:
    attempt = directory.attempt(1)
    log = attempt.process_log.read_text(encoding="utf-8", errors="replace") if attempt.process_log.exists() else ""
    try:
        outcome = attempt.read_outcome()
    except ContractError:
        outcome = None
    if code == EXIT_INTERNAL and attempt.worker_log.exists():
        shutil.copyfile(attempt.worker_log, out / attempt.worker_log.name)
    if outcome is None:
        error = InternalError("The worker ended without a result.").as_data()
        return LocalRun(exit_code=code or EXIT_INTERNAL, error=error, log=log)
    if outcome.error is None:
        verify(attempt, outcome, process)
        for file in outcome.outputs:
            (attempt.outputs / file.path).replace(out / file.path)
    write_json(out / "result.json", asdict(outcome))
    return LocalRun(exit_code=code, outputs=_by_output(process, outcome, out), error=outcome.error, log=log)


def _by_output(process: Process, outcome: Outcome, out: Path) -> dict[str, Path | tuple[Path, ...]]:
    found: dict[str, Path | tuple[Path, ...]] = {}
    for output in process.outputs:
        paths = tuple(out / file.path for file in outcome.outputs if file.output == output.id)
        if paths:
            found[output.id] = paths if output.many else paths[0]
    return found


def _plain(value: Any) -> Any:
    """Return JSON for what Python users pass: paths as text, tuples as arrays."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    return value


def _raised(error: Mapping[str, Any]) -> ProcessesError:
    if str(error.get("type", "")).endswith("invalid-input"):
        name, _, problem = str(error["detail"]).partition(": ")
        return InvalidInput(name, problem)
    return RecordedError.of(error)


def _ignore(percent: float, message: str) -> None:
    """Report to nobody."""
