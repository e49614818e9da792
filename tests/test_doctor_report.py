"""How what `doctor` found reads, and how it is brought up to date when a page answers."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import Diagnosis, Finding, configure
from locus_nb._doctor import diagnosis as diagnosis_module
from locus_nb._doctor import lab, page_probe
from locus_nb._doctor.host import Host
from tests.doctor_kit import HEARD, HOSTILE, KERNEL, SECRET, have_page_answer, outputs_of_probes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locus_nb._doctor.page_probe import PageProbe


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What a probe and its report show and update: the id and the data of each output."""
    return outputs_of_probes(monkeypatch)


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
    have_page_answer(probe_of(found))
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
            have_page_answer(probe)
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
            have_page_answer(given)
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
            have_page_answer(probe)
        return given

    monkeypatch.setattr(diagnosis_module, "lab_findings", answered_after)
    told = found.to_dict()
    pages = [each["found"] for each in told["findings"] if each["name"] == "page"]
    assert pages == ["none has answered yet; this report is brought up to date when one does"]
    assert told["conclusion"].endswith("no page had answered when this was written.")
    assert found.conclusion == HEARD
