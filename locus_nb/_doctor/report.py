"""How what was found reads: as text, and as html."""

from __future__ import annotations

from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

from locus_nb._payloads.format import clean, html
from locus_nb._views.picture import STYLE
from locus_nb._views.static_table import MAX_TEXT_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locus_nb._doctor.conclusion import Conclusion
    from locus_nb._doctor.finding import Finding

MARKS = {"ok": "✓ ok", "note": "• note", "problem": "✕ problem"}
MAX_NAME = 60
MAX_FOUND = 400
_CLASSES = {"ok": "y", "note": "n", "problem": "x"}
_TITLES = {
    "here": "Here",
    "page": "The page",
    "packages": "Packages",
    "extras": "Extras",
    "events": "This process's events",
    "variables": "Variables of the environment",
}

_STYLE = """<style>
.locus-static.locus-static .locus-doctor :is(th,td){padding:2px 8px;vertical-align:top;text-align:left}
.locus-static.locus-static .locus-doctor th{position:static;padding-top:10px;font-weight:600;opacity:1;\
box-shadow:none;background:none}
.locus-static.locus-static .locus-doctor tr.n td:first-child{color:#b07b16;font-weight:600}
.locus-static.locus-static .locus-doctor tr.x td:first-child{color:#d23c3c;font-weight:600}
.locus-static.locus-static .locus-doctor tr.y td:first-child{opacity:.6}
.locus-static.locus-static .locus-doctor td:last-child{width:99%;min-width:12em;font-family:inherit;\
white-space:normal;overflow-wrap:anywhere}
.locus-static.locus-static .locus-doctor-cure{margin-top:1px}
.locus-static.locus-static .locus-doctor-cure code{padding:0;background:none;color:inherit;font-size:12px;\
white-space:pre-wrap;user-select:all}
</style>"""


def report_html(conclusion: Conclusion, findings: Sequence[Finding]) -> str:
    """Give the conclusion and a table of findings as self-contained, escaped html without a script."""
    cure = _cure_html(conclusion.cure)
    if any(finding.verdict == "problem" for finding in findings):
        said = f'<p class="locus-static-missing"><b>✕ {html(conclusion.said, MAX_FOUND)}</b>{cure}</p>'
    else:
        said = f"<p><b>{html(conclusion.said, MAX_FOUND)}</b></p>"
    body = "\n".join(_rows_html(findings))
    table = f'<div class="locus-doctor"><table><tbody>\n{body}\n</tbody></table></div>'
    return f'<div class="locus-static">{STYLE}{_STYLE}{said}{table}</div>'


def report_text(conclusion: Conclusion, findings: Sequence[Finding]) -> str:
    """Give the same as lines of at most 120 characters; a line of what to do may be longer, to be copied."""
    lines = [*wrap(clean(conclusion.said, MAX_FOUND), MAX_TEXT_WIDTH)]
    if conclusion.cure:
        lines.append(f"→ {clean(conclusion.cure, MAX_FOUND)}")
    names = max((len(clean(finding.name, MAX_NAME)) for finding in findings), default=0)
    for topic, group in groupby(findings, key=lambda finding: finding.topic):
        lines += ["", _TITLES.get(topic, topic)]
        for finding in group:
            lines += _lines(finding, names)
    return "\n".join(line.rstrip() for line in lines)


def _lines(finding: Finding, names: int) -> Iterator[str]:
    head = f"  {MARKS[finding.verdict]:<9}  {clean(finding.name, MAX_NAME):<{names}}  "
    room = MAX_TEXT_WIDTH - len(head)
    for number, line in enumerate(wrap(clean(finding.found, MAX_FOUND), room) or [""]):
        yield f"{head if number == 0 else ' ' * len(head)}{line}"
    if finding.cure:
        yield f"{' ' * len(head)}→ {clean(finding.cure, MAX_FOUND)}"


def _rows_html(findings: Sequence[Finding]) -> Iterator[str]:
    for topic, group in groupby(findings, key=lambda finding: finding.topic):
        yield f'<tr><th colspan="3">{html(_TITLES.get(topic, topic), MAX_NAME)}</th></tr>'
        for finding in group:
            yield (
                f'<tr class="{_CLASSES[finding.verdict]}"><td>{MARKS[finding.verdict]}</td>'
                f"<td>{html(finding.name, MAX_NAME)}</td>"
                f"<td>{html(finding.found, MAX_FOUND)}{_cure_html(finding.cure)}</td></tr>"
            )


def _cure_html(cure: str) -> str:
    # A span: in a paragraph a div would end it.
    return (
        f'<br><span class="locus-doctor-cure">→ <code>{html(cure, MAX_FOUND)}</code></span>' if cure else ""
    )
