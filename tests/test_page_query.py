"""The filter language of a live view, and its chips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.page_kit import LiveView, ended, row, started, tally

if TYPE_CHECKING:
    from tests.browser import Tab

ROWS = [
    row(1, event_type="agent.think", preview="Weather in Oslo", iteration=2, agent="planner"),
    started(2, "a", name="search"),
    ended(3, "a", name="search", duration=1500.0, preview="12 results"),
    started(4, "b", name="fetch"),
    ended(5, "b", name="fetch", duration=20.0, status="error", error="TimeoutError: too slow"),
    started(6, "c", name="fetch", run_id="run-B"),
    row(7, event_type="agent.tokens.used", family="model", name="gpt-5", input_tokens=900, output_tokens=200),
    started(8, "d", name="search", run_id="run-C"),
    ended(9, "d", name="search", status="interrupted", run_id="run-C"),
    row(10, event_type="rag.query.failed", status="error", preview='say "hi there"', run_id="run-C"),
]
TALLIES = [tally("run-A"), tally("run-B"), tally("run-C", "ok", name="nightly job")]

FILTERS = {
    "": [1, 2, 4, 6, 7, 8, 10],
    "WEATHER": [1],
    "weather oslo": [1],
    '"weather in"': [1],
    '"in weather"': [],
    '"hi there': [10],
    "timeouterror": [4],
    "results": [2],
    "-agent": [10],
    "run-b": [6],
    "nightly": [8, 10],
    "type:agent.tool": [2, 4, 6, 8],
    "type:agent.tool.completed": [2, 4, 8],
    "type:agent.tool.started": [6],
    "type:*.failed": [10],
    "type:agent.think,rag.*": [1, 10],
    "-type:agent.tool,rag": [1, 7],
    "type:tool": [],
    "type:=agent.think,=agent.tool": [1],
    "tool:SEAR": [2, 8],
    "-tool:search tool:f": [4, 6],
    "tool:search,fetch": [2, 4, 6, 8],
    'tool:"search,fetch"': [],
    "model:gpt": [7],
    "agent:plan": [1],
    'run:"nightly job"': [8, 10],
    "run:run-A": [1, 2, 4, 7],
    "status:ok": [2],
    "status:error": [4, 10],
    "status:interrupted,running": [6, 8],
    "dur>500": [2],
    "dur>1.5s": [],
    "dur>=1.5s": [2],
    "dur<=20ms": [4, 8],
    "dur<=12500us": [8],
    "dur<0.1m -dur>1s": [4, 8],
    "dur=20": [4],
    "tokens>1000": [7],
    "tokens<1000": [],
    "iteration:2": [1],
    "seq>6 seq<=8": [7, 8],
    "seq:5": [4],
    "TOOL:search STATUS:OK": [2],
    "$^.*[(": [],
    "-": [6, 8, 10, 2, 4, 1, 7],
}


@pytest.fixture
def view(chromium_page: Tab) -> LiveView:
    """A view of three runs."""
    view = LiveView(chromium_page)
    view.show()
    view.deliver(ROWS, TALLIES)
    return view


def test_filter_shows_what_its_terms_say(view: LiveView) -> None:
    """Each kind of term, with its operators, units, quotes, lists and negation, finds just what it says."""
    for query, seqs in FILTERS.items():
        view.filter(query)
        assert view.seqs() == sorted(seqs), query
        assert view.text("hint") == "", query


@pytest.mark.parametrize(
    "query, seqs, hint",
    [
        ("dur>abc", [], "dur takes"),
        ("dur>1h", [], "dur takes"),
        ("tokens>5s", [], "tokens takes"),
        ("status:fine", [], "status: takes ok, error, interrupted, running, open"),
        ("type>agent", [], "type: takes a name"),
        ("tool>agent", [2, 4, 6, 8], "tool: takes a name"),
        ("tool:", [2, 4, 6, 8], "tool: takes a name"),
        ("-tool:,", [1, 7, 10], "tool: takes a name"),
        ("dur > 500", [], "“dur>500”"),
        ("dur >500", [], "“dur>500”"),
        ("tool :search", [], "“tool:search”"),
        ("status : error", [], "“status:error”"),
        ("dur>1 s", [2, 4, 8], "“dur>1s”"),
    ],
)
def test_unreadable_term_is_said_and_searched_as_words(
    view: LiveView, query: str, seqs: list[int], hint: str
) -> None:
    """A term that cannot be read marks the field, says what it could be, and finds its words."""
    view.filter(query)
    assert view.tab.evaluate("() => document.querySelector('.lo-filter').ariaInvalid") == "true"
    assert hint in view.text("hint")
    assert view.seqs() == seqs


def test_unknown_keys_are_words(view: LiveView) -> None:
    """What only looks like a term, as an address does, is looked for as it is."""
    view.deliver([row(11, preview="see https://example.org/a:b at 12:30, constructor:x=1, not __proto__ :y")])
    for query in ("https://example.org", "12:30", "a:b", "constructor:x=1", "__proto__ :y"):
        view.filter(query)
        assert view.seqs() == [11], query
        assert view.text("hint") == ""


def test_any_text_is_a_filter(chromium_page: Tab) -> None:
    """No text makes the filter throw, in a test as in a chip."""
    chromium_page.evaluate(
        """async () => {
            const { Query } = await import("/page/query.js");
            const { Row } = await import("/page/row.js");
            const sight = { endOf: () => null, stateOf: () => null, nameOf: () => "" };
            const parts = ["type:", "-", '"', "dur>", "9", "(", "\\\\", "*", ",", " ", "[", "status:ok", "ä", "$"];
            let state = 7;
            const random = (below) => (state = (state * 48271) % 2147483647) % below;
            const item = new Row(wireRow(1, "a b,\\"*"));
            for (let round = 0; round < 3000; round++) {
                const length = random(7);
                const text = Array.from({ length }, () => parts[random(parts.length)]).join("");
                const query = new Query(text, sight);
                query.test?.(item);
                new Query(query.withChip(item.type), sight).withChip(item.type);
            }
        }"""
    )


def test_chips_count_and_choose_types(view: LiveView) -> None:
    """A chip counts its type's rows; clicks show only these, all others, all: in the filter's own words."""
    assert view.texts("chip") == [
        "agent.think1",
        "agent.tool.completed3",
        "agent.tool.started1",
        "agent.tokens.used1",
        "rag.query.failed1",
    ]
    said: list[Any] = []
    for _ in range(3):
        view.tab.click(".lo-chip:nth-child(2)")
        view.drawn()
        pressed = view.tab.evaluate("() => document.querySelectorAll('.lo-chip')[1].ariaPressed")
        text = view.tab.evaluate("() => document.querySelector('.lo-filter').value")
        said.append([text, pressed, view.seqs()])
    assert said == [
        ["type:=agent.tool.completed", "true", [2, 4, 8]],
        ["-type:=agent.tool.completed", "mixed", [1, 6, 7, 10]],
        ["", "false", [1, 2, 4, 6, 7, 8, 10]],
    ]
    view.filter("weather")
    view.tab.click(".lo-chip:nth-child(2)")
    view.tab.click(".lo-chip:nth-child(1)")
    view.drawn()
    filter_text = view.tab.evaluate("() => document.querySelector('.lo-filter').value")
    assert filter_text == "weather type:=agent.tool.completed,=agent.think"
    assert view.seqs() == [1]


def test_chips_follow_what_comes(view: LiveView) -> None:
    """A span's row moves from the chip of its start to that of its end; odd types have chips that work."""
    view.deliver([ended(11, "c", run_id="run-B"), row(12, event_type='say "a, b" *')])
    assert view.texts("chip")[1] == "agent.tool.completed4"
    assert not any(text.startswith("agent.tool.started") for text in view.texts("chip"))
    view.tab.click(".lo-chip:last-child")
    view.drawn()
    assert view.seqs() == [12]


def test_ten_thousand_types_make_sixty_chips(chromium_page: Tab) -> None:
    """However many event types come, the chips stay few, on one line, and the most frequent are among them."""
    view = LiveView(chromium_page)
    view.show()
    view.deliver([row(seq, event_type=f"t{seq}") for seq in range(1, 1001)])
    view.deliver([row(1000 + seq, event_type="t777") for seq in range(1, 4)])
    assert len(view.texts("chip")) == 60
    assert view.texts("chip")[0] == "t7774"
    height = view.tab.evaluate("() => document.querySelector('.lo-chips').offsetHeight")
    assert height < 50


def test_running_ones_leave_the_filter_with_their_run(view: LiveView) -> None:
    """A filter by status follows the end of a run, which no row of the span tells."""
    view.filter("status:running")
    assert view.seqs() == [6]
    view.filter("status:open")
    assert view.seqs() == []
    view.deliver([], [tally("run-B", "error")])
    assert view.seqs() == [6]
    assert view.text("preview:not(.lo-head *)").startswith("never completed")
    view.filter("status:running")
    assert view.seqs() == []


def test_hostile_names_take_no_time(chromium_page: Tab) -> None:
    """A name of a hundred stars is matched at once, whatever the type; its pieces stand in their order."""
    found = chromium_page.evaluate(
        """async () => {
            const { Query } = await import("/page/query.js");
            const { Row } = await import("/page/row.js");
            const sight = { endOf: () => null, stateOf: () => null, nameOf: (run) => run };
            const passes = (text, type) => new Query(text, sight).test(new Row(wireRow(1, type)));
            const long = '"'.repeat(5000);
            return [
                passes(`type:${"*".repeat(100)}x`, long),
                passes(`type:${"*a".repeat(100)}b`, "a".repeat(5000)),
                passes("type:a*b*c", "a.b.c"), passes("type:a*b*c", "a.c.b"), passes("type:ab*ba", "aba"),
                passes("type:A.B", "a.b.c"), passes("type:*", ""),
            ];
        }"""
    )
    assert found == [False, False, True, False, False, True, True]


def test_chip_means_just_its_type(chromium_page: Tab) -> None:
    """Whatever a type is made of, its chip chooses it alone, then all but it, then all, also through an input."""
    wrong = chromium_page.evaluate(
        """async () => {
            const { Query } = await import("/page/query.js");
            const { Row } = await import("/page/row.js");
            const sight = { endOf: () => null, stateOf: () => null, nameOf: (run) => run };
            const types = ["agent.model", "agent.model.chunk", "Agent.model", "a", 'a"b', "a,b", "a*b", " lead", "x y",
                "status:ok", "-neg", "=a", '"q"', ",", ",,", '"', "a\\nb", "a%0ab", "*", "a\\\\b", "\u0130", "\ud800"];
            const input = document.createElement("input");
            const wrong = [];
            for (const type of types) {
                const passing = [];
                let text = "";
                for (let click = 0; click < 3; click++) {
                    input.value = new Query(text, sight).withChip(type);
                    text = input.value;
                    const { test } = new Query(text, sight);
                    passing.push(types.filter((one) => test === null || test(new Row(wireRow(1, one)))));
                }
                const [only, without, all] = passing;
                if (only.join("|") !== type || without.length !== types.length - 1 || without.includes(type))
                    wrong.push([type, only, without.length]);
                if (all.length !== types.length || text !== "") wrong.push([type, text]);
            }
            return wrong;
        }"""
    )
    assert wrong == []


def test_filter_of_many_terms_is_bounded(view: LiveView) -> None:
    """Of a filter with more than fifty terms the first fifty are looked at, and that is said."""
    view.filter("agent " * 50 + "-agent")
    assert "only the first 50 terms" in view.text("hint")
    assert view.seqs() == [1, 2, 4, 6, 7, 8]
    assert view.tab.evaluate("() => document.querySelector('.lo-filter').maxLength") == 10_000
