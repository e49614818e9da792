"""Events as rows of a table: what a view shows of them, secrets taken out."""

from __future__ import annotations

import json
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from locus_nb._preview import preview_of
from locus_nb._redact import redact
from locus_nb._wire import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locus_nb._event import StreamEvent

_LONGEST_DETAIL = 4000
_CUT = "\n... cut here: the event's data holds more"
# As much of a payload as is looked at: enough that a secret which begins in sight is there as a whole.
_LOOKED_AT = 3 * _LONGEST_DETAIL
_DEEP = 64
# What one value that is no text takes of it, and the keys and brackets around.
_EACH = 16
_encode_flat = json.JSONEncoder(ensure_ascii=False, separators=(",\n  ", ": ")).encode


class Row(NamedTuple):
    """One event as a view shows it; text only, safe to leave the process.

    `time_ms` is the Unix epoch in milliseconds (UTC). `detail` is the redacted payload as indented
    JSON, cut at 4,000 characters, which its last line then says. Making it takes no longer for a payload of
    megabytes.
    """

    seq: int
    time_ms: int
    event_type: str
    run_id: str
    preview: str
    detail: str


def row_of(event: StreamEvent) -> Row:
    """Make the row of a published event."""
    room = _Room()
    data = redact(room.head(dict(event.data)))
    detail = _indented(data)
    if room.left <= 0 or len(detail) > _LONGEST_DETAIL:
        detail = detail[:_LONGEST_DETAIL] + _CUT
    return Row(
        seq=event.seq or 0,
        time_ms=event.timestamp_ns // 1_000_000,
        event_type=event.event_type,
        run_id=event.run_id,
        preview=preview_of(event.event_type, data),
        detail=detail,
    )


class _Room:
    """What is left of the characters that are looked at."""

    def __init__(self) -> None:
        self.left = _LOOKED_AT

    def head(self, value: Any, depth: int = 0) -> Any:
        """Copy the beginning of `value`, as far as there is room; of other types than JSON's all."""
        kind = cast("type[Any]", type(value))
        if kind is str:
            text = value[: max(0, self.left)]
            self.left -= len(value)
            return text
        self.left -= _EACH
        if depth >= _DEEP or kind not in _CONTAINERS:
            return value
        # In one call, because another thread may change what it published.
        items: tuple[Any, ...] = tuple(islice(value.items() if kind is dict else value, max(0, self.left)))
        if kind is dict:
            return {self._key(key): self.head(item, depth + 1) for key, item in items if self.left > 0}
        return [self.head(item, depth + 1) for item in items if self.left > 0]

    def _key(self, key: Any) -> Any:
        return self.head(key) if type(key) is str else key


# A set is left to those who sort it.
_CONTAINERS = {dict, list, tuple}


def _indented(data: dict[str, Any]) -> str:
    """Give `data` as JSON, indented by two."""
    if data and not any(isinstance(value, dict | list) for value in data.values()):
        # The same text, several times faster: with `indent` the encoder in C is not used.
        return f"{{\n  {_encode_flat(data)[1:-1]}\n}}"
    return json.dumps(data, indent=2, ensure_ascii=False)


class RowStore:
    """The newest rows of one view, `size` at most, ready to be sent.

    One thread writes and reads it; `newest`, `total` and `len` may be asked from any.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._rows: deque[Row] = deque(maxlen=size)
        self.total = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def last_seq(self) -> int:
        """The newest row's seq; 0 without rows."""
        return self._rows[-1].seq if self._rows else 0

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows, in the bus's order."""
        for row in rows:
            self._rows.append(row)
            self.total += 1

    def newest(self, count: int) -> list[Row]:
        """The newest `count` rows, oldest first."""
        return list(islice(self._rows, max(0, len(self._rows) - count), None))

    def before_newest(self, count: int) -> int:
        """The seq of the row just before the newest `count`; 0 if there is none."""
        start = len(self._rows) - count
        return self._rows[start - 1].seq if start > 0 else 0

    def after(self, seq: int, count: int) -> list[Row]:
        """The `count` oldest of the rows after `seq`."""
        start = len(self._rows) - self.count_after(seq)
        return list(islice(self._rows, start, start + count))

    def count_after(self, seq: int) -> int:
        """How many rows come after `seq`."""
        count = 0
        for row in reversed(self._rows):
            if row.seq <= seq:
                break
            count += 1
        return count


def encode(rows: Sequence[Row]) -> bytes:
    """Rows as the page takes them: a JSON array of arrays, UTF-8."""
    return dumps([list(row) for row in rows]).encode()
