"""What model calls used: tokens and costs, told once for each call however often it was said."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from locus_nb._frames.columns import AmountColumn
from locus_nb._frames.event_columns import Tokens, own_times, rows_by_type, tokens_in
from locus_nb._frames.spans import codes_of
from locus_nb._payloads.chunks import clean_chunks
from locus_nb.event_types import AGENT_TOKENS_USED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from locus_nb._event import StreamEvent

    # Models, tokens, and times in nanoseconds, to US dollars; NaN where that is unknown.
    Price = Callable[[Sequence[Any], Tokens, NDArray[np.int64]], NDArray[np.float64]]

_COST = "cost_usd"


class Usage:
    """The events that tell of tokens or of a cost.

    Attributes:
        rows: Their places among all events, ascending.
        ids: The span ids they name.
        tells_tokens: Whether each is an `agent.tokens.used`.
        tokens: What each says of tokens; -1 where that is nothing.
    """

    def __init__(self, events: Sequence[StreamEvent], *, price: Price | None = None) -> None:
        raws = [event._data for event in events]
        rows: list[int] = []
        ids: list[Any] = []
        models: list[Any] = []
        costs = AmountColumn()
        tokens: list[Tokens] = []
        tell: list[NDArray[np.bool_]] = []
        for event_type, alike in rows_by_type(events):
            tells_tokens = event_type == AGENT_TOKENS_USED
            wanted = alike if tells_tokens else [row for row in alike if _has_cost(raws[row])]
            for chunk in clean_chunks(event_type, wanted, raws, secrets=True, copy=False):
                length = len(chunk.rows)
                nothing = (None,) * length
                rows += chunk.rows
                ids += chunk.columns.get("span_id", nothing)
                models += chunk.columns.get("model", nothing)
                costs.add(chunk.columns.get(_COST, nothing))
                tell.append(np.full(length, tells_tokens))
                unknown = np.full(length, -1)
                tokens.append(
                    tokens_in(chunk) if tells_tokens else Tokens(unknown, unknown, unknown, unknown)
                )
        none = np.empty(0, np.int64)
        told = costs.array(np.arange(len(rows))).to_numpy(np.float64, na_value=np.nan)
        tells = np.concatenate([np.empty(0, np.bool_), *tell])
        order = np.argsort(np.array(rows, np.intp), kind="stable")
        # What has a cost that is none, and no tokens, tells nothing.
        order = order[(tells | ~np.isnan(told))[order]]
        self.rows = np.array(rows, np.intp)[order]
        self.ids = [ids[place] for place in order.tolist()]
        self.tokens = Tokens(*(np.concatenate([none, *parts])[order] for parts in _columns(tokens)))
        self.tells_tokens, told = tells[order], told[order]
        self._told = told.copy()
        self._costs = told
        unpriced = self.tells_tokens & np.isnan(told)
        if price is not None and unpriced.any():
            places = np.flatnonzero(unpriced)
            some = Tokens(*(part[places] for part in self.tokens))
            times = own_times(events)[self.rows[places]]
            self._costs[places] = price([models[place] for place in order[places].tolist()], some, times)

    def calls(self, runs: NDArray[Any]) -> NDArray[np.int64]:
        """Number the calls that the events tell of: those of one span are about the same one."""
        codes = codes_of(self.ids)
        alone = codes < 0
        codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
        keys = runs[self.rows].astype(np.int64) * (codes.max(initial=0) + 1) + codes
        _, numbers = np.unique(keys, return_inverse=True)
        return numbers.astype(np.int64)

    def cost_of(self, numbers: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        """Give what each call cost; NaN where that, or a part of it, is unknown.

        What comes with a call's tokens is its cost, in sum; else what was told of it last.

        Args:
            numbers: The call that each event tells of; -1 for none.
            count: How many calls there are.
        """
        here = numbers >= 0
        with_tokens = here & self.tells_tokens
        by_tokens = np.zeros(count)
        np.add.at(by_tokens, numbers[with_tokens], self._costs[with_tokens])
        has_tokens = np.zeros(count, np.bool_)
        has_tokens[numbers[with_tokens]] = True
        by_others = np.full(count, np.nan)
        others = here & ~self.tells_tokens & ~np.isnan(self._costs)
        by_others[numbers[others]] = self._costs[others]
        # Told beats priced.
        told = np.zeros(count)
        np.add.at(told, numbers[with_tokens], self._told[with_tokens])
        best = np.where(has_tokens & ~np.isnan(told), told, by_others)
        return np.where(np.isnan(best) & has_tokens, by_tokens, best)

    def sum_of(self, part: NDArray[np.int64], numbers: NDArray[np.int64], count: int) -> Any:
        """Add up what was told of one of `tokens`; -1 where nothing was."""
        known = (numbers >= 0) & (part >= 0)
        sums = np.full(count, -1)
        sums[numbers[known]] = 0
        np.add.at(sums, numbers[known], part[known])
        return sums


def _has_cost(raw: dict[Any, Any]) -> bool:
    try:
        return _COST in raw
    except Exception:  # noqa: BLE001 - an edge: methods of a payload's own keys; its copy tells
        return True


def _columns(tokens: list[Tokens]) -> list[list[NDArray[np.int64]]]:
    return [[each[place] for each in tokens] for place in range(len(Tokens._fields))]
