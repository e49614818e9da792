from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill import PapermillExecutionError, execute_notebook
from traitlets.config import Config

import locus_nb
from tests.bus_kit import GRACE_S, python
from tests.front_end import front_end

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.front_end import Cell, FrontEnd

SETUP = """
%load_ext locus_nb
import asyncio, contextlib, os, time
from pathlib import Path
from locus_nb import emit_sync
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    """A kernel with the extension, which the tests of this module share."""
    with front_end(tmp_path_factory.mktemp("kernel")) as made:
        loaded = made.run(SETUP)
        assert (loaded.status, loaded.text, loaded.shown, loaded.out) == ("ok", "", [], None)
        yield made


@pytest.fixture
def name() -> str:
    """A name that no other run has."""
    return f"run-of-{uuid4().hex[:8]}"


def runs_of(kept: FrontEnd, name: str) -> list[list[Any]]:
    """The runs of a name, the newest first: status, number of events, cell id, execution count, tags."""
    facts = "[each.status, len(each.events), each.cell_id, each.execution_count, dict(each.tags)]"
    return kept.ask(f"[{facts} for each in __import__('locus_nb').runs().filter(name={name!r})]")


def statuses(kept: FrontEnd, name: str) -> list[str]:
    """Their statuses."""
    return [facts[0] for facts in runs_of(kept, name)]


# The same as without

# LOCUS stands for the magic's line, and EMIT for an event of the run.
CELLS = {
    "value": "LOCUS\nEMIT\n6 * 7",
    "none": "LOCUS\nEMIT\nNone",
    "semicolon": "LOCUS\nEMIT\n6 * 7;",
    "semicolon and comment": "LOCUS\nEMIT\n6 * 7;  # said\n",
    "statement last": "LOCUS\nEMIT\nx = 3",
    "print": "LOCUS\nEMIT\nprint('said')\nprint('more')",
    "display": "LOCUS\nEMIT\ndisplay(1)\n2",
    "await": "LOCUS\nEMIT\nawait asyncio.sleep(0, 'slept')",
    "await, semicolon": "LOCUS\nEMIT\nawait asyncio.sleep(0, 'slept');",
    "async with": "LOCUS\nasync with asyncio.timeout(60):\n    EMIT\n'after'",
    "async for": (
        "LOCUS\nEMIT\nasync def numbers():\n    for n in range(3):\n        yield n\n"
        "async for n in numbers():\n    print(n)\nn"
    ),
    "async comprehension": (
        "LOCUS\nEMIT\nasync def numbers():\n    yield 1\n    yield 2\n"
        "[n * 2 async for n in numbers() if await asyncio.sleep(0, True)]"
    ),
    "gather": "LOCUS\nEMIT\nawait asyncio.gather(*(asyncio.sleep(0, n) for n in range(3)))",
    "future": "LOCUS\nfrom __future__ import annotations\nEMIT\ndef f(a: Unknown): ...\nf.__annotations__",
    "future, await": (
        "LOCUS\n# Why.\n\nfrom __future__ import annotations\nEMIT\n"
        "def f(a: Unknown): ...\nawait asyncio.sleep(0, f.__annotations__)"
    ),
    "docstring, future": "LOCUS\n'''Why.'''\nfrom __future__ import annotations\nEMIT\n1",
    "nested definitions": (
        "LOCUS\nEMIT\ndef outer():\n    n = 0\n    def inner():\n        nonlocal n\n        n += 1\n"
        "        return n\n    return inner\nstep = outer()\nstep(), step()"
    ),
    "recursion": "LOCUS\nEMIT\ndef fact(n): return n * fact(n - 1) if n else 1\nfact(5)",
    "global": "LOCUS\nglobal level\nEMIT\nlevel = 1\ndef up():\n    global level\n    level += 1\nup()\nlevel",
    "decorator and class": (
        "LOCUS\nEMIT\nimport functools\n@functools.lru_cache\ndef twice(n): return 2 * n\n"
        "class Thing:\n    size = twice(4)\n    all = [size for _ in range(2)]\nThing.all"
    ),
    "class in a comprehension": "LOCUS\nEMIT\nk = 3\n[k * n for n in range(3)], (lambda: k)()",
    "del": "LOCUS\nEMIT\ngone = 1\ndel gone\n'gone' in globals()",
    "walrus": "LOCUS\nEMIT\n(found := 5) + found",
    "star import": "LOCUS\nEMIT\nfrom os.path import *\nbasename('/a/b')",
    "annotation": "LOCUS\nEMIT\ncount: int = 4\n__annotations__['count']",
    "match": "LOCUS\nEMIT\nmatch 3:\n    case n if n > 2:\n        print('big')\n'end'",
    "string last": "LOCUS\nEMIT\n'text'",
    "ellipsis": "LOCUS\nEMIT\n...",
    "underscore": "LOCUS\nEMIT\n_ is get_ipython().user_ns['_']",
    "system": "LOCUS\nEMIT\n!echo one\nfound = !echo two\nfound",
    "line magics": "LOCUS\nEMIT\n%env LOCUS_TEST=1\n%env LOCUS_TEST",
    "magic assigned": "LOCUS\nEMIT\nwhere = %pwd\nisinstance(where, str)",
    "magic in a block": "LOCUS\nEMIT\nfor n in range(2):\n    %env LOCUS_TEST={n}",
    "help": "LOCUS\nEMIT\nlen?",
    "time, a line": "LOCUS\nEMIT\n%time 6 * 7",
    "time, silent": "LOCUS\nEMIT\n%time 6 * 7;",
    "under time": "%%time\nLOCUS\nEMIT\n6 * 7",
    "under time, silent": "%%time\nLOCUS\nEMIT\n6 * 7;",
    "under time, error": "%%time\nLOCUS\nEMIT\n1 / 0",
    "above time": "LOCUS\n%%time\nEMIT\n6 * 7",
    "above time, silent": "LOCUS\n%%time\nEMIT\n6 * 7;",
    "above time, error": "LOCUS\n%%time\nEMIT\n1 / 0",
    "above bash": "LOCUS\n%%bash\necho said",
    "under capture": "%%capture kept\nLOCUS\nEMIT\nprint('said')\n8",
    "above capture": "LOCUS\n%%capture kept\nEMIT\nprint('said')\n8",
    "comments before": "# Why.\n\n# More.\nLOCUS\nEMIT\n6 * 7",
    "blank lines after": "LOCUS\n\n\nEMIT\n\n6 * 7\n\n",
    "tabs and form feed": "LOCUS\nif True:\n\tEMIT\n\x0c\n1",
    "long string": 'LOCUS\nEMIT\n"""one\n%%locus two\nthree;"""',
    "error": "LOCUS\nEMIT\nx = 1\n1 / 0\nx = 2",
    "error in a function": "LOCUS\nEMIT\ndef f():\n    y = 1\n    return y / 0\n\nf()",
    "error in an await": "LOCUS\nEMIT\nasync def f():\n    await asyncio.sleep(0)\n    1 / 0\n\nawait f()",
    "error in a long expression": "LOCUS\nEMIT\n(\n    1 +\n    len(3) +\n    5\n)",
    "error with a cause": (
        "LOCUS\nEMIT\ntry:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('v') from error"
    ),
    "stop iteration": "LOCUS\nEMIT\nnext(iter(()))",
    "exception group": "LOCUS\nEMIT\nraise ExceptionGroup('g', [ValueError(1)])",
    "name error": "LOCUS\nEMIT\nno_such_name",
    "cancelled": "LOCUS\nEMIT\ntry:\n    raise asyncio.CancelledError\nexcept asyncio.CancelledError:\n    'caught'",
    "syntax error": "LOCUS\nx = 1\ndef f(:\n    pass",
    "indentation error": "LOCUS\nif True:\nx = 1",
    "unclosed": "LOCUS\n(1,\n2",
    "unclosed string": "LOCUS\nx = '''one\ntwo",
    "return": "LOCUS\nreturn 5",
    "yield": "LOCUS\nyield 5",
    "break": "LOCUS\nbreak",
    "nonlocal": "LOCUS\nnonlocal x",
    "await in a lambda": "LOCUS\nlambda: await 3",
}


def told(cell: Cell) -> dict[str, Any]:
    """What a cell did, without what differs each time: the place of an error, where its text is kept, times."""
    said = re.sub(r"(Wall time|CPU times).*|/tmp/ipykernel\S+", r"\1", cell.text)
    pages = [
        re.sub(r"ipython-input\S+|/tmp/\S+", "", page["data"]["text/plain"]) for page in cell.reply["payload"]
    ]
    arrows = re.findall(r"^-+> +(\d+) (.*)$", cell.trace, re.MULTILINE)
    lines = re.findall(r"(?:Cell|File) \S*,? ?line (\d+)", cell.trace)
    return {
        "status": (cell.status, cell.error, re.sub(r"\(\d+\.py, ", "(", cell.said)),
        "out": cell.out,
        "text": said,
        "shown": [dict(each) for each in cell.shown],
        "help": pages,
        "arrows": [arrow for arrow in arrows if "run_cell_magic" not in arrow[1]],
        "lines": lines,
    }


@pytest.mark.parametrize("source", CELLS.values(), ids=CELLS)
def test_cell_is_as_without_the_magic(kept: FrontEnd, name: str, source: str) -> None:
    """A cell has the result, output, error and line numbers it has without the magic, and the run's status fits."""
    source = source.replace("EMIT", 'emit_sync("my.step")')
    bare = "" if "LOCUS\n%%" in source else "# no magic\n"
    before = kept.run(source.replace("LOCUS\n", bare))
    with_magic = kept.run(source.replace("LOCUS\n", f"%%locus {name}\n"))
    if "LOCUS\n%%" in source and before.status == "error":
        # What is above has its own line.
        assert (with_magic.status, with_magic.error) == (before.status, before.error)
    else:
        assert told(with_magic) == told(before)
    assert kept.run("1 + 1").out == "2"
    # The others are no Python, and never ran.
    ran = before.status == "ok" or 'emit_sync("my.step")' in source
    assert statuses(kept, name) == (["ok" if before.status == "ok" else "error"] if ran else [])


def test_cell_that_failed_before_it_emitted_is_the_last_run(kept: FrontEnd, name: str) -> None:
    """A cell that emits nothing is found, as the last run and in the list, with its status."""
    assert kept.run(f"%%locus {name}\nemit_sync('my.step')").status == "ok"
    assert kept.run(f"%%locus {name}-boom\n1 / 0").status == "error"
    assert kept.ask("[(last := __import__('locus_nb').last_run()).name, last.status]") == [
        f"{name}-boom",
        "error",
    ]
    assert kept.run(f"%%locus {name}-quiet\n1 + 1").status == "ok"
    assert kept.ask("[(last := __import__('locus_nb').last_run()).name, last.status]") == [
        f"{name}-quiet",
        "ok",
    ]
    assert [runs_of(kept, f"{name}{kind}")[0][:2] for kind in ("", "-boom", "-quiet")] == [
        ["ok", 1],
        ["error", 0],
        ["ok", 0],
    ]


def test_result_is_kept(kept: FrontEnd, name: str) -> None:
    """The last expression's value is in `Out`, `_` and `_N`, as the very object."""
    cell = kept.run(f"%%locus {name}\nmade = object()\nmade")
    assert cell.out is not None
    assert kept.ask(f"[Out[{cell.number}] is made, _ is made, _{cell.number} is made]") == [True] * 3
    quiet = kept.run(f"%%locus {name}\nmade;")
    assert kept.ask(f"{quiet.number} in Out") is False


def test_silent_request_shows_nothing(kept: FrontEnd, name: str) -> None:
    """A front end that asks for a silent execution gets no result, and the next cell shows its own."""
    assert kept.run(f"%%locus {name}\n5", silent=True).out is None
    assert kept.run(f"%%locus {name}\n6").out == "6"


# The run


def test_cell_is_a_run(kept: FrontEnd, name: str) -> None:
    """What is emitted in the cell is one run with its name, tags, cell and number, closed when the cell is over."""
    cell = kept.run(
        f'%%locus {name} --tag prompt=v2 --tag k=a=b\nemit_sync("a")\nemit_sync("b")', f"id-{name}"
    )
    tags = {"prompt": "v2", "k": "a=b"}
    assert runs_of(kept, name) == [["ok", 2, f"id-{name}", cell.number, tags]]
    assert kept.ask("__import__('locus_nb').current_run_id()") is None


def test_name_may_hold_spaces_and_variables(kept: FrontEnd, name: str) -> None:
    """A name is quoted as in a shell, a backslash is one, and variables are put in, as in the line of any magic."""
    kept.run(f"where = '{name}'")
    kept.run('%%locus "to {where} and back" --tag place={where}\nemit_sync("a")')
    assert [facts[4] for facts in runs_of(kept, f"to {name} and back")] == [{"place": name}]
    kept.run(f"%%locus c:\\temp\\{name} --tag 'path=a\\b'\nemit_sync('a')")
    assert [facts[4] for facts in runs_of(kept, f"c:\\temp\\{name}")] == [{"path": "a\\b"}]
    kept.run(f'%%locus {name}-{{no.such.name}}\nemit_sync("a")')
    assert statuses(kept, f"{name}-{{no.such.name}}") == ["ok"]


def test_name_is_the_cells_by_default(kept: FrontEnd, name: str) -> None:
    """A run without a name is called after its cell, each time it runs, without the secrets in that line."""
    for _ in range(2):
        kept.run(f"%%locus\n# Plan {name}\nemit_sync('a')")
    assert statuses(kept, f"Plan {name}") == ["ok", "ok"]
    assert kept.run("%%locus").status == "ok"
    kept.run("%%locus\nmade_key = 'sk-proj-abcdefgh12345678'; emit_sync('a')")
    assert (
        kept.ask("__import__('locus_nb').last_run().name")
        == "made_key = '[redacted: OpenAI key]'; emit_sync('a')"
    )
    kept.run(
        '%%locus\ndb = "a database of ours"; url = "postgres://ann:hunter2hunterZ9hunter@h/db"; emit_sync("x")'
    )
    shown = kept.ask("__import__('locus_nb').last_run().name")
    assert "hunter2" not in shown
    assert len(shown) == 60
    for line in ('s = {}; s["DB_PASSWORD"] = "hunter2hunterZ9"', "%env LOCUS_API_KEY hunter2hunterZ9"):
        kept.run(f"%%locus\n{line}\nemit_sync('x')")
        shown = kept.ask("__import__('locus_nb').last_run().name")
        assert "hunter2" not in shown
        assert "[redacted: " in shown


def test_unknown_option_says_what_to_do(kept: FrontEnd, name: str) -> None:
    """A wrong line is a UsageError that names it; the cell does not run, no run is made, the next cell is clean."""
    for line, said in [
        ("--liev table", "unknown: --liev. %%locus? says"),
        ("--live maybe", "choose from 'table', 'timeline', 'tree', 'off'"),
        ("two words", "unknown: words (a name with spaces needs quotes)"),
        ("--tag alone", "'alone' is not name=value"),
        ("--tag x=1 --tag y=1 --tag x=2", "the tag 'x' is given twice"),
        ("It's Oslo", 'no closing quotation in "It\'s Oslo"'),
        ("' '", "NAME is empty"),
        ("''", "NAME is empty"),
    ]:
        cell = kept.run(f"%%locus {line}\nran = '{name}'\nemit_sync('a')")
        assert (cell.status, cell.error) == ("error", "UsageError")
        assert said in cell.said
        assert "%%locus? says" in cell.text
        assert kept.run(f"'ran' in globals() and ran == '{name}'").out == "False"
    assert kept.run(f"%%locus {name}\nemit_sync('a')\n5").out == "5"
    assert statuses(kept, name) == ["ok"]


def test_cells_inside_cells(kept: FrontEnd, name: str) -> None:
    """A cell that runs another one, and a magic above another, are runs in runs: each has its own events, and ends."""
    inner = f"%%locus {name}-in\nemit_sync('b')\n6 * 7"
    outer = f"%%locus {name}-out\nemit_sync('a')\nget_ipython().run_cell({inner!r})\nemit_sync('c')\n'end'"
    assert kept.run(outer).status == "ok"
    assert [facts[:2] for facts in runs_of(kept, f"{name}-out")] == [["ok", 2]]
    assert [facts[:2] for facts in runs_of(kept, f"{name}-in")] == [["ok", 1]]
    both = kept.run(f"%%locus {name}-1\n%%locus {name}-2\nemit_sync('a')\nawait asyncio.sleep(0, 7)")
    assert both.out == "7"
    assert statuses(kept, f"{name}-2") == ["ok"]
    assert kept.ask("__import__('locus_nb').current_run_id()") is None


def test_code_may_call_the_magic(kept: FrontEnd, name: str) -> None:
    """`run_cell_magic` runs the text as a run too, and an exception leaves it."""
    failed = kept.run(
        f"get_ipython().run_cell_magic('locus', '{name}', 'emit_sync(\"a\"); made = 3\\n1 / 0')"
    )
    assert (failed.error, kept.run("made").out) == ("ZeroDivisionError", "3")
    assert statuses(kept, name) == ["error"]


@pytest.mark.parametrize(
    "wait",
    [
        "while True:\n    time.sleep(0.01)",
        "await asyncio.sleep(3600)",
        "await asyncio.gather(asyncio.Event().wait())",
    ],
)
def test_interrupted_cell(kept: FrontEnd, name: str, wait: str) -> None:
    """A cell that is interrupted stops, its run says so, and the next cell is as ever."""
    cell = kept.start(f"%%locus {name}\nemit_sync('a')\nprint('waits')\n{wait}")
    kept.wait(cell, lambda message: message["content"].get("text") == "waits\n")
    kept.interrupt(cell)
    assert cell.error in {"KeyboardInterrupt", "CancelledError"}
    assert statuses(kept, name) == ["interrupted"]
    assert kept.run(f"%%locus {name}\nemit_sync('a')\nawait asyncio.sleep(0, 5)").out == "5"
    assert statuses(kept, name) == ["ok", "interrupted"]


# Live


def test_events_arrive_while_the_cell_blocks(kept: FrontEnd, name: str) -> None:
    """With `--live` rows are sent while the cell is blocked, to a view above its output, on the tab asked for."""
    cell = kept.start(
        f"%%locus {name} --live timeline\nemit_sync('my.step', text='first of {name}')\nprint('waits')\n"
        f"while not Path('{name}').exists():\n    time.sleep(0.01)\nemit_sync('my.step', text='the last')\n5"
    )

    def is_row(message: dict[str, Any]) -> bool:
        return any(f"first of {name}".encode() in bytes(part) for part in message["buffers"])

    kept.wait(cell, is_row)
    assert cell.out is None
    (kept.folder / name).touch()
    kept.finish(cell)
    assert (cell.status, cell.out) == ("ok", "5")
    kinds = [message["msg_type"] for message in cell.messages]
    assert kinds.index("display_data") < kinds.index("stream") < kinds.index("execute_result")
    assert "application/vnd.jupyter.widget-view+json" in cell.shown[0]
    states = [each["content"]["data"]["state"] for each in cell.messages if each["msg_type"] == "comm_open"]
    assert [state["tab"] for state in states if state.get("view") == "run"] == ["timeline"]


COUNTS = """[
    len(__import__("ipywidgets").widgets.widget._instances),
    len(__import__("locus_nb").get_event_bus().readers()),
    sorted(each.name for each in __import__("threading").enumerate()),
]"""


# Lines to pages that may still be making a view that is over.
PARTINGS = "sum(type(each).__name__ == '_Parting' for each in __import__('gc').get_objects())"


def counted_at_rest(kept: FrontEnd) -> Any:
    """What there is, once the last lines of views that are over are closed, which takes them a second."""
    deadline = time.monotonic() + GRACE_S
    while kept.ask(PARTINGS):
        assert time.monotonic() < deadline
    return kept.ask(COUNTS)


def ours(threads: list[str]) -> list[str]:
    """The names of the package's threads."""
    return [thread for thread in threads if thread.startswith("locus_nb")]


def test_cell_that_runs_again_replaces_its_view(kept: FrontEnd, name: str) -> None:
    """However often a cell with `--live` is run, there is one widget and one reader more, and one pump."""
    kept.run("%locus off")
    widgets, readers, _ = counted_at_rest(kept)
    for _ in range(3):
        kept.run(f"%%locus {name} --live table\nemit_sync('a')", f"id-{name}")
        now = counted_at_rest(kept)
        assert now[:2] == [widgets + 2, readers + 1]
        assert len(ours(now[2])) == 1
    assert kept.run("%locus off").text == "1 live view ended.\n"
    assert counted_at_rest(kept)[:2] == [widgets, readers]


def test_newest_views_stay_live(kept: FrontEnd, name: str) -> None:
    """Of many cells with `--live` the views of the newest 20 are live; the others are pictures."""
    kept.run("%locus off")
    widgets, readers, _ = counted_at_rest(kept)
    for n in range(23):
        kept.run(f"%%locus {name}-{n} --live table\nemit_sync('a')")
    now = counted_at_rest(kept)
    assert now[:2] == [widgets + 40, readers + 20]
    assert len(ours(now[2])) == 1
    assert kept.run("%locus off").text == "20 live views ended.\n"


def test_thousand_cells_leave_nothing(kept: FrontEnd) -> None:
    """A kernel that ran 1,000 cells more has no more threads, widgets, readers, and objects of the package's."""
    # What is known of closed runs has a bound too, which so few runs reach.
    kept.run(
        "import collections, gc, locus_nb\nlocus_nb._bus._the_bus['bus'] = locus_nb.EventBus(max_runs_retained=20)"
    )
    objects = "[type(each).__name__ for each in gc.get_objects() if str(type(each).__module__).startswith('locus_nb')]"
    kinds = f"[gc.collect(), dict(collections.Counter({objects}))][1]"
    measure = f"[len(locus_nb.get_event_bus().run_ids()), *{COUNTS}]"
    cells = [f"%%locus --tag n={n}\nemit_sync('my.step', n={n})\n{n};" for n in range(1_300)]
    assert {kept.run(source).status for source in cells[:300]} == {"ok"}
    counted_at_rest(kept)
    before, kinds_before = kept.ask(measure), kept.ask(kinds)
    assert {kept.run(source).status for source in cells[300:]} == {"ok"}
    counted_at_rest(kept)
    assert kept.ask(measure) == before
    deadline = time.monotonic() + GRACE_S
    # What a thread of ours is in the midst of is there for a moment.
    while more := {
        kind: count for kind, count in kept.ask(kinds).items() if count > kinds_before.get(kind, 0)
    }:
        assert time.monotonic() < deadline, more
    assert kept.ask("len(locus_nb.runs())") == 20
    kept.run("locus_nb.reset_event_bus()")


def test_traceback_shows_the_magic_and_not_what_stands_for_it(kept: FrontEnd, name: str) -> None:
    """Above the line that failed stands the magic's, as a comment, also of one that is nested."""
    cell = kept.run(f"%%locus {name}\n%%locus {name}\nx = 1\n1 / 0\n")
    assert "marked by" not in cell.trace
    assert cell.trace.count(f"# %%locus {name}") == 2
    defined = kept.run(f"%%locus {name}\ndef fail():\n    1 / 0\n")
    assert defined.status == "ok"
    cell = kept.run("fail()")
    assert "marked by" not in cell.trace


def test_late_future_is_shown_with_its_line(kept: FrontEnd, name: str) -> None:
    """An import from `__future__` behind an `await` is a SyntaxError that shows it, and makes no run."""
    cell = kept.run(f"%%locus {name}\nawait asyncio.sleep(0)\nfrom __future__ import annotations")
    assert (cell.error, statuses(kept, name)) == ("SyntaxError", [])
    assert "from __future__ import annotations" in cell.trace


def test_names_of_the_users_do_not_matter(kept: FrontEnd, name: str) -> None:
    """A cell may have given another meaning to what the shell offers."""
    kept.run("get_ipython = show = cell_run = sys = None")
    try:
        assert kept.run(f"%%locus {name}\nemit_sync('my.step')\n6 * 7").out == "42"
        assert kept.run(f"%%locus {name}\nawait asyncio.sleep(0, 8)").out == "8"
        assert statuses(kept, name) == ["ok", "ok"]
    finally:
        kept.run("del get_ipython, show, cell_run, sys")


# What else is typed


@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_help_is_told_to_who_asks_in_the_line(kept: FrontEnd, name: str, asked: str) -> None:
    """`--help` in the line tells what it takes, in place of running the cell."""
    cell = kept.run(f"%%locus {name} {asked}\nhelped = 1")
    assert cell.error == "UsageError"
    assert "usage: %%locus" in cell.text + cell.said
    assert kept.ask("'helped' in globals()") is False
    assert "usage: %locus last|runs" in kept.run(f"%locus {asked}").said


def test_help_says_what_it_takes(kept: FrontEnd) -> None:
    """`%%locus?` and `%locus?` tell the options and commands."""
    told_of_cell, told_of_line = kept.run("%%locus?").help, kept.run("%locus?").help
    for word in ("usage: %%locus", "--live {table,timeline,tree,off}", "--tag NAME=VALUE", "NAME"):
        assert word in told_of_cell
    for word in ("usage: %locus last|runs|stats|off", "the last used first", "live views"):
        assert word in told_of_line


@pytest.mark.parametrize(
    "typed, offered",
    [
        ("%%locus --", ["--live", "--tag"]),
        ("%%locus name --l", ["--live"]),
        ("%%locus --live ", ["table", "timeline", "tree", "off"]),
        ("%%locus a --live ti", ["timeline"]),
        ("%%locus a --tag a=b --", ["--live", "--tag"]),
        ("%%locus a --live tree --", ["--tag"]),
        ("# Why.\n%%locus --live t", ["table", "timeline", "tree"]),
        ("%locus ", ["last", "runs", "stats", "off"]),
        ("%locus s", ["stats"]),
        ("x = %locus l", ["last"]),
        ("%%loc", ["%%locus"]),
    ],
)
def test_completion(kept: FrontEnd, typed: str, offered: list[str]) -> None:
    """What may come next in the line of a magic is offered, and nothing else."""
    assert kept.complete(typed) == offered


def test_last_and_runs(kept: FrontEnd, name: str) -> None:
    """`%locus last` is the newest run, and `%locus runs` the list; both show themselves, and may be assigned."""
    kept.run(f"%%locus {name}\nemit_sync('a')")
    assert name in (kept.run("%locus last").out or "")
    assert name[:20] in (kept.run("%locus runs").out or "")
    kept.run("newest = %locus last\neach = %locus runs")
    said = kept.ask("[newest.name, type(newest).__name__, each[0] == newest, type(each).__name__]")
    assert said == [name, "Run", True, "RunList"]


def test_stats_are_a_table(kept: FrontEnd) -> None:
    """`%locus stats` shows what the bus says of itself under its own names, as text and as html."""
    cell = kept.run("%locus stats")
    result = next(each["content"]["data"] for each in cell.messages if each["msg_type"] == "execute_result")
    for name in locus_nb.get_event_bus().stats():
        assert name in result["text/plain"]
        assert f"<td>{name}</td>" in result["text/html"]
    assert "<script" not in result["text/html"]


def test_unknown_command_says_what_there_is(kept: FrontEnd) -> None:
    """`%locus` alone, or with something else, is a UsageError that says where the commands are told."""
    for line in ("%locus", "%locus lsat", "%locus last runs"):
        cell = kept.run(line)
        assert cell.error == "UsageError"
        assert "%locus? says" in cell.said


# Other hosts

EXTENSION = "%load_ext locus_nb\nfrom locus_nb import emit_sync, runs"
MATRIX = [
    "%%locus one --live table\nemit_sync('my.step', text='seen')\n6 * 7",
    "%%locus two\nimport asyncio\nemit_sync('my.step')\nawait asyncio.sleep(0, 8)",
    "%%locus three --tag a=b\n%%time\nemit_sync('my.step')\n9",
]
CLAIM = "assert [(r.name, r.status) for r in runs()] == [('three', 'ok'), ('two', 'ok'), ('one', 'ok')]"
FAILS = "%%locus four\nemit_sync('my.step')\nraise RuntimeError('in the run')"


def notebook_of(*cells: str) -> nbformat.NotebookNode:
    """A notebook of code cells."""
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    return nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernelspec})


def results(notebook: nbformat.NotebookNode) -> list[str]:
    """What stands behind each `Out[..]`."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [each["data"]["text/plain"] for each in outputs if each["output_type"] == "execute_result"]


def test_nbclient_and_papermill(tmp_path: Path) -> None:
    """Executed notebooks keep results and the picture of the run; an exception in a run fails them."""
    notebook = notebook_of(EXTENSION, *MATRIX, CLAIM, FAILS)
    given, saved = tmp_path / "given.ipynb", tmp_path / "saved.ipynb"
    nbformat.write(notebook, given)
    with pytest.raises(CellExecutionError, match="in the run"):
        NotebookClient(notebook, timeout=120).execute()
    assert results(notebook) == ["42", "8", "9"]
    pictures = [output.get("data", {}).get("text/html", "") for output in notebook.cells[1]["outputs"]]
    assert sum("locus-static" in picture and "seen" in picture for picture in pictures) == 1
    with pytest.raises(PapermillExecutionError, match="in the run"):
        execute_notebook(given, saved, progress_bar=False)
    assert results(nbformat.read(saved, as_version=4)) == ["42", "8", "9"]


SCRIPT = """
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
for source in CELLS:
    result = shell.run_cell(source, store_history=True)
    print("->", repr(result.result), type(result.error_before_exec or result.error_in_exec).__name__)
print([shell.check_complete(text)[0] for text in ("%%locus", "%%locus a\\n1", "%%locus a\\n1\\n\\n")])
"""


def test_plain_ipython_in_a_script() -> None:
    """All of it works in a shell without a kernel, where `--live` prints the picture when the run is over.

    A terminal reads on until a blank line, as it does below any cell magic.
    """
    said = python(SCRIPT.replace("CELLS", repr([EXTENSION, *MATRIX, CLAIM, FAILS, "%locus off"])))
    nothing, wrong = "None NoneType", "None RuntimeError"
    expected = [nothing, "42 NoneType", "8 NoneType", "9 NoneType", nothing, wrong, nothing]
    assert re.findall(r"^-> (.*)$", said, re.MULTILINE) == expected
    assert "seen" in said
    assert "in the run" in said
    assert "['incomplete', 'incomplete', 'complete']" in said


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell in this process."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    made = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
    yield made
    locus_nb.unload_ipython_extension(made)
    made.restore_sys_module_state()


def test_load_is_idempotent_and_unload_removes_all(shell: InteractiveShell) -> None:
    """Loaded twice all is there once; unloaded nothing is left, and what others put beside it stays."""

    def parts() -> list[list[Any]]:
        return [
            list(shell.input_transformers_cleanup),
            list(shell.input_transformers_post),
            list(shell.ast_transformers),
            list(getattr(shell.Completer, "custom_matchers", [])),
            *map(list, shell.events.callbacks.values()),
            sorted(shell.magics_manager.magics["cell"]),
            sorted(shell.magics_manager.magics["line"]),
        ]

    before = parts()
    locus_nb.load_ipython_extension(shell)
    loaded = parts()
    locus_nb.load_ipython_extension(shell)
    assert parts() == loaded
    assert [len(now) - len(then) for now, then in zip(loaded, before, strict=True)].count(1) == 8
    shell.input_transformers_post.append(list)
    locus_nb.unload_ipython_extension(shell)
    locus_nb.unload_ipython_extension(shell)
    shell.input_transformers_post.remove(list)
    assert parts() == before


def test_unloaded_and_loaded_again_in_a_kernel(kept: FrontEnd, name: str) -> None:
    """`%unload_ext` takes the magics away, `%reload_ext` gives them back, and both print nothing."""
    assert kept.run("%unload_ext locus_nb").text == ""
    assert "not found" in kept.run(f"%%locus {name}\n1").text
    assert kept.run("%load_ext locus_nb").text == ""
    assert kept.run("%reload_ext locus_nb").text == ""
    assert kept.run(f"%%locus {name}\nemit_sync('a')\n5").out == "5"
    assert statuses(kept, name) == ["ok"]
