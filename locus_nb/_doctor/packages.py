"""What is installed, and whether it can be imported."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from locus_nb._doctor.finding import Finding
from locus_nb._doctor.imports import failure_of
from locus_nb._doctor.requirement import DISTRIBUTION
from locus_nb._optional import pip_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locus_nb._doctor.finding import Verdict
    from locus_nb._doctor.requirement import Needs, Requirement

# What each extra is for; those that only who works on this package needs have no words.
EXTRAS = {
    "lab": "JupyterLab, to open the notebooks with, its kernel, and what they use",
    "cost": 'configure(prices="genai-prices"): what model calls cost',
    "parquet": "to_parquet(): tables for other tools",
    "adbc": "stored_df(): the tables of a store as they stand",
}
FOR_DEVELOPERS = {"test", "bench"}

# What is nowhere needed in this environment, and tells much where it is there.
_BESIDE = ("ipykernel", "jupyter-client", "jupyterlab", "notebook", "marimo")
# What is patched on import is not imported to see whether that works.
_NOT_TRIED = {"nest-asyncio", "nest-asyncio2"}


def package_findings(needs: Needs) -> Iterator[Finding]:
    """Say of each package that is needed, and of those beside it that are there, which one that is."""
    if needs.version is None:
        yield Finding(
            "packages",
            DISTRIBUTION,
            "its code is on the path, but it is not installed: what it needs, and its extras, cannot be told",
            "note",
            pip_line(DISTRIBUTION),
        )
    for needed in needs.requirements:
        if not needed.extra:
            yield _needed(needed)
    for name in _BESIDE:
        found = installed(name)
        if found is not None:
            yield _beside(name, found, [each for each in needs.requirements if each.name == name])


def extra_findings(needs: Needs) -> Iterator[Finding]:
    """Say of each extra whether it is there, and how to get it."""
    for extra in needs.extras:
        if extra in FOR_DEVELOPERS:
            continue
        purpose = EXTRAS.get(extra, "")
        lacking = [each for each in needs.requirements if each.extra == extra and not _is_met(each)]
        said = f"{purpose} · " if purpose else ""
        if lacking:
            names = ", ".join(map(str, lacking))
            cure = pip_line(f"{DISTRIBUTION}[{extra}]")
            yield Finding("extras", f"[{extra}]", f"{said}not installed: {names}", "note", cure)
        else:
            yield Finding("extras", f"[{extra}]", f"{said}installed")


def installed(name: str) -> str | None:
    """Give the version of a distribution; None without one, or if its metadata is broken."""
    try:
        # Of a package that was removed by halves the version is None, whatever the type says.
        return version(name) or None
    except (PackageNotFoundError, OSError, ValueError, KeyError):
        return None


def _needed(needed: Requirement) -> Finding:
    found = installed(needed.name)
    if found is None:
        return Finding(
            "packages", needed.name, f"not installed; needs {needed}", "problem", pip_line(str(needed))
        )
    if not needed.is_met_by(found):
        return Finding(
            "packages", needed.name, f"{found} is too old; needs {needed}", "problem", pip_line(str(needed))
        )
    module = needed.name.replace("-", "_")
    failure = None if needed.name in _NOT_TRIED else failure_of(module)
    if failure is not None:
        where = f" in {failure.at}" if failure.at not in {"", module} else ""
        said = f"{found}, but its import failed{where}: {failure.said}"
        return Finding("packages", needed.name, said, "problem", failure.cure(needed.name))
    return Finding("packages", needed.name, found)


def _beside(name: str, found: str, wanted: list[Requirement]) -> Finding:
    unmet = next((each for each in wanted if not each.is_met_by(found)), None)
    if unmet is None:
        return Finding("packages", name, found)
    verdict: Verdict = "problem" if name == "ipykernel" else "note"
    return Finding("packages", name, f"{found} is too old; needs {unmet}", verdict, pip_line(str(unmet)))


def _is_met(needed: Requirement) -> bool:
    found = installed(needed.name)
    return found is not None and needed.is_met_by(found)
