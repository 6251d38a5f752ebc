"""Settings of server, dispatcher, worker and command line: one frozen value, built once at the edge.

Every field is an environment variable with the prefix `CANDELA_`; `config/candela.env.example` is generated from this
file. A wrong value stops the start with one sentence.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from candela_processes.errors import SettingsError

PREFIX: Final = "CANDELA_"

_ALIKE: Final = 0.88
"""Likeness of two names (difflib's ratio) above which one is the other misspelt."""


def _paths(value: Any) -> Any:
    return tuple(Path(part) for part in value.split(os.pathsep) if part) if isinstance(value, str) else value


def _names(value: Any) -> Any:
    return tuple(part.strip().lower() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _absolute(value: Path) -> Path:
    return value.expanduser().absolute()


class Settings(BaseSettings):
    """All settings; a field's description says meaning and unit."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, allow_inf_nan=False
    )

    workspace: Annotated[Path, AfterValidator(_absolute)] = Field(
        default=Path("workspace"), description="Folder of jobs, results and, by default, the database."
    )
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL of the job store; empty: SQLite in the workspace. PostgreSQL: postgresql+psycopg://…",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://\S+[^/])?$",
        description="Root URL that links show; empty: as the client asked.",
    )
    pygeoapi_config: Path | None = Field(
        default=None,
        description="pygeoapi configuration whose metadata and resources are served as collections; empty: none.",
    )
    title: str = Field(default="Earth-observation processes", description="Title of the landing page.")
    input_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Folders below which inputs may name files, separated by ':'. Empty: no local files."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Hosts that inputs may be fetched from, separated by ','; empty: every public host."
    )
    private_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Hosts that may be fetched from although their address is private or loopback."
    )
    fetch_seconds: float = Field(default=600.0, gt=0, description="Longest time of one download (s).")
    fetch_bytes: Annotated[int, Field(gt=0)] = Field(
        default=20 * 1024**3, description="Largest file that is downloaded (bytes)."
    )
    parallel_jobs: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)), ge=1, le=1024, description="Local jobs running at once."
    )
    max_interruptions: int = Field(
        default=3, ge=0, le=100, description="How often a job that the system lost is started again."
    )
    job_seconds: float = Field(default=0.0, ge=0, description="Cap on the time of every job (s); 0: as declared.")
    job_memory: int = Field(default=0, ge=0, description="Cap on the memory of every job (bytes); 0: as declared.")
    job_scratch: int = Field(default=0, ge=0, description="Cap on the disk of every job (bytes); 0: as declared.")
    stop_grace_seconds: float = Field(
        default=10.0, ge=0, le=3600, description="Time between asking a job to end and killing it (s)."
    )
    round_seconds: float = Field(
        default=1.0, gt=0, le=60, description="Longest pause between two dispatcher rounds (s)."
    )
    action_seconds: float = Field(default=60.0, gt=0, description="Longest time of one dispatcher action (s).")
    expiry_days: float = Field(
        default=30.0, gt=0, le=100_000, description="Age at which finished jobs and their files are removed (days)."
    )
    orphan_seconds: float = Field(
        default=600.0, gt=0, description="Age at which a directory that no job owns is removed (s)."
    )
    free_space_floor: int = Field(
        default=1024**3, ge=0, description="Free space of the workspace below which submissions are refused (bytes)."
    )
    sync_wait_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Longest wait of a synchronous request; after it the answer is 201 and the job goes on (s).",
    )
    request_bytes: int = Field(default=10 * 1024**2, gt=0, description="Largest request body (bytes).")
    value_bytes: int = Field(
        default=10 * 1024**2,
        gt=0,
        description="Largest output embedded in a document; larger ones become links (bytes).",
    )
    web_threads: int = Field(default=32, ge=2, le=512, description="Threads per web process; half may wait for jobs.")
    web_workers: int = Field(default=1, ge=1, le=64, description="Web processes.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least severe level logged."
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Form of log lines.")
    fault_step: str = Field(
        default="", description="For tests only: name of the marked step at which the process kills itself once."
    )
    fault_marker: str = Field(default="", description="For tests only: file that says the fault has happened.")

    _split_paths = field_validator("input_roots", mode="before")(_paths)
    _split_names = field_validator("allowed_hosts", "private_hosts", mode="before")(_names)

    @property
    def store_url(self) -> str:
        """Return the SQLAlchemy URL of the job store."""
        return self.database_url or f"sqlite:///{self.workspace / 'jobs.sqlite'}"


def load(**overrides: Any) -> Settings:
    """Build the settings from the environment and `overrides`; raises SettingsError, one sentence per wrong setting."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        sentences = [
            f"{PREFIX}{'_'.join(str(part) for part in problem['loc'][:1]).upper()}: {problem['msg']}."
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError(" ".join(sentences)) from None


def refuse_misspelt(names: Iterable[str]) -> None:
    """Refuse environment variables that are nearly a setting's name; raises SettingsError, one sentence each.

    Names that are like none stay: a cluster sets `CANDELA_SERVICE_HOST` for a service called so.
    """
    known = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    meant = {
        name: difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
        for name in sorted(names)
        if name.startswith(PREFIX) and name not in known
    }
    sentences = [f"{name}: there is no such setting; meant is {close[0]}." for name, close in meant.items() if close]
    if sentences:
        raise SettingsError(" ".join(sentences))
