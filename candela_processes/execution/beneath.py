"""Opening a file beneath a folder without ever following a link, even while somebody is changing the folder.

Uses openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS where the kernel has it (Linux 5.6), else opens one
path component after the other with O_NOFOLLOW.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from pathlib import Path
from typing import Final

_OPENAT2: Final = 437
_RESOLVE: Final = 0x01 | 0x02 | 0x04 | 0x08  # NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY
_UNAVAILABLE: Final = (errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP)


class NotPlain(Exception):
    """What a path leads to is not a regular file beneath the folder; the text is for the operator."""


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def plain_parts(path: str) -> tuple[str, ...]:
    """Return the components of a relative path; raises NotPlain for an absolute, empty, dotted or controlled one."""
    parts = tuple(path.split("/"))
    if not path.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise NotPlain(f"{path!r} is not a plain relative path")
    return parts


def open_beneath(folder: Path, path: str) -> int:
    """Return a read-only descriptor of the regular file `path` beneath `folder`; raises NotPlain otherwise.

    `folder` itself is trusted, except that it must not be a link.
    """
    parts = plain_parts(path)
    try:
        root = os.open(folder, _FOLDER)
        try:
            descriptor = _openat2(root, path)
            if descriptor is None:
                descriptor = _walk(root, parts)
        finally:
            os.close(root)
    except OSError as error:
        raise NotPlain(f"{path!r} cannot be opened ({errno.errorcode.get(error.errno or 0, 'error')})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotPlain(f"{path!r} is not a regular file")
    return descriptor


def _openat2(root: int, path: str) -> int | None:
    """Return the descriptor, None where the system call is not available; raises OSError."""
    how = _How(flags=_FLAGS, mode=0, resolve=_RESOLVE)
    library = ctypes.CDLL(None, use_errno=True)
    answer: int = library.syscall(
        ctypes.c_long(_OPENAT2), ctypes.c_int(root), os.fsencode(path), ctypes.byref(how), ctypes.c_size_t(24)
    )
    if answer >= 0:
        return answer
    number = ctypes.get_errno()
    # containers answer EPERM to system calls that their filter does not know; a real EPERM comes back on the walk
    if number in _UNAVAILABLE:
        return None
    raise OSError(number, os.strerror(number))


def _walk(root: int, parts: tuple[str, ...]) -> int:
    """Open component after component; a link anywhere raises OSError (ELOOP or ENOTDIR)."""
    folder = os.dup(root)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _FLAGS, dir_fd=folder)
    finally:
        os.close(folder)
