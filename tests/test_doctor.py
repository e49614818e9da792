"""What `doctor` finds, under conditions that are made up."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import threading
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import locus_nb
from locus_nb import (
    Diagnosis,
    Finding,
    configure,
    doctor,
    emit_sync,
    get_event_bus,
    run_context,
    runs,
    watch,
)
from locus_nb._doctor import diagnosis as diagnosis_module
from locus_nb._doctor import event_probe, host, imports, lab, packages, page_probe, requirement
from locus_nb._doctor.answer import Answer
from locus_nb._doctor.command import main
from locus_nb._doctor.conclusion import conclude
from locus_nb._doctor.host import Host, find_host
from locus_nb._doctor.page_findings import page_findings
from locus_nb._doctor.process import process_findings
from locus_nb._doctor.requirement import Needs, Requirement
from locus_nb._doctor.variables import variable_findings
from locus_nb._views import view as view_module
from locus_nb._views.pump import Pump, the_pump
from tests.bus_kit import GRACE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from locus_nb._doctor.page_probe import PageProbe

ROOT = Path(__file__).resolve().parents[1]
SECRET = "sk-ant-api03-" + "a1B2" * 20
HOSTILE = '<img src=x onerror="alert(1)"></table><script>alert(2)</script>'
HEARD = "Live views work here, also while a cell is busy."
HELLO = {"kind": "hello", "last_seq": 0}
KERNEL = Host(
    "kernel", "a kernel", SimpleNamespace(kernel=SimpleNamespace(_supports_kernel_subshells=True)), True
)


def named(findings: Iterable[Finding], name: str) -> Finding:
    """The one finding of that name."""
    (found,) = [finding for finding in findings if finding.name == name]
    return found


# What is needed


@pytest.mark.parametrize(
    "bounds, version, is_met",
    [
        (">=8.1", "8.1", True),
        (">=8.1", "8.1.0", True),
        (">=8.1", "8.10.2", True),
        (">=8.1", "8.0.9", False),
        (">=8.1", "10.0rc1", True),
        (">=2", "1.99", False),
        ("==3.0.1", "3.0.1", True),
        ("==3.0.1", "3.0.2", False),
        ("", "0.1", True),
        ("~=5.0", "1.0", True),
    ],
)
def test_versions_are_compared_as_numbers(bounds: str, version: str, is_met: bool) -> None:  # noqa: FBT001 - a case
    """A version is judged by its numbers, and bounds of a kind that this package does not use are not judged."""
    assert Requirement("some", bounds).is_met_by(version) is is_met


def test_needs_are_read_from_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is needed, with this Python and by which extra, is what the installed metadata says."""
    new = f"python_version >= '{sys.version_info[0]}.{sys.version_info[1]}'"
    old = f"python_version < '{sys.version_info[0]}.{sys.version_info[1]}'"
    lines = [
        "pandas>=2.2",
        f"fresh (>=1.0) ; {new}",
        f"stale>=1; {old}",
        "pyarrow[x] >= 17 ; extra == 'parquet'",
        "?",
    ]
    said = SimpleNamespace(get_all=lambda _: ["parquet"], __getitem__=None)
    monkeypatch.setattr(requirement, "requires", lambda _: lines)
    monkeypatch.setattr(requirement, "metadata", lambda _: _Metadata(vars(said)))
    assert requirement.needs() == Needs(
        "9.9",
        (
            Requirement("pandas", ">=2.2"),
            Requirement("fresh", ">=1.0"),
            Requirement("pyarrow", ">=17", "parquet"),
        ),
        ("parquet",),
    )


class _Metadata:
    def __init__(self, members: dict[str, Any]) -> None:
        self.get_all = members["get_all"]

    def __getitem__(self, key: str) -> str:
        return {"Version": "9.9"}[key]


def test_a_folder_on_the_path_needs_nothing_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a package that is on the path and not installed, it is said that its needs cannot be told."""

    def missing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr(requirement, "metadata", missing)
    assert requirement.needs() == Needs()
    found = named(packages.package_findings(Needs()), "locus-nb")
    assert (found.verdict, found.cure) == ("note", 'python -m pip install "locus-nb"')


def test_own_metadata_can_be_read() -> None:
    """The distribution's own metadata names what it cannot do without, and each line of it is understood."""
    needed = {each.name for each in requirement.needs().requirements if not each.extra}
    assert {"anywidget", "ipywidgets", "pandas"} < needed
    assert needed & {"nest-asyncio", "nest-asyncio2"}
    assert requirement.needs().version == locus_nb.__version__


# Packages and extras


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Which distributions are installed, and in which version."""
    found: dict[str, str] = {}
    monkeypatch.setattr(packages, "installed", found.get)
    monkeypatch.setattr(lab, "installed", found.get)
    return found


def test_each_package_is_missing_old_broken_or_fine(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a needed package it is told that it is missing, too old, fails on import or is fine, and what to do."""
    installed |= {"old": "0.9", "json": "1.0", "broken": "2.0", "ipykernel": "5.0", "marimo": "0.1"}
    lines = ["missing>=3", "old>=1", "json>=1", "broken>=1"]
    needed = [Requirement(*re.split("(?=>)", line)) for line in lines]
    needed += [Requirement("ipykernel", ">=6.29", "lab")]

    def fail(name: str) -> ModuleType:
        if name == "broken":
            raise OSError(f"no such library {SECRET}")
        return sys.modules[name]

    monkeypatch.setattr(imports, "import_module", fail)
    found = {each.name: each for each in packages.package_findings(Needs("1", tuple(needed)))}
    assert {name: each.verdict for name, each in found.items()} == {
        "missing": "problem",
        "old": "problem",
        "json": "ok",
        "broken": "problem",
        "ipykernel": "problem",
        "marimo": "ok",
    }
    assert found["missing"].cure == 'python -m pip install "missing>=3"'
    assert found["old"] == Finding(
        "packages", "old", "0.9 is too old; needs old>=1", "problem", 'python -m pip install "old>=1"'
    )
    assert "OSError: no such library" in found["broken"].found
    assert SECRET not in repr(Diagnosis(KERNEL, [found["broken"]]))


def test_missing_extras_have_their_pip_line(installed: dict[str, str]) -> None:
    """An extra that is not there says what it is for, what it lacks, and how to get it; those of developers do not."""
    installed["pyarrow"] = "17.0"
    needed = [Requirement("pyarrow", ">=17", "parquet"), Requirement("genai-prices", ">=0.2", "cost")]
    needed += [Requirement("pytest", ">=9", "test")]
    found = {
        each.name: each
        for each in packages.extra_findings(Needs("1", tuple(needed), ("cost", "parquet", "test")))
    }
    assert set(found) == {"[cost]", "[parquet]"}
    assert found["[parquet]"].verdict == "ok"
    assert found["[cost]"].verdict == "note"
    assert found["[cost]"].found.endswith("not installed: genai-prices>=0.2")
    assert found["[cost]"].cure == 'python -m pip install "locus-nb[cost]"'


def test_each_extra_has_words() -> None:
    """What each extra is good for is said, unless it is for who works on this package."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(about["project"]["optional-dependencies"]) == set(packages.EXTRAS) | packages.FOR_DEVELOPERS


# Where this runs


def shell(*, cell_id: str | None = None, **names: object) -> Any:
    """A shell with a kernel that runs a cell."""
    parent = {"metadata": {} if cell_id is None else {"cellId": cell_id}}
    return SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: parent), user_ns=names)


@pytest.mark.parametrize(
    "made, environment, words",
    [
        (
            shell(cell_id="1"),
            {"JPY_SESSION_NAME": "/a/trip.ipynb"},
            "server started for trip.ipynb; its front end",
        ),
        (shell(cell_id="1"), {}, "its front end names cells"),
        (shell(), {}, "unknown front end"),
        (shell(__vsc_ipynb_file__="a.ipynb"), {}, "in VS Code"),
        (SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: 7), user_ns={}), {}, "unknown front end"),
    ],
)
def test_a_kernel_says_what_can_be_told_of_its_front_end(
    monkeypatch: pytest.MonkeyPatch, made: Any, environment: dict[str, str], words: str
) -> None:
    """Of a kernel's front end it is told what is known, and no more."""
    monkeypatch.setattr(host, "running_shell", lambda: made)
    found = find_host(environment)
    assert found.kind == "kernel"
    assert words in found.told


def test_colab_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with Google's own modules is one of Colab."""
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr(host, "running_shell", shell)
    assert find_host({}).told.endswith("in Colab")


@pytest.mark.parametrize(
    "answer, kind", [(lambda: True, "marimo"), (lambda: False, "script"), (None, "script")]
)
def test_marimo_is_asked(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[], bool] | None, kind: str
) -> None:
    """Code in a marimo notebook knows that; where marimo is only imported, or is broken, it is a script."""
    module: Any = ModuleType("marimo")
    module.running_in_notebook = answer
    monkeypatch.setitem(sys.modules, "marimo", module)
    monkeypatch.setattr(host, "running_shell", lambda: None)
    assert find_host({}).kind == kind


def test_ipython_in_a_terminal_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without a kernel is a terminal."""
    monkeypatch.setattr(host, "running_shell", lambda: SimpleNamespace(user_ns={}))
    assert find_host({}).kind == "terminal"


def test_another_copy_on_the_path_is_noted() -> None:
    """Code of another version than what is installed is told, with where it is."""
    found = named(host.host_findings(Host("script", "here"), Needs("99.0")), "locus_nb")
    assert found.verdict == "note"
    assert "99.0 is what is installed" in found.found
    assert str(Path(locus_nb.__file__).parent) in found.found


# JupyterLab's extensions


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes JupyterLab's folders, with versions of extensions, and which of them are off."""
    data, config = tmp_path / "share", tmp_path / "labconfig"
    monkeypatch.setattr(lab, "_folders", lambda: ([tmp_path / "none", data], [config]))

    def make(off: object = None, **versions: str) -> None:
        for name, text in versions.items():
            extension = "@jupyter-widgets/jupyterlab-manager" if name == "widgets" else name
            path = data / "labextensions" / extension
            path.mkdir(parents=True)
            path.joinpath("package.json").write_text(text)
        if off is not None:
            config.mkdir()
            config.joinpath("page_config.json").write_text(json.dumps({"disabledExtensions": off}))

    return make


def test_extensions_that_are_here_are_fine(folders: Callable[..., None]) -> None:
    """The version of an extension is read from its files, and that the server may have another one is said."""
    folders(widgets='{"version": "5.0.1"}', anywidget='{"version": "0.9"}')
    assert {each.verdict for each in lab.lab_findings(answered=False)} == {"ok"}
    assert "5.0.1 here" in named(lab.lab_findings(answered=False), "widgets in JupyterLab").found


@pytest.mark.parametrize(
    "server, answered, verdict",
    [
        ("jupyterlab", False, "problem"),
        ("notebook", False, "problem"),
        ("", False, "note"),
        ("jupyterlab", True, "ok"),
    ],
)
def test_a_missing_extension_is_as_bad_as_its_server_is_near(
    folders: Callable[..., None],
    installed: dict[str, str],
    server: str,
    answered: bool,  # noqa: FBT001 - a case
    verdict: str,
) -> None:
    """An extension is missed where JupyterLab is, is a note elsewhere, and fine once a page spoke."""
    folders(anywidget="not json")
    installed[server] = "7"
    for found in lab.lab_findings(answered=answered):
        assert found.verdict == verdict
        assert bool(found.cure) is not answered


@pytest.mark.parametrize(
    "off, verdict",
    [
        ({"@jupyter-widgets/jupyterlab-manager": True}, "problem"),
        (["@jupyter-widgets/jupyterlab-manager"], "problem"),
        ({"@jupyter-widgets/jupyterlab-manager": False}, "ok"),
        (7, "ok"),
    ],
)
def test_an_extension_that_is_turned_off_is_told(
    folders: Callable[..., None], installed: dict[str, str], off: object, verdict: str
) -> None:
    """An extension that JupyterLab's settings turn off is a problem, with the command that turns it on."""
    installed["jupyterlab"] = "4.4"
    folders(off, widgets='{"version": "5.0.1"}', anywidget='{"version": "0.9"}')
    found = named(lab.lab_findings(answered=False), "widgets in JupyterLab")
    assert found.verdict == verdict
    assert found.cure.startswith("jupyter labextension enable @jupyter-widgets") is (verdict == "problem")


def test_folders_are_found_without_jupyter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jupyter_core the folders of this Python are looked at."""
    before = lab._folders()
    monkeypatch.setitem(sys.modules, "jupyter_core.paths", None)
    data, config = lab._folders()
    assert data == [Path(sys.prefix) / "share" / "jupyter"]
    assert data[0] in before[0]
    assert config[0] in before[1]


# Variables


def test_variables_tell_no_secret() -> None:
    """Of a variable that is ours the value is told without its secrets, of any other one only the name."""
    environment = {
        "LOCUS_API_KEY": "hunter2",
        "LOCUS_RUN_ID": f"run {SECRET}",
        "HOME": "/",
        "LOCUS_MODEL_PROVIDER": "",
    }
    found = list(variable_findings(environment))
    assert [each.name for each in found] == ["LOCUS_API_KEY", "LOCUS_MODEL_PROVIDER", "LOCUS_RUN_ID"]
    assert "hunter2" not in str(found)
    assert SECRET not in str(found)
    assert "the run that this process belongs to" in named(found, "LOCUS_RUN_ID").found
    assert {each.verdict for each in found} == {"ok", "note"}


def test_no_function_of_the_users_is_asked_about_variables() -> None:
    """A report says what it says, whatever `configure(redact=...)` was given."""
    configure(redact=lambda key, value: "changed")
    try:
        found = list(variable_findings({"LOCUS_RUN_ID": "run-1", "LOCUS_MODEL_PROVIDER": "nothing"}))
    finally:
        configure(redact=True)
    assert "changed" not in str(found)


@pytest.mark.parametrize("value, verdict", [("mock", "ok"), ("", "ok"), ("nothing", "problem")])
def test_the_models_provider_must_be_known(value: str, verdict: str) -> None:
    """A provider that nothing is known of is a problem, and those that are known are named."""
    (found,) = variable_findings({"LOCUS_MODEL_PROVIDER": value})
    assert found.verdict == verdict
    assert found.cure.endswith("mock") is (verdict == "problem")


# The process


def test_a_fresh_process_is_fine() -> None:
    """Where nothing has happened nothing is wrong, and looking changes nothing."""
    before = get_event_bus().stats()
    assert {each.verdict for each in process_findings()} == {"ok"}
    assert get_event_bus().stats() == before


def test_losses_of_the_bus_are_noted() -> None:
    """Emits that failed are told, with what to look at."""
    with run_context("run"):
        emit_sync("a", text="b")
        emit_sync("")
    found = named(process_findings(), "bus")
    assert found.verdict == "note"
    assert found.found == "1 event published, 1 run kept, 1 emit failed"
    assert found.cure


@pytest.mark.parametrize(
    "number, words",
    [
        (1, "1 dropped for slow readers, 1 reader refused, 1 emit failed"),
        (2000, "2,000 dropped for slow readers, 2,000 readers refused, 2,000 emits failed"),
    ],
)
def test_losses_of_the_bus_are_told_in_words_that_fit_their_number(
    monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """One reader, one emit, and several of them."""
    bus = get_event_bus()
    stats: Any = dict(bus.stats())
    for name in ("dropped_events_total", "global_subscribers_refused_total", "emit_failures_total"):
        stats[name] = number
    monkeypatch.setattr(bus, "stats", lambda: stats)
    found = named(process_findings(), "bus")
    assert (found.verdict, found.found) == ("note", f"0 events published, 0 runs kept, {words}")


def test_a_store_tells_how_it_does(tmp_path: Path) -> None:
    """A store says where it writes and what it has; one that is closed, that it keeps nothing any more."""
    store = configure(store=tmp_path / "runs.db")
    assert store is not None
    with run_context("run"):
        emit_sync("a")
    assert store.flush()
    found = named(process_findings(), "store")
    assert (found.verdict, found.found) == (
        "ok",
        f"sqlite, {tmp_path / 'runs.db'}: 1 written, 0 pending, none lost",
    )
    store.close()
    found = named(process_findings(), "store")
    assert found.verdict == "note"
    assert found.cure == f'configure(store="{tmp_path / "runs.db"}")'


@pytest.mark.parametrize(
    "lost, failed, words",
    [(3, 2, "0 dropped, 3 lost, 2 attempts failed"), (1, 1, "0 dropped, 1 lost, 1 attempt failed")],
)
def test_what_a_store_lost_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: int, failed: int, words: str
) -> None:
    """Events that a store could not write are a problem, with what its last error said."""
    store = configure(store=tmp_path / "runs.db")
    assert store is not None
    stats = store.stats()._replace(lost=lost, failed=failed, last_error=f"disk full {SECRET}")
    monkeypatch.setattr("locus_nb._doctor.process.stats_of", lambda _: stats)
    found = named(process_findings(), "store")
    assert found.verdict == "problem"
    assert f"{words}; last: disk full" in found.found
    assert SECRET not in repr(Diagnosis(KERNEL, [found]))
    store.close()


def test_secrets_that_are_not_hidden_are_noted() -> None:
    """That nothing is hidden is worth a note."""
    configure(redact=False)
    try:
        assert named(process_findings(), "secrets").verdict == "note"
    finally:
        configure(redact=True)
    assert named(process_findings(), "secrets").verdict == "ok"


def test_a_view_that_failed_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view on a page that raised is named, and so are how many a page has seen."""
    with watch("run-1") as view:
        monkeypatch.setattr(view_module, "_on_page", {view: None})
        assert named(process_findings(), "views").found == "1 live view put on a page, 0 of them seen by one"
        view._sink.status = "failed"
        found = named(process_findings(), "views")
        assert found.verdict == "problem"
        assert "run-1" in found.found


# An event


def test_an_event_goes_all_the_way_and_leaves_nothing() -> None:
    """The time of each stage is told; the process's bus, its runs and its threads stay as they were."""
    (found,) = event_probe.event_findings(timeout=GRACE_S)
    assert found.verdict == "ok"
    assert re.fullmatch(r"bus \S+ \S+, pump \S+ \S+, message for the page \S+ \S+", found.found)
    assert get_event_bus().stats()["published_events_total"] == 0
    assert len(runs()) == 0
    assert not the_pump()._pairs


def test_an_event_that_gets_stuck_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pump carries nothing, that is told, within the time."""
    dead = Pump()
    dead.end()
    monkeypatch.setattr(event_probe, "the_pump", lambda: dead)
    (found,) = event_probe.event_findings(timeout=0.01)
    assert found.verdict == "problem"
    assert "the pump's thread did not take it" in found.found
    assert conclude(KERNEL, [found], None).said.startswith("Nothing shows live here, because an event's way")
    assert not dead._pairs


# The page


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What a probe shows and updates: the id and the data of each output."""
    made: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        page_probe, "show_output", lambda data, **about: made.append((about["display_id"], data))
    )
    monkeypatch.setattr(page_probe, "update_output", lambda name, data: made.append((name, data)))
    monkeypatch.setattr(
        diagnosis_module, "show_output", lambda data, **about: made.append((about["display_id"], data))
    )
    monkeypatch.setattr(diagnosis_module, "update_output", lambda name, data: made.append((name, data)))
    return made


@pytest.fixture
def ended() -> list[None]:
    """One for each time that a probe has ended."""
    return []


@pytest.fixture
def probe(outputs: list[Any], ended: list[None]) -> Iterator[PageProbe]:
    """A probe, of which nothing is left at the end."""
    made = page_probe.PageProbe(lambda: ended.append(None))
    yield made
    made.end()
    assert made.comm is None or not made._sink.greeted
    assert view_module.views_on_page() == []
    assert not any(isinstance(sink, page_probe._Patience) for sink in the_pump()._pairs)


def say_from_thread(probe: PageProbe) -> None:
    """Have the page's hello come in another thread."""
    in_thread(lambda: probe._hear(HELLO))


def in_thread(do: Callable[[], object]) -> None:
    """Have something done in another thread; waits for its end."""
    thread = threading.Thread(target=do)
    thread.start()
    thread.join()


def answer(probe: PageProbe) -> None:
    """Have the page answer in another thread, and the probe end for it; waits until that is told."""
    told, tell = threading.Event(), probe._at_end

    def tell_on() -> None:
        tell()
        told.set()

    probe._at_end = tell_on
    say_from_thread(probe)
    # The pump's thread may do so at the same time.
    in_thread(probe.end)
    assert told.wait(GRACE_S)


def test_a_page_that_answers_beside_the_cell(
    probe: PageProbe, outputs: list[Any], ended: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer in another thread while the cell waits ends the waiting, and nothing is left of the probe."""
    show = probe._show

    def show_and_answer() -> None:
        show()
        say_from_thread(probe)

    monkeypatch.setattr(probe, "_show", show_and_answer)
    probe.ask(GRACE_S)
    answer = probe.answer
    assert answer.over
    assert answer.was_blocked
    assert answer.beside_ms == answer.after_ms
    assert answer.waited < GRACE_S
    assert len(ended) == 1
    assert [name for name, _ in outputs] == [probe._live_id] * 2
    assert outputs[0][1]["application/vnd.jupyter.widget-view+json"]
    assert outputs[1][1]["text/plain"] == ""
    assert not the_pump()._pairs or probe._sink not in the_pump()._pairs


class _AnsweredAt:
    """A clock at whose n-th look, by the thread that waits, the page answers in another thread."""

    def __init__(self, probe: PageProbe, look: int) -> None:
        self.left = look
        self._probe = probe

    def __call__(self) -> float:
        if threading.current_thread() is threading.main_thread():
            self.left -= 1
            if self.left == 0:
                say_from_thread(self._probe)
        return 0.0


@pytest.mark.parametrize("look", [1, 2, 3])
def test_an_answer_is_kept_whenever_it_comes(
    probe: PageProbe, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    """What a page says in another thread while the cell begins to wait, waits or stops is not lost."""
    clock = _AnsweredAt(probe, look)
    monkeypatch.setattr(probe, "_clock", clock)
    probe.ask(0)
    assert clock.left <= 0
    assert probe.answer.came
    assert probe.answer.beside_ms is not None


class _Gate:
    """A lock that says when a thread comes to it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.reached.set()
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def test_two_threads_that_add_to_an_answer_lose_nothing(
    probe: PageProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page says at the very moment at which it is given up is kept."""
    gate = _Gate()

    def say() -> None:
        probe._hear(HELLO)
        gate.reached.set()

    speaker, replaced = threading.Thread(target=say), Answer._replace

    def replace_in_its_midst(known: Answer, **changes: Any) -> Answer:
        if threading.current_thread() is not speaker:
            gate.reached.clear()
            speaker.start()
            assert gate.reached.wait(GRACE_S)
        return replaced(known, **changes)

    monkeypatch.setattr(Answer, "_replace", replace_in_its_midst)
    monkeypatch.setattr(probe, "_lock", gate, raising=False)
    probe.end()
    speaker.join()
    assert probe.answer.over
    assert probe.answer.beside_ms is not None


@pytest.fixture
def clock() -> Clock:
    """Of the probe's patience."""
    return Clock()


@pytest.fixture
def patience(probe: PageProbe, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> page_probe._Patience:
    """What waits for a page that has not answered while its cell did; ticked by hand."""
    monkeypatch.setattr(probe, "_clock", clock)
    monkeypatch.setattr(page_probe, "_Patience", lambda *args: None)
    attached = the_pump().attach
    monkeypatch.setattr(the_pump(), "attach", lambda s, sink: sink and attached(s, sink))
    probe.ask(0)
    monkeypatch.undo()
    monkeypatch.setattr(probe, "_clock", clock)
    monkeypatch.setattr(page_probe, "update_output", lambda *_: None)
    return page_probe._Patience(probe, clock)


def test_a_page_that_is_heard_by_the_main_thread_alone(
    probe: PageProbe, patience: page_probe._Patience, clock: Clock
) -> None:
    """After a first answer on the main thread one beside it is waited for, and without one a busy kernel is deaf."""
    clock.now = 1.0
    probe._hear(HELLO)
    patience.tick()
    assert probe.answer.came
    assert not probe.answer.over
    clock.now = 4.5
    patience.tick()
    assert probe.answer.over
    assert probe.answer.beside_ms is None


def test_a_page_that_loads_slowly_is_heard_beside_the_main_thread(
    probe: PageProbe, patience: page_probe._Patience, clock: Clock
) -> None:
    """An answer in a thread of its own tells that a busy kernel hears the page, also when it came after the cell."""
    clock.now = 5.0
    say_from_thread(probe)
    patience.tick()
    assert probe.answer.over
    assert probe.answer.beside_ms == 5000
    assert not probe.answer.was_blocked


def test_silence_counts_while_the_kernel_is_idle(
    probe: PageProbe, patience: page_probe._Patience, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page has 10 s of an idle kernel; while a cell runs it is waited for, up to a minute in all."""
    busy = [True]
    monkeypatch.setattr(page_probe, "NOTEBOOK", SimpleNamespace(is_busy=lambda: busy[0]))
    clock.now = 30.0
    patience.tick()
    busy[0] = False
    clock.now = 39.0
    patience.tick()
    assert not probe.answer.over
    clock.now = 40.5
    patience.tick()
    assert probe.answer.over
    assert not probe.answer.came


def test_no_probe_outlives_a_minute(
    probe: PageProbe, patience: page_probe._Patience, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that goes on and on does not keep the probe."""
    monkeypatch.setattr(page_probe, "NOTEBOOK", SimpleNamespace(is_busy=lambda: True))
    clock.now = 61.0
    patience.tick()
    assert probe.answer.over


def test_an_interrupt_takes_the_probe_away(
    probe: PageProbe, ended: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt while the page is waited for goes on, and leaves nothing behind."""

    def interrupt(_: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(probe._enough, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        probe.ask(GRACE_S)
    assert probe.answer.over
    assert len(ended) == 1


WAITED = Answer(waited=2.0)


@pytest.mark.parametrize(
    "host, answer, page, blocked, said",
    [
        (
            KERNEL,
            WAITED._replace(over=True, after_ms=31, beside_ms=31, was_blocked=True),
            "ok",
            "ok",
            "also while",
        ),
        (KERNEL, WAITED._replace(over=True, after_ms=2100, beside_ms=2300), "ok", "ok", "also while"),
        (KERNEL, WAITED._replace(over=True, after_ms=2100), "ok", "note", "does not hear"),
        (KERNEL, WAITED._replace(after_ms=2100), "ok", "note", "Live views work here."),
        (KERNEL, WAITED, "note", "note", "no page had answered when this was written"),
        (
            KERNEL,
            WAITED._replace(over=True),
            "problem",
            "note",
            "Nothing shows live here, because no page answered",
        ),
        (
            KERNEL._replace(names_cells=False),
            WAITED._replace(over=True),
            "note",
            "note",
            "no page looks at this",
        ),
        (KERNEL, None, "note", "note", "no page was asked"),
    ],
)
def test_what_an_answer_means(host: Host, answer: Answer | None, page: str, blocked: str, said: str) -> None:
    """Each answer, and each silence, is told as what it means for views, and for a cell that is busy."""
    found = list(page_findings(host, answer))
    assert named(found, "page").verdict == page
    assert named(found, "a blocked kernel").verdict == blocked
    assert said in conclude(host, found, answer).said
    if answer is None or not answer.came:
        assert "answered after" not in str(found)


@pytest.mark.parametrize("kind", ["script", "terminal", "marimo"])
def test_where_no_page_can_be_asked_that_is_noted(kind: Any) -> None:
    """Outside of a kernel nothing is asked: no problem, but nothing that was found to be well either."""
    (found,) = page_findings(Host(kind, "here"), None)
    assert found.verdict == "note"
    told = Diagnosis(Host(kind, "here"), [])
    assert told["page"] == found
    assert told.ok
    assert "work here" not in told.conclusion


@pytest.mark.parametrize(
    "subshells, routed, verdict",
    [(True, True, "ok"), (True, None, "ok"), (True, False, "problem"), (False, None, "note")],
)
def test_the_routing_of_messages_is_told(
    subshells: bool,  # noqa: FBT001 - a case
    routed: bool | None,  # noqa: FBT001 - as above
    verdict: str,
) -> None:
    """Whether the kernel has subshells, and whether a page's messages stay on the page's own, is told."""
    kernel = SimpleNamespace(_supports_kernel_subshells=subshells)
    found = page_findings(KERNEL._replace(shell=SimpleNamespace(kernel=kernel)), Answer(is_routed=routed))
    assert named(found, "comm routing").verdict == verdict


def test_a_missing_package_explains_more_than_a_page_that_could_not_be_asked() -> None:
    """Where anywidget is missing, that is why nothing shows, and its pip line is what to do."""
    missing = Finding(
        "packages", "anywidget", "not installed", "problem", 'python -m pip install "anywidget"'
    )
    found = [*page_findings(KERNEL, None, "ModuleNotFoundError: anywidget"), missing]
    said, cure = conclude(KERNEL, found, None)
    assert said == "Nothing shows live here, because anywidget: not installed."
    assert cure == missing.cure


# The report


def test_a_report_is_not_given_to_a_function_of_the_users() -> None:
    """What hides more in payloads does not rewrite the report, in which known secrets are hidden all the same."""
    try:
        configure(redact=lambda _key, value: "gone" if isinstance(value, str) else value)
        told = repr(Diagnosis(KERNEL, [Finding("here", "some", f"told {SECRET}", cure="do it")]))
    finally:
        configure(redact=True)
    assert "told [redacted: " in told
    assert "do it" in told
    assert SECRET not in told
    assert "gone" not in told


def test_a_report_is_harmless() -> None:
    """Markup, secrets and lone surrogates in what was found are shown as text, hidden and replaced."""
    found = Diagnosis(
        Host("kernel", HOSTILE), [Finding("here", HOSTILE, f"{HOSTILE} {SECRET} \ud800", "problem", HOSTILE)]
    )
    bundle = found._repr_mimebundle_()
    assert not re.findall("<(?:img|script)", bundle["text/html"])
    assert SECRET not in str(bundle)
    assert SECRET not in json.dumps(found.to_dict())
    bundle["text/html"].encode()
    json.dumps(found.to_dict()).encode()


def test_a_report_names_each_verdict() -> None:
    """Each finding says its verdict in a word and a mark, in text and in html alike; lines are of 120 characters."""
    verdicts: list[Any] = ["ok", "note", "problem"]
    found = Diagnosis(
        Host("script", "here"), [Finding("here", each, "found " * 60, each, "do this") for each in verdicts]
    )
    bundle = found._repr_mimebundle_()
    for mark in ("✓ ok", "• note", "✕ problem"):
        assert mark in bundle["text/plain"]
        assert mark in bundle["text/html"]
    assert max(map(len, repr(found).splitlines())) <= 120
    assert not found.ok
    assert repr(found).splitlines()[0] == found.conclusion
    with pytest.raises(KeyError, match="nothing named 'that'"):
        found["that"]


@pytest.fixture
def asks(outputs: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes a diagnosis, by its class, whose page was asked and is waited for as long as the test takes."""
    made: list[Diagnosis] = []
    monkeypatch.setattr(page_probe, "_AGAIN", 0.001)
    monkeypatch.setattr(page_probe, "PAGE_DUE", math.inf)
    monkeypatch.setattr(page_probe, "_LONGEST", math.inf)

    def ask(kind: type[Diagnosis] = Diagnosis) -> Diagnosis:
        found = kind(KERNEL, [])
        made.append(found)
        found.ask_page(0.001)
        assert len(outputs) == 1
        return found

    yield ask
    for found in made:
        if found._probe is not None:
            found._probe.end()


def probe_of(found: Diagnosis) -> PageProbe:
    """What waits for the page."""
    assert found._probe is not None
    return found._probe


def test_a_report_is_brought_up_to_date(
    asks: Callable[..., Diagnosis], outputs: list[tuple[str, Any]]
) -> None:
    """A report that is displayed before the page has answered says so, and then what was answered, in its place."""
    found = asks()
    found._ipython_display_()
    display_id, before = outputs[-1]
    assert "no page had answered when this was written" in before["text/html"]
    answer(probe_of(found))
    assert outputs[-1][0] == display_id
    assert HEARD in outputs[-1][1]["text/html"]
    assert found.ok
    with pytest.raises(NotImplementedError):
        found._ipython_display_()


@pytest.mark.parametrize("moment", ["report_html", "show_output"])
def test_an_answer_that_comes_while_a_report_is_displayed_is_told_there(
    asks: Callable[..., Diagnosis],
    outputs: list[tuple[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """A report says what was answered, also where that came in another thread while it was written or sent."""
    found = asks()
    probe, do = probe_of(found), getattr(diagnosis_module, moment)

    def answer_first(*what: Any, **about: Any) -> Any:
        if not probe.answer.over:
            answer(probe)
        return do(*what, **about)

    monkeypatch.setattr(diagnosis_module, moment, answer_first)
    found._ipython_display_()
    assert HEARD in outputs[-1][1]["text/html"]
    assert found.ok


class _AnsweredWhenRead(Diagnosis):
    """A diagnosis whose page answers in another thread when it is looked up who waits for it, once that is armed."""

    armed = False

    def __getattribute__(self, name: str) -> Any:
        given = super().__getattribute__(name)
        if name == "_probe" and self.armed:
            self.armed = False
            answer(given)
        return given


def test_a_report_can_be_read_while_its_page_answers(asks: Callable[..., _AnsweredWhenRead]) -> None:
    """Reading what a page has answered at the moment at which it does gives that."""
    found = asks(_AnsweredWhenRead)
    found.armed = True
    assert HEARD in repr(found)
    assert found._probe is None


def test_a_report_is_of_one_moment(asks: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch) -> None:
    """The conclusion of a report is that of its findings, also where a page answers while it is made."""
    found = asks()
    probe = probe_of(found)

    def answered_after(**about: Any) -> Any:
        given = lab.lab_findings(**about)
        if not probe.answer.over:
            answer(probe)
        return given

    monkeypatch.setattr(diagnosis_module, "lab_findings", answered_after)
    told = found.to_dict()
    pages = [each["found"] for each in told["findings"] if each["name"] == "page"]
    assert pages == ["none has answered yet; this report is brought up to date when one does"]
    assert told["conclusion"].endswith("no page had answered when this was written.")
    assert found.conclusion == HEARD


def test_without_a_notebook_a_dict_has_it_all() -> None:
    """`doctor()` in a script is JSON-able, knows that there is no notebook, and leaves the process alone."""
    found = doctor()
    told = json.loads(json.dumps(found.to_dict()))
    assert set(told) == {"ok", "conclusion", "findings"}
    assert {tuple(each) for each in told["findings"]} == {("topic", "name", "found", "verdict", "cure")}
    names = [each["name"] for each in told["findings"]]
    assert len(names) == len(set(names))
    assert "no notebook" in told["conclusion"]
    assert get_event_bus().stats()["published_events_total"] == 0


@pytest.mark.parametrize(
    "wait, error", [("2", TypeError), (True, TypeError), (-1, ValueError), (61, ValueError)]
)
def test_a_wait_that_is_none_is_refused(wait: Any, error: type[Exception]) -> None:
    """The wait is a number of seconds from 0 to 60."""
    with pytest.raises(error, match=r"wait=2\.0"):
        doctor(wait=wait)
    with pytest.raises(ValueError, match="0 to 60"):
        doctor(wait=float("nan"))


# The command line


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


def test_a_failed_import_names_the_package_to_install_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the code that failed is another package's, that is the one to install again."""
    monkeypatch.setattr(imports, "packages_distributions", lambda: {"IPython": ["ipython"]})
    failure = imports.Failure("ImportError: no", "IPython", "/env/lib/site-packages/IPython/__init__.py")
    assert failure.cure("anywidget").startswith("python -m pip install --force-reinstall ipython;")
    alone = failure._replace(at="", file="")
    assert alone.cure("anywidget").startswith("python -m pip install --force-reinstall anywidget;")


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
