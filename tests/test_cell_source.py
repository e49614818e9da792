from __future__ import annotations

import ast
import gc
import io
import sys
import traceback
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import locus_nb
from locus_nb._notebook.cell_source import LONGEST_TITLE, MarkCell, Marker, check_marked, title_of
from locus_nb._notebook.cell_tree import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

# Statements that may follow each other in any order and number, and show what was done in which order.
STATEMENTS = [
    "n = n + 1",
    "n",
    "n;",
    "print(n)",
    "",
    "# said",
    "'text'",
    '"""text\n%%locus in it;\n"""',
    "from __future__ import annotations",
    "import os.path as path",
    "from math import *",
    "x: int = n",
    "n += 2",
    "a, b = n, 2",
    "c = d = n",
    "for i in range(2):\n    i\n    n + i",
    "while n < 3:\n    n += 1\n    n\nelse:\n    'over'",
    "if n:\n    n\nelse:\n    -n",
    "with nothing() as same:\n    same\n    n",
    "try:\n    n / 0\nexcept ZeroDivisionError:\n    'caught'\nfinally:\n    n",
    "match n:\n    case 1:\n        'one'\n    case _:\n        'many'",
    "def f(k=n):\n    k\n    return k * 2",
    "class C:\n    n\n    size = n",
    "(m := n + 1)",
    "[k * n for k in range(3)]",
    "(lambda: n)()",
    "global n",
    "del n; n = 5",
    "None",
    "...",
    "await asyncio.sleep(0, n)",
    "x = await asyncio.sleep(0, n)",
    "async with anothing():\n    n",
    "[k async for k in numbers()]",
    "async for k in numbers():\n    k",
    "%env LOCUS_CELL={n}",
    "!true",
    "n / 0",
    "no_such_name",
    "raise KeyError(\n    n\n)",
    "f(",
    "return n",
    "x = = 1",
]
MODES = ["last_expr", "last_expr_or_assign", "last", "all", "none"]
HELP = """
import asyncio, contextlib
nothing = lambda: contextlib.nullcontext(1)
anothing = lambda: contextlib.nullcontext(1)
async def numbers():
    yield 1
    yield 2
n = 1
"""
SOURCES = st.lists(st.sampled_from(STATEMENTS), max_size=6).map("\n".join)


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    """A shell in this process, with the extension."""
    main = sys.modules["__main__"]
    made = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
    locus_nb.load_ipython_extension(made)
    made.run_cell(HELP)
    made.user_ns["_kept"] = dict(made.user_ns)
    yield made
    locus_nb.unload_ipython_extension(made)
    made.restore_sys_module_state()
    sys.modules["__main__"] = main
    # Here, and not in the output of another test.
    del made
    gc.collect()


def done_by(shell: InteractiveShell, source: str, mode: str) -> dict[str, Any]:
    """What a cell does in a fresh namespace: its output, result, error and its lines, and the names it leaves."""
    kept = shell.user_ns["_kept"]
    shell.user_ns.clear()
    shell.user_ns.update(kept, _kept=kept)
    shell.user_ns["Out"].clear()
    shell.execution_count = 1
    shell.ast_node_interactivity = mode
    shell.compile.reset_compiler_flags()
    said = io.StringIO()
    # IPython leaves a cell suspended that awaits where nothing can be awaited, and when that is collected it prints.
    gc.disable()
    try:
        with redirect_stdout(said):
            result = shell.run_cell(source, store_history=True)
    finally:
        gc.enable()
    error = result.error_before_exec or result.error_in_exec
    names = {name: shell.user_ns[name] for name in "nabcdimx" if name in shell.user_ns}
    return {
        "output": said.getvalue() if error is None else "",
        "result": repr(result.result),
        "kept": {number: repr(value) for number, value in shell.user_ns["Out"].items()},
        "error": (type(error), str(error).partition(" (")[0]),
        "lines": _lines_of(error),
        "names": {} if isinstance(error, SyntaxError) else names,
    }


def _is_valid(shell: InteractiveShell, source: str) -> bool:
    """Whether a cell as a whole is Python, also behind a docstring."""
    text = shell.transform_cell(f"'docstring'\n{source}")
    try:
        compile(text, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _lines_of(error: BaseException | None) -> list[int | None]:
    """The lines of the cell that an error is at; of one that comes before anything runs, just that."""
    if isinstance(error, SyntaxError):
        return [error.lineno]
    frames = traceback.extract_tb(error.__traceback__) if error else []
    return [frame.lineno for frame in frames if frame.name == "<module>"]


@settings(max_examples=60)
@given(source=SOURCES, mode=st.sampled_from(MODES))
def test_any_cell_is_as_without_the_magic(shell: InteractiveShell, source: str, mode: str) -> None:
    """Of any cell, in any mode of display, output, result, names, errors and their lines are as without the magic."""
    before = done_by(shell, f"# no magic\n{source}", mode)
    with_magic = done_by(shell, f"%%locus\n{source}", mode)
    if _is_valid(shell, source):
        assert with_magic == before
    else:
        # Without the magic such a cell runs as far as that, or to its end, if it does not really await.
        assert with_magic["error"][0] is SyntaxError or with_magic == before
    assert locus_nb.current_run_id() is None


@given(
    body=st.text(max_size=200) | SOURCES, line=st.text(max_size=20).filter(lambda text: text.isprintable())
)
def test_marked_text_has_the_same_lines(body: str, line: str) -> None:
    """Whatever a cell and the magic's line hold, a marker takes that one line and says what stood there."""
    lines = f"%%locus {line}\n{body}".splitlines(keepends=True)
    inner = next((each for each in lines[1:] if each.strip() and not each.strip().startswith("#")), "")
    marked = MarkCell()(list(lines))
    marker = Marker.read(ast.literal_eval(marked[0].strip()))
    assert marker is not None
    assert marker.line == line.strip()
    assert len(marker.title) <= LONGEST_TITLE
    if not inner.startswith("%%"):
        assert marked[1:] == lines[1:]


@given(source=SOURCES)
def test_wrapped_tree_has_the_same_places(source: str) -> None:
    """Each statement of a cell stands in the tree where it stood, in the same order; all of it can be compiled."""
    text = "".join(MarkCell()(f"%%locus a\n{source}".splitlines(keepends=True)))
    try:
        before = ast.parse(f"#\n{source}").body
        tree = ast.parse(text)
    except SyntaxError:
        return
    tree.body = wrapped(tree.body, "last_expr")
    *futures, block, _end = tree.body
    assert isinstance(block, ast.With)

    def places(statements: list[ast.stmt]) -> list[tuple[int, int, int | None, int | None]]:
        return [(each.lineno, each.col_offset, each.end_lineno, each.end_col_offset) for each in statements]

    if before:
        assert places(block.body) == places(before)
    assert set(places(futures)) <= set(places(before))
    assert all(isinstance(each, ast.ImportFrom) for each in futures)
    assert [each for each in block.body if isinstance(each, ast.ImportFrom) and each in futures] == []


@pytest.mark.parametrize(
    "text",
    [
        "'%%locus, marked by locus_nb: hm'\n3",
        "'%%locus, marked by locus_nb: [1]'\n3",
        "'%%locus, marked by locus_nb: null'\n3",
        "x = '%%locus, marked by locus_nb: '\n3;",
        "'%%locus, marked by locus_nb: ' + (\n'a');",
    ],
)
def test_a_text_that_begins_like_a_marker(text: str) -> None:
    """What only looks like a marker is the user's own text, with a `%%locus` above it and without."""
    lines = text.splitlines(keepends=True)
    assert check_marked(lines) == lines
    tree = ast.parse(text)
    assert wrapped(tree.body, "all") is tree.body
    marked = MarkCell()(["%%locus a\n", *lines])
    assert check_marked(marked)[1:] == lines
    wrapped(ast.parse("".join(marked)).body, "all")


def test_cells_without_the_magic_are_left_alone() -> None:
    """Only a cell whose first line of code is the magic's is touched: by the very same list."""
    texts: list[str] = [
        "",
        "1\n%%locus\n",
        "x = '''\n%%locus\n'''",
        "%%locust\n",
        "%%locus?\n",
        "%%time\n%%locus\n",
        "%locus last\n",
    ]
    for text in texts:
        lines = text.splitlines(keepends=True)
        assert MarkCell()(lines) is lines
        assert check_marked(lines) is lines
    tree = ast.parse("'text'\n1")
    assert wrapped(tree.body, "all") is tree.body


@pytest.mark.parametrize(
    "body, title",
    [
        ("answer = ask()\nanswer", "answer = ask()"),
        ("import os\nfrom sys import path\n\nanswer = ask()", "answer = ask()"),
        ("# Plan the trip\nimport os", "Plan the trip"),
        ("#%%\n## Plan the trip", "Plan the trip"),
        ("import os", "import os"),
        ("%%bash\nls", "%%bash"),
        ("!ls", "!ls"),
        ("\n  \n#\n", ""),
        ("from os import (path,\n  sep)\nx = 3", "x = 3"),
        ("from os import (  # both (really)\n  path,\n  sep,\n)\nimport sys\nx = 3", "x = 3"),
        ("from os import path, \\\n  sep\nx = 3", "x = 3"),
        ("import os; x = (1,\n  2)", "import os; x = (1,"),
        ("x" * 2000, "x" * 1000),
    ],
)
def test_title_is_the_cells_first_word(body: str, title: str) -> None:
    """A run is called after the comment its cell begins with, else its first line that is of no import."""
    assert title_of(body.splitlines(keepends=True)) == title
