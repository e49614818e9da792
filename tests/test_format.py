from __future__ import annotations

from typing import TYPE_CHECKING

from locus_nb._payloads.format import counted, duration, middle

if TYPE_CHECKING:
    from tests.browser import Tab

UNITS_MS = [0.001, 1.0, 1_000.0, 60_000.0, 3_600_000.0, 86_400_000.0]
SHARES = [
    0.0,
    0.4999,
    0.9985,
    0.99951,
    1.0,
    1.005,
    1.125,
    1.9999,
    9.995,
    12.345,
    59.4,
    59.96,
    123.456,
    999.4,
    999.51,
]


def test_lengths_read_as_in_the_live_views(chromium_page: Tab) -> None:
    """A length of time reads the same, letter by letter, in a static picture and in the page."""
    lengths = [unit * share for unit in UNITS_MS for share in SHARES]
    seen = chromium_page.evaluate(
        """async (lengths) => {
            const { formatDuration } = await import("/page/format.js");
            return lengths.map(formatDuration);
        }""",
        lengths,
    )
    assert [duration(ms) for ms in lengths] == seen


def test_odd_lengths_are_no_error() -> None:
    """What is no length is a dash, and nothing is too long."""
    assert duration(float("nan")) == duration(float("inf")) == "\N{EN DASH}"
    assert duration(1e18) == "277,777,777,777 h 46 m"


def test_number_has_its_noun() -> None:
    """One is singular, thousands have commas."""
    assert [counted(number, "event") for number in (0, 1, 12_000)] == ["0 events", "1 event", "12,000 events"]


def test_long_names_are_cut_in_the_middle() -> None:
    """A name keeps its beginning and its end, where names of a kind differ; a short one is whole."""
    assert middle("run-2026-01-05T09:30:00-crew-17", 15) == "run-20…-crew-17"
    assert middle("run", 15) == "run"
    assert len(middle("x" * 1_000_000, 15)) == 15
