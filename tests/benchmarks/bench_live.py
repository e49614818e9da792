"""Emits 10,000 events a second for 20 s over 50 runs in a real JupyterLab, watched in real Chromium.

    python tests/benchmarks/bench_live.py [EVENTS_PER_SECOND]

The whole way: `emit_sync` in a blocked cell, bus, pump, server, page. `paint` is the time from an event's
emission to the frame after which its row, or a later one, stands in the document; kernel and page read the
same clock. `first` and `next` are the times from `display` to the frame after which a view of a run with 500
events of history shows the newest of them: of the first widget of any kind in a page, for which JupyterLab
fetches its widget manager and anywidget, and of the second; `bare` is what a widget of one line takes, after
them and as the first of a page. The notebook has shown some html before, as a tutorial has, for JupyterLab
fetches what typesets it at the first. `heap` is the page's, after a collection, JupyterLab's own included: after
that flood, and after another one of the same size, when the page has let go of as many rows as it keeps.

Then the kernel is idle, and a view of one run with 50,000 rows is filtered, each filter until the frame after which
the view counts what it left, and scrolled; and so is the view of all runs, with all that it keeps.
"""

from __future__ import annotations

import json
import sys
import tempfile
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.browser import Chromium
from tests.jupyter import JupyterLab

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS_PER_SECOND = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
SECONDS = 20
RUNS = 50
HISTORY = 500
FIRST_PAINTS = 5
VIEWS = ("first", "next")
MISSED_FIRST_PAINT_MS = 150
MISSED_FRAME_MS = 34
MISSED_PAINT_MS = 150
MISSED_FILTER_MS = 50
MISSED_SCROLL_MS = 20
# Of what the page has once it is full, this much more is still no growth.
MISSED_GROWTH = 1.1
FILTER_ROWS = 50_000
FILTERS = ["Lisbon", "tool:weather", "status:ok dur>=1", "type:agent.think porto -lima", "zzz"]

PREPARE = """
import contextvars, json, time
from pathlib import Path
from locus_nb import emit_sync, run_context, set_run_id, watch

view, emitted = watch(), 0
heard, hear = [], view._sink.hear
view._sink.hear = lambda content: (heard.append(content), hear(content))
view
"""

HTML = """
from IPython.display import HTML
HTML("<b>Some html</b>")
"""

EMIT = f"""
runs = [contextvars.copy_context() for _ in range({RUNS})]
for number, run in enumerate(runs):
    run.run(set_run_id, f"run-{{number}}")
stamps, pump_s = [], time.process_time()
begun = time.monotonic()
for n in range({EVENTS_PER_SECOND * SECONDS}):
    late = time.monotonic() - begun - n / {EVENTS_PER_SECOND}
    if late < 0:
        # The load has a pace.
        time.sleep(0.001)
    stamps.append(time.time_ns())
    span = {{"tool_name": "weather", "span_id": f"span-{{n // {2 * RUNS}}}"}}
    if n // {RUNS} % 2:
        span |= {{"success": True, "duration_ms": 1.5, "output_preview": f"Lisbon: {{n}} degrees", "error": None}}
        runs[n % {RUNS}].run(emit_sync, "agent.tool.completed", **span)
    else:
        runs[n % {RUNS}].run(emit_sync, "agent.tool.started", arg_keys=["city"], **span)
stamps.append(time.time_ns())
runs[0].run(emit_sync, "bench.over")
emitted += len(stamps)
took = time.monotonic() - begun
cpu = time.process_time() - pump_s
"""

FILL = f"""
from IPython.display import display
filled = watch("filled")
display(filled)
with run_context("filled"):
    for n in range({FILTER_ROWS}):
        # No flood: the rows are to be there, all of them, and a view tells nobody that it has taken some in.
        while n - filled.total - filled.missing > 500:
            time.sleep(0.001)
        if n % 2:
            emit_sync("agent.think", iteration=n, reasoning_preview=f"Porto or Lisbon, {{n}}?")
        else:
            emit_sync(
                "agent.tool.completed", tool_name="weather", success=True, duration_ms=1.5,
                output_preview=f"Lisbon: {{n}} degrees",
            )
"""

SHOW = """
from IPython.display import display
with run_context("{name}"):
    for n in range({history}):
        emit_sync("agent.think", iteration=n + 1, reasoning_preview=f"{name} thought {{n}}")
{name} = watch("{name}")
displayed_ms = time.time() * 1000
display({name})
_ = Path("displayed.json").write_text(json.dumps(displayed_ms))
"""

BARE = """
from anywidget import AnyWidget

class Bare(AnyWidget):
    _esm = "export default {{ render: ({{ el }}) => {{ el.className = 'lo-row'; el.textContent = '{text}' }} }}"

bare = Bare()
displayed_ms = time.time() * 1000
display(bare)
_ = Path("displayed.json").write_text(json.dumps(displayed_ms))
"""

WAIT_SHOWN = """(text) => {
    window.shownAt = 0;
    const painted = new MessageChannel();
    const isShown = () => [...document.querySelectorAll(".lo-row")].some((row) => row.textContent.includes(text));
    painted.port1.onmessage = () => {
        if (!window.shownAt && isShown()) window.shownAt = performance.timeOrigin + performance.now();
    };
    const frame = () => {
        painted.port2.postMessage(0);
        if (!window.shownAt) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""

REPORT = """
deadline = time.monotonic() + 30
while view.total + view.missing < emitted and time.monotonic() < deadline:
    # A view tells nobody that it has taken rows in.
    time.sleep(0.05)
facts = {"stamps": [stamp / 1e6 for stamp in stamps], "took": took, "cpu": cpu}
facts |= {"total": view.total, "missing": view.missing, "heard": heard, "last": view._sink.store.last_seq}
_ = Path("facts.json").write_text(json.dumps(facts))
"""

OBSERVE = """() => {
    const seen = { frames: [], shown: [] };
    const painted = new MessageChannel();
    const clock = () => performance.timeOrigin + performance.now();
    const newest = () => {
        const rows = [...document.querySelectorAll(".lo-grid .lo-row")].filter((row) => !row.hidden);
        return rows.length ? Number(rows.at(-1).querySelector(".lo-seq").textContent) : 0;
    };
    // A message posted in a frame is handled after that frame's painting.
    painted.port1.onmessage = () => {
        const seq = newest();
        if (seq !== seen.shown.at(-1)?.[0]) seen.shown.push([seq, clock()]);
    };
    let before = performance.now();
    const frame = (now) => {
        seen.frames.push(now - before);
        before = now;
        painted.port2.postMessage(0);
        if (!window.over) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    window.seen = seen;
}"""

# The view in a cell, the count that it must say first, and the filters.
FILTER = """async ([cell, count, filters]) => {
    const root = document.querySelectorAll(".jp-Notebook-cell")[cell].querySelector(".locus-live");
    const filter = root.querySelector(".lo-filter");
    const text = () => root.querySelector(".lo-count").textContent;
    const painted = new MessageChannel();
    const frame = () => new Promise((resolve) => {
        painted.port1.onmessage = resolve;
        requestAnimationFrame(() => painted.port2.postMessage(0));
    });
    const type = async (query) => {
        const before = text(), start = performance.now();
        filter.value = query;
        filter.dispatchEvent(new Event("input"));
        do await frame(); while (text() === before && performance.now() - start < 10_000);
        if (text() === before) throw new Error(`the filter ${query} was not answered: ${before}`);
        return performance.now() - start;
    };
    if (text() !== count) throw new Error(`the view says ${text()}, not ${count}`);
    const times = [];
    for (const query of filters) {
        times.push([query, await type(query), text()]);
        await type("");
    }
    return times;
}"""

SCROLL = """async (cell) => {
    const root = document.querySelectorAll(".jp-Notebook-cell")[cell];
    root.scrollIntoView({ block: "end" });
    const grid = root.querySelector(".lo-grid");
    const frames = [];
    let before = 0;
    for (let step = 0; step < 300; step++) {
        grid.scrollTop = (grid.scrollHeight * ((step * 37) % 300)) / 300;
        const now = await new Promise((resolve) => requestAnimationFrame(resolve));
        if (before) frames.push(now - before);
        before = now;
    }
    return frames;
}"""

IS_SAID = """([cell, count]) => document.querySelectorAll(".jp-Notebook-cell")[cell]
    .querySelector(".lo-count").textContent === count"""

HEAP = "() => { gc(); return performance.memory.usedJSHeapSize / 1e6 }"

READ = """() => {
    window.over = true;
    const frames = window.seen.frames.slice(1);
    return { frames, shown: window.seen.shown, count: document.querySelector(".lo-count").textContent };
}"""


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which that part of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def summary(values: Sequence[float]) -> str:
    """The middle, the 95th percentile and the worst."""
    return f"p50 {quantile(values, 0.5):6.1f}   p95 {quantile(values, 0.95):6.1f}   max {max(values):6.1f} ms"


def measure(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """One run: what the kernel knows, and what the page saw."""
    cells = [PREPARE, EMIT, REPORT, EMIT, FILL]
    with (
        JupyterLab(folder) as lab,
        Chromium("--js-flags=--expose-gc", "--enable-precise-memory-info") as chromium,
        lab.open(chromium, "bench.ipynb", cells) as notebook,
    ):
        notebook.run(0)
        notebook.page.wait("() => document.querySelector('.locus-live')")
        notebook.page.evaluate(OBSERVE)
        notebook.start(1)
        notebook.finish(timeout=10 * SECONDS)
        notebook.run(2)
        facts = json.loads((lab.notebooks / "facts.json").read_text())
        notebook.page.wait(f"() => window.seen.shown.at(-1)?.[0] >= {facts['last']}")
        seen = notebook.page.evaluate(READ)
        seen["heaps"] = [notebook.page.evaluate(HEAP)]
        notebook.start(3)
        notebook.finish(timeout=10 * SECONDS)
        notebook.run(2)
        again = json.loads((lab.notebooks / "facts.json").read_text())
        facts["missing"] = again["missing"]
        seen["both"] = f"{again['total']:,} events"
        all_runs = (0, seen["both"])
        notebook.page.wait(IS_SAID, all_runs)
        seen["heaps"].append(notebook.page.evaluate(HEAP))
        seen["kept"] = notebook.page.evaluate(FILTER, [*all_runs, FILTERS]), notebook.page.evaluate(SCROLL, 0)
        notebook.start(4)
        notebook.finish(timeout=10 * SECONDS)
        filled = (4, f"{FILTER_ROWS:,} events")
        notebook.page.wait(IS_SAID, filled)
        seen["filled"] = notebook.page.evaluate(FILTER, [*filled, FILTERS]), notebook.page.evaluate(SCROLL, 4)
        if notebook.page.errors:
            raise RuntimeError(f"the page reported errors: {notebook.page.errors}")
    return facts, seen


def measure_first_paints(folder: Path, names: Sequence[str]) -> list[float]:
    """Milliseconds from display to paint of widgets one after another: bare ones, or views of runs with history."""
    shows = [
        (SHOW if name in VIEWS else BARE).format(name=f"{name}_run", history=HISTORY, text=name)
        for name in names
    ]
    texts = [f"{name}_run thought {HISTORY - 1}" if name in VIEWS else name for name in names]
    cells = [PREPARE.replace("view\n", "_ = view\n") + HTML, *shows]
    took: list[float] = []
    with (
        JupyterLab(folder) as lab,
        Chromium() as chromium,
        lab.open(chromium, "first.ipynb", cells) as notebook,
    ):
        notebook.run(0)
        for index, text in enumerate(texts, 1):
            notebook.page.evaluate(WAIT_SHOWN, text)
            notebook.run(index)
            notebook.page.wait("() => window.shownAt")
            displayed = json.loads((lab.notebooks / "displayed.json").read_text())
            took.append(notebook.page.evaluate("() => window.shownAt") - displayed)
    return took


def paints(stamps: Sequence[float], shown: Sequence[tuple[int, float]]) -> list[float]:
    """For each event the milliseconds until it was shown: the n-th event has the n-th seq."""
    seqs = [seq for seq, _ in shown]
    return [
        shown[bisect_left(seqs, seq)][1] - stamp for seq, stamp in enumerate(stamps, 1) if seq <= seqs[-1]
    ]


def print_interaction(
    rows: str, filtering: Sequence[tuple[str, float, str]], scrolling: Sequence[float]
) -> bool:
    """Prints how long filters took, what they left, and frames while scrolling; whether a target is missed."""
    said = ", ".join(f"{text!r} {ms:.0f} ms ({left})" for text, ms, left in filtering)
    print(f"filter    {rows}: {said}   (target over {FILTER_ROWS:,}: under {MISSED_FILTER_MS})")
    print(f"scrolling {rows}: {summary(scrolling)}   (target: p95 under {MISSED_SCROLL_MS})")
    slowest = max(ms for _, ms, _ in filtering)
    return slowest >= MISSED_FILTER_MS or quantile(scrolling, 0.95) >= MISSED_SCROLL_MS


def main() -> int:
    """Prints the figures; 1 when an event is lacking or a target is missed."""
    paint_times: list[list[float]] = []
    for _ in range(FIRST_PAINTS):
        with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as others:
            times = measure_first_paints(Path(ours), ["first", "next", "bare"])
            paint_times.append(times + measure_first_paints(Path(others), ["bare first"]))
    firsts, nexts, bares, bare_firsts = zip(*paint_times, strict=True)
    with tempfile.TemporaryDirectory() as folder:
        facts, seen = measure(Path(folder))
    events = EVENTS_PER_SECOND * SECONDS + 1
    gaps = sum(said["kind"] == "hello" for said in facts["heard"]) - 1
    shown = paints(facts["stamps"], seen["shown"])
    print(f"first     {summary(firsts)}   (target: p50 under {MISSED_FIRST_PAINT_MS})")
    print(f"next      {summary(nexts)}   (target: p50 under {MISSED_FIRST_PAINT_MS})")
    print(f"bare      {summary(bares)}, as the first of a page {summary(bare_firsts)}")
    print(
        f"{events:,} events of {RUNS} runs in {facts['took']:.1f} s, {facts['cpu']:.1f} s of CPU: {seen['count']}"
    )
    print(f"gaps      {gaps}, missing {facts['missing']} of twice as many, total {facts['total']:,}")
    print(f"frame     {summary(seen['frames'])}   (target: p95 under {MISSED_FRAME_MS})")
    print(f"paint     {summary(shown)}   (target: p95 under {MISSED_PAINT_MS})")
    heaps = seen["heaps"]
    print(f"heap      {heaps[0]:.0f} MB, after as many events again {heaps[1]:.0f} MB   (target: no growth)")
    slow = heaps[1] > MISSED_GROWTH * heaps[0]
    print_interaction(f"all that is kept of {seen['both']}", *seen["kept"])
    slow |= print_interaction(f"{FILTER_ROWS:,} rows", *seen["filled"])
    lacking = gaps or facts["missing"] or facts["total"] != events or len(shown) != events
    slow |= quantile(seen["frames"], 0.95) >= MISSED_FRAME_MS or quantile(shown, 0.95) >= MISSED_PAINT_MS
    slow = slow or max(quantile(firsts, 0.5), quantile(nexts, 0.5)) >= MISSED_FIRST_PAINT_MS
    if lacking or slow:
        print(f"MISSED: {json.dumps({'lacking': bool(lacking), 'slow': slow})}")
    return int(bool(lacking or slow))


if __name__ == "__main__":
    sys.exit(main())
