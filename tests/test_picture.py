"""The picture of a view: what stays in saved notebooks, on GitHub and in terminals."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb._views.picture import About, picture_html, picture_text
from locus_nb._views.rows import Row
from locus_nb._views.tally import Tallies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.browser import Chromium

TAGS = {"div", "style", "table", "b", "thead", "tbody", "tr", "th", "td", "p", "span"}
DRAWN = {"svg", "g", "rect", "line", "text", "title", "circle", "path"}
START_MS = 1_767_605_400_000.0
HOSTILE = [
    '<script>alert(1)</script><img src=x onerror="alert(1)">',
    "</title></svg></td></table></div></style><style>*{display:none}</style>",
    "javascript:alert(1)",
    "\u202egnp.exe\u202c \u2066\u200b\u200f\ufeff",
    "e" + "\u0301" * 500,
    "x" * 1_000_000,
    "\x00\x1b[31m\ud800",
]


def make(seq: int, **changes: Any) -> Row:
    """A row with the given seq, a millisecond after the one before."""
    parts: dict[str, Any] = dict.fromkeys(Row._fields) | {
        "seq": seq,
        "time_ms": START_MS + seq,
        "event_type": "agent.think",
        "run_id": "run-A",
        "preview": f"thought {seq}",
        "detail": "{}",
        "phase": "point",
        "family": "think",
    }
    return Row(**(parts | changes))


def call(seq: int, span: str, *, end: int = 0, **changes: Any) -> list[Row]:
    """A call of a tool, from its seq to its end; without one it never ends."""
    about = {"span_id": span, "family": "tool", "name": "weather"} | changes
    start = make(
        seq, event_type="agent.tool.started", phase="start", **(about | {"status": None, "error": None})
    )
    about |= {"preview": changes.get("preview", "sunny"), "status": changes.get("status", "ok")}
    done = make(end, event_type="agent.tool.completed", phase="end", duration_ms=float(end - seq), **about)
    return [start, done] if end else [start]


def about(rows: Sequence[Row], *, run: str | None = None, **changes: Any) -> About:
    """What is known of an ended view of a run, or of all, that had these rows."""
    tallies = Tallies()
    for row in rows:
        tallies.add(row)
    facts: dict[str, Any] = {
        "title": run or "all runs",
        "status": "ended",
        "missing": 0,
        "total": len(rows),
        "tallies": tallies.newest(),
        "one_run": run is not None,
    }
    return About(**(facts | changes))


def html(rows: Sequence[Row], css_class: str = "", **changes: Any) -> str:
    """The rows as html."""
    return picture_html(rows, about(rows, **changes), css_class=css_class)


def text(rows: Sequence[Row], **changes: Any) -> str:
    """The rows as text."""
    return picture_text(rows, about(rows, **changes))


class Reader(HTMLParser):
    """Reads a picture back: its tags, attributes, paragraphs and cells, and whether each tag is closed."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.cells: list[list[str]] = []
        self.classes: list[str | None] = []
        self.texts: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a tag, and begins a row or a cell."""
        self.tags.add(tag)
        self.attributes += attrs
        self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
            self.classes.append(dict(attrs).get("class"))
        elif tag in {"td", "th"}:
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Closes the innermost tag."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Adds to the cell that is open."""
        if {"td", "th"} & set(self.open):
            self.cells[-1][-1] += data
        elif "style" not in self.open:
            self.texts.append(data)


def test_open_call_of_an_ended_run_was_never_completed() -> None:
    """In a view of all runs that goes on, a call is taken for lost once its own run has ended."""
    rows = [*call(1, "a", run_id="over"), *call(2, "b", run_id="on")]
    tallies = about(rows).tallies
    next(tally for tally in tallies if tally.run_id == "over").ended_ms = START_MS + 3
    reader = Reader(html(rows, status="live", tallies=tallies))
    assert [line[3:5] for line in reader.cells if line[2:3] == ["agent.tool.started"]] == [
        ["over", "never completed"],
        ["on", "…"],
    ]


def test_call_is_one_line() -> None:
    """Start and completion are one line: how long it took, a check or a cross, and how it came out."""
    rows = [
        *call(1, "a", end=9),
        *call(2, "b", end=8, status="error", preview="no answer"),
        *call(3, "c", preview="weather(city)"),
        make(4),
    ]
    assert Reader(html(sorted(rows), run="run-A")).cells == [
        ["seq", "time (UTC)", "type", "took", "", "preview"],
        ["1", "09:30:00.001", "agent.tool.completed", "8 ms", "✓", "sunny"],
        ["2", "09:30:00.002", "agent.tool.completed", "6 ms", "✕", "no answer"],
        ["3", "09:30:00.003", "agent.tool.started", "never completed", "", "weather(city)"],
        ["4", "09:30:00.004", "agent.think", "", "", "thought 4"],
    ]


def test_header_says_how_the_run_went() -> None:
    """Over the picture stand the title, the status and the run in numbers, and what is missing stands out."""
    rows = [
        make(1, event_type="agent.model.started", family="model", iteration=2),
        *call(2, "a", end=9, status="error"),
        make(10, input_tokens=1_200, output_tokens=30),
    ]
    said = "run-A · ended · 9 ms · 2 iterations · 1 model call · 1 tool call · 1 error · 1,200 + 30 tokens · 4 events"
    end = "3 events missing · last on 2026-01-05"
    assert f"<b>run-A</b>{said[5:]} · {end}" in html(rows, run="run-A", missing=3)
    assert "<b>3 events missing</b>: dropped, or no longer in history" in html(rows, run="run-A", missing=3)
    assert "<b>3" not in html(rows, run="run-A")
    assert text(rows, run="run-A").splitlines()[0] == f"{said} · last on 2026-01-05"[:119] + "…"


def test_all_runs_have_a_table_of_their_own() -> None:
    """A view of all runs shows each run in a line, the newest first, and of each event which run it is of."""
    rows = [make(1), make(2, run_id="run-B", status="error", input_tokens=5, output_tokens=2)]
    cells = Reader(html(rows)).cells
    assert cells[0] == [
        "run",
        "",
        "status",
        "elapsed",
        "events",
        "model calls",
        "tool calls",
        "errors",
        "tokens",
    ]
    assert cells[1] == ["run-B", "…", "running", "0 s", "1", "0", "0", "1", "5 + 2"]
    assert cells[2] == ["run-A", "…", "running", "0 s", "1", "0", "0", "0", ""]
    assert [line[3] for line in cells[3:]] == ["run", "run-A", "run-B"]


def test_text_shows_the_newest_rows() -> None:
    """The text has the same header over the rows, aligned, and says what it leaves out."""
    rows = [make(7), make(1_234, run_id="run-BB", event_type="agent.tool.completed")]
    assert text(rows, missing=1).splitlines() == [
        "all runs · ended · 2 runs · 2 events · 1 event missing · last on 2026-01-05",
        " seq  time (UTC)    type                  run     preview",
        "   7  09:30:00.007  agent.think           run-A   thought 7",
        "1234  09:30:01.234  agent.tool.completed  run-BB  thought 1234",
    ]
    many = text([make(seq, preview="words " * 40) for seq in range(1, 100)], run="run-A").splitlines()
    assert many[-1] == "79 earlier events not shown"
    assert max(map(len, many)) <= 120


def test_newest_five_hundred_items_are_shown() -> None:
    """Long histories keep their newest 500 lines, and say how many earlier ones they leave out."""
    rows = [make(seq) for seq in range(1, 1_001)]
    markup = html(rows, run="run-A", total=5_000)
    cells = Reader(markup).cells
    assert [cells[1][0], cells[-1][0], len(cells)] == ["501", "1000", 501]
    assert "4,500 earlier events not shown" in markup


@pytest.mark.parametrize("letter", ["<", "&", "\U0001f680", "\ud800", "x"])
@pytest.mark.parametrize("run", ["run-A", None])
def test_no_text_makes_it_larger_than_a_hundred_and_fifty_kilobytes(letter: str, run: str | None) -> None:
    """Text that grows when it is escaped or encoded leaves room for fewer lines, and that is said."""
    long = letter * 500
    rows = [
        row
        for n in range(600)
        for row in call(
            2 * n + 1,
            f"s{n}",
            end=2 * n + 2,
            preview=long,
            run_id=long + str(n),
            name=f"{n % 30}{long}",
            agent=long,
        )
    ]
    markup = html(rows, run=run, title=letter * 10_000)
    assert len(markup.encode("utf-8", "surrogatepass")) < 150_000
    assert "earlier events not shown" in markup


@pytest.mark.parametrize(
    "status, said, words",
    [
        ("waiting", "waiting when this was written", "Waiting for the first event."),
        ("live", "live when this was written", "No events yet."),
        ("ended", "ended", "Ended without an event."),
        ("failed", "failed: the view followed no more, the log says why", "No events yet."),
    ],
)
def test_empty_picture_says_why(status: str, said: str, words: str) -> None:
    """Without rows it says what it waits for, and a state that passes is said to be of the past."""
    assert words in html([], status=status)
    assert text([], status=status).splitlines() == [f"all runs · {said} · 0 events", words]


texts = st.text(max_size=300) | st.text("<>&\"'/!- =scriptonerror\x00\x1b\n\u202e\ud800", max_size=60)
some = st.none() | texts
rows_of_texts = st.lists(
    st.builds(
        make,
        seq=st.integers(1, 1_000),
        event_type=texts,
        run_id=texts,
        preview=texts,
        phase=st.sampled_from(["start", "end", "chunk", "point"]),
        family=st.sampled_from(["model", "tool", "think", "end", "agent", "other"]),
        status=st.sampled_from([None, "ok", "error", "interrupted"]),
        span_id=st.none() | st.sampled_from(["a", "b"]),
        agent=some,
        name=some,
        error=some,
        iteration=st.none() | st.integers(0),
        time_ms=st.floats(-1e15, 1e15),
        duration_ms=st.none() | st.floats(0, 1e300),
        input_tokens=st.none() | st.integers(0, 2**63),
    ),
    max_size=6,
)


@given(rows_of_texts, texts, texts, texts, st.booleans())
def test_nothing_becomes_markup(rows: list[Row], title: str, status: str, css_class: str, one: bool) -> None:  # noqa: FBT001 - a case
    """Whatever the texts hold, only the picture's own tags are there, each closed, and UTF-8 can hold it."""
    changes = {"title": title, "status": status, "one_run": one}
    markup = html(rows, css_class, **changes)
    reader = Reader(markup)
    assert reader.tags <= TAGS | DRAWN
    assert reader.open == []
    assert {
        name for name, _ in reader.attributes if name.startswith("on") or name in {"href", "src", "style"}
    } == set()
    assert markup.count("<style>") == 1
    for plain in (text(rows, **changes), *reader.texts, *(cell for row in reader.cells for cell in row)):
        assert {unicodedata.category(letter) for letter in plain.replace("\n", "")}.isdisjoint(
            {"Cc", "Cs", "Zl"}
        )
        assert not {"\u202e", "\u200b", "\u2066"} & set(plain)
    markup.encode()


@pytest.mark.parametrize("name", ["Plan <the> trip", ""])
def test_runs_are_called_by_their_names(name: str) -> None:
    """A run is called by its name, wherever it is shown, as in the live view; of one run the id stands behind it."""
    rows = [make(seq, run_id="run-1", status="error") for seq in range(1, 30)]
    tallies = about(rows).tallies
    for tally in tallies:
        tally.name = name
    one = about(rows, run="run-1")._replace(tallies=tallies)
    titles = [*filter(None, [name]), "run-1", "ended"]
    assert picture_text(rows, one).startswith(" · ".join(titles))
    assert "".join(Reader(picture_html(rows, one)).texts).startswith(" · ".join(titles))
    all_runs = about(rows)._replace(tallies=tallies)
    called = name or "run-1"
    assert picture_text(rows, all_runs).splitlines()[2].split("  ")[-2].strip() == called
    read = Reader(picture_html(rows, all_runs))
    assert {cells[3] for cells in read.cells if len(cells) == 7} == {"run", called}
    assert sum(called in text for text in read.texts) == 3


LONG = "experiment-2026-01-05T09:30:00-of-the-crew-that-plans-a-trip-to-lisbon-and-porto-"


@pytest.mark.parametrize("width, cut", [(600, True), (1200, False)])
def test_names_of_runs_have_the_room_there_is(
    chromium: Chromium,
    width: int,
    cut: bool,  # noqa: FBT001 - a case
) -> None:
    """A long name is whole where the page is wide; else its beginning gives way, to an ellipsis, and its end stays."""
    rows = [make(seq, run_id=f"{LONG}{seq}") for seq in range(1, 4)]
    tab = chromium.tab("about:blank", viewport={"width": width, "height": 700})
    tab.evaluate("(markup) => { document.body.innerHTML = markup }", html(rows))
    names, is_cut, overflow = tab.evaluate(
        """() => {
            const names = [...document.querySelectorAll(".locus-static-runs td .locus-name")];
            const box = document.querySelector(".locus-static-runs");
            return [names.map((name) => [name.textContent, name.title]),
                names.map(({ firstChild }) => firstChild.scrollWidth > firstChild.clientWidth + 1),
                box.scrollWidth > box.clientWidth];
        }"""
    )
    assert names == [[f"{LONG}{seq}", f"{LONG}{seq}"] for seq in (3, 2, 1)]
    assert is_cut == [cut] * 3
    assert not overflow
    tab.close()


def test_long_table_opens_at_the_newest_rows_and_errors_are_named_above(chromium: Chromium) -> None:
    """Without scrolling the newest rows are seen, under the columns' names, and what failed, wherever it is."""
    rows = [make(seq) for seq in range(1, 200)]
    for seq in (5, 9, 50, 120):
        rows[seq - 1] = make(seq, status="error", preview=f"failed at {seq}")
    tab = chromium.tab("about:blank", viewport={"width": 900, "height": 900})
    tab.evaluate("(markup) => { document.body.innerHTML = markup }", html(rows, run="run-A"))
    seen = tab.evaluate(
        """() => {
            const box = document.querySelector(".locus-static-events").getBoundingClientRect();
            const inside = ({ top, bottom }) => top >= box.top - 1 && bottom <= box.bottom + 8;
            const cells = [...document.querySelectorAll(".locus-static-events :is(th, td):first-child")];
            return cells.filter((cell) => inside(cell.getBoundingClientRect())).map((cell) => cell.textContent);
        }"""
    )
    assert (seen[0], seen[-1]) == ("seq", "199")
    errors = tab.evaluate(
        "() => [...document.querySelectorAll('.locus-static-errors p')].map((p) => p.textContent)"
    )
    assert errors == [
        "4 errors, the newest:",
        *(f"✕ {seq} · agent.think · failed at {seq}" for seq in (9, 50, 120)),
    ]
    tab.close()


def test_errors_of_all_runs_say_of_which() -> None:
    """In a view of all runs each of the errors named above the table says its run."""
    rows = [make(seq, run_id=f"run-{seq % 2}", status="error" if seq == 9 else None) for seq in range(1, 40)]
    assert "✕ 9 · run-1 · agent.think · thought 9" in html(rows)


def test_few_rows_need_no_list_of_errors() -> None:
    """Where all rows are seen at once, and where nothing failed, no line is said twice."""
    few, fine = [make(1, status="error")], [make(seq) for seq in range(1, 100)]
    for rows in (few, fine):
        assert 'class="locus-static-errors"' not in html(rows, run="run-A")


def test_rows_have_the_colour_of_their_family() -> None:
    """Each family has a colour of its own, and what failed another, whatever it is."""
    families = ["model", "tool", "think", "end", "agent", "other"]
    rows = [make(seq, family=family) for seq, family in enumerate(families, 1)]
    rows.append(make(9, family="tool", status="error"))
    assert Reader(html(rows, run="run-A")).classes[1:] == ["m", "t", "k", "e", "a", "o", "x"]


@pytest.mark.parametrize("width", [600, 1200])
@pytest.mark.parametrize("run", ["run-A", None])
def test_hostile_text_does_not_break_the_layout(chromium: Chromium, width: int, run: str | None) -> None:
    """In a browser hostile texts make no element, run nothing, and leave the picture as wide as its page."""
    rows: list[Row] = []
    for n, odd in enumerate(HOSTILE):
        texts = {"preview": odd, "name": odd, "agent": odd, "run_id": odd, "error": odd}
        rows += call(2 * n + 1, odd, end=2 * n + 2, status="error", **texts)
        rows.append(make(90 + n, event_type=odd, iteration=n + 1))
    tab = chromium.tab("about:blank", viewport={"width": width, "height": 700})
    tab.evaluate(
        "(markup) => { document.body.innerHTML = markup }", html(rows, "twin-1", run=run, title=HOSTILE[0])
    )
    seen = tab.evaluate(
        """() => {
            const box = document.querySelector(".twin-1");
            return [box.querySelectorAll("img, script, a").length, document.styleSheets.length,
                document.documentElement.scrollWidth <= window.innerWidth, box.checkVisibility(),
                getComputedStyle(box.querySelector("td")).color === getComputedStyle(document.body).color];
        }"""
    )
    assert seen == [0, 1, True, True, True]
    assert tab.errors == []
    tab.close()
