"""What all that was found comes to, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from locus_nb._payloads.format import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._doctor.answer import Answer
    from locus_nb._doctor.finding import Finding
    from locus_nb._doctor.host import Host

# Without these a view cannot show, whatever else is well; what explains the others stands first.
_DECISIVE = ("ipywidgets", "anywidget", "an event's way", "page")


class Conclusion(NamedTuple):
    """What it comes to.

    Attributes:
        said: The sentence.
        cure: What to do first; empty if nothing is wrong.
    """

    said: str
    cure: str = ""


def conclude(host: Host, findings: Sequence[Finding], answer: Answer | None) -> Conclusion:
    """Say whether live views work here, or why not, or what keeps that from being told."""
    problems = {finding.name: finding for finding in findings if finding.verdict == "problem"}
    first = next((problems[name] for name in _DECISIVE if name in problems), None)
    if first is not None:
        silent = first.name == "page" and answer is not None
        because = "no page answered" if silent else f"{first.name}: {first.found}"
        return Conclusion(f"Nothing shows live here, because {because}.", first.cure)
    also = f" {counted(len(problems), 'problem')} below." if problems else ""
    cure = next((finding.cure for finding in problems.values()), "")
    return Conclusion(f"{_said(host, answer)}{also}", cure)


def _said(host: Host, answer: Answer | None) -> str:
    if host.kind == "marimo":
        return "marimo shows live views; no page was asked."
    if host.kind != "kernel":
        return "What live views need is installed; no notebook is here to show them."
    if answer is None:
        return "What live views need is installed; no page was asked."
    return _heard(answer) if answer.came else _not_heard(answer)


def _heard(answer: Answer) -> str:
    if answer.beside_ms is not None:
        return "Live views work here, also while a cell is busy."
    also = "; a cell that is busy does not hear their page" if answer.over else ""
    return f"Live views work here{also}."


def _not_heard(answer: Answer) -> str:
    if answer.over:
        return "What live views need is installed; no page looks at this notebook, so views leave their pictures."
    return "What live views need is installed; no page had answered when this was written."
