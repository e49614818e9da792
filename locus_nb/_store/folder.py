"""The files of a folder of JSONL files: which there are, what they are called, and which run each holds."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import islice
from stat import S_ISREG
from typing import TYPE_CHECKING
from urllib.parse import quote

from locus_nb._errors import StoreError
from locus_nb._store.run_lines import BadLine, Head, read_line

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

ENDING = ".jsonl"
_LONGEST_NAME = 120
# Lines in which one of ours is looked for, if the first one is damaged or something else.
_LOOKED_AT = 100
# Names of a run that may be missing in a row, because somebody deleted the files, before one that is there.
_GAP = 8


def files_of(folder: Path) -> dict[Path, os.stat_result]:
    """Give the folder's files, the one that was written to last last; others may be deleting some."""
    found: dict[Path, os.stat_result] = {}
    for path in folder.glob(f"*{ENDING}"):
        with suppress(FileNotFoundError):
            stat = path.stat()
            if S_ISREG(stat.st_mode):
                found[path] = stat
    return dict(sorted(found.items(), key=lambda each: (each[1].st_mtime_ns, each[0])))


def run_id_in(path: Path) -> str | None:
    """Say which run a file holds; None if it is none of a store, or gone.

    Raises:
        StoreError: It is of another version.
    """
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in islice(file, _LOOKED_AT):
            try:
                found = read_line(line)
            except BadLine as bad:
                if bad.foreign:
                    raise StoreError(f"Cannot read {str(path)!r}: {bad.reason}") from bad
                continue
            return found.record.run_id if isinstance(found, Head) else found.run_id
    return None


def candidates(folder: Path, run_id: str, *, also_new: bool = False) -> Iterator[Path]:
    """Give the files a run may be in; with `also_new` those that it could be in, without end."""
    base = quote(run_id, safe=" ")
    if base.startswith("."):
        # No pattern finds hidden files.
        base = f"%2E{base[1:]}"
    if len(base) > _LONGEST_NAME or base != run_id.lower():
        # File systems may not tell capitals from small letters.
        base = f"{base[:_LONGEST_NAME]}~{hashlib.sha256(run_id.encode()).hexdigest()[:12]}"
    count, missing = 1, 0
    while missing <= _GAP:
        path = folder / (f"{base}{ENDING}" if count == 1 else f"{base}~{count}{ENDING}")
        if also_new or path.is_file():
            missing = 0
            yield path
        else:
            missing += 1
        count += 1
