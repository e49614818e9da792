"""The text of a cell with a `%%locus` line: a marker takes the line's place until the cell is parsed.

IPython's own way, `run_cell_magic(name, line, body)`, would take `await` and the line numbers from the body. The
marker is a string on a line of its own: a docstring to Python, behind which `__future__` imports are still first.
"""

from __future__ import annotations

import ast
import io
import json
import linecache
import re
import tokenize
import warnings
from typing import TYPE_CHECKING, NamedTuple

from IPython.core.inputtransformer2 import (
    cell_magic,  # pyright: ignore[reportUnknownVariableType] - it says nothing of types
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "%%locus, marked by locus_nb: "
# Characters. Secrets are yet to be taken out of it, which are found as a whole only: what is shown is far shorter.
LONGEST_TITLE = 1_000

_MAGIC = re.compile(r"%%locus(?:[ \t]+(.*))?$")
_IMPORT = re.compile(r"(import|from)\s")
_AWAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LAYOUT = {
    tokenize.ENDMARKER,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.COMMENT,
    tokenize.INDENT,
    tokenize.DEDENT,
}


class Marker(NamedTuple):
    """What is known of a `%%locus` line from its cell's text.

    Attributes:
        line: What stands behind the magic's name.
        title: What the run is called if that does not say; empty for a cell without code.
        quiet: Whether the cell ends in a semicolon, which means that its last value is not shown.
    """

    line: str
    title: str
    quiet: bool = False

    @property
    def source(self) -> str:
        """The line that stands for it in the text."""
        return f"{MARK + json.dumps(self)!r}\n"

    @classmethod
    def read(cls, text: object) -> Marker | None:
        """Read the string of such a line; None if it is another string, or none."""
        if not isinstance(text, str) or not text.startswith(MARK):
            return None
        try:
            line, title, quiet = json.loads(text.removeprefix(MARK))
        except (ValueError, TypeError):
            # A text of the user's that begins alike.
            return None
        return cls(str(line), str(title), bool(quiet))


class MarkCell:
    """What IPython calls with each cell's lines, before it looks for magics itself."""

    # A terminal asks whether a cell is complete. With the marker it would be, after the magic's line already.
    has_side_effects = True

    def __call__(self, lines: list[str]) -> list[str]:
        """Give the lines with the marker, as many; a body that is another magic's becomes one line."""
        at = _first_of_code(lines)
        magic = None if at is None else _MAGIC.match(lines[at].rstrip())
        if at is None or magic is None:
            return lines
        body = lines[at + 1 :]
        marker = Marker((magic[1] or "").strip(), title_of(lines[:at] + body))
        return [*lines[:at], marker.source, *self._inside(body)]

    def _inside(self, body: list[str]) -> list[str]:
        marked = self(body)
        at = _first_of_code(body)
        if marked is not body or at is None or not body[at].startswith("%%"):
            return marked
        return [*body[:at], *cell_magic(body[at:])]


def check_marked(lines: list[str]) -> list[str]:
    """Give a cell's lines, when all its magics are Python by now, with markers that know how it ends.

    Raises:
        SyntaxError: It awaits, and IPython would not know, because as a whole it is not valid: there is an import
            from `__future__` behind other code. It would be left in the middle, and so would the run.
    """
    at = _first_of_code(lines)
    if at is None or MARK not in lines[at]:
        return lines
    text = "".join(lines)
    try:
        _refuse_lost_await(text)
    except SyntaxError as error:
        # Python has a file in mind in which to look for the line.
        if error.text is None and error.lineno is not None:
            error.text = lines[error.lineno - 1]
        raise
    return _quiet(lines, at) if _ends_in_semicolon(text) else lines


def show_magic(filename: str) -> None:
    """Have tracebacks of a cell show its magic's line again, where its text has the marker.

    As a comment: what draws tracebacks parses the text too.
    """
    kept = linecache.cache.get(filename, ())
    # Of a file that nobody has read yet there is one value, which finds it.
    if len(kept) == 4:  # noqa: PLR2004
        size, modified, lines, name = kept
        linecache.cache[filename] = (size, modified, [_as_typed(line) for line in lines], name)


def title_of(body: list[str]) -> str:
    """Name a cell: after the comment it begins with, else its first line that is no import, else its first.

    The name is the same whenever the cell runs again, so that its runs are found and compared by it, which the
    number of an execution would not be.
    """
    lines = [line.strip() for line in body if line.strip().lstrip("#%! ")]
    if lines and lines[0].startswith("#"):
        title = lines[0].lstrip("#%! ")
    else:
        code = [line for line in lines if not line.startswith("#")]
        title = next(_without_imports(code), code[0] if code else "")
    return title[:LONGEST_TITLE]


def _without_imports(lines: list[str]) -> Iterator[str]:
    """Give the lines that belong to no import; one may go on over several."""
    goes_on = ""
    for line in lines:
        if goes_on or _IMPORT.match(line):
            code = line.partition("#")[0].rstrip()
            opened = "(" in code or goes_on == ")"
            goes_on = ")" if opened and ")" not in code else "\\" if code.endswith("\\") else ""
        else:
            yield line


def _quiet(lines: list[str], at: int) -> list[str]:
    """Give lines whose markers, one or more from `at` on, say that the last value is not shown."""
    noted = list(lines)
    for number in range(at, len(lines)):
        marker = Marker.read(_string_in(lines[number]))
        if marker is not None:
            noted[number] = marker._replace(quiet=True).source
        elif not _is_blank(lines[number]):
            break
    return noted


def _first_of_code(lines: list[str]) -> int | None:
    return next((number for number, line in enumerate(lines) if not _is_blank(line)), None)


def _as_typed(line: str) -> str:
    marker = Marker.read(_string_in(line))
    return line if marker is None else f"# %%locus {marker.line}".rstrip() + "\n"


def _is_blank(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith("#")


def _string_in(line: str) -> object:
    """Give the string that a line consists of; None for another line."""
    if MARK not in line:
        return None
    try:
        return ast.literal_eval(line.strip())
    except (ValueError, SyntaxError):
        return None


def _refuse_lost_await(text: str) -> None:
    with warnings.catch_warnings():
        # IPython compiles the text again, and warns then.
        warnings.simplefilter("ignore")
        try:
            compile(text, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except SyntaxError:
            if _awaits(text):
                raise
        except ValueError:
            # A null byte: no Python of any kind.
            return


def _awaits(text: str) -> bool:
    """Whether code awaits outside of functions; False for what is no code."""
    try:
        nodes: list[ast.AST] = [ast.parse(text)]
    except SyntaxError:
        return False
    while nodes:
        node = nodes.pop()
        if isinstance(node, _AWAITING) or (isinstance(node, ast.comprehension) and node.is_async):
            return True
        if not isinstance(node, _FUNCTIONS):
            nodes.extend(ast.iter_child_nodes(node))
    return False


def _ends_in_semicolon(text: str) -> bool:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        # It cannot be run either.
        return False
    return next((token.string for token in reversed(tokens) if token.type not in _LAYOUT), "") == ";"
