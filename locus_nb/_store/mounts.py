"""What kind of file system a path is on, and whether several processes can share memory there.

SQLite's write-ahead log needs that (https://sqlite.org/wal.html, "All processes using a database must be on the
same host computer"), and file locks that hold; network file systems, and folders that a virtual machine shares with
its host, promise neither. Only Linux tells: elsewhere pass `kind="jsonl"` for a path that is not on the machine.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_SHARED = """
    9p acfs afs beegfs ceph cifs coda davfs fuse.blobfuse2 fuse.ceph fuse.gcsfuse fuse.glusterfs
    fuse.goofys fuse.juicefs fuse.mount-s3 fuse.rclone fuse.s3fs fuse.sshfs fuse.vmhgfs-fuse
    glusterfs gpfs lustre ncpfs nfs nfs4 prl_fs pvfs2 smb2 smb3 smbfs vboxsf virtiofs wekafs
"""
_ESCAPE = re.compile(r"\\([0-7]{3})")


def is_shared(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Say whether `path` is on a network file system; False where the system does not tell."""
    return file_system(path, mounts) in _SHARED.split()


def file_system(path: Path, mounts: Path = _MOUNTS) -> str:
    """Give the type of the file system that `path` is, or would be, on; empty where the system does not tell."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    where = os.path.realpath(path)
    best, found = -1, ""
    for line in lines:
        _, point, kind, *_ = [*line.split(" "), "", "", ""]
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), point)
        # Of two on one point the later one covers the other.
        if (point in {"/", where} or where.startswith(f"{point}/")) and len(point) >= best:
            best, found = len(point), kind
    return found
