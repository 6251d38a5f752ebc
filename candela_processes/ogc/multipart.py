"""multipart/related (RFC 2387) of output files, streamed; one part per file, `Content-ID` says which output it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from candela_processes.execution.verify import open_output
from candela_processes.jobs.directory import OutputFile
from candela_processes.ogc.files import file_headers
from candela_processes.service.results import Results

CHUNK: Final = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of a multipart; with a `location` only the address is sent (18-062r2: by reference, empty body)."""

    file: OutputFile
    location: str = ""

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return 0 if self.location else self.file.size

    def head(self) -> bytes:
        """Return the part's headers and the empty line after them."""
        name = f"{self.file.output}_{self.file.n}" if self.file.n else self.file.output
        headers = file_headers(self.file) | {"Content-ID": f"<{name}>", "Content-Length": str(self.size)}
        if self.location:
            headers["Content-Location"] = self.location
        return "".join(f"{key}: {value}\r\n" for key, value in headers.items()).encode() + b"\r\n"


@dataclass(frozen=True, kw_only=True)
class Multipart:
    """All parts and the boundary between them, which holds the random job id."""

    results: Results
    parts: Sequence[Part]

    @property
    def boundary(self) -> str:
        """The text between the parts."""
        return f"candela-{self.results.job.id}"

    @property
    def media_type(self) -> str:
        """Media type with boundary and the type of the first part."""
        return f'multipart/related; boundary="{self.boundary}"; type="{self.parts[0].file.media_type}"'

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        fence = len(self._fence())
        return sum(fence + len(part.head()) + part.size + 2 for part in self.parts) + len(self._end())

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in chunks; each file is open only while it is sent."""
        for part in self.parts:
            yield self._fence() + part.head()
            if not part.location:
                with open_output(self.results.directory, part.file) as source:
                    while chunk := source.read(CHUNK):
                        yield chunk
            yield b"\r\n"
        yield self._end()

    def _fence(self) -> bytes:
        return f"--{self.boundary}\r\n".encode()

    def _end(self) -> bytes:
        return f"--{self.boundary}--\r\n".encode()
