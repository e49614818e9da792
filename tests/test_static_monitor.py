from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from locus_nb import ReaderStats
from locus_nb._views.picture import About, picture_html
from locus_nb._views.samples import BusPicture, Sample
from locus_nb._views.static_monitor import MAX_READERS, monitor_html, monitor_text

if TYPE_CHECKING:
    from tests.browser import Chromium

FACTS = {
    "active_runs": 1,
    "history_runs": 3,
    "max_runs": 200,
    "history_per_run": 500,
    "published": 12_345,
    "dropped": 0,
    "late": 0,
    "refused": 0,
    "evicted": 0,
    "trimmed": 7,
    "emit_failures": 0,
    "readers": 1,
    "resets": 0,
}
AT = 1_767_605_400_000.0
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"></td></table><style>*{display:none}</style>',
    "\u202egnp.exe\u202c \u2066x\u2069",
    "zero\u200bwidth\ufeff",
    "\ud800 lone",
    "\x00\x1b[31m\r\nnew line",
    "x" * 1_000_000,
    "",
]


def reader(
    number: int = 1, *, label: str = "slow", run_id: str | None = "run", dropped: int = 0
) -> ReaderStats:
    """Make a look at a reader."""
    return ReaderStats(number, label, run_id, 5, 1024, 0, 9, 100, 95 - dropped, dropped, 0)


def picture(
    *samples: tuple[float, int], readers: tuple[ReaderStats, ...] = (reader(),), **facts: int
) -> BusPicture:
    """What a monitor saw: seconds and totals, and readers."""
    taken = tuple(Sample(AT + seconds * 1000, published, 0, 0) for seconds, published in samples or [(0, 0)])
    return BusPicture(taken, readers, {**FACTS, "readers": len(readers), **facts})


class Reading(HTMLParser):
    """What a browser would make of some html: its elements, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, str | None] = {}
        self.depth = 0
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a note."""
        self.tags.add(tag)
        self.attributes.update(attrs)
        self.depth += 1

    def handle_endtag(self, tag: str) -> None:
        """Take a note."""
        self.depth -= 1

    def handle_data(self, data: str) -> None:
        """Take a note."""
        self.text += data


def test_labels_are_shown_without_secrets() -> None:
    """A secret in a reader's label is in neither the html nor the text."""
    seen = picture(readers=(reader(label="password=hunter2"), reader(2, label="api_key: str = 'hunter2'")))
    for said in (Reading(monitor_html(seen)).text, monitor_text(seen)):
        assert "hunter2" not in said
        assert "password=[redacted: password] · run" in said


def test_tells_facts_readers_and_when() -> None:
    """The picture says what the bus carried, keeps and lost, who reads it, and of when that is."""
    seen = picture(readers=(reader(dropped=40), reader(2, label="store", run_id=None)), dropped=40)
    html, text = monitor_html(seen), monitor_text(seen)
    for said in (Reading(html).text, text):
        assert "as of 2026-01-05 09:30:00 UTC" in said
        assert "12,345 published" in said
        assert "3 of 200 runs kept" in said
        assert "7 events trimmed" in said
        assert "store · all runs" in said
    assert '<span class="x">✕ 40 dropped</span>' in html
    assert '<td class="x">✕ 40</td>' in html
    assert text.splitlines()[-3:] == [
        "reader              backlog  peak  delivered  dropped",
        "slow · run        5 / 1,024     9         55       40",
        "store · all runs  5 / 1,024     9         95        0",
    ]


def test_losses_are_said_only_where_there_are_some() -> None:
    """What was late, refused or failed stands there if it happened, and marked as a loss."""
    assert "late" not in monitor_text(picture())
    seen = picture(late=1, refused=2, emit_failures=3)
    assert "1 late event · 2 readers refused · 3 failed emits" in monitor_text(seen)
    assert "✕ 2 readers refused" in monitor_html(seen)


def test_chart_is_as_wide_as_the_time_between_samples() -> None:
    """Each rate is drawn for as long as it holds: 10 s of a late sample are ten times a second's width."""
    html = monitor_html(picture((0, 0), (1, 100), (11, 300)))
    (path,) = re.findall(r' d="([^"]*)"', html)
    assert path == "M490.0 48V0.0H500.0V48ZM500.0 48V38.4H600.0V48Z"
    assert "mean 27.3 · peak 100.0, over the last 11 s" in html


def test_chart_is_broken_where_the_bus_was_replaced() -> None:
    """Totals that begin anew, and a clock that stands still, make no rate and no division by zero."""
    seen = picture((0, 500), (1, 0), (2, 10), (2, 20), resets=1)
    assert "mean 10.0 · peak 10.0" in monitor_text(seen)
    assert "The bus was reset" in monitor_text(seen)
    assert (
        monitor_html(seen).count("Z") - monitor_html(seen)[: monitor_html(seen).index("<svg")].count("Z") == 1
    )


def test_one_sample_makes_no_chart() -> None:
    """Before there are two samples there is no rate to draw, and that is said."""
    assert "<svg" not in monitor_html(picture())
    for said in (monitor_html(picture()), monitor_text(picture())):
        assert "events/s: no samples yet" in said
        assert "mean" not in said


@pytest.mark.parametrize(
    "label, run_id, name",
    [
        ('watch("run-1")', "run-1", 'watch("run-1")'),
        ('watch("a \\"run\\"")', 'a "run"', 'watch("a \\"run\\"")'),
        ("run-1", "run-1", "run-1"),
        ("manual", "a", "manual · a"),
        ("watch()", None, "watch() · all runs"),
        ("", "run-1", "run-1"),
    ],
)
def test_no_run_is_named_twice(label: str, run_id: str | None, name: str) -> None:
    """A reader whose label says of which run it is, is named by that alone."""
    seen = picture(readers=(reader(label=label, run_id=run_id),))
    assert monitor_text(seen).splitlines()[-1].split("  ")[0] == name


LONG = "experiment-2026-01-05T09:30:00-of-the-crew-that-plans-a-trip-to-lisbon-and-porto-"


@pytest.mark.parametrize("width", [600, 1200])
def test_all_columns_are_in_sight(chromium: Chromium, width: int) -> None:
    """However long the runs' ids, nothing of a reader is out of sight, and the ends of names tell them apart."""
    readers = tuple(
        reader(n, label=f'watch("{LONG}{n}")', run_id=f"{LONG}{n}", dropped=10 * n) for n in range(5)
    )
    tab = chromium.tab("about:blank", viewport={"width": width, "height": 700})
    # As in a notebook, other pictures follow, with rules for their tables.
    rows = picture_html([], About("run", "ended", 0, 0, [], one_run=False))
    tab.evaluate(
        "(markup) => { document.body.innerHTML = markup }",
        monitor_html(picture((0, 0), (1, 5), readers=readers)) + rows,
    )
    overflow, right, ends, titles, aligned = tab.evaluate(
        """() => {
            const box = document.querySelector(".locus-static-monitor");
            const cells = [...box.querySelectorAll("td")];
            const ends = [...box.querySelectorAll("td:first-child span > :last-child")];
            return [box.scrollWidth - box.clientWidth, Math.max(...cells.map((td) => td.getBoundingClientRect().right)),
                ends.map((end) => end.checkVisibility() && end.textContent),
                [...box.querySelectorAll("[title]")].map((one) => one.title),
                [...new Set(cells.map((td) => getComputedStyle(td).textAlign))]];
        }"""
    )
    assert overflow <= 0
    assert right <= width
    assert ends == [f'-porto-{n}")'[-8:] for n in range(5)]
    assert titles == [f'watch("{LONG}{n}")' for n in range(5)]
    assert aligned == ["left", "right"]
    tab.close()


def test_readers_are_bounded() -> None:
    """Twenty readers are shown and the others counted; without any that is said."""
    many = tuple(reader(number) for number in range(30))
    seen = picture(readers=many)
    assert monitor_html(seen).count("<tr>") == MAX_READERS + 1
    assert "and 10 more readers" in monitor_text(seen)
    assert "Nobody reads this bus." in monitor_html(picture(readers=()))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert(text: str) -> None:
    """Labels and run ids make no elements, turn no text around, and are short; the html is whole and can be saved."""
    seen = picture((0, 0), (1, 5), readers=(reader(label=text, run_id=text or "run"),))
    html = monitor_html(seen, css_class='twin" onclick="x')
    reading = Reading(html)
    assert reading.tags == {
        "div",
        "style",
        "p",
        "b",
        "span",
        "svg",
        "path",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert not any(name.startswith("on") for name in reading.attributes)
    assert reading.depth == 0
    assert len(html.encode()) < 6_000
    for sign in "\u202e\u202c\u2066\u2069\u200b\ufeff\x00\x1b\r":
        assert sign not in html + monitor_text(seen)
    assert len(monitor_text(seen).splitlines()) == 5


def test_picture_is_self_contained() -> None:
    """The html loads nothing and holds no script; its class can be found by the page."""
    html = monitor_html(picture((0, 0), (1, 5)), css_class="twin-1")
    assert html.startswith('<div class="locus-static locus-static-monitor twin-1">')
    assert not re.search(r"https?:|url\(|@import|<script|javascript:", html)
