"""`python -m locus_nb`, and what `doctor` prints there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import locus_nb
from locus_nb._doctor.command import main
from tests.doctor_kit import HOSTILE, SECRET

if TYPE_CHECKING:
    from pathlib import Path


def call(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m locus_nb`, without variables of ours but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
    return subprocess.run(
        [sys.executable, "-m", "locus_nb", *words],
        capture_output=True,
        encoding="utf-8",
        env=kept | {"PYTHONIOENCODING": "utf-8"} | environment,
        check=False,
    )


def test_the_command_tells_what_can_be_told_without_a_notebook() -> None:
    """`python -m locus_nb doctor` prints the report, and says that it saw no notebook."""
    done = call("doctor")
    assert done.stderr == ""
    assert "no notebook was seen" in done.stdout
    assert "widgets in JupyterLab" in done.stdout
    assert done.returncode == 0


def test_the_command_speaks_json_and_fails_for_a_problem() -> None:
    """With --json the same can be read by scripts; a problem makes the exit code 1, and no secret is printed."""
    done = call("doctor", "--json", LOCUS_MODEL_PROVIDER=SECRET, LOCUS_RUN_ID=HOSTILE)
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], done.stderr) == (1, False, "")
    assert SECRET not in done.stdout


@pytest.mark.parametrize(
    "module, code, found, cure",
    [
        (
            "anywidget",
            "import sys; sys.exit(7)",
            "anywidget: ",
            "{file} stands in for a package of that name",
        ),
        (
            "IPython",
            "raise ImportError('no')",
            "import failed in IPython: ImportError: no",
            "{file} stands in",
        ),
    ],
)
def test_the_command_finds_what_breaks_an_import(
    tmp_path: Path, module: str, code: str, found: str, cure: str
) -> None:
    """A package that ends the process, or breaks those that need it, is told of, with what to do about that one."""
    file = tmp_path / f"{module}.py"
    file.write_text(code)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    told = call("doctor", "--json", PYTHONPATH=path)
    assert (told.returncode, told.stderr) == (1, "")
    problems = [each for each in json.loads(told.stdout)["findings"] if each["verdict"] == "problem"]
    assert found in json.loads(told.stdout)["conclusion"] + problems[0]["found"]
    assert problems[0]["cure"].startswith(cure.format(file=file))


def test_the_command_may_lose_its_reader() -> None:
    """Where the reader of its output goes away, as `head` does, it ends without a complaint."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "locus_nb", "doctor"],
            stdout=writing,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_needs_no_unicode() -> None:
    """Where the terminal cannot show the marks, the words beside them are printed all the same."""
    done = call("doctor", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "? ok " in done.stdout


@pytest.mark.parametrize("words", [[], ["cure"], ["doctor", "--all"]])
def test_an_unknown_command_says_what_there_is(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, or with one that is none, the usage is told and the exit code is 2."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: python -m locus_nb" in capsys.readouterr().err


def test_help_and_version_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names the commands, and `--version` the version."""
    for words, told in (
        (["--help"], "doctor"),
        (["--version"], locus_nb.__version__),
        (["doctor", "-h"], "--json"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        assert told in capsys.readouterr().out
