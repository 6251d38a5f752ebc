"""The server's own check of what a worker says it made; trusts nothing in the job directory."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from io import BufferedReader
from typing import Final

from candela_processes.errors import CANDELA_EXCEPTIONS, JobFailed
from candela_processes.execution.beneath import NotPlain, open_beneath
from candela_processes.jobs.directory import AttemptDirectory, Outcome, OutputFile
from candela_processes.process import Output, Process

MAX_OUTPUTS: Final = 100_000
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class OutputsRejected(JobFailed):
    """The outputs are not what the result says; `reason` is for the operator, the detail for the user."""

    type = f"{CANDELA_EXCEPTIONS}outputs-rejected"
    title = "Outputs rejected"

    def __init__(self, reason: str) -> None:
        """Keep the operator's reason beside the sentence for the user."""
        super().__init__("The outputs of the job did not pass the server's check; tell the operator.")
        self.reason = reason


def verify(attempt: AttemptDirectory, outcome: Outcome, process: Process) -> None:
    """Check that every declared output is a plain, unshared file of the stated size and sha256; else OutputsRejected.

    Reads every byte of the outputs.
    """
    if outcome.error is not None or outcome.job != attempt.path.parent.parent.name or outcome.attempt != attempt.number:
        raise OutputsRejected("result.json is an error or belongs to another attempt")
    _check_declaration(outcome, process)
    for entry in outcome.outputs:
        with open_output(attempt, entry) as source:
            if os.fstat(source.fileno()).st_nlink != 1:
                raise OutputsRejected(f"{entry.path!r} has a second name and could be changed from outside")
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            if digest != entry.sha256:
                raise OutputsRejected(f"{entry.path!r} has sha256 {digest}, stated was {entry.sha256}")


def open_output(attempt: AttemptDirectory, entry: OutputFile) -> BufferedReader:
    """Open one output for reading, without following a link; raises OutputsRejected when it is not as stated."""
    try:
        descriptor = open_beneath(attempt.outputs, entry.path)
    except (NotPlain, TypeError, AttributeError) as error:
        raise OutputsRejected(f"output {entry.output!r}: {error}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
        os.close(descriptor)
        raise OutputsRejected(f"{entry.path!r} has {status.st_size} bytes, stated were {entry.size}")
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def _check_declaration(outcome: Outcome, process: Process) -> None:
    if len(outcome.outputs) > MAX_OUTPUTS:
        raise OutputsRejected(f"{len(outcome.outputs)} output files")
    paths = Counter(str(entry.path) for entry in outcome.outputs)
    if any(count > 1 for count in paths.values()):
        raise OutputsRejected("two outputs name the same file")
    declared = {output.id for output in process.outputs}
    for entry in outcome.outputs:
        if not isinstance(entry.output, str) or entry.output not in declared:
            raise OutputsRejected(f"output {entry.output!r} is not declared by {process.id}")
        if not isinstance(entry.sha256, str) or not _DIGEST.fullmatch(entry.sha256):
            raise OutputsRejected(f"output {entry.output!r} has no sha256")
        if not isinstance(entry.metadata, dict):
            raise OutputsRejected(f"output {entry.output!r} has metadata that is not an object")
    for output in process.outputs:
        _check_numbers(output, [entry for entry in outcome.outputs if entry.output == output.id])


def _check_numbers(output: Output, entries: list[OutputFile]) -> None:
    allowed = output.media_types or ("application/json",)
    if any(entry.media_type not in allowed for entry in entries):
        raise OutputsRejected(f"output {output.id!r} has a media type that is not declared")
    numbers = [entry.n for entry in entries]
    if output.many:
        if numbers != list(range(1, len(numbers) + 1)):
            raise OutputsRejected(f"output {output.id!r} is numbered {numbers[:20]}, not from 1 on")
    elif numbers != [0] and not (output.optional and not numbers):
        raise OutputsRejected(f"output {output.id!r} has {len(numbers)} files where one is declared")
