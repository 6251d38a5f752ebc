"""Where a referenced file is found; part of the job directory's contract. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StagedReference:
    """One referenced file: `path` when it is in place already, `url` when the worker has to fetch it.

    A relative `path` is below the job directory. `deferred` names the top-level input whose *value* is the content
    of the file (an input by reference whose declared type is not a file), else it is empty.
    """

    href: str
    name: str
    path: str = ""
    url: str = ""
    media_type: str = ""
    deferred: str = ""
