"""One run as a page of its own: for a browser, an e-mail, an archive."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from locus_nb._event import run_id_error
from locus_nb._payloads.format import html
from locus_nb._views.picture import MAX_TITLE, About, picture_html
from locus_nb._views.rows import row_of, row_without_payload, text_of
from locus_nb._views.tally import Tallies

if TYPE_CHECKING:
    from locus_nb._event import StreamEvent
    from locus_nb._source import Source
    from locus_nb._views.rows import Row

# What a picture is made of at the most: folded, that is about what it has room for.
_ROWS_IN_PICTURE = 1_500
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>TITLE</title>
<style>body{font-family:system-ui,sans-serif;margin:12px}.locus-static-scroll{max-height:none!important}</style>
</head>
<body>
"""


def run_html(source: Source, run_id: str) -> str:
    """Give a page that shows a run: a waterfall and a table of its events, times in UTC.

    Self-contained, without a script, everything escaped, secrets taken out. At most 500 lines and about 150 kB: what
    does not fit is said to be left out, and counted in the numbers over it.

    Args:
        source: Where the run is.
        run_id: The run.

    Raises:
        TypeError, ValueError: `run_id` cannot name a run, or `source` does not know it.
    """
    error = run_id_error(run_id)
    if error is not None:
        raise error
    record = source.run_record(run_id)
    if record is None:
        raise ValueError(f"There is no run {run_id!r} to show: it was never known, or is known no more")
    events = source.history(run_id)
    tallies = Tallies()
    newest: deque[Row] = deque(maxlen=_ROWS_IN_PICTURE)
    for event in events:
        row = _row(event)
        tallies.add(row)
        newest.append(row)
    tallies.note(record)
    about = About(
        title=text_of(run_id),
        status="ended" if record.closed else "live",
        missing=record.trimmed,
        total=len(events),
        tallies=tallies.newest(),
        one_run=True,
    )
    name = about.tallies[-1].name or about.title
    page = _PAGE.replace("TITLE", html(name, MAX_TITLE))
    return f"{page}{picture_html(list(newest), about)}\n</body>\n</html>\n"


def _row(event: StreamEvent) -> Row:
    try:
        return row_of(event)
    except Exception as error:  # noqa: BLE001 - an edge: methods of the payload; seen in the row
        return row_without_payload(event, error)
