"""What a page's answer, or its silence, means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locus_nb._doctor.answer import PAGE_DUE
from locus_nb._doctor.finding import Finding
from locus_nb._doctor.packages import installed
from locus_nb._optional import pip_line
from locus_nb._payloads.format import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locus_nb._doctor.answer import Answer
    from locus_nb._doctor.host import Host

_ELSEWHERE = {
    "marimo": "not asked: marimo shows widgets in its own way; display watch() to see one",
    "terminal": "no notebook: a live view shows its text here, and nothing moves",
    "script": "no notebook was seen: whether one shows views is told by doctor() in a cell of it",
}
_SILENT_CURE = (
    'in the environment of the Jupyter server: python -m pip install "ipywidgets>=8.1" anywidget; then load the '
    "page again"
)
_WAITS = (
    "live views go on showing rows; selected_df, on_selection and what else the page says wait for its end"
)


def page_findings(host: Host, answer: Answer | None, failure: str = "") -> Iterator[Finding]:
    """Say whether a page shows views, whether it is heard while a cell is blocked, and how it is routed.

    Args:
        host: What this code runs in.
        answer: What a page has answered; None if none was asked.
        failure: Why none could be asked.
    """
    yield _page(host, answer, failure)
    if host.kind == "kernel":
        yield _blocked(host, answer)
        yield _routing(host, answer)


def supports_subshells(host: Host) -> bool:
    """Whether the kernel can hear a page beside the cell that it runs."""
    return bool(getattr(host.kernel, "_supports_kernel_subshells", False))


def _page(host: Host, answer: Answer | None, failure: str) -> Finding:
    if failure:
        return Finding("page", "page", f"could not be asked: {failure}", "problem", "see the packages below")
    if host.kind != "kernel":
        return Finding("page", "page", _ELSEWHERE[host.kind], "note")
    if answer is None:
        return Finding("page", "page", "not asked: wait=0", "note")
    if answer.after_ms is not None:
        late = ", once the cell was over" if answer.after_ms > answer.waited * 1000 > 0 else ""
        return Finding(
            "page", "page", f"answered after {duration(answer.after_ms)}{late}: live views show there"
        )
    return _silent(host, answer)


def _silent(host: Host, answer: Answer) -> Finding:
    if not answer.over:
        said = "none has answered yet; this report is brought up to date when one does"
        return Finding("page", "page", said, "note")
    said = f"none answered within {PAGE_DUE:g} s after the cell"
    if host.names_cells:
        return Finding(
            "page", "page", f"{said}: it does not show widgets, or is gone", "problem", _SILENT_CURE
        )
    return Finding("page", "page", f"{said}: nobody looks, or widgets are not shown there", "note")


def _blocked(host: Host, answer: Answer | None) -> Finding:
    name = "a blocked kernel"
    if answer is None:
        return Finding("page", name, "not tried", "note")
    if answer.beside_ms is not None:
        took = duration(answer.beside_ms)
        how = (
            f"after {took}, while this cell was busy"
            if answer.was_blocked
            else f"beside it, first after {took}"
        )
        return Finding("page", name, f"hears the page: {how}")
    if answer.came and answer.over:
        return Finding("page", name, f"does not hear the page: {_WAITS}", "note", _subshell_cure(host))
    # A cell that is over hears a page that has shown the view a little later.
    later = "" if answer.over else "; it is still being listened for"
    said = f"heard no page in the {duration(answer.waited * 1000)} that this cell waited{later}"
    return Finding("page", name, said, "note")


def _subshell_cure(host: Host) -> str:
    if not supports_subshells(host):
        return f"{pip_line('ipykernel>=7')}, and restart the kernel"
    return "a front end that speaks to widgets over subshells, as JupyterLab 4.4 and later"


def _routing(host: Host, answer: Answer | None) -> Finding:
    version = installed("ipykernel") or "of unknown version"
    if not supports_subshells(host):
        said = f"this kernel (ipykernel {version}) has no subshells: it hears nothing while a cell is busy"
        return Finding(
            "page", "comm routing", said, "note", f"{pip_line('ipykernel>=7')}, and restart the kernel"
        )
    said = f"ipykernel {version} has subshells"
    if answer is None or answer.is_routed is None:
        return Finding("page", "comm routing", said)
    if answer.is_routed:
        return Finding(
            "page", "comm routing", f"{said}, and leaves each message of a view's page on the page's own"
        )
    cure = "report this: another package has changed how ipykernel hands on messages"
    return Finding(
        "page", "comm routing", f"{said}, but a page's messages go where they wait", "problem", cure
    )
