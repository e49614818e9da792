"""What a page's answer, or its silence, means to `doctor`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from locus_nb import Diagnosis, Finding
from locus_nb._doctor.answer import Answer
from locus_nb._doctor.conclusion import conclude
from locus_nb._doctor.host import Host
from locus_nb._doctor.page_findings import page_findings
from tests.doctor_kit import KERNEL, named

WAITED = Answer(waited=2.0)


@pytest.mark.parametrize(
    "host, answer, page, blocked, said",
    [
        (
            KERNEL,
            WAITED._replace(over=True, after_ms=31, beside_ms=31, was_blocked=True),
            "ok",
            "ok",
            "also while",
        ),
        (KERNEL, WAITED._replace(over=True, after_ms=2100, beside_ms=2300), "ok", "ok", "also while"),
        (KERNEL, WAITED._replace(over=True, after_ms=2100), "ok", "note", "does not hear"),
        (KERNEL, WAITED._replace(after_ms=2100), "ok", "note", "Live views work here."),
        (KERNEL, WAITED, "note", "note", "no page had answered when this was written"),
        (
            KERNEL,
            WAITED._replace(over=True),
            "problem",
            "note",
            "Nothing shows live here, because no page answered",
        ),
        (
            KERNEL._replace(names_cells=False),
            WAITED._replace(over=True),
            "note",
            "note",
            "no page looks at this",
        ),
        (KERNEL, None, "note", "note", "no page was asked"),
    ],
)
def test_what_an_answer_means(host: Host, answer: Answer | None, page: str, blocked: str, said: str) -> None:
    """Each answer, and each silence, is told as what it means for views, and for a cell that is busy."""
    found = list(page_findings(host, answer))
    assert named(found, "page").verdict == page
    assert named(found, "a blocked kernel").verdict == blocked
    assert said in conclude(host, found, answer).said
    if answer is None or not answer.came:
        assert "answered after" not in str(found)


@pytest.mark.parametrize("kind", ["script", "terminal", "marimo"])
def test_where_no_page_can_be_asked_that_is_noted(kind: Any) -> None:
    """Outside of a kernel nothing is asked: no problem, but nothing that was found to be well either."""
    (found,) = page_findings(Host(kind, "here"), None)
    assert found.verdict == "note"
    told = Diagnosis(Host(kind, "here"), [])
    assert told["page"] == found
    assert told.ok
    assert "work here" not in told.conclusion


@pytest.mark.parametrize(
    "subshells, routed, verdict",
    [(True, True, "ok"), (True, None, "ok"), (True, False, "problem"), (False, None, "note")],
)
def test_the_routing_of_messages_is_told(
    subshells: bool,  # noqa: FBT001 - a case
    routed: bool | None,  # noqa: FBT001 - as above
    verdict: str,
) -> None:
    """Whether the kernel has subshells, and whether a page's messages stay on the page's own, is told."""
    kernel = SimpleNamespace(_supports_kernel_subshells=subshells)
    found = page_findings(KERNEL._replace(shell=SimpleNamespace(kernel=kernel)), Answer(is_routed=routed))
    assert named(found, "comm routing").verdict == verdict


def test_a_missing_package_explains_more_than_a_page_that_could_not_be_asked() -> None:
    """Where anywidget is missing, that is why nothing shows, and its pip line is what to do."""
    missing = Finding(
        "packages", "anywidget", "not installed", "problem", 'python -m pip install "anywidget"'
    )
    found = [*page_findings(KERNEL, None, "ModuleNotFoundError: anywidget"), missing]
    said, cure = conclude(KERNEL, found, None)
    assert said == "Nothing shows live here, because anywidget: not installed."
    assert cure == missing.cure
