"""Look at everything that a live view needs."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from locus_nb._doctor.diagnosis import Diagnosis
from locus_nb._doctor.event_probe import event_findings
from locus_nb._doctor.finding import Finding
from locus_nb._doctor.host import find_host, host_findings
from locus_nb._doctor.packages import extra_findings, package_findings
from locus_nb._doctor.process import process_findings
from locus_nb._doctor.requirement import needs
from locus_nb._doctor.variables import variable_findings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_WAIT = 60.0


def doctor(*, wait: float = 2.0) -> Diagnosis:
    """Find out what is installed, what shows where, and why nothing shows.

    Looks at Python, this package, what it needs and what its extras would bring; at the notebook around it, if there
    is one; at the process's bus, store, views and settings. Sends an event through a bus of its own, the pump and a
    sink, and in a kernel on to the page, by a view that takes no room, of which an empty output
    stays in the cell. What is missing or broken is a finding, never an exception. The process's own bus, runs and
    views stay as they are.

    Args:
        wait: Seconds that this call waits at the most for a page to answer while its cell is blocked: that is how
            it finds out what a blocked kernel hears. Where nothing is heard, the page has 10 s after the cell, and
            the report is brought up to date. 0: no page is asked.

    Raises:
        TypeError: `wait` is no number.
        ValueError: It is below 0 or above 60.

    Example:
        >>> from locus_nb import doctor
        >>> found = doctor(wait=0)
        >>> found.ok, found["an event's way"].verdict
        (True, 'ok')
    """
    # A bool is a number to Python, and here a mistake.
    if isinstance(wait, bool) or not isinstance(wait, int | float):  # pyright: ignore[reportUnnecessaryIsInstance] - users need not check types
        raise TypeError(f"doctor() waits for a number of seconds, not {type(wait).__name__}: wait=2.0")
    if not 0 <= wait <= MAX_WAIT:
        raise ValueError(f"doctor() waits for 0 to {MAX_WAIT:g} s, not {wait}: wait=2.0")
    host, wanted = find_host(), needs()
    parts: dict[str, Iterable[Finding]] = {
        "here": host_findings(host, wanted),
        "packages": package_findings(wanted),
        "extras": extra_findings(wanted),
        "events": chain(event_findings(), process_findings()),
        "variables": variable_findings(),
    }
    found = Diagnosis(host, [each for topic, part in parts.items() for each in _taken(topic, part)])
    if wait and host.kind == "kernel":
        found.ask_page(wait)
    return found


def _taken(topic: str, part: Iterable[Finding]) -> Iterator[Finding]:
    try:
        yield from part
    # An edge: anything may be broken, which is what is looked for, and other packages may want to end the process.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        said = f"could not be looked at to the end: {type(error).__name__}: {error}"
        yield Finding(topic, f"the rest of {topic}", said, "problem", "report this, with all of the report")
