"""A service on a memory store and a workspace of its own."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from candela_processes import catalog, settings
from candela_processes.jobs.memory import MemoryStore
from candela_processes.service.service import Service
from candela_processes.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Rig:
    """The service, its store and where its jobs are."""

    service: Service
    store: MemoryStore
    workspace: Path

    def with_settings(self, **changes: object) -> Service:
        """Return the same service under other settings."""
        return replace(self.service, settings=self.service.settings.model_copy(update=changes))

    @property
    def directories(self) -> list[Path]:
        """Return the job directories."""
        return sorted((self.workspace / "executions").glob("*"))


@pytest.fixture
def rig(tmp_path: Path, data: Path) -> Rig:
    store = MemoryStore()
    configured = settings.Settings(workspace=tmp_path, input_roots=(data,), free_space_floor=0)
    service = Service(settings=configured, catalog=catalog.load(), store=store, metrics=Metrics())
    return Rig(service=service, store=store, workspace=tmp_path)
