"""The static table: what stays in saved notebooks, on GitHub and in terminals."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb._static_table import static_html, static_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._rows import Row
    from tests.browser import Chromium

TAGS = {"div", "style", "table", "caption", "b", "thead", "tbody", "tr", "th", "td", "p"}
START_MS = 1_767_605_400_000


def make(seq: int, **changes: Any) -> Row:
    """A row with the given seq."""
    parts: dict[str, Any] = {
        "time_ms": START_MS + seq,
        "event_type": "agent.tool.completed",
        "run_id": "run-A",
        "preview": f"get_weather {seq}",
        "detail": "{}",
    }
    return cast("Row", (seq, *(parts | changes).values()))


def html(rows: Sequence[Row], **changes: Any) -> str:
    """The html of the rows, seen by an ended view of all runs."""
    about: dict[str, Any] = {"title": "all runs", "status": "ended", "missing": 0, "total": len(rows)}
    return static_html(rows, **(about | changes))


def text(rows: Sequence[Row], **changes: Any) -> str:
    """The text of the rows, seen by an ended view of all runs."""
    about: dict[str, Any] = {"title": "all runs", "status": "ended", "missing": 0, "total": len(rows)}
    return static_text(rows, **(about | changes))


class Reader(HTMLParser):
    """Reads a table back: its tags, attributes and cells, and whether each tag is closed."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.cells: list[list[str]] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a tag, and begins a row or a cell."""
        self.tags.add(tag)
        self.attributes += attrs
        self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        elif tag in {"td", "th"}:
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Closes the innermost tag."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Adds to the cell that is open."""
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1][-1] += data


def test_html_shows_the_columns() -> None:
    """Each row shows seq, UTC time, full event type, run and preview under a line that says the rest."""
    markup = html([make(7)], missing=3, total=7)
    assert Reader(markup).cells == [
        ["seq", "time (UTC)", "type", "run", "preview"],
        ["7", "09:30:00.007", "agent.tool.completed", "run-A", "get_weather 7"],
    ]
    assert "<b>all runs</b> · ended · 7 events · 3 events missing · last on 2026-01-05" in markup
    assert "6 earlier events not shown" in markup


def test_text_shows_the_columns() -> None:
    """The text has the same columns, aligned, and says the same."""
    assert text(
        [make(7), make(1_234, run_id="run-BB", event_type="agent.think")], missing=1
    ).splitlines() == [
        "all runs · ended · 2 events · 1 event missing · last on 2026-01-05",
        " seq  time (UTC)    type                  run     preview",
        "   7  09:30:00.007  agent.tool.completed  run-A   get_weather 7",
        "1234  09:30:01.234  agent.think           run-BB  get_weather 1234",
    ]


def test_run_column_is_left_out_for_the_run_in_the_title() -> None:
    """With one run watched its id is the title, and there is no column for it."""
    rows = [make(1), make(2)]
    assert all(len(cells) == 4 for cells in Reader(html(rows, title="run-A")).cells)
    assert "run" not in text(rows, title="run-A").splitlines()[1]


def test_newest_two_hundred_rows_fit_in_sixty_kilobytes() -> None:
    """Long histories keep their newest 200 rows and say how many earlier ones they leave out."""
    preview = "Let me look that up: calling get_weather for both cities. " * 5
    rows = [make(seq, preview=preview, detail="x" * 4000) for seq in range(1, 1_001)]
    markup = html(rows, total=5_000)
    cells = Reader(markup).cells
    assert [cells[1][0], cells[-1][0], len(cells)] == ["801", "1000", 201]
    assert "4,800 earlier events not shown" in markup
    assert len(markup.encode()) < 60_000
    assert text(rows, total=5_000).splitlines()[-1] == "4,980 earlier events not shown"
    assert max(map(len, text(rows).splitlines())) <= 120


@pytest.mark.parametrize("letter", ["<", "&", "\U0001f680", "\ud800"])
def test_no_text_makes_it_larger_than_sixty_kilobytes(letter: str) -> None:
    """Text that grows when it is escaped or encoded leaves room for fewer rows, and that is said."""
    rows = [
        make(seq, preview=letter * 500, run_id=letter * 500, event_type=letter * 500) for seq in range(200)
    ]
    markup = html(rows, title=letter * 10_000)
    shown = len(Reader(markup).cells) - 1
    assert len(markup.encode()) < 60_000
    assert shown == 200 or f"{200 - shown} earlier events not shown" in markup


@pytest.mark.parametrize(
    "status, said, words",
    [
        ("waiting", "waiting when this was written", "Waiting for the first event."),
        ("live", "live when this was written", "No events yet."),
        ("ended", "ended", "Ended without an event."),
        ("failed", "failed: the view followed no more, the log says why", "No events yet."),
    ],
)
def test_empty_table_says_why(status: str, said: str, words: str) -> None:
    """Without rows the table says what it waits for, and a state that passes is said to be of the past."""
    assert words in html([], status=status)
    assert text([], status=status).splitlines() == [f"all runs · {said} · 0 events", words]


texts = st.text(max_size=300) | st.text("<>&\"'/!- =scriptonerror\x00\x1b\n\u202e\ud800", max_size=60)
rows_of_texts = st.lists(st.tuples(st.integers(1), st.integers(), texts, texts, texts, texts), max_size=5)


@given(rows_of_texts, texts, texts, texts)
def test_nothing_becomes_markup(rows: list[Row], title: str, status: str, css_class: str) -> None:
    """Whatever the texts hold, only the table's own tags and classes are there, and UTF-8 can hold it."""
    markup = html(rows, title=title, status=status, css_class=css_class)
    reader = Reader(markup)
    assert reader.tags <= TAGS
    assert reader.open == []
    assert {name for name, _ in reader.attributes} == {"class"}
    assert len(reader.cells) == (len(rows) + 1 if rows else 0)
    assert markup.count("<style>") == 1
    for plain in (text(rows, title=title, status=status), *(cell for row in reader.cells for cell in row)):
        assert {unicodedata.category(letter) for letter in plain.replace("\n", "")}.isdisjoint(
            {"Cc", "Cs", "Zl"}
        )
        assert "\u202e" not in plain
    markup.encode()


def test_failed_rows_stand_out() -> None:
    """Errors have a colour of their own, as in the live table."""
    rows = [
        make(1),
        make(2, detail='{\n  "success": false\n}'),
        make(3, event_type="agent.terminate", detail='{\n  "reason": "error"\n}'),
        make(4, event_type="agent.terminate"),
        make(5, event_type="rag.query.failed"),
        make(6, event_type="rag.query"),
    ]
    classes = [value for _, value in Reader(html(rows)).attributes[1:]]
    assert classes == ["t", "x", "x", "e", "x", "o"]


def test_class_can_be_found_by_a_page(chromium: Chromium) -> None:
    """The table carries the class it is given, and a browser shows it in the page's colours."""
    markup = html([make(1, preview="<img src=x onerror='window.struck = 1'>")], css_class="twin-1")
    tab = chromium.tab("about:blank")
    tab.evaluate(
        "(markup) => { document.body.innerHTML = markup; document.body.style.color = 'rgb(9, 8, 7)' }", markup
    )
    seen = tab.evaluate(
        """() => {
            const cell = document.querySelector(".twin-1 td:last-child");
            const { color } = getComputedStyle(cell);
            return [cell.textContent, color, document.images.length, window.struck ?? null];
        }"""
    )
    tab.close()
    assert seen == ["<img src=x onerror='window.struck = 1'>", "rgb(9, 8, 7)", 0, None]
