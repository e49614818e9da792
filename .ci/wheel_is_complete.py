"""`wheel_is_complete.py WHEEL PACKAGE`: fails unless the wheel holds the package's files and no others."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def main(wheel: Path, package: Path) -> str | None:
    """Compare the two; return what is wrong, or None."""
    wanted = {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    if found != wanted:
        return f"{wheel.name}: missing {sorted(wanted - found)}, not of the package {sorted(found - wanted)}"
    endings = {Path(name).suffix for name in found if "/static/" in name}
    if not {".js", ".css"} <= endings or f"{package.name}/py.typed" not in found:
        return f"{wheel.name}: a script, a style sheet or py.typed is missing among {sorted(found)}"
    print(f"{wheel.name}: {len(found)} files")
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
