"""How `doctor` asks a page, and for how long it listens."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb._doctor import page_probe
from locus_nb._doctor.answer import Answer
from locus_nb._views import view as view_module
from locus_nb._views.pump import the_pump
from tests.bus_kit import GRACE_S
from tests.doctor_kit import HELLO, outputs_of_probes, say_from_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locus_nb._doctor.page_probe import PageProbe


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What a probe and its report show and update: the id and the data of each output."""
    return outputs_of_probes(monkeypatch)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


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
    assert not any(isinstance(sink, page_probe._Patience) for sink in tuple(the_pump()._pairs))


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
