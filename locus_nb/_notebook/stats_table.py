"""What `%locus stats` shows: what a bus says of itself, as a small table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from locus_nb._payloads.format import html
from locus_nb._runs.still import Still
from locus_nb._views.picture import STYLE
from locus_nb._views.static_table import aligned
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_VALUE = 80


def stats_still(stats: Mapping[str, Any]) -> Still:
    """Give a bus's stats as text and as html, under their own names.

    Ids of runs are shown as they are, as in every view: see `configure`. All else is numbers, so nothing is redacted.
    """
    lines = [(name, _text(value)) for name, value in stats.items()]
    rows = "\n".join(
        f"<tr><td>{html(name, MAX_VALUE)}</td><td>{html(value, MAX_VALUE)}</td></tr>" for name, value in lines
    )
    table = f"<table><tbody>\n{rows}\n</tbody></table>"
    return Still(
        text="\n".join(line.rstrip() for line in aligned(lines)),
        html=f'<div class="locus-static">{STYLE}<p><b>The bus</b></p>{table}</div>',
    )


def _text(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    text = json.dumps(jsonable(value), ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"
