from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from locus_nb._views.notebook import Notebook
from tests.bus_kit import python

if TYPE_CHECKING:
    from collections.abc import Callable


class Events:
    """Stands in for the shell's events."""

    def __init__(self) -> None:
        self.calls: defaultdict[str, list[Callable[..., None]]] = defaultdict(list)

    def register(self, name: str, call: Callable[..., None]) -> None:
        """Have `call` called."""
        self.calls[name].append(call)

    def trigger(self, name: str) -> None:
        """Call as IPython does, with one argument."""
        for call in self.calls[name]:
            call(SimpleNamespace())


class Shell:
    """Stands in for IPython's shell; `cell_id` is what the front end says of the cell, None for nothing."""

    def __init__(self, *, kernel: bool = True) -> None:
        self.events = Events()
        self.cell_id: str | None = None
        self.message = "message-0"
        self.user_ns: dict[str, Any] = {"In": [""]}
        if kernel:
            self.kernel = SimpleNamespace(get_parent=self._parent)

    def _parent(self) -> dict[str, Any]:
        metadata = {} if self.cell_id is None else {"cellId": self.cell_id}
        return {"metadata": metadata, "header": {"msg_id": self.message, "msg_type": "execute_request"}}

    def begin(self, text: str, cell_id: str | None = None, *, inside: bool = False) -> None:
        """Begin a cell, perhaps `inside` the one that runs."""
        self.cell_id = cell_id
        if not inside:
            self.message = f"message-{len(self.user_ns['In'])}"
        self.user_ns["In"].append(text)
        self.events.trigger("pre_run_cell")

    def end(self) -> None:
        """End it."""
        self.events.trigger("post_run_cell")


def test_outside_of_a_notebook_nothing_runs() -> None:
    """Without a shell there is no cell, nothing is busy, and nobody is listened to."""
    notebook = Notebook(lambda: None)
    assert not notebook.connect()
    assert not notebook.is_busy()
    assert notebook.place() is None


def test_looking_for_a_notebook_loads_none() -> None:
    """A script that watches a run does not load IPython to learn that there is no notebook."""
    said = python("""
import sys
from locus_nb._views.notebook import NOTEBOOK
print(NOTEBOOK.connect(), "IPython" in sys.modules)
""")
    assert said == "False False\n"


def test_place_is_cell_and_ordinal() -> None:
    """In one cell places are told apart by their order, and running the cell again gives them again."""
    shell = Shell()
    notebook = Notebook(lambda: shell)
    notebook.connect()
    shell.begin("a", "id-1")
    first = [notebook.place(), notebook.place()]
    shell.end()
    shell.begin("a, changed", "id-1")
    assert [notebook.place(), notebook.place()] == first
    assert first[0] != first[1]
    shell.end()
    shell.begin("a", "id-2")
    assert notebook.place() not in first


def test_first_call_in_a_cell_has_the_same_place_as_in_its_next_run() -> None:
    """The cell that is the first to ask, and so was not seen to begin, is found again when it is re-run."""
    shell = Shell()
    notebook = Notebook(lambda: shell)
    shell.begin("watch()", "id-1")
    notebook.connect()
    first = notebook.place()
    shell.end()
    shell.begin("watch()", "id-1")
    assert notebook.place() == first


def test_cells_without_an_id_are_told_apart_by_their_text() -> None:
    """A front end that names no cells, or a shell without a kernel, still has re-runs recognized."""
    for shell in (Shell(), Shell(kernel=False)):
        notebook = Notebook(lambda shell=shell: shell)
        notebook.connect()
        places: list[object] = []
        for text in ("watch('a')", "watch('b')", "watch('a')"):
            shell.begin(text)
            places.append(notebook.place())
            shell.end()
        assert places[0] == places[2] != places[1]


def test_busy_from_the_beginning_of_a_cell_to_its_end() -> None:
    """A kernel is busy while a cell runs, also in the cell that asks first."""
    shell = Shell()
    notebook = Notebook(lambda: shell)
    assert not notebook.is_busy()
    shell.begin("a")
    notebook.connect()
    assert notebook.is_busy()
    shell.end()
    assert not notebook.is_busy()
    shell.begin("b")
    assert notebook.is_busy()


def test_cell_inside_a_cell_is_part_of_it() -> None:
    """What a cell has run as a cell of its own ends nothing: the outer one goes on, and counts its places."""
    shell = Shell()
    notebook = Notebook(lambda: shell)
    notebook.connect()
    shell.end()
    ends: list[int] = []
    notebook.on_cell_end(lambda: ends.append(1))
    shell.begin("a", "id-1")
    first = notebook.place()
    shell.begin("inner", "id-1", inside=True)
    shell.end()
    assert notebook.is_busy()
    assert ends == []
    assert notebook.place() not in (None, first)
    shell.end()
    assert not notebook.is_busy()
    assert ends == [1]


def test_watching_from_between_cells_is_over_with_the_next_one() -> None:
    """Who asks first from no cell, as a button does, is taken to be in one that ends with the next."""
    shell = Shell()
    notebook = Notebook(lambda: shell)
    notebook.connect()
    shell.begin("a")
    shell.end()
    assert not notebook.is_busy()


def test_empty_cell_has_an_end_alone() -> None:
    """IPython tells of a cell without code only its end; the next cell is busy, and not busy, as ever."""
    shell = Shell()
    notebook = Notebook(lambda: shell)
    notebook.connect()
    shell.end()
    shell.end()
    shell.begin("a")
    assert notebook.is_busy()
    shell.end()
    assert not notebook.is_busy()


def test_end_of_each_cell_is_told_once() -> None:
    """However often somebody asks to be told, and connects, each cell's end is told once."""
    shell = Shell()
    notebook = Notebook(lambda: shell)
    told: list[int] = []

    def note() -> None:
        told.append(1)

    for _ in range(3):
        assert notebook.connect()
        notebook.on_cell_end(note)
    for _ in range(2):
        shell.begin("a")
        shell.end()
    assert len(told) == 2


def test_new_shell_is_listened_to() -> None:
    """A shell that takes another's place, as in tests or embedded ones, is found at the next call."""
    shells = [Shell(), Shell()]
    notebook = Notebook(lambda: shells[0])
    notebook.connect()
    shells[0].end()
    del shells[0]
    notebook.connect()
    shells[0].begin("a", "id-9")
    assert notebook.is_busy()
    assert notebook.place() == ("id-9", 0, True)
