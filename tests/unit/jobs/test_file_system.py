"""Which file system holds a path, by mount tables in the form of proc(5)."""

from pathlib import Path

import pytest

from candela_processes.jobs.file_system import file_system, network_file_system

TABLE = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw
30 22 0:40 / /mnt/nfs rw - nfs4 server:/export rw
31 22 0:41 / /mnt/nfs/local rw shared:1 master:2 - xfs /dev/vdb rw
32 22 0:42 / /mnt/with\040space rw - cifs //server/share rw
33 22 0:43 / /mnt/ssh rw - fuse.sshfs host:/ rw
34 22 0:44 / /mnt/twice rw - ext4 /dev/vdc rw
35 34 0:45 / /mnt/twice rw - ceph mon:/ rw
36 22 0:46 / /mnt/overlay rw - fuse.fuse-overlayfs overlay rw
a broken line
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/", "ext4", False),
        ("/srv/jobs.sqlite", "ext4", False),
        ("/mnt/nfs/jobs.sqlite", "nfs4", True),
        ("/mnt/nfsx/jobs.sqlite", "ext4", False),
        ("/mnt/nfs/local/jobs.sqlite", "xfs", False),
        ("/mnt/with space/a/b/jobs.sqlite", "cifs", True),
        ("/mnt/ssh/jobs.sqlite", "fuse.sshfs", True),
        ("/mnt/twice/jobs.sqlite", "ceph", True),
        ("/mnt/overlay/jobs.sqlite", "fuse.fuse-overlayfs", False),
    ],
)
def test_the_deepest_and_latest_mount_counts(path: str, kind: str, network: bool, tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    assert file_system(Path(path), TABLE) == kind
    assert network_file_system(Path(path), table) == (kind if network else "")


def test_links_are_followed_to_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "jobs").symlink_to("/mnt/ssh")
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    assert network_file_system(tmp_path / "jobs" / "jobs.sqlite", table) == "fuse.sshfs"


def test_without_a_mount_table_nothing_is_refused(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, tmp_path / "none") == ""


def test_the_real_table_tells_memory_file_systems() -> None:
    assert file_system(Path("/proc/self"), Path("/proc/self/mountinfo").read_text()) == "proc"
