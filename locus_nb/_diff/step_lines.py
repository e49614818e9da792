"""The steps of two runs as lines: each change by a sign and a word, never by colour alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locus_nb._diff.words import DELTA, MAX_NAME, MINUS, key_text, signed
from locus_nb._payloads.format import clean, counted, duration, html
from locus_nb._views.static_table import MARKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locus_nb._diff.step_changes import StepChange
    from locus_nb._runs.steps import Step

MAX_PREVIEW = 160
MAX_LINES = 200
MAX_TEXT_LINES = 60

SIGNS = {"same": "=", "changed": "~", "added": "+", "removed": MINUS}
_ROW_CLASSES = {"same": "q", "changed": "c", "added": "p", "removed": "n"}
# As many steps that stayed the same are shown around the others.
_AROUND = 1


def steps_html(changes: Sequence[StepChange]) -> str:
    """Give them as escaped html; at most 200 lines."""
    if not changes:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("", "step", "a took", "b took", DELTA, "what came out"))
    lines: list[str] = []
    for part in _shown(changes, MAX_LINES):
        if isinstance(part, str):
            lines.append(f'<tr class="q"><td></td><td colspan="5">{part}</td></tr>')
            continue
        cells = [html(cell, MAX_NAME) for cell in _step_cells(part)]
        told = "".join(f"<div>{html(line, MAX_PREVIEW)}</div>" for line in _told(part))
        body = "".join(f"<td>{cell}</td>" for cell in [*cells, told])
        lines.append(f'<tr class="{_ROW_CLASSES[part.change]}">{body}</tr>')
    body = "\n".join(lines)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
    return f'<div class="locus-static-scroll locus-diff locus-diff-steps">{table}</div>'


def steps_text(changes: Sequence[StepChange]) -> list[str]:
    """Give them as lines of text, at most 60 steps."""
    parts = list(_shown(changes, MAX_TEXT_LINES))
    cells = [_step_cells(part) for part in parts if not isinstance(part, str)]
    widths = [max((len(line[column]) for line in cells), default=0) for column in range(5)]
    lines: list[str] = []
    for part in parts:
        if isinstance(part, str):
            lines.append(f"  {part}")
            continue
        line = "  ".join(
            cell.ljust(width) if column <= 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(_step_cells(part), widths, strict=True))
        )
        lines.append(line.rstrip())
        if part.change != "same":
            lines += [f"      {clean(told, MAX_PREVIEW)}" for told in _told(part)]
    return lines


def _shown(changes: Sequence[StepChange], limit: int) -> Iterator[StepChange | str]:
    """Give what is worth a line: what is not the same, and what stands next to it; else how much is left out."""
    wanted = {
        near
        for place, change in enumerate(changes)
        if change.change != "same"
        for near in range(place - _AROUND, place + _AROUND + 1)
    }
    short = len(changes) <= limit // 8
    shown = left_out = 0
    for place, change in enumerate(changes):
        if shown >= limit:
            yield f"… {counted(len(changes) - place, 'more step')} not shown"
            return
        if not short and place not in wanted:
            left_out += 1
            continue
        if left_out:
            yield f"… {counted(left_out, 'step')} the same"
            left_out = 0
        shown += 1
        yield change
    if left_out:
        yield f"… {counted(left_out, 'step')} the same"


def _step_cells(change: StepChange) -> Sequence[str]:
    a, b = change.a, change.b
    took_a, took_b = (
        math.nan if step is None or step.duration_ms is None else step.duration_ms for step in (a, b)
    )
    return (
        f"{SIGNS[change.change]} {change.change}",
        key_text(change.either.key),
        _took(a),
        _took(b),
        signed("duration_ms", took_b - took_a),
    )


def _took(step: Step | None) -> str:
    if step is None:
        return ""
    took = "" if step.duration_ms is None else duration(step.duration_ms)
    return f"{MARKS.get(step.status or '', '')} {took}".strip()


def _told(change: StepChange) -> list[str]:
    """Say what came out: once if it is the same, else of each side."""
    a, b = change.a, change.b
    if change.change != "changed" or a is None or b is None:
        return [change.either.error or change.either.preview]
    before, after = _outcome(a, change.what), _outcome(b, change.what)
    told = [f"a: {before}", f"b: {after}"] if before != after else [before]
    return [f"{', '.join(change.what)}:", *told] if change.what != ("output",) else told


def _outcome(step: Step, what: Sequence[str]) -> str:
    parts = [step.arguments if "arguments" in what else "", step.error or step.preview]
    return " → ".join(filter(None, parts))
