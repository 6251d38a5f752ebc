"""On which kind of file system a path lies; SQLite's locks and shared memory do not hold on network ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mountinfo")

# Types that keep files on another machine, or (9p, virtiofs) pass them through without shared memory maps; the ones in
# user space are shown as `fuse.<type>`.
_NETWORK: Final = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "ceph-fuse",
        "cifs",
        "coda",
        "cvmfs2",
        "davfs",
        "gcsfuse",
        "glusterfs",
        "goofys",
        "gpfs",
        "juicefs",
        "lustre",
        "mfs",
        "mount-s3",
        "mountpoint-s3",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "quobyte",
        "rclone",
        "s3fs",
        "seaweedfs",
        "smb3",
        "smbfs",
        "sshfs",
        "virtiofs",
        "weed",
    ]
)


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the network file system that holds `path` (which need not exist), empty for a local one.

    Reads the mount table (proc(5)), because statfs(2) tells all FUSE file systems by one number. Empty as well where
    the table cannot be read.
    """
    try:
        table = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    kind = file_system(path.resolve(), table)
    return kind if kind.removeprefix("fuse.") in _NETWORK else ""


def file_system(path: Path, table: str) -> str:
    """Return the type of the file system that holds an absolute path, by a mount table; empty when none does."""
    kind, depth = "", -1
    for line in table.splitlines():
        mount, _, source = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not source:
            continue
        point = Path(_unescaped(fields[4]))
        # A later mount covers an earlier one on the same point.
        if len(point.parts) >= depth and path.is_relative_to(point):
            kind, depth = source.split(" ")[0], len(point.parts)
    return kind


def _unescaped(field: str) -> str:
    """Return a path of the mount table with its octal escapes (space, tab, newline, backslash) undone."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
