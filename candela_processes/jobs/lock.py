"""Locks on files that say who lives: open-file-description locks (fcntl(2)).

They are inherited by children, dropped with the last descriptor, and can be looked at without being taken, which
neither flock nor the classic POSIX locks allow. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import Final

_GET_LOCK: Final = 36  # F_OFD_GETLK
_SET_LOCK: Final = 37  # F_OFD_SETLK


def lock_file(path: Path) -> int | None:
    """Lock a file, made if needed; return its descriptor, or None when somebody else holds the lock.

    The lock belongs to the open file, so a descriptor passed to a child keeps it until the last copy is closed.
    Raises OSError when the file cannot be opened; links are not followed.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(descriptor, _SET_LOCK, _whole_file(fcntl.F_WRLCK))
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def lock_inherited(descriptor: int, path: Path) -> bool:
    """Lock through a descriptor that another process opened; return whether it is this file's and now holds the lock.

    Where the other one locked it already, this changes nothing: both share the open file. Raises OSError for what is
    no descriptor or no file.
    """
    own, wanted = os.fstat(descriptor), path.stat(follow_symlinks=False)
    if (own.st_dev, own.st_ino) != (wanted.st_dev, wanted.st_ino):
        return False
    try:
        fcntl.fcntl(descriptor, _SET_LOCK, _whole_file(fcntl.F_WRLCK))
    except (BlockingIOError, PermissionError):
        return False
    return True


def unlock_file(descriptor: int) -> None:
    """Unlock a file that `lock_file` locked, for every copy of the descriptor."""
    fcntl.fcntl(descriptor, _SET_LOCK, _whole_file(fcntl.F_UNLCK))


def is_locked(path: Path) -> bool:
    """Return whether somebody holds the lock of a file, without taking it; a missing file is not locked."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(descriptor, _GET_LOCK, _whole_file(fcntl.F_WRLCK))
    finally:
        os.close(descriptor)
    kind: int = struct.unpack_from("h", answer)[0]
    return kind != fcntl.F_UNLCK


def _whole_file(kind: int) -> bytes:
    """Return the `struct flock` of this kind of lock (64-bit Linux) over a whole file."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0)
