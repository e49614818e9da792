"""The options of `%%locus` and `%locus`: how their lines are read, and what `%%locus?` says."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from IPython.core.error import UsageError

from locus_nb._views.page import TABS

if TYPE_CHECKING:
    from collections.abc import Mapping

OFF = "off"
LIVE = (*TABS, OFF)
COMMANDS = {
    "last": "the run that was last used, a Run",
    "runs": "all runs, the last used first, a RunList",
    "stats": "what the bus says of itself: events, drops, queues",
    "off": "end all live views; each leaves its picture, and runs go on",
}

_ABOUT_CELL = """Make this cell one run.

What is emitted in the cell, by an agent or by `emit`, belongs to the run, which ends with the cell: `error` if an
exception leaves it (which goes on as ever), `interrupted` if it was stopped, else `ok`. All else is as without the
line: its last expression is its output, `await`, magics and `!commands` work, tracebacks have the cell's own lines.
Above another `%%magic` it runs that inside of the run: put it first. Below one it works where that runs its text
as a cell of code that does not await, as below %%capture and %%time.

Variables are put in for {name}, as in the line of any magic: %%locus trip-{city} --tag prompt={version}
"""
_ABOUT_LINE = "Look at runs: `run = %locus last`, or as a cell's last line, which shows it."
_ABOUT_COMMANDS = "\n".join(f"  {name:<6} {what}" for name, what in COMMANDS.items())


class CellOptions(NamedTuple):
    """What stands in the line of a `%%locus`.

    Attributes:
        name: The run's name; None to be named after the cell.
        tags: Its tags.
        live: Which tab of its live view to show, or `off`.
    """

    name: str | None
    tags: Mapping[str, str]
    live: str


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as a UsageError, which a notebook shows in one line."""

    def __init__(self, magic: str, about: str, **options: Any) -> None:
        self._magic = magic
        super().__init__(
            prog=magic,
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self._magic} was not run: {message}. {self._magic}? says what it takes")

    def read(self, line: str) -> argparse.Namespace:
        words = self._words(line)
        if {"-h", "--help"} & set(words):
            raise UsageError(self.format_help())
        known, unknown = self.parse_known_args(words)
        if unknown:
            spaces = "" if unknown[0].startswith("-") else " (a name with spaces needs quotes)"
            self.error(f"unknown: {shlex.join(unknown)}{spaces}")
        return known

    def _words(self, line: str) -> list[str]:
        lexer = shlex.shlex(line, posix=True)
        lexer.whitespace_split = True
        # A backslash is one, as in a path; a name with spaces has quotes.
        lexer.commenters = lexer.escape = ""
        try:
            return list(lexer)
        except ValueError as error:
            self.error(f"{error} in {line!r}".replace("No closing", "no closing"))


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    return name.strip(), value


def _cell_parser() -> _Parser:
    parser = _Parser("%%locus", _ABOUT_CELL)
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="what the run is called; without it, the cell's first line that is no import, or its first comment",
    )
    parser.add_argument(
        "--live",
        choices=LIVE,
        default=OFF,
        help="show the run above the cell's output while it goes on, on this tab; by default off",
    )
    parser.add_argument(
        "--tag",
        metavar="NAME=VALUE",
        action="append",
        type=_tag,
        default=[],
        help="a tag of the run, to find and compare it by; may be given again for another one",
    )
    return parser


def _line_parser() -> _Parser:
    parser = _Parser("%locus", _ABOUT_LINE, epilog=_ABOUT_COMMANDS)
    parser.add_argument("what", choices=tuple(COMMANDS), metavar="|".join(COMMANDS), help="one of:")
    return parser


_CELL, _LINE = _cell_parser(), _line_parser()
CELL_HELP, LINE_HELP = _CELL.format_help(), _LINE.format_help()
CELL_OPTIONS = ("--live", "--tag")


def read_cell_line(line: str) -> CellOptions:
    """Read what stands behind `%%locus`.

    Raises:
        UsageError: It holds something unknown, or a tag twice.
    """
    found = _CELL.read(line)
    if found.name is not None and not found.name.strip():
        _CELL.error("NAME is empty (without one, the run is named after the cell)")
    tags: dict[str, str] = {}
    for name, value in found.tag:
        if name in tags:
            _CELL.error(f"the tag {name!r} is given twice (a run has one value for each)")
        tags[name] = value
    return CellOptions(found.name, tags, found.live)


def read_command(line: str) -> str:
    """Read what stands behind `%locus`: one of COMMANDS.

    Raises:
        UsageError: It is none, or more than one.
    """
    return _LINE.read(line).what
