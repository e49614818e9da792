"""Files that are there as a whole, or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING, BinaryIO

from locus_nb._bus import buses
from locus_nb._errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Generator[BinaryIO]:
    """Give a new file to write to, which takes the place of `path` when the block ends well.

    It is written beside `path`, made safe on the disk, and renamed. Whoever reads `path` meanwhile, also after a
    crash, finds the file that was there before, if there was one; so does everybody when the block raises. Of a
    symbolic link the file it leads to is replaced. Who may read and write a file that is replaced stays as it was.

    Raises:
        FileNotFoundError: The directory does not exist.
        IsADirectoryError: `path` is a directory.
        StoreError: It is the file of a store of this process, which would be gone.
        OSError: The file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: make the directory {target.parent} first")
    if target.is_dir():
        raise IsADirectoryError(f"{path} cannot be written: it is a directory, name a file in it")
    if target.exists() and not target.is_file():
        raise OSError(
            f"{path} cannot be written: it is a device, a pipe or the like; name a new file or a plain one"
        )
    if any(bus.store is not None and Path(os.path.realpath(bus.store.path)) == target for bus in buses()):
        raise StoreError(f"{path} cannot be written: it is the file of a store; name another file")
    part = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with part.open("xb") as file:
            with suppress(FileNotFoundError):
                # Before there is anything to read in it.
                part.chmod(S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    # Windows cannot open one, and some network file systems refuse: there the rename is as safe as they make it.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
