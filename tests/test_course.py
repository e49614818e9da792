"""The notebooks are a course: one form, one order, and a list of them in the README."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.notebook_kit import NOTEBOOKS

if TYPE_CHECKING:
    from pathlib import Path

EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


@EACH
def test_a_notebook_begins_with_its_idea(path: Path) -> None:
    """A notebook's first cell has its title, its idea in one sentence, and what the reader will be able to do."""
    first = text_of(cells_of(path)[0])
    assert re.match(r"# [^\n]+\n\n\*\*The idea:\*\* [^\n.]+\.\n\n\*\*You will\*\* [^\n]+[.:]\n", first), first


@EACH
def test_a_notebook_has_exercises_with_answers(path: Path) -> None:
    """A notebook ends with exercises, three at most, a folded cell that answers each in turn, and its claims."""
    *_, exercises, answers, claims, asserts, _ = cells_of(path)
    numbers = re.findall(r"^(\d)\. ", text_of(exercises), re.MULTILINE)
    assert "## Exercises\n" in text_of(exercises)
    assert numbers == list("123")[: len(numbers)] != []
    assert "folded cell below" in text_of(exercises)
    assert answers["cell_type"] == "code"
    assert answers["metadata"] == {"jupyter": {"source_hidden": True}}
    assert text_of(answers).startswith("# Answers\n")
    answered = re.findall(r"^ *# (\d)\. ", text_of(answers), re.MULTILINE)
    assert answered == numbers
    assert text_of(claims).startswith("## What this notebook claims")
    assert asserts["cell_type"] == "code"


def test_each_notebook_leads_to_the_next() -> None:
    """The last cell of a notebook links to the next one by its title, that of the last one to the README."""
    for path, after in pairwise(NOTEBOOKS):
        last = text_of(cells_of(path)[-1])
        assert last.startswith(f"**Next:** [{title_of(after)}]({after.name})"), path.name
    assert "(../README.md)" in text_of(cells_of(NOTEBOOKS[-1])[-1])


def test_the_notebooks_are_numbered() -> None:
    """Each notebook has a number of its own, of two digits, so that their names are in the course's order."""
    numbers = [re.match(r"\d\d(?=_)", path.name) for path in NOTEBOOKS]
    assert None not in numbers
    assert len({number and number[0] for number in numbers}) == len(NOTEBOOKS)


def test_the_readme_lists_the_course() -> None:
    """The README's table has each notebook's number, title, idea and minutes, in order, and no other row."""
    readme = (NOTEBOOKS[0].parents[1] / "README.md").read_text("utf-8")
    rows = re.findall(
        r"^\| (\d\d) \| \[(.+?)\]\(notebooks/(\S+)\) \| (.+?) \| (\d+) \|$", readme, re.MULTILINE
    )
    listed = [(number, title, name, idea) for number, title, name, idea, _ in rows]
    assert listed == [(path.name[:2], title_of(path), path.name, idea_of(path)) for path in NOTEBOOKS]
    assert all(1 <= int(minutes) <= 15 for *_, minutes in rows)


@EACH
def test_links_of_a_notebook_lead_somewhere(path: Path) -> None:
    """Every relative link of a notebook is a file of the tree."""
    text = "\n".join(text_of(cell) for cell in cells_of(path) if cell["cell_type"] == "markdown")
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert [target for target in targets if not (path.parent / target).exists()] == []


def cells_of(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text("utf-8"))["cells"]


def text_of(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def title_of(path: Path) -> str:
    return text_of(cells_of(path)[0]).partition("\n")[0].removeprefix("# ")


def idea_of(path: Path) -> str:
    """A notebook's idea as the README has it: a sentence of its own, without the full stop."""
    found = re.search(r"^\*\*The idea:\*\* (.+)\.$", text_of(cells_of(path)[0]), re.MULTILINE)
    assert found, path.name
    return found[1][0].upper() + found[1][1:]
