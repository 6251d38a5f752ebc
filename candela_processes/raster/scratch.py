"""Decoded pixels on disk: raw, band-sequential, memory-mapped files that many passes can stream.

Space is allocated when a file is made, so that a full disk is an `OSError` there and never a bus error in a later
access to the map. Pages that a pass has left behind are given back, which keeps the resident memory flat.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file of `bands` planes of `pixels` values of one data type."""

    path: Path
    bands: int
    pixels: int
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return self.bands * self.pixels * self.dtype.itemsize

    def create(self) -> Self:
        """Make the file with all its space allocated; `OSError` (ENOSPC) where the disk is too full."""
        with self.path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.size)
        return self

    @contextmanager
    def mapped(self, writable: bool = False) -> Iterator[Planes]:
        """Map the file; the arrays taken from it stay valid as long as they are referenced."""
        with self.path.open("r+b" if writable else "rb") as file:
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            memory = mmap.mmap(file.fileno(), self.size, access=access)
        yield Planes(self, memory, np.frombuffer(memory, self.dtype).reshape(self.bands, self.pixels))


@dataclass(frozen=True, slots=True)
class Planes:
    """A mapped raw file; `array` has the shape (bands, pixels)."""

    file: RawFile
    memory: mmap.mmap
    array: NDArray[Any]

    def release(self, start: int, stop: int) -> None:
        """Let the system drop the pages of pixels start..stop of every band; what was written stays written."""
        item = self.file.dtype.itemsize
        for band in range(self.file.bands):
            offset = band * self.file.pixels * item
            first = (offset + start * item) // mmap.PAGESIZE * mmap.PAGESIZE
            self.memory.madvise(mmap.MADV_DONTNEED, first, offset + stop * item - first)
