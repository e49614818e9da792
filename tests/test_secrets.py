"""Hundreds of secrets in all places of events and runs, and none in anything that leaves the process's memory."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from locus_nb import (
    Agent,
    EventBus,
    Run,
    Store,
    StreamEvent,
    ToolCall,
    dashboard,
    diff,
    events_df,
    history,
    load,
    model_calls_df,
    monitor,
    run,
    runs,
    runs_df,
    spans_df,
    to_parquet,
    tool,
    tools_df,
    watch,
)
from locus_nb._files.files import save_run
from locus_nb._payloads.names import mark
from locus_nb._payloads.ordinary import all_ordinary, is_ordinary
from locus_nb._payloads.redact import redact
from locus_nb._payloads.shapes import searched, without_secrets
from locus_nb._views.row_sink import RowSink
from locus_nb._wire import MAX_ERROR, MAX_PREVIEW
from locus_nb.testing import ScriptedModel
from tests.run_kit import html_of, put, text_of
from tests.secret_kit import Secret, look_alikes, places_of, secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRETS = secrets()
LOOK_ALIKES = look_alikes()
MARKED = "[redacted"
# Of what is made of the same parts as others, or takes long, not every run.
FEW = 4


def publish_secrets(bus: EventBus) -> None:
    """Make a run of each secret: in its name, tags, cell and event types, and everywhere in its payloads."""
    for number, secret in enumerate(SECRETS):
        run_id = f"run-{number}"
        said = secret.text if secret.name is None else f"{secret.name}={secret.text}"
        tags = {secret.name or "note": secret.text, f"t {said}": "1"}
        bus.open_stream_nowait(run_id, name=f"try {said}", tags=tags, cell_id=f"cell {said}")
        places = places_of(secret)
        tool = {"span_id": "s1", "tool_name": f"call {said}", "agent_name": f"agent {said}"}
        put(bus, run_id, "agent.tool.started", **tool, **places)
        put(bus, run_id, "agent.tool.completed", success=False, duration_ms=1.0, **tool, **places)
        put(bus, run_id, "agent.model.completed", span_id="s2", model=said, content_preview=f"see {said}")
        put(bus, run_id, f"my.{said}.completed", span_id="s3", n=1)
        put(bus, run_id, "agent.terminate", reason="error", final_message_preview=f"gave up: {said}")
        bus.close_stream_nowait(run_id)


def publish_look_alikes(bus: EventBus) -> None:
    """Make one run of them all, which is called, and tagged, by some."""
    names = [each["note"] for each in LOOK_ALIKES if "note" in each]
    bus.open_stream_nowait(
        "run-0", name=names[0], tags={f"t{n}": name for n, name in enumerate(names[::9])}, cell_id=names[1]
    )
    for each in LOOK_ALIKES:
        put(bus, "run-0", "my.look.alike", **each)
    for n, name in enumerate(names[:60]):
        put(bus, "run-0", "agent.tool.completed", span_id=f"s{n}", tool_name="t", output_preview=name)
    bus.close_stream_nowait("run-0")


def large_bus() -> EventBus:
    """A bus that keeps all of it."""
    return EventBus(max_queue_size=5000, history_per_run=5000, max_runs_retained=500)


def sent_by_live_views(bus: EventBus, run_id: str | None) -> str:
    """What a page is sent: of all rows, and once more when it says hello."""
    sent: list[str] = []

    def send(content: dict[str, Any], buffers: list[bytes]) -> None:
        sent.append(json.dumps(content) + b"".join(buffers).decode())

    clock = [0.0]
    subscription = bus.subscribe_global(replay=2000) if run_id is None else bus.subscribe(run_id)
    with subscription:
        sink = RowSink(send, run_id=run_id, clock=lambda: clock[0])
        while batch := subscription.next_batch_nowait():
            sink.put(batch)
            sink.hear({"kind": "hello", "last_seq": 0})
            for _ in range(20):
                clock[0] += 1.0
                sink.tick()
    return "".join(sent)


def shown_in_a_notebook(bus: EventBus, run_ids: list[str]) -> Iterator[str]:
    """Give html and text of everything that can be shown, frozen views among it, and of what repr says."""
    for watched in (None, run_ids[0], run_ids[-1]):
        with watch(watched, bus=bus) as view:
            view.freeze()
            yield json.dumps(view._repr_mimebundle_(), default=str) + json.dumps(
                view.get_state(), default=str
            )
    board = dashboard(bus=bus)
    board.freeze()
    yield json.dumps(board._repr_mimebundle_(), default=str)
    with monitor(bus=bus) as watching:
        watching.freeze()
        yield json.dumps(watching._repr_mimebundle_(), default=str)
    found = runs(source=bus)
    yield html_of(found) + text_of(found) + repr(found)
    for run_id in run_ids:
        run = Run(run_id, source=bus)
        yield html_of(run) + text_of(run) + repr(run)
    for run_id in run_ids[::FEW]:
        run = Run(run_id, source=bus)
        for shown in (run.timeline(), run.tree()):
            yield html_of(shown) + text_of(shown)
    for shown in (diff(run_ids[0], run_ids[-1], source=bus), diff(run_ids[:9], run_ids[-9:], source=bus)):
        yield html_of(shown) + text_of(shown) + repr(shown)
        for frame in (shown.df, shown.totals, shown.steps):
            yield text_of_frame(frame)


def text_of_frame(frame: pd.DataFrame) -> str:
    """All of a frame, its index too."""
    return json.dumps(frame.reset_index().astype(object).to_dict("split"), default=str, ensure_ascii=False)


def kept_in_files(bus: EventBus, run_ids: list[str], folder: Path) -> Iterator[str]:
    """Give all that a store of either kind writes, its log too, and all saved files; then what is read of them."""
    for kind in ("sqlite", "jsonl"):
        (folder / kind).mkdir()
        path = folder / kind / "kept"
        with Store(path, bus=bus, kind=kind) as store:
            assert store.flush(60)
            yield from bytes_below(folder / kind)
        yield from bytes_below(folder / kind)
        for frame_of in (events_df, runs_df, spans_df):
            yield text_of_frame(frame_of(source=history(path)))
    (folder / "saved").mkdir()
    for run_id in run_ids[::FEW]:
        save_run(bus, run_id, folder / "saved" / f"{run_id}.jsonl")
        Run(run_id, source=bus).to_html(folder / "saved" / f"{run_id}.html")
    yield from bytes_below(folder / "saved")
    yield html_of(runs(source=load(str(folder / "saved" / "*.jsonl"))))
    to_parquet(events_df(source=bus), folder / "events.parquet")
    yield text_of_frame(pd.read_parquet(folder / "events.parquet"))


def bytes_below(folder: Path) -> Iterator[str]:
    """Give the files of a folder, at any depth."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.read_bytes().decode("utf-8", "replace")


def in_frames(bus: EventBus) -> Iterator[str]:
    """Give all frames as text."""
    for frame_of in (events_df, runs_df, spans_df, tools_df, model_calls_df):
        yield text_of_frame(frame_of(source=bus))


def seen(bus: EventBus, folder: Path) -> str:
    """Give everything that can be seen of a bus from outside the process."""
    run_ids = list(bus.run_ids())
    texts = [sent_by_live_views(bus, None), *(sent_by_live_views(bus, run_id) for run_id in run_ids[:5])]
    texts += [*shown_in_a_notebook(bus, run_ids), *in_frames(bus), *kept_in_files(bus, run_ids, folder)]
    return "\n".join(texts)


@pytest.mark.filterwarnings("ignore::locus_nb.UnknownPriceWarning")
def test_no_secret_leaves(tmp_path: Path) -> None:
    """Of 400 secrets in every place of runs and payloads, nothing is in any view, frame, store or file."""
    bus = large_bus()
    publish_secrets(bus)
    everything = seen(bus, tmp_path)
    assert everything.count(MARKED) > 50 * len(SECRETS)
    leaked = [secret.text for secret in SECRETS if any(part in everything for part in secret.parts)]
    assert leaked == []


def test_nothing_else_is_hidden(tmp_path: Path) -> None:
    """Of 600 look-alikes, none is marked anywhere, and what is kept of them is what they were."""
    bus = large_bus()
    publish_look_alikes(bus)
    assert MARKED not in seen(bus, tmp_path)
    kept = events_df(source=history(tmp_path / "sqlite" / "kept"))["data"]
    assert list(kept)[: len(LOOK_ALIKES)] == LOOK_ALIKES


def test_there_are_hundreds_of_each() -> None:
    """The corpus is as large as it says, and no two secrets are the same."""
    assert len({secret.text for secret in SECRETS}) == len(SECRETS) == 400
    assert len(LOOK_ALIKES) >= 600


@pytest.mark.parametrize("seed", range(10))
def test_each_shape_is_known_whatever_its_letters(seed: int) -> None:
    """Secrets made anew by the same patterns are hidden too, in every place, and hiding twice changes nothing."""
    for secret in secrets(seed):
        once = redact(places_of(secret))
        told = json.dumps(once)
        assert not any(part in told for part in secret.parts), secret.text
        assert redact(once) == once


@pytest.mark.parametrize("secret", SECRETS, ids=range(len(SECRETS)))
def test_the_quick_check_knows_every_shape(secret: Secret) -> None:
    """What a pattern would change is never taken for ordinary, alone or among other texts."""
    for around in ("{}", "see {} there", "a-b_c.d {}", '{{"a": "{}"}}'):
        text = around.format(secret.text)
        if searched(text) != text:
            assert not is_ordinary(text)
            assert not all_ordinary(["plain words", text, "other words"])


def cut(text: str) -> str:
    """Give a text of a preview's length that ends with `text`."""
    return f"{'Q' * (MAX_PREVIEW - 1 - len(text))} {text}"


# Until enough of them is seen they could be anything, or what is seen is no secret.
LATE = re.compile(
    r"(?:bot)?[0-9]{9,}:|[0-9a-f]{32}-us|EAAA|SG\.|dt0c01|pat\w{14}\.|\w{14}\.atlasv1|M\w{24}\.|SK[0-9a-f]|...8Q~"
    r"|pcsk_|\S*https?://[^:]*@|https://\w+:x-oauth|ann:\w+@tcp|\w+ --(?:token|password) \w"
    r"|curl sent Basic|<(?:name|key)>|sgp_|re_"
)


@pytest.mark.parametrize(
    "secret", [each for each in SECRETS if not LATE.match(each.text)], ids=lambda each: each.text[:20]
)
def test_what_a_cut_left_of_a_secret_goes(secret: Secret) -> None:
    """Of a secret across the end of a preview, no three characters are seen, wherever it is cut."""
    text = secret.text if secret.name is None else f"{secret.name}={secret.text}"
    begin = text.find(secret.core)
    for kept in sorted({3, 4, 6, 9, len(secret.core) // 2}):
        left = text[: begin + kept]
        for given in (cut(left), f"see {left}…"):
            hidden = without_secrets(given)
            assert secret.core[:kept] not in hidden
            assert searched(given) == hidden == without_secrets(hidden)
            assert hidden == given or not all_ordinary(["plain words", given])


@pytest.mark.parametrize(
    "end",
    [
        *(
            "plain words",
            "a task",
            "see https://example.org/a/b",
            "http://localhost:8888",
            "at http://host:80",
        ),
        *("http://localhost:8888/lab", "a-b_c.d", "run-12345678", "x = {'a': 1", "<b>it", "12:30", "Oslo, "),
        *("ann@example.org", "npm-", "the password", "https://ann", "https://example.org:"),
    ],
)
def test_what_a_cut_left_of_other_words_stays(end: str) -> None:
    """An end of a preview that no secret begins with is left as it is."""
    assert without_secrets(cut(end)) == cut(end)


def test_only_a_cut_text_may_go_on() -> None:
    """What begins like a secret goes where a text was cut, by its length or an ellipsis, and stays elsewhere."""
    begun = "postgres://ann:hunter2secret"
    hidden = f"postgres://ann:{mark('URL password')}"
    assert without_secrets(cut(begun)) == cut(begun).replace(begun, hidden)
    assert without_secrets(f"{begun}…") == f"{hidden}…"
    assert without_secrets(cut(begun)[1:]) == cut(begun)[1:]
    assert without_secrets(f"Q{cut(begun)}") == f"Q{cut(begun)}"
    error = f"{'Q' * (MAX_ERROR - len(begun) - 1)} {begun}"
    assert redact({"error": error}) == {"error": error.replace(begun, hidden)}


def test_a_cut_repr_shows_no_beginning_of_a_secret() -> None:
    """Of a value whose text is too long, what the cut left of a secret goes too."""

    class Shown:
        def __repr__(self) -> str:
            return f"{'Q' * 950} postgres://ann:hunter2secret{'x' * 100}@db"

    assert redact(Shown()) == f"{'Q' * 950} postgres://ann:{mark('URL password')}... (1082 characters)"


def test_a_question_and_an_answer_are_cut_before_no_secret() -> None:
    """A question whose preview ends within a password does not show its beginning, nor does an option."""
    bus = large_bus()
    asked = f"{'Q' * 208} postgres://admin:hunter2secretX@db.example.org"
    question = asked[:MAX_PREVIEW]
    bus.open_stream_nowait("run-0")
    put(bus, "run-0", "agent.interrupt", question_preview=question, options=[question], default=question)
    put(bus, "run-0", "agent.interrupt.completed", question_preview=question, answer_preview=question)
    assert "hunter2" not in str(events_df(source=bus).to_dict())


def test_a_refused_call_of_a_tool_shows_no_argument() -> None:
    """A password given where a number is wanted is in no event of the agent's, with or without secrets hidden."""

    @tool
    def login(user: str, password: int, api_key: list[int]) -> str:
        return user

    given = {"user": "ann", "password": "hunter2secretXYZ", "api_key": ["hunter2secretXYZ"]}
    with run("login") as made:
        Agent(ScriptedModel([ToolCall("login", given), "sorry"]), tools=[login]).run_sync("Go")
    told = events_df(made, redact=False)
    assert "'password' must be an integer, not this str" in str(told["data"].to_dict())
    assert "hunter2" not in str(told.to_dict())


def test_marks_say_why() -> None:
    """A mark names the key that told, or what the secret's shape is of."""
    key = next(each.text for each in SECRETS if each.text.startswith("sk-proj-"))
    event = StreamEvent("r", "my.step", {"X-API-Key": "abc", "note": f"use {key}", "dsn": "db://u:pw@h"})
    assert redact(event.data) == {
        "X-API-Key": "[redacted: api_key]",
        "note": "use [redacted: OpenAI key]",
        "dsn": "db://u:[redacted: URL password]@h",
    }
