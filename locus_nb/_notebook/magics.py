"""`%%locus` and `%locus` in one IPython shell: put there by `%load_ext locus_nb`, and taken away again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locus_nb._bus import get_event_bus
from locus_nb._notebook.cell_source import MarkCell, check_marked
from locus_nb._notebook.cell_tree import WrapCell
from locus_nb._notebook.completion import make_matcher
from locus_nb._notebook.options import CELL_HELP, LINE_HELP, read_command
from locus_nb._notebook.stats_table import stats_still
from locus_nb._payloads.format import counted
from locus_nb._runs.run_list import last_run, runs
from locus_nb._views.view import views_on_page

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "locus"

# By shell. IPython itself keeps each shell, and what that was given, until the process ends.
_loaded: dict[Any, Magics] = {}


def load(shell: Any) -> None:
    """Put the magics into a shell. Idempotent; prints nothing."""
    if shell not in _loaded:
        _loaded[shell] = Magics(shell)


def unload(shell: Any) -> None:
    """Take all of it out of the shell. Idempotent; live views stay."""
    magics = _loaded.pop(shell, None)
    if magics is not None:
        magics.remove()


def is_loaded(shell: Any) -> bool:
    """Whether the magics are in a shell."""
    return shell in _loaded


class Magics:
    """What one shell was given."""

    def __init__(self, shell: Any) -> None:
        wrap = WrapCell(shell)
        matcher = make_matcher()
        # Lists of the shell's, and what stands in each.
        self._parts: list[tuple[list[Any], Any]] = [
            (shell.input_transformers_cleanup, MarkCell()),
            (shell.input_transformers_post, check_marked),
            (shell.ast_transformers, wrap),
        ]
        matchers = getattr(getattr(shell, "Completer", None), "custom_matchers", None)
        if matcher is not None and matchers is not None:
            self._parts.append((matchers, matcher))
        self._heard = {"pre_execute": wrap.begin, "pre_run_cell": wrap.begin_aloud}
        self._magics: dict[str, dict[str, Any]] = shell.magics_manager.magics
        self._events = shell.events
        for held, part in self._parts:
            held.append(part)
        for event, call in self._heard.items():
            self._events.register(event, call)
        shell.register_magic_function(_cell_magic(shell), "cell", NAME)
        shell.register_magic_function(_line_magic(), "line", NAME)

    def remove(self) -> None:
        """Take it all back; what others have put beside it stays."""
        for held, part in self._parts:
            held[:] = [each for each in held if each is not part]
        for event, call in self._heard.items():
            self._events.unregister(event, call)
        for kind in ("cell", "line"):
            self._magics[kind].pop(NAME, None)


def _cell_magic(shell: Any) -> Callable[[str, str], None]:
    """Make what answers `%%locus?`, and `run_cell_magic`, which code calls: cells are run in another way."""

    def locus(line: str, cell: str) -> None:
        source = shell.transform_cell(f"%%{NAME} {line}\n{cell}")
        name = shell.compile.cache(source, shell.execution_count, raw_code=cell)
        tree = shell.transform_ast(shell.compile.ast_parse(source, name))
        exec(shell.compile(tree, name, "exec"), shell.user_global_ns, shell.user_ns)  # noqa: S102 - it is the cell

    locus.__doc__ = CELL_HELP
    return locus


def _line_magic() -> Callable[[str], Any]:
    def locus(line: str) -> Any:
        return _COMMANDS[read_command(line)]()

    locus.__doc__ = LINE_HELP
    return locus


def _last() -> Any:
    newest = last_run()
    if newest is None:
        print("No run yet: put %%locus above a cell.")  # noqa: T201 - it is for the user
    return newest


def _stats() -> Any:
    return stats_still(get_event_bus().stats())


def _off() -> None:
    views = views_on_page()
    for view in views:
        view.close()
    print(f"{counted(len(views), 'live view')} ended.")  # noqa: T201 - it is for the user


_COMMANDS: dict[str, Callable[[], Any]] = {"last": _last, "runs": runs, "stats": _stats, "off": _off}
