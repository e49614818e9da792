"""The command line: `python -m locus_nb doctor`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from locus_nb._doctor.doctor import doctor
from locus_nb._doctor.host import own_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ABOUT_DOCTOR = """Say what is installed, and why nothing shows.

Outside of a notebook it sees no page: it tells what this environment's packages, extras and JupyterLab have. In a
notebook, `from locus_nb import doctor; doctor()` tells more. The exit code is 1 if a problem was found, else 0.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Do what a command line asks for; None: that of this process. Gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m locus_nb", description="See AI-agent runs live in a notebook.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"locus_nb {own_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    asked = commands.add_parser(
        "doctor",
        help="say what is installed, and why nothing shows",
        description=_ABOUT_DOCTOR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    asked.add_argument("--json", action="store_true", help="as JSON, for scripts: ok, conclusion, findings")
    asked.set_defaults(run=_doctor)
    options = parser.parse_args(words)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _doctor(options: argparse.Namespace) -> int:
    found = doctor()
    text = json.dumps(found.to_dict(), indent=2) if options.json else repr(found)
    # Where marks cannot be written, the words beside them can.
    encoding = sys.stdout.encoding or "ascii"
    try:
        print(text.encode(encoding, "replace").decode(encoding), flush=True)  # noqa: T201 - it is what was asked for
    except BrokenPipeError:
        # Its reader had enough, as `head` does. Python would complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0 if found.ok else 1
