"""Drives a live view on a page, in the words of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser import Tab

HOSTILE = [
    "<script>window.struck = 1</script>",
    "<img src=x onerror='window.struck = 1'>",
    '<a href="javascript:window.struck = 1">x</a>',
    "&lt;b&gt;&amp;",
    "</pre></div><style>* { display: none }</style>",
    "one\ntwo\r\n\tthree\u2028four",
    "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd",
    "\u202egnp.elif",
    "zero\u200bwidth\ufeff\u2066x",
    "\u200b\u2060",
    "\U0001f680\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\x00\x07\x1b[31m",
    "\ufffd",
    "${window.struck = 1}",
    "__proto__",
]


class LiveView:
    """One widget on the page, in the words of the tests."""

    def __init__(self, tab: Tab, /, **state: str) -> None:
        self.tab = tab
        tab.evaluate("async (state) => { window.widget = await FakeWidget.open(state) }", state)

    def show(self) -> None:
        """Shows the widget in one more output."""
        self.tab.evaluate("async () => { await widget.show(); await drawn() }")

    def deliver(self, rows: list[Any], tallies: list[Any] | None = None, **content: Any) -> None:
        """Delivers rows as Python sends them, and lets the page draw."""
        self.tab.evaluate(
            """async ([rows, tallies, content]) => {
                widget.deliver(rows, content, tallies);
                await drawn();
            }""",
            [rows, tallies or [], content],
        )

    def points(self, first: int, count: int, run: str = "run-A", **content: Any) -> None:
        """Delivers rows of an agent, each a line of its own, and lets the page draw."""
        self.tab.evaluate(
            """async ([first, count, run, content]) => {
                widget.deliver(pointRows(first, count, run), content);
                await drawn();
            }""",
            [first, count, run, content],
        )

    def filter(self, query: str) -> None:
        """Types a filter, and lets the page draw."""
        self.tab.call(lambda page: page.fill(".lo-filter", query))
        self.drawn()

    def click_row(self, seq: int, *, shift: bool = False) -> None:
        """Clicks the line of an item in sight, and lets the page draw."""
        found = self.tab.evaluate(
            """([seq, shiftKey]) => {
                const row = [...document.querySelectorAll(".lo-row")]
                    .find((one) => !one.hidden && one.firstChild.textContent === String(seq));
                row?.dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey }));
                document.querySelector(".lo-grid").focus();
                return Boolean(row);
            }""",
            [seq, shift],
        )
        assert found, f"no row {seq} in sight"
        self.drawn()

    def texts(self, part: str) -> list[str]:
        """The texts of the visible parts with that name, in order."""
        return self.tab.evaluate(
            """(part) => [...document.querySelectorAll(`.lo-${part}`)]
                .filter((node) => node.checkVisibility()).map((node) => node.textContent)""",
            part,
        )

    def text(self, part: str) -> str:
        """The text of the only visible part with that name, "" without one."""
        texts = self.texts(part)
        assert len(texts) <= 1
        return "".join(texts)

    def seqs(self) -> list[int]:
        """The seqs of the rows in sight, from the top."""
        return self.tab.evaluate(
            """() => {
                const grid = document.querySelector(".lo-grid").getBoundingClientRect();
                const top = grid.top + 26;
                return [...document.querySelectorAll(".lo-row")]
                    .filter((row) => !row.hidden)
                    .map((row) => [row.getBoundingClientRect(), Number(row.firstChild.textContent)])
                    .filter(([, seq]) => seq > 0)
                    .filter(([box]) => box.top >= top - 1 && box.bottom <= grid.bottom + 1)
                    .map(([, seq]) => seq);
            }"""
        )

    def scroll_to(self, top: int) -> None:
        """Scrolls as a reader does, and lets the page draw."""
        self.tab.evaluate(
            """async (top) => {
                document.querySelector(".lo-grid").scrollTop = top;
                await drawn();
            }""",
            top,
        )

    def press(self, *keys: str) -> None:
        """Presses keys where the focus is, and lets the page draw."""
        for key in keys:
            self.tab.press(key)
        self.drawn()

    def drawn(self) -> None:
        """Lets the page draw."""
        self.tab.evaluate("() => drawn()")

    def sent(self, kind: str) -> list[int]:
        """The last_seq of each message of that kind that the page sent."""
        return self.tab.evaluate(
            "(kind) => widget.model.sent.filter((one) => one.kind === kind).map((one) => one.last_seq)", kind
        )

    def wait_told(self, **fields: object) -> None:
        """Waits until the page's newest word to Python on what the user did says that."""
        self.tab.wait(
            """(fields) => {
                const told = widget.model.sent.filter((one) => one.kind === "view").at(-1) ?? {};
                return Object.entries(fields).every(([key, value]) =>
                    JSON.stringify(told[key]) === JSON.stringify(value));
            }""",
            fields,
        )

    def selected(self) -> list[int]:
        """The seqs of the rows said to be selected."""
        return self.tab.evaluate(
            """() => [...document.querySelectorAll('.lo-row[aria-selected="true"]')]
                .map((row) => Number(row.firstChild.textContent))"""
        )


FACTS = {
    "phase": "point",
    "family": "other",
    "status": None,
    "span": None,
    "parent": None,
    "agent": None,
    "iteration": None,
    "name": None,
    "duration": None,
    "error": None,
    "input_tokens": None,
    "output_tokens": None,
}


def row(seq: int, **fields: Any) -> list[Any]:
    """A row as Python sends it, with the given seq."""
    told = {
        "time_ms": 0,
        "event_type": "agent.think",
        "run_id": "run-A",
        "preview": f"p{seq}",
        "detail": "{}",
        **FACTS,
    }
    unknown = fields.keys() - told.keys()
    if unknown:
        raise TypeError(f"A row has no {sorted(unknown)}.")
    return [seq, *(told | fields).values()]


def started(seq: int, span: str = "s", **fields: Any) -> list[Any]:
    """The start of a tool's span."""
    facts = {"phase": "start", "family": "tool", "span": span, "name": "search", "preview": "search(query)"}
    return row(seq, **({"event_type": "agent.tool.started"} | facts | fields))


def ended(seq: int, span: str = "s", **fields: Any) -> list[Any]:
    """The end of a tool's span."""
    facts = {"phase": "end", "family": "tool", "span": span, "name": "search", "status": "ok"}
    return row(seq, **({"event_type": "agent.tool.completed", "duration": 12.5} | facts | fields))


def tally(run: str, status: str = "running", **fields: Any) -> list[Any]:
    """What is known of a run, as Python sends it."""
    told = {
        "name": "",
        "status": status,
        "started": 0,
        "ended": None if status == "running" else 1000,
        "last": 0,
        "events": 0,
        "iterations": 0,
        "model_calls": 0,
        "tool_calls": 0,
        "errors": 0,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    return [run, *(told | fields).values()]
