from __future__ import annotations

import ast
import hashlib
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import locus_nb

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(locus_nb.__file__).parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# In this order a module imports only from those above it.
LAYERS = [
    "_errors",
    "_optional",
    "event_types",
    "_atomic",
    "_rest",
    "_wire",
    "_event",
    "_history",
    "_source",
    "_wakeup",
    "_inbox",
    "_readers",
    "_subscription",
    "_exchange",
    "_bus",
    "_cell",
    "_entered",
    "_context",
    "_propagate",
    "_emit",
    "_interruption",
    "_callable",
    "_agent",
    "_agent.live_call",
    "_agent.alarm",
    "_agent.interruptible",
    "_agent.main_thread",
    "_agent.own_thread",
    "_agent.schema",
    "_agent.tool",
    "_agent.messages",
    "_agent.mock",
    "_agent.model",
    "_agent.worker",
    "_agent.loops",
    "_agent.result",
    "_agent.reply",
    "_agent.texts",
    "_agent.together",
    "_agent.loop",
    "_agent.events",
    "_agent.agent",
    "testing",
    "_payloads",
    "_payloads.patterns",
    "_payloads.names",
    "_payloads.values",
    "_payloads.assigned",
    "_payloads.ordinary",
    "_payloads.shapes",
    "_payloads.redact",
    "_payloads.format",
    "_payloads.preview",
    "_payloads.chunks",
    "_payloads.numbers",
    "_payloads.outcomes",
    "_payloads.kinds",
    "_ask",
    "_ask.patience",
    "_ask.inquiry",
    "_ask.question",
    "_ask.questions",
    "_ask.callbacks",
    "_ask.keyboard",
    "_ask.asking",
    "_ask.tool",
    "_sums",
    "_sums.calls",
    "_sums.prices",
    "_sums.usage",
    "_sums.gaps",
    "_sums.cost",
    "_sums.sums",
    "_store",
    "_store.storage",
    "_store.mounts",
    "_store.run_lines",
    "_store.run_file",
    "_store.sqlite_file",
    "_store.sqlite",
    "_store.folder",
    "_store.growing_file",
    "_store.jsonl",
    "_store.asked",
    "_store.past",
    "_store.sqlite_reader",
    "_store.jsonl_reader",
    "_store.adbc",
    "_store.file_history",
    "_store.account",
    "_store.stats",
    "_store.failures",
    "_store.alarm",
    "_store.lifetime",
    "_store.stuck",
    "_store.backlog",
    "_store.writer",
    "_store.store",
    "_store.memory",
    "_configure",
    "_frames",
    "_frames.columns",
    "_frames.tables",
    "_frames.event_columns",
    "_frames.pairs",
    "_frames.spans",
    "_frames.selection",
    "_frames.span_columns",
    "_frames.run_columns",
    "_frames.frames",
    "_views",
    "_views.head",
    "_views.rows",
    "_views.row_store",
    "_views.tally",
    "_views.page",
    "_views.pump",
    "_views.panel",
    "_views.row_sink",
    "_views.fold",
    "_views.waterfall",
    "_views.samples",
    "_views.monitor_sink",
    "_views.static_monitor",
    "_views.static_table",
    "_views.picture",
    "_views.notebook",
    "_views.late",
    "_views.outputs",
    "_views.boxes",
    "_views.twin",
    "_views.view",
    "_views.monitor",
    "_views.watch",
    "_views.dashboard",
    "_files",
    "_files.whole_file",
    "_files.files",
    "_files.parquet",
    "_files.run_page",
    "_runs",
    "_runs.still",
    "_runs.facts",
    "_runs.steps",
    "_runs.tree",
    "_runs.picture",
    "_runs.run",
    "_runs.block",
    "_runs.list_picture",
    "_runs.run_list",
    "_diff",
    "_diff.align",
    "_diff.step_changes",
    "_diff.interval",
    "_diff.compare",
    "_diff.facts",
    "_diff.tables",
    "_diff.words",
    "_diff.number_tables",
    "_diff.step_lines",
    "_diff.picture",
    "_diff.diff",
    "_notebook",
    "_notebook.options",
    "_notebook.cell_source",
    "_notebook.cell_tree",
    "_notebook.cell_run",
    "_notebook.completion",
    "_notebook.stats_table",
    "_notebook.magics",
    "_doctor",
    "_doctor.finding",
    "_doctor.requirement",
    "_doctor.imports",
    "_doctor.packages",
    "_doctor.host",
    "_doctor.lab",
    "_doctor.variables",
    "_doctor.process",
    "_doctor.event_probe",
    "_doctor.answer",
    "_doctor.page_probe",
    "_doctor.page_findings",
    "_doctor.conclusion",
    "_doctor.report",
    "_doctor.diagnosis",
    "_doctor.doctor",
    "_doctor.command",
    "__init__",
    "__main__",
]
STANDARD_LIBRARY_ONLY = LAYERS[: LAYERS.index("_emit") + 1]

PUBLIC = {
    "locus_nb": {
        "Agent",
        "AgentResult",
        "AskUser",
        "Batch",
        "BusMonitor",
        "Dashboard",
        "Diagnosis",
        "Diff",
        "EventBus",
        "Finding",
        "History",
        "LoadedRuns",
        "LocusError",
        "Message",
        "Model",
        "ModelReply",
        "PropagatingExecutor",
        "Question",
        "ReaderStats",
        "Run",
        "RunList",
        "RunRecord",
        "RunView",
        "RunsView",
        "Store",
        "StoreError",
        "StoreStats",
        "StreamEvent",
        "Subscription",
        "SubscriptionBusyError",
        "Tool",
        "ToolCall",
        "UnansweredError",
        "UnknownPriceWarning",
        "UnreadableRunError",
        "ViewRefusedError",
        "Wakeup",
        "__version__",
        "allow_nested_loops",
        "ask_user",
        "configure",
        "current_run_id",
        "dashboard",
        "diff",
        "doctor",
        "emit",
        "emit_sync",
        "events_df",
        "get_event_bus",
        "get_model",
        "history",
        "last_run",
        "load",
        "model_calls_df",
        "monitor",
        "on_question",
        "propagate",
        "reset_event_bus",
        "reset_run_id",
        "run",
        "run_context",
        "runs",
        "runs_df",
        "set_run_id",
        "spans_df",
        "to_parquet",
        "tool",
        "tools_df",
        "watch",
    },
    "locus_nb.testing": {"ScriptedCall", "ScriptedModel"},
}

HEAVY = {"IPython", "anywidget", "ipywidgets", "numpy", "pandas", "sqlite3", "traitlets"}

MARKUP_SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|createContextualFragment|DOMParser|srcdoc"
    r"|document\.write|\beval\(|\bnew Function\b"
)

LOADS = re.compile(r"https?://(?!www\.w3\.org/)\S+|@import\b.*|^import\b.*", re.MULTILINE)


# The package


def test_import_loads_nothing_heavy() -> None:
    """`import locus_nb`, and what makes and carries events, loads no notebook and no DataFrame library."""
    use = "locus_nb.EventBus, locus_nb.emit, locus_nb.run_context, locus_nb.Agent, locus_nb.get_model, locus_nb.tool"
    script = f"import sys, locus_nb; {use}; print(*sorted({HEAVY!r} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_public_names_are_pinned(module: str) -> None:
    """What a module makes public is what is written here, each name can be had, and `dir` shows it."""
    found = importlib.import_module(module)
    assert len(found.__all__) == len(set(found.__all__))
    assert set(found.__all__) == PUBLIC[module]
    assert {name for name in found.__all__ if not hasattr(found, name)} == set()
    assert set(found.__all__) <= set(dir(found))


def test_unknown_name_is_an_attribute_error() -> None:
    """A name the package does not have is refused by name, as any module does."""
    with pytest.raises(AttributeError, match="'locus_nb' has no attribute 'no_such_name'"):
        _ = locus_nb.no_such_name


def test_version_is_the_distributions() -> None:
    """`__version__` is the version that was installed."""
    assert locus_nb.__version__ == version("locus-nb")


def test_data_files_are_found() -> None:
    """The type marker, the script and the style sheet are where `importlib.resources` finds them."""
    package = files("locus_nb")
    assert package.joinpath("py.typed").is_file()
    static = [entry for entry in package.joinpath("static").iterdir() if entry.read_bytes()]
    assert {Path(entry.name).suffix for entry in static} == {".css", ".js"}


# Layers


def test_every_module_has_a_layer() -> None:
    """Each module of the package stands in LAYERS once, and LAYERS names no other."""
    unknown = sorted(_modules() - set(LAYERS))
    gone = sorted(set(LAYERS) - _modules())
    assert len(LAYERS) == len(set(LAYERS))
    assert not unknown, (
        f"say in LAYERS below which modules {unknown} stand: they import only from those above"
    )
    assert not gone, f"LAYERS names {gone}, which the package does not have"


def test_modules_import_only_from_above() -> None:
    """No module imports from its own layer or below, not even inside a function; types are exempt."""
    wrong = [
        f"{module} imports {imported}"
        for position, module in enumerate(LAYERS)
        if module in _modules()
        for imported in _imports(module)
        if imported in LAYERS and imported not in LAYERS[:position]
    ]
    assert not wrong


@pytest.mark.parametrize("module", STANDARD_LIBRARY_ONLY)
def test_the_bus_uses_the_standard_library_only(module: str) -> None:
    """The modules from the errors down to emit import nothing that has to be installed."""
    foreign = [name for name in _imports(module) if name.partition(".")[0] not in sys.stdlib_module_names]
    assert set(foreign) <= set(LAYERS)


def _modules() -> set[str]:
    """Dotted names below the package; a package in it is the name of its `__init__`."""
    paths = [path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")]
    return {".".join(path.parts).removesuffix(".__init__") for path in paths}


def _path(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imports(module: str) -> Iterator[str]:
    """What a module imports when it runs: names in LAYERS for the package's own, dotted names for others."""
    tree = ast.parse(_path(module).read_text("utf-8"))
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from (_own(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = ".".join(filter(None, ["locus_nb" if node.level else "", node.module]))
            for alias in node.names:
                whole = _own(f"{source}.{alias.name}")
                yield whole if whole in LAYERS else _own(source)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below `node`, without those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from _running(child)


def _own(name: str) -> str:
    package, _, module = name.partition(".")
    return (module or "__init__") if package == "locus_nb" else name


# What the page runs


def test_the_page_makes_no_markup_of_data() -> None:
    """The page's modules use no call that would turn text into markup or code."""
    for script in (PACKAGE / "page").glob("*.js"):
        found = MARKUP_SINKS.findall(script.read_text("utf-8"))
        assert not found, f"{script.name} uses {found}: put text into the page by textContent"


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """The shipped scripts and style sheets name no address to load from, so the table works offline."""
    for asset in (PACKAGE / "static").iterdir():
        found = LOADS.findall(asset.read_text("utf-8"))
        assert not found, f"{asset.name} names {found}"


@pytest.mark.parametrize("ending, limit", [(".js", 60_000), (".css", 15_000)])
def test_the_bundle_is_fresh_and_small(ending: str, limit: int) -> None:
    """What the page loads was made of the modules that stand beside it, and is small enough to be saved."""
    digest = hashlib.sha256()
    for source in sorted((PACKAGE / "page").glob(f"*{ending}")):
        digest.update(f"{source.name}\0".encode() + source.read_bytes() + b"\0")
    bundle = (PACKAGE / "static" / f"live{ending}").read_bytes()
    assert f"sha256 {digest.hexdigest()}".encode() in bundle.splitlines()[0], "npm run build in tests/js"
    assert len(bundle) < limit


# The tree, the README and the notebooks


def test_top_level_is_fixed() -> None:
    """Beside dotfiles the tree holds the package, the notebooks, the tests and three files; nothing else."""
    allowed = {"LICENSE", "README.md", "locus_nb", "notebooks", "pyproject.toml", "tests"}
    assert {name for name in _top_level() if not name.startswith(".")} <= allowed


def _top_level() -> set[str]:
    """The names at the top of what git would commit; outside a checkout, of the directory."""
    if (ROOT / ".git").exists() and (git := shutil.which("git")):
        command = [git, "ls-files", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return {line.partition("/")[0] for line in done.stdout.splitlines()}
    return {path.name for path in ROOT.iterdir()}


@pytest.mark.parametrize("extra", ["lab", "test"])
def test_readme_has_one_command_line_each(extra: str) -> None:
    """The README holds one command line to run and one to test, each alone in a fenced block."""
    prefix = f'python -m pip install -e ".[{extra}]" && '
    lines = [line for block in _fenced_blocks() for line in block if f"[{extra}]" in line]
    assert len(lines) == 1
    assert lines[0].startswith(prefix)
    assert [lines[0]] in _fenced_blocks()


def test_readme_commands_do_what_they_say() -> None:
    """The line to run opens a notebook that exists; the line to test runs the whole suite."""
    lines = [line for block in _fenced_blocks() for line in block]
    run = next(line for line in lines if "[lab]" in line)
    test = next(line for line in lines if "[test]" in line)
    opened = re.search(r"jupyter lab (notebooks/\S+\.ipynb)$", run)
    assert opened
    assert (ROOT / opened[1]).is_file()
    assert test.endswith("&& python -m pytest -n 2 --dist loadfile")


@pytest.mark.parametrize(
    "used, package", [("to_parquet(", "pyarrow"), ('"genai-prices"', "genai-prices"), ("stored_df(", "adbc")]
)
def test_the_extra_to_run_has_what_the_notebooks_use(used: str, package: str) -> None:
    """What the README's line installs is enough for each cell of the notebooks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    brought = project["dependencies"] + project["optional-dependencies"]["lab"]
    cells = [cell for path in NOTEBOOKS for cell in _notebook(path)["cells"] if cell["cell_type"] == "code"]
    is_used = any(used in "".join(cell["source"]) for cell in cells)
    assert not is_used or any(each.startswith(package) for each in brought)


def test_readme_links_lead_somewhere() -> None:
    """Every relative link and picture of the README is a file of the tree."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", _readme())
    assert [target for target in targets if not (ROOT / target).exists()] == []


def _readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def _fenced_blocks() -> list[list[str]]:
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```$", _readme(), re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in blocks]


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_public_names_are_told_of(module: str) -> None:
    """A public name is used in a notebook or stands in the README."""
    cells = [cell for path in NOTEBOOKS for cell in _notebook(path)["cells"]]
    told = "\n".join([_readme(), *("".join(cell["source"]) for cell in cells)])
    assert {name for name in PUBLIC[module] if not re.search(rf"\b{name}\b", told)} == set()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_stored_clean(path: Path) -> None:
    """Git stores a notebook without outputs, execution counts, widget state or a machine's own kernel."""
    notebook = _stored_notebook(path)
    for cell in notebook["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
        assert not {"execution", "ExecuteTime"} & cell["metadata"].keys()
    assert "widgets" not in notebook["metadata"]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_hide_no_failure(path: Path) -> None:
    """No cell of a notebook may fail or be left out when it is tested, and its last cell asserts."""
    notebook = _notebook(path)
    assert "execution" not in notebook["metadata"]
    tags = {tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", [])}
    assert not tags & {"raises-exception", "skip-execution"}
    last = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][-1]
    assert re.search(r"^\s*assert\b", "".join(last["source"]), re.MULTILINE)


def _stored_notebook(path: Path) -> dict[str, Any]:
    """A notebook as it would be committed: one that was run and saved may be tried with the tests again."""
    if (ROOT / ".git").exists() and (git := shutil.which("git")):
        command = [git, "show", f":{path.relative_to(ROOT).as_posix()}"]
        stored = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        if stored.returncode == 0:
            return json.loads(stored.stdout)
    return _notebook(path)


def _notebook(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))
