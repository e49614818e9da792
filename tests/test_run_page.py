"""What the page of a run promises."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from locus_nb import EventBus, StreamEvent
from locus_nb._files.run_page import run_html
from tests.test_picture import HOSTILE

SECRET = "sk-" + "Ab3" * 8
VOID = {"meta", "line", "rect", "circle", "path"}


class Reader(HTMLParser):
    """What a browser sees of a page: its elements, balanced, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.inside: list[str] = []
        self.texts: dict[str, str] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Hold that what ends was the last to begin."""
        if tag not in VOID:
            assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        where = self.inside[-1] if self.inside else ""
        self.texts[where] = self.texts.get(where, "") + data


def page_of(*events: tuple[str, dict[str, Any]], closed: bool = True, **known: Any) -> tuple[str, Reader]:
    """Make the page of a run "a", and what a browser sees of it."""
    bus = EventBus()
    bus.open_stream_nowait("a", **known)
    for event_type, data in events:
        bus.publish_nowait(StreamEvent("a", event_type, data))
    if closed:
        bus.close_stream_nowait("a")
    page = run_html(bus, "a")
    return page, Reader(page)


def test_a_page_shows_the_run() -> None:
    """The page is whole, has the run's name as its title, and shows status, numbers, waterfall and events."""
    page, seen = page_of(
        ("agent.tool.started", {"tool_name": "weather", "span_id": "s"}),
        ("agent.tool.completed", {"tool_name": "weather", "span_id": "s", "success": True, "duration_ms": 5}),
        ("agent.terminate", {"reason": "error", "final_message_preview": "no"}),
        name="my run",
    )
    assert page.startswith("<!DOCTYPE html>\n")
    assert page.endswith("</html>\n")
    assert seen.inside == []
    assert seen.texts["title"].startswith("my run")
    assert {"html", "head", "body", "svg", "table"} <= seen.tags
    for text in ("ended · error", "1 tool call", "3 events", "agent.terminate", "weather"):
        assert text in page
    assert "missing</b>" not in page


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_holds_no_script(text: str) -> None:
    """Whatever a run says, the page has no script, no handler, no address to load from, and fits UTF-8."""
    page, seen = page_of(
        (text, {"tool_name": text, "error": text, text: text}),
        ("agent.tool.started", {"tool_name": text, "span_id": text}),
        name=text,
        tags={text: text},
    )
    assert not seen.tags & {"script", "img", "iframe", "link", "object", "embed", "base", "form", "a"}
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in {"src", "href"}]
    assert "default-src 'none'" in dict(seen.attributes).values() or "default-src 'none'" in page
    assert len(page.encode()) < 160_000
    assert seen.inside == []


def test_secrets_stay_out_of_the_page() -> None:
    """No secret of a payload or a name is in the page."""
    page, _ = page_of(("my.own", {"password": "hunter2", "text": SECRET}), name=f"with {SECRET}")
    assert SECRET not in page
    assert "hunter2" not in page


def test_a_page_says_what_is_missing() -> None:
    """Events that history lost, and those there is no room for, are counted; a run that goes on says so."""
    bus = EventBus(history_per_run=3_000)
    for n in range(3_100):
        bus.publish_nowait(StreamEvent("a", "my.own", {"n": n}))
    page = run_html(bus, "a")
    assert "<b>100 events missing</b>" in page
    assert "3,000 events" in page
    assert "2,500 earlier events not shown" in page
    assert "live when this was written" in page


def test_a_run_without_events() -> None:
    """A run of which only the record is known has a page that says so."""
    page, _ = page_of()
    assert "Ended without an event." in page


class Breaking:
    """A value that raises whatever is asked of it."""

    def __repr__(self) -> str:
        """Fail."""
        raise RuntimeError


def test_a_payload_that_cannot_be_shown() -> None:
    """An event whose payload raises has its line, and the others theirs."""
    page, _ = page_of(("my.own", {"x": Breaking()}), ("my.other", {}))
    assert "my.own" in page
    assert "my.other" in page


def test_a_run_that_is_not_known() -> None:
    """An unknown run, and an id that is none, are refused."""
    with pytest.raises(ValueError, match="no run 'x' to show"):
        run_html(EventBus(), "x")
    with pytest.raises(ValueError, match="not empty"):
        run_html(EventBus(), "")
