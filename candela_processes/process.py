"""The declaration of a process and the link type of its inputs; pure, no I/O, imports no analytics.

A process is declared once, as a frozen `Process` value; description, OpenAPI, CLI command, documentation page and
limits are derived from it and state nothing a second time. `run(inputs, workdir, progress) -> outputs` is the only
code that a process adds; it is named by a dotted reference so that loading the catalog never imports heavy code.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from candela_processes.errors import InvalidInput

GIB: Final = 1024**3
GEOTIFF: Final = "image/tiff; application=geotiff"
COG: Final = "image/tiff; application=geotiff; profile=cloud-optimized"
JSON: Final = "application/json"
PNG: Final = "image/png"


class Inputs(BaseModel):
    """Base of every inputs model: unknown names are refused, values are strict and immutable.

    Always validate from JSON text (`model_validate_json`): strict mode then takes exactly what JSON and the published
    schema take (a string is not a number), and dates come as ISO strings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="after")
    def _refuse_null(self) -> Self:
        # Not mode="before": a validator in front would hand on Python values, in which strict mode takes no list.
        for name in self.model_fields_set:
            if getattr(self, name) is None:
                raise InvalidInput(name, "null is not a value; leave the input out instead")
        return self


class Reference(BaseModel):
    """A file that an input points to: an OGC link object, or a plain path or URL string.

    `href` is kept exactly as it was given; what it may point to is decided by the server's settings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    href: str = Field(min_length=1, max_length=4096, description="URL, or path below an allowed input root.")
    type: str | None = Field(default=None, description="Media type of the file.")
    rel: str | None = Field(default=None, description="Relation of the link; not used.")
    title: str | None = Field(default=None, max_length=256, description="Name shown instead of the file's own.")
    hreflang: str | None = Field(default=None, description="Language of the file; not used.")

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"href": value} if isinstance(value, str) else value

    @property
    def name(self) -> str:
        """Return what people call this file: the title, else the last part of the path."""
        path = urlsplit(self.href).path if "://" in self.href else self.href
        return self.title or posixpath.basename(unquote(path).rstrip("/")) or self.href


REFERENCE_SCHEMA: Final[dict[str, Any]] = {
    "oneOf": [
        {"type": "string", "minLength": 1, "maxLength": 4096},
        {
            "type": "object",
            "required": ["href"],
            "additionalProperties": False,
            "properties": {
                "href": {"type": "string", "minLength": 1, "maxLength": 4096},
                "type": {"type": "string"},
                "rel": {"type": "string"},
                "title": {"type": "string", "maxLength": 256},
                "hreflang": {"type": "string"},
            },
        },
    ]
}
"""Published form of a `Reference`; the OGC link object or a string."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output: `media_types` of its file (first = what is written), or a JSON value when `schema` is given alone.

    `many` makes it an array of files: document response an array, raw a multipart, `/results/<id>/<n>` with n from 1.
    `optional` outputs may be missing from what `run` returns.
    """

    id: str
    title: str
    description: str = ""
    media_types: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    many: bool = False
    optional: bool = False

    @property
    def is_value(self) -> bool:
        """Return whether this output is a JSON value rather than a file that `run` writes."""
        return not self.media_types


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one job needs: cores, bytes of memory and scratch (also the limits it is held to), GPU, container image."""

    cpu: float = 1.0
    memory: int = 2 * GIB
    scratch: int = 10 * GIB
    gpu: int = 0
    image: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one job may cost: wall seconds, pixels of one image, bytes of all inputs."""

    seconds: float = 3600.0
    pixels: int = 2_000_000_000
    input_bytes: int = 50 * GIB


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that `run` wrote below `Workdir.outputs`; `start` and `end` (YYYYMMDD) go into its public name."""

    path: Path
    start: str = ""
    end: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


type OutputValue = File | tuple[File, ...] | Any
"""A file, the files of a `many` output, or a JSON value."""


@dataclass(frozen=True, kw_only=True)
class Workdir:
    """Where one run reads and writes: `outputs` and `scratch` of this attempt, `staged` files and `names` by reference.

    `steps` holds finished intermediates that later attempts of the same job may take over.
    """

    outputs: Path
    scratch: Path
    steps: Path
    staged: Mapping[str, Path]
    names: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()

    def file(self, reference: Reference) -> Path:
        """Return the local file of a reference; raises KeyError for one that was not staged."""
        return self.staged[reference.href]

    def name(self, reference: Reference) -> str:
        """Return what people call the file of a reference; another job's output has its own name, not its link's."""
        return reference.title or self.names.get(reference.href) or reference.name


class Progress(Protocol):
    """Reports how far the work is; called often, it throttles by itself."""

    def __call__(self, percent: float, message: str) -> None:
        """Report `percent` (0..100) of the whole and the present step in a few words."""


class Run(Protocol):
    """The function that a process adds."""

    def __call__(self, inputs: Any, workdir: Workdir, progress: Progress) -> Mapping[str, OutputValue]:
        """Return one value per declared output; raise `errors.InvalidInput` where an input cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """The declaration of a process; every face of the server derives from it.

    `run` is "module:function". `inline` processes are instant and run in the web process when asked synchronously.
    `example` is a valid inputs object, shown in the documentation and run by the contract tests.
    """

    id: str
    version: str
    title: str
    description: str
    inputs: type[Inputs]
    outputs: tuple[Output, ...]
    run: str
    example: Mapping[str, Any]
    keywords: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    resources: Resources = Resources()
    limits: Limits = Limits()
    inline: bool = False

    def output(self, output_id: str) -> Output | None:
        """Return the declared output of that id, or None."""
        return next((output for output in self.outputs if output.id == output_id), None)
