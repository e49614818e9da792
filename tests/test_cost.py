"""What model calls cost, and what is said where that is not known."""

from __future__ import annotations

import itertools
import math
import socket
import subprocess
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers
from genai_prices.types import TieredPrices
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import (
    EventBus,
    Run,
    StreamEvent,
    UnknownPriceWarning,
    configure,
    diff,
    model_calls_df,
    runs,
    runs_df,
)
from locus_nb._sums.cost import Pricing
from locus_nb._sums.gaps import Gap
from locus_nb._sums.prices import PackagePrices, PriceTable, prices_of
from locus_nb._sums.usage import Counts
from tests.run_kit import call_model, html_of, put, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TABLE = {
    "plain": {"input": 2, "output": 10},
    "cached": {"input": 4, "output": 20, "cache_read": 0.5, "cache_write": Decimal(5)},
    "free": {"input": 0, "output": 0},
}
PRICES = prices_of(True)
COUNTS = st.integers(0, 2_000_000)
# Every model of the package with token prices, by a name that finds it.
PRICED = [
    (f"{provider.id}/{model.id}", provider.id, model.id)
    for provider in providers
    for model in provider.models
    if PRICES.rates(f"{provider.id}/{model.id}", NOW) is not None
]


def one(table: Any, model: str | None, *, at: datetime = NOW, **counts: Any) -> float:
    """Give the cost of one call; what is not said is 0."""
    return Pricing(prices_of(table)).usd(model, Counts(**{"input": 0, "output": 0, **counts}), micros(at))


def micros(moment: datetime) -> int:
    """Give microseconds since the Unix epoch."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


# A table of one's own


def test_tokens_times_prices() -> None:
    """A call costs its tokens times the table's prices per million."""
    assert one(TABLE, "plain", input=1_000_000, output=500_000) == pytest.approx(7)
    assert one(TABLE, "free", input=1_000, output=1_000) == 0
    assert one(TABLE, "plain") == 0


def test_cached_tokens_are_priced_once() -> None:
    """Cached tokens, which the input includes, are priced as cached and no longer as input."""
    counts: dict[str, Any] = {
        "input": 1_000_000,
        "read": 600_000,
        "written": 100_000,
        "output": 10_000,
    }
    assert one(TABLE, "cached", **counts) == pytest.approx(0.3 * 4 + 0.6 * 0.5 + 0.1 * 5 + 0.01 * 20)
    all_read: dict[str, Any] = {"input": 1_000_000, "read": 1_000_000}
    assert one(TABLE, "cached", **all_read) == pytest.approx(0.5)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_cost_is_the_sum_of_its_parts(uncached: int, read: int, written: int, output: int) -> None:
    """For any counts the cost is that of the uncached, the read, the written and the output tokens."""
    whole = one(
        TABLE,
        "cached",
        input=uncached + read + written,
        read=read,
        written=written,
        output=output,
    )
    assert whole == pytest.approx((4 * uncached + 0.5 * read + 5 * written + 20 * output) / 1e6)


def test_what_is_unknown_is_nan() -> None:
    """An unknown model or count, cached tokens without a price, and more cached than read cost NaN, never 0."""
    for model, counts in [
        ("mock", {"input": 1}),
        ("mock", {}),
        ("Plain", {}),
        (None, {}),
        ("plain", {"input": -1}),
        ("plain", {"output": -1}),
        ("plain", {"input": 10, "read": 1}),
        ("plain", {"input": 10, "written": 1}),
        ("cached", {"input": 10, "read": 6, "written": 5}),
    ]:
        assert math.isnan(one(TABLE, model, **counts)), (model, counts)
    # Who says nothing of a cache has none.
    assert one(TABLE, "plain", input=1_000_000, read=-1, written=-1) == pytest.approx(2)


def test_names_with_stars() -> None:
    """A star stands for any text; the name itself goes first, then the pattern with the most other characters."""

    def price(input_price: int) -> dict[str, int]:
        return {"input": input_price, "output": 0}

    table = {
        "*": price(1),
        "gpt-*": price(2),
        "gpt-*-mini": price(3),
        "gpt-5-mini": price(4),
        "[a].b?": price(5),
        "**x**": price(6),
    }
    prices = prices_of(table)
    for model, dollars in [
        ("anything", 1),
        ("", 1),
        ("gpt-", 2),
        ("gpt-5", 2),
        ("gpt-5\nbig", 2),
        ("gpt-6-mini", 3),
        ("gpt-5-mini", 4),
        ("[a].b?", 5),
        ("a.bc", 1),
        ("a x", 6),
    ]:
        assert one(prices, model, input=1_000_000) == dollars, model
    assert math.isnan(one({"gpt-*": price(1)}, "my-gpt-5"))


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame.from_dict(TABLE, orient="index"),
        pd.DataFrame.from_dict(TABLE, orient="index").astype("Float64"),
        pd.DataFrame.from_dict(TABLE, orient="index").rename_axis("model").reset_index(),
        pd.DataFrame([(name, row["input"], row["output"]) for name, row in TABLE.items()]).set_axis(
            ["model", "input", "output"], axis=1
        ),
    ],
)
def test_a_table_as_a_frame(frame: pd.DataFrame) -> None:
    """A frame with the names as index, or in a column, is the same table; an empty cell is no price."""
    assert one(frame, "plain", input=1_000_000, output=1_000_000) == pytest.approx(12)
    assert math.isnan(one(frame, "plain", input=10, read=1))
    if "cache_read" in frame:
        assert one(frame, "cached", input=1_000_000, read=1_000_000) == pytest.approx(0.5)


RIGHT = {"input": 1, "output": 1}


@pytest.mark.parametrize(
    "prices,error,said",
    [
        (None, TypeError, "not NoneType"),
        (False, TypeError, "not bool"),
        (3, TypeError, "not int"),
        ([("m", RIGHT)], TypeError, "not list"),
        ("litellm", ValueError, "prices='litellm' is not known"),
        ({3: RIGHT}, TypeError, "by a str, not by int 3"),
        ({"": RIGHT}, ValueError, "empty text"),
        ({"m": 3}, TypeError, "has a int for 'm'"),
        ({"m": {}}, ValueError, "no 'input' for 'm'"),
        ({"m": {"input": 1}}, ValueError, "no 'output' for 'm'"),
        ({"m": {"input": None, "output": 1}}, ValueError, "no 'input' for 'm'"),
        ({"m": {"input": math.nan, "output": 1}}, ValueError, "no 'input' for 'm'"),
        (
            {"m": {**RIGHT, "prompt": 1}},
            ValueError,
            "has 'prompt' for 'm': the prices are input, output, cache",
        ),
        ({"m": {**RIGHT, "cache_read": "1"}}, TypeError, "'1' as 'cache_read' for 'm', which is no number"),
        ({"m": {**RIGHT, "cache_read": True}}, TypeError, "which is no number"),
        ({"m": {**RIGHT, "cache_write": -1}}, ValueError, "finite and not negative"),
        ({"m": {**RIGHT, "cache_write": math.inf}}, ValueError, "finite and not negative"),
        (pd.DataFrame({"input": [1]}, index=["m"]), ValueError, "no 'output' for 'm'"),
        (pd.DataFrame({"input": [1], "output": [1]}), TypeError, "by a str, not by int 0"),
        (pd.DataFrame({"model": ["m", "m"], "input": 1, "output": 1}), ValueError, "two rows for 'm'"),
        (pd.DataFrame({"model": ["m"], "input": 1, "output": [math.nan]}), ValueError, "no 'output' for 'm'"),
    ],
)
def test_what_is_no_price_table(prices: object, error: type[Exception], said: str) -> None:
    """What is no table of prices is refused, with the model, the price, and what is wrong."""
    with pytest.raises(error) as caught:
        prices_of(prices)
    assert said in str(caught.value)


def test_prices_are_taken_as_they_are() -> None:
    """What `prices_of` gave it takes again, so whoever was given prices need not ask what they are."""
    prices = prices_of(TABLE)
    assert isinstance(prices, PriceTable)
    assert prices_of(prices) is prices
    assert isinstance(prices_of("genai-prices"), PackagePrices)


# The package


@given(st.sampled_from(PRICED), st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), st.integers(-2_000, 2_000))
def test_the_packages_own_costs(
    model: tuple[str, str, str], counts: tuple[int, int, int, int], hours: int
) -> None:
    """For any model and counts the cost is the package's own; NaN only for tokens without a price of their own."""
    name, provider_id, own_name = model
    uncached, read, written, output = counts
    moment = NOW + timedelta(hours=hours)
    rates = PRICES.rates(name, moment)
    assert rates is not None
    input_tokens = uncached + read + written
    ours = one(
        True,
        name,
        input=input_tokens,
        output=output,
        read=read,
        written=written,
        at=moment,
    )
    lacking = (
        (output and not rates.output)
        or (read and not rates.cache_read)
        or (written and not rates.cache_write)
    )
    if lacking:
        assert math.isnan(ours)
        return
    usage = Usage(
        input_tokens=input_tokens, cache_read_tokens=read, cache_write_tokens=written, output_tokens=output
    )
    theirs = calc_price(usage, own_name, provider_id=provider_id, genai_request_timestamp=moment)
    assert ours == pytest.approx(float(theirs.total_price))


def test_tiers_begin_where_the_packages_do() -> None:
    """At the start of a tier, one token before and one behind it, the cost is the package's own."""
    tried = 0
    for name, provider_id, own_name in PRICED:
        rates = PRICES.rates(name, NOW)
        assert rates is not None
        for start in rates.input.starts:
            for count in (start - 1, start, start + 1):
                usage = Usage(input_tokens=count)
                theirs = calc_price(usage, own_name, provider_id=provider_id, genai_request_timestamp=NOW)
                ours = one(True, name, input=count, at=NOW)
                assert ours == pytest.approx(float(theirs.total_price))
                tried += 1
    assert tried or not any(
        isinstance(getattr(model.prices, "input_mtok", None), TieredPrices)
        for provider in providers
        for model in provider.models
    )


def test_prices_change() -> None:
    """Calls of one model at several times have the prices of those times."""
    days = [NOW + timedelta(days=n, hours=n % 24) for n in range(-500, 500)]
    varying = [name for name, _, _ in PRICED if PRICES.varies(name)]
    name = max(varying, key=lambda name: len({PRICES.rates(name, day) for day in days[::10]}))
    pricing = Pricing(PRICES)
    costs = [pricing.usd(name, Counts(1_000, 1_000), micros(day)) for day in days]
    assert costs == [one(True, name, input=1_000, output=1_000, at=day) for day in days]
    assert len(set(costs)) > 1


def test_names_the_package_finds() -> None:
    """A model is found by its own name, and by that after its provider's; what is none is unknown."""
    openai = next(provider for provider in providers if provider.id == "openai")
    name = next(model.id for model in openai.models if PRICES.rates(model.id, NOW))
    spellings = [name, name.upper(), f"openai/{name}", f"openai:{name}"]
    assert len({one(True, spelling, input=1_000, at=NOW) for spelling in spellings}) == 1
    unknown = ["mock", "scripted", "test", "", f"nobody/{name}", ":", "a/", "x" * 100_000]
    assert {name for name in [*spellings, *unknown] if PRICES.rates(name, NOW) is None} == set(unknown)


def test_each_provider_has_its_own_prices() -> None:
    """A model named with its provider has that provider's price, though others sell it for another one."""
    for provider in providers:
        for model in provider.models:
            try:
                theirs = calc_price(Usage(), model.id, provider_id=provider.id, genai_request_timestamp=NOW)
                price = theirs.model_price.input_mtok
            except LookupError:
                price = None
            rates = PRICES.rates(f"{provider.id}/{model.id}", NOW)
            wanted = (
                None if price is None else float(price.base if isinstance(price, TieredPrices) else price)
            )
            assert (rates and rates.input.prices[0]) == wanted, (provider.id, model.id)


def test_models_without_token_prices_are_unknown() -> None:
    """What the package prices by other units than tokens, or not at all, costs NaN, where the package itself says 0."""
    without = [
        f"{provider.id}/{model.id}"
        for provider in providers
        for model in provider.models
        if getattr(model.prices, "input_mtok", 0) is None
    ]
    costs = [one(PRICES, name, input=10) for name in without[:50]]
    assert costs
    assert all(map(math.isnan, costs))


def test_no_price_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pricing by the package opens no connection and starts no thread."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was opened"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up"))
    assert one(True, PRICED[0][0], input=1_000) >= 0


def test_the_package_is_missing() -> None:
    """Without the package the error names it, who needs it and the pip line; a table needs no package."""
    script = """
import sys
sys.modules["genai_prices"] = None
from locus_nb._sums.prices import prices_of
prices_of({"m": {"input": 1, "output": 1}})
try:
    prices_of(True)
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "prices='genai-prices' needs the package genai-prices, which is not installed: "
        'python -m pip install "locus-nb[cost]"'
    )


def test_pricing_needs_no_dataframe_library() -> None:
    """Pricing by the package or by a mapping loads neither pandas nor numpy."""
    script = """
import sys
from locus_nb._sums.cost import pricing_of
pricing_of("genai-prices"), pricing_of({"m": {"input": 1, "output": 1}})
print(*{"numpy", "pandas"} & {*sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# The prices of the process


@pytest.fixture
def bus() -> Iterator[EventBus]:
    """Give a bus with one run of a known model and one of an unknown one, and no prices afterwards."""
    bus = EventBus()
    for name in ("mock", "odd"):
        call_model(bus, name, name)
        put(bus, name, "agent.terminate", reason="complete")
        bus.close_stream_nowait(name)
    yield bus
    configure(prices=None)


def test_prices_of_the_process_are_everywhere(bus: EventBus) -> None:
    """With `configure(prices=...)` frames, runs, their pictures, lists and differences say what tokens cost."""
    run, cost = Run("mock", source=bus), (100 * 30 + 10 * 100) / 1e6
    assert math.isnan(run.cost)
    assert "cost unknown" in text_of(run)
    assert configure(prices={"mock": {"input": 30, "output": 100}}) is None
    assert run.cost == cost
    assert list(runs_df("mock", source=bus)["cost_usd"]) == [cost]
    assert list(model_calls_df("mock", source=bus)["cost_usd"]) == [cost]
    found = diff("mock", "mock", source=bus)
    assert found.totals.set_index("metric").loc["cost_usd", "a"] == cost
    for shown in (run, runs(source=bus)[-1:], found, diff([run], [run])):
        assert "$0.004" in text_of(shown)
        assert "$0.004" in html_of(shown)
    assert runs_df("mock", source=bus, prices=False)["cost_usd"].isna().all()
    other = runs_df("mock", source=bus, prices={"*": {"input": 0, "output": 0}})
    assert list(other["cost_usd"]) == [0]


def test_a_model_without_a_price_is_said_in_pictures(bus: EventBus) -> None:
    """A model that the process's prices lack is named where a cost is shown as unknown, and warned of in `cost`."""
    run = Run("odd", source=bus)
    configure(prices={"mock": {"input": 30, "output": 100}})
    for shown in (run, runs(source=bus), diff(run, run), diff([run], [run])):
        assert "No price is known for 'odd'" in text_of(shown)
    with pytest.warns(UnknownPriceWarning, match="'odd'") as warned:
        assert math.isnan(run.cost)
    assert warned[0].filename == __file__


def test_wrong_prices_of_the_process(bus: EventBus) -> None:
    """What are no prices is refused, and those from before stay; without prices the store stays as it is."""
    configure(prices={"mock": {"input": 30, "output": 100}})
    with pytest.raises(TypeError):
        configure(prices=3)
    assert Run("mock", source=bus).cost > 0
    assert configure(prices=False) is None
    assert math.isnan(Run("mock", source=bus).cost)


# Many calls


def test_many_calls_are_quick() -> None:
    """100,000 calls, at times of their own, take less than two seconds to price."""
    names = [name for name, _, _ in PRICED[:20]] + ["mock"]
    first, pricing = micros(NOW), Pricing(PRICES)
    began = time.process_time()
    for n, name in zip(range(100_000), itertools.cycle(names), strict=False):
        pricing.usd(name, Counts(n, n, n // 2), first + n * 100_000)
    assert time.process_time() - began < 2
    assert Gap("price", "mock") in pricing.gaps


# What is said


def test_a_warning_names_the_models() -> None:
    """The models that made costs NaN are named, in one warning at the caller's line, with what to do."""
    pricing = Pricing(prices_of(TABLE))
    for model, counts in (("mock", Counts(1, 1)), ("mock", Counts(1, 1)), ("plain", Counts(9, 1, 1))):
        assert math.isnan(pricing.usd(model, counts, 0))
    assert pricing.gaps == {Gap("price", "mock"), Gap("part", "plain")}
    with pytest.warns(UnknownPriceWarning) as caught:
        pricing.warn()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    said = str(caught[0].message)
    assert said.startswith(
        "No price is known for 'mock'. No price for cached tokens, or none for output, is known"
    )
    assert "'plain'" in said
    assert "NaN" in said
    for n in range(15):
        pricing.usd(f"m{n}", Counts(1, 1), 0)
    with pytest.warns(UnknownPriceWarning, match="'m0', .* and 6 more"):
        pricing.warn()


def test_nothing_is_said_without_need() -> None:
    """Where all that is needed is known, nobody is warned."""
    pricing = Pricing(prices_of(TABLE))
    assert pricing.usd("plain", Counts(1, 1), 0) > 0
    assert pricing.usd("free", Counts(-1, 1), 0) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pricing.warn()


@pytest.mark.parametrize(
    "told, said",
    [
        ({"model": "plain", "prompt_tokens": 9}, "The input or the output tokens are not known"),
        ({"model": "plain", "completion_tokens": 9}, "of calls of 'plain'. These costs are NaN"),
        ({"model": "cached", "prompt_tokens": 9, "completion_tokens": 0, "cache_read_tokens": 5}, ""),
        ({"prompt_tokens": 9, "completion_tokens": 9}, "of which nobody said the model. These costs are NaN"),
    ],
)
def test_missing_models_and_tokens_are_said(told: dict[str, Any], said: str) -> None:
    """A cost that is NaN for want of a model or of its tokens is said, as a warning and in pictures."""
    bus = EventBus()
    put(bus, "run", "agent.tokens.used", **told)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cost = runs_df("run", source=bus, prices=TABLE)["cost_usd"]
    assert bool(caught) is bool(said)
    assert cost.isna().all() == bool(said)
    assert said in "".join(str(each.message) for each in caught)
    configure(prices=TABLE)
    try:
        assert said.partition(". These")[0] in text_of(Run("run", source=bus))
    finally:
        configure(prices=None)


def test_tokens_that_cost_nothing_may_be_unknown() -> None:
    """Of a kind of tokens that is free it does not matter how many there were; of the others it does."""
    embedding = {"text-*": {"input": 1, "output": 0}, "tiered": {"input": 0, "output": 1}}
    assert one(embedding, "text-3", input=1_000_000, output=-1) == 1
    assert one(embedding, "tiered", input=-1, output=1_000_000) == 1
    assert math.isnan(one(embedding, "text-3", input=-1))
    assert math.isnan(one(embedding, "tiered", output=-1))
    used = StreamEvent("run", "agent.tokens.used", {"prompt_tokens": 1_000, "model": "text-3"})
    assert runs_df([used], prices=embedding)["cost_usd"].tolist() == [0.001]


def test_only_costs_that_were_asked_for_are_warned_of() -> None:
    """Neither rows that a time leaves out nor a frame without its costs make anybody hear of a price."""
    bus = EventBus()
    call_model(bus, "run", "odd")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for frame_of in (runs_df, model_calls_df):
            assert frame_of(source=bus, since="2100-01-01T00:00Z", prices={}).empty
            assert len(frame_of(source=bus, columns="run_id", prices={})) == 1
        with pytest.raises(TypeError):
            runs_df(source=bus, columns="run_id", prices=3)
    asked: list[dict[str, Any]] = [{"columns": "usage"}, {"until": "2100-01-01T00:00Z"}]
    for options in asked:
        for frame_of in (runs_df, model_calls_df):
            with pytest.warns(UnknownPriceWarning, match="'odd'") as warned:
                frame_of(source=bus, prices={}, **options)
            assert warned[0].filename == __file__
