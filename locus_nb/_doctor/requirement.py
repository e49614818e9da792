"""What this package says it needs, as far as its own metadata says such things."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata, requires
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

DISTRIBUTION = "locus-nb"

_LINE = re.compile(r"\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(?:;(.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_PYTHON = re.compile(r"""python_version\s*(<|>=)\s*["'](\d+)\.(\d+)["']""")
_BOUND = re.compile(r"(>=|==)\s*([\w.]+)")


class Requirement(NamedTuple):
    """A distribution that is needed.

    Attributes:
        name: Of the distribution.
        bounds: Which versions, as `>=8.1`; empty for any.
        extra: The extra that needs it; empty if it is always needed.
    """

    name: str
    bounds: str
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.name}{self.bounds}"

    def is_met_by(self, version: str) -> bool:
        """Whether a version will do. Bounds of other kinds than ours are not judged: then it will.

        Example:
            >>> Requirement("pandas", ">=2.2").is_met_by("2.10.1"), Requirement("pandas", ">=2.2").is_met_by("2.1.9")
            (True, False)
        """
        found = _numbers(version)
        for kind, bound in _BOUND.findall(self.bounds):
            pairs = list(zip_longest(found, _numbers(bound), fillvalue=0))
            mine, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            if mine < theirs or (kind == "==" and mine != theirs):
                return False
        return True


class Needs(NamedTuple):
    """What the installed distribution says of itself.

    Attributes:
        version: Its version; None if it is not installed, as where only its folder is on the path.
        requirements: What it needs with this Python.
        extras: The names of its extras, in order.
    """

    version: str | None = None
    requirements: tuple[Requirement, ...] = ()
    extras: tuple[str, ...] = ()


def needs() -> Needs:
    """Give what the installed distribution says that it is and needs; so far as it can be read, never raises."""
    try:
        about = metadata(DISTRIBUTION)
        lines, extras = requires(DISTRIBUTION) or [], about.get_all("Provides-Extra") or []
    except (PackageNotFoundError, OSError, ValueError):
        return Needs()
    return Needs(about["Version"], tuple(_read(lines)), tuple(extras))


def _read(lines: Iterable[str]) -> Iterable[Requirement]:
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        name, bounds, marker = found[1], found[2].strip(" ()"), found[3] or ""
        python = _PYTHON.search(marker)
        if python is not None:
            asked = (int(python[2]), int(python[3]))
            if (sys.version_info[:2] < asked) != (python[1] == "<"):
                continue
        extra = _EXTRA.search(marker)
        yield Requirement(name, bounds.replace(" ", ""), extra[1] if extra else "")


def _numbers(version: str) -> list[int]:
    release = re.match(r"\d+(?:\.\d+)*", version)
    return [int(number) for number in release[0].split(".")] if release else []
