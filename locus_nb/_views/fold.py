"""Rows folded into what they tell of: a call is one item, from its start to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locus_nb._payloads.preview import preview_of
from locus_nb.event_types import AGENT_TOKENS_USED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locus_nb._views.rows import Row


class Item:
    """A row that leads, and those that are folded into it: the end of its span, chunks, the tokens it used.

    `used` tells the tokens: the one row that does, or the last of several with their sum, as frames give it.
    """

    __slots__ = ("chunks", "end", "lead", "used")

    def __init__(self, lead: Row) -> None:
        self.lead = lead
        self.end: Row | None = None
        self.used: Row | None = None
        self.chunks = 0

    @property
    def last(self) -> Row:
        """The row that tells most: the end, where there is one."""
        return self.end or self.lead

    @property
    def is_open(self) -> bool:
        """Whether it began and has not ended."""
        return self.lead.phase in ("start", "chunk") and self.end is None

    @property
    def duration_ms(self) -> float | None:
        """How long it took: what its end says, else the time between its rows; None for a point or an open one."""
        if self.last.duration_ms is not None:
            return self.last.duration_ms
        return None if self.end is None else max(0.0, self.end.time_ms - self.lead.time_ms)

    @property
    def begin_ms(self) -> float:
        """When it began; of an end alone, its duration before that."""
        alone = self.lead.phase == "end"
        return self.lead.time_ms - (self.lead.duration_ms or 0.0) if alone else self.lead.time_ms


def fold(rows: Iterable[Row]) -> list[Item]:
    """Give the items of rows that ascend by seq, in the order of what leads them."""
    items: list[Item] = []
    spans: dict[tuple[str, str], Item] = {}
    for row in rows:
        key = None if row.span_id is None else (row.run_id, row.span_id)
        item = spans.get(key) if key is not None else None
        if item is not None and _takes(item, row):
            continue
        item = Item(row)
        items.append(item)
        if key is not None and row.phase in ("start", "chunk"):
            spans[key] = item
    return items


def _takes(item: Item, row: Row) -> bool:
    """Fold a row of its span into an item; False if it is not one to be folded."""
    if row.phase == "end" and item.end is None:
        item.end = row
    elif row.phase == "chunk" and item.end is None:
        item.chunks += 1
    elif row.event_type == AGENT_TOKENS_USED:
        item.used = _summed(item.used, row)
    else:
        return False
    return True


def _summed(used: Row | None, row: Row) -> Row:
    """Add what another row tells of tokens; what was never told is unknown."""
    if used is None or not _tells(used):
        return row
    if not _tells(row):
        return used
    prompt = _sum(used.input_tokens, row.input_tokens)
    completion = _sum(used.output_tokens, row.output_tokens)
    told = {"prompt_tokens": prompt or 0, "completion_tokens": completion or 0}
    preview = preview_of(AGENT_TOKENS_USED, told)
    return row._replace(preview=preview, input_tokens=prompt, output_tokens=completion)


def _tells(row: Row) -> bool:
    return row.input_tokens is not None or row.output_tokens is not None


def _sum(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else left + right
