"""The catalog: the built-in processes and those of the entry-point group `candela_processes`; ids and aliases unique.

Loading it imports declarations only, never an analytics library; a test checks that in a fresh interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from candela_processes.errors import NoSuchProcess, SettingsError
from candela_processes.process import Process
from candela_processes.processes.assess_change import ASSESS_CHANGE
from candela_processes.processes.change_detection import CHANGE_DETECTION
from candela_processes.processes.echo import ECHO

ENTRY_POINT_GROUP: Final = "candela_processes"

BUILT_IN: Final[tuple[Process, ...]] = (
    ASSESS_CHANGE,
    CHANGE_DETECTION,
    ECHO,
)


@dataclass(frozen=True)
class Catalog:
    """The processes of one server, sorted by id."""

    processes: tuple[Process, ...]

    def __iter__(self) -> Iterator[Process]:
        """Iterate over the processes in the order of their ids."""
        return iter(self.processes)

    def get(self, process_id: str) -> Process | None:
        """Return the process of that id or alias, or None."""
        return next((p for p in self.processes if process_id == p.id or process_id in p.aliases), None)

    def require(self, process_id: str) -> Process:
        """Return the process of that id or alias; raises NoSuchProcess naming what there is."""
        process = self.get(process_id)
        if process is None:
            raise NoSuchProcess(f"There is no process {process_id[:80]!r}; /processes lists all of them.")
        return process


def build(processes: Iterable[Process]) -> Catalog:
    """Return the catalog of these processes; raises SettingsError when two share an id or alias."""
    ordered = tuple(sorted(processes, key=lambda process: process.id.lower()))
    seen: set[str] = set()
    for process in ordered:
        for name in (process.id, *process.aliases):
            if name in seen:
                raise SettingsError(f"Two processes are called {name!r}; uninstall one of their packages.")
            seen.add(name)
    return Catalog(ordered)


def load() -> Catalog:
    """Return built-in and installed processes; raises SettingsError for an entry point that is not a Process."""
    return build((*BUILT_IN, *_installed()))


def _installed() -> Iterator[Process]:
    for point in entry_points(group=ENTRY_POINT_GROUP):
        value = point.load()
        if not isinstance(value, Process):
            raise SettingsError(f"The entry point {point.name!r} of {ENTRY_POINT_GROUP!r} is not a Process.")
        yield value
