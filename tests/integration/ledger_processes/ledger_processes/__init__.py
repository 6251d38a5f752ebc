"""A process that writes down when it runs; put the folder above on PYTHONPATH to install it."""

from typing import Literal

from pydantic import Field

from candela_processes.process import Inputs, Output, Process


class LedgerInputs(Inputs):
    """Where the ledger is and how to behave."""

    folder: str = Field(title="Folder of the ledger")
    act: Literal["finish", "fail", "stubborn", "detach"] = Field(default="finish", title="What to do")


LEDGER = Process(
    id="ledger",
    version="1.0.0",
    title="Ledger",
    description="Writes down its start, waits for the file `go`, writes down its end.",
    inputs=LedgerInputs,
    outputs=(Output(id="pid", title="Process that ran", schema={"type": "integer"}),),
    run="ledger_processes.ledger:run",
    example={"folder": "/tmp"},
)
