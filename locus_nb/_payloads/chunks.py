"""Many payloads at once: what `redact` makes of each, at a fraction of its cost.

Payloads of one event type mostly have the same keys, and hold nothing that needs a second look. So they are
looked at column by column: whether a thousand values are all ordinary is one question to the interpreter,
and those that are need only be copied. The few others take the long way, one by one.
"""

from __future__ import annotations

import math
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from locus_nb._payloads.ordinary import all_ordinary
from locus_nb._payloads.redact import VALUE_KEYS, is_ordinary_key, redact, redaction
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Payload = dict[str, Any]
    Test = Callable[[Sequence[Any]], bool]

# Payloads looked at together, at most: enough to make a question cheap, few enough for one secret to spoil
# little.
TOGETHER = 2048
# Fewer than this are cheaper to take the long way.
_FEW = 4
_REPEATED_FROM = 32
_WORD = 1 << 63


class Chunk(NamedTuple):
    """Clean payloads of one event type with the same keys.

    `rows` are their places in what was given; `columns` has for each key the values, in the order of `rows`.
    Of `ordinary` ones a copy, down to the lists, was all it took.
    """

    event_type: str
    rows: Sequence[int]
    payloads: Sequence[Payload]
    columns: Mapping[str, Sequence[Any]]
    ordinary: bool = True


def clean_chunks(
    event_type: str,
    rows: Sequence[int],
    raws: Sequence[dict[Any, Any]],
    *,
    secrets: bool,
    copy: bool = True,
) -> Iterator[Chunk]:
    """Copy payloads of one event type as `redact` does, or as `jsonable` where `secrets` may stay.

    Every row comes once. Never raises; KeyboardInterrupt and SystemExit pass through.

    Args:
        event_type: The event type of all.
        rows: Their places in `raws`.
        raws: Exact dicts that nobody changes; what they hold may be anything, and may change meanwhile.
        secrets: Leave secrets in.
        copy: False: payloads need not be copies; nobody is to change them.
    """
    how = redaction()
    secrets = secrets or how == "off"
    clean = jsonable if secrets else redact
    # A function of the user's is asked about every value.
    one_by_one = how == "asks" and not secrets
    odd: dict[tuple[str, ...], list[tuple[int, Payload]]] = {}
    for start in range(0, len(rows), TOGETHER):
        some = rows[start : start + TOGETHER]
        some_raws = [raws[row] for row in some]
        chunks = () if one_by_one else _plain_chunks(event_type, some, some_raws, secrets=secrets, copy=copy)
        done: list[Sequence[int]] = []
        for chunk in chunks:
            if chunk is not None and chunk.rows:
                yield chunk
                done.append(chunk.rows)
        if sum(map(len, done)) == len(some):
            continue
        for row in sorted(set(some).difference(*done)):
            payload = clean(raws[row])
            odd.setdefault(tuple(payload), []).append((row, payload))
    for keys, members in odd.items():
        odd_rows, payloads = zip(*members, strict=True)
        yield Chunk(
            event_type,
            odd_rows,
            payloads,
            {key: [payload[key] for payload in payloads] for key in keys},
            ordinary=False,
        )


def _plain_chunks(
    event_type: str, rows: Sequence[int], raws: Sequence[dict[Any, Any]], *, secrets: bool, copy: bool
) -> Iterable[Chunk | None]:
    """Give the ordinary payloads, all at once if they have the same keys."""
    whole = _plain_chunk(event_type, rows, raws, secrets=secrets, copy=copy)
    if whole is not None:
        return [whole]
    raw_of = dict(zip(rows, raws, strict=True))
    return (
        _plain_chunk(event_type, alike, [raw_of[row] for row in alike], secrets=secrets, copy=copy)
        for alike in _alike(rows, raws)
    )


def _alike(rows: Sequence[int], raws: Sequence[dict[Any, Any]]) -> Iterable[Sequence[int]]:
    """Group rows by the keys of their payloads; those with a key that is no plain `str` are in no group."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, raw in zip(rows, raws, strict=True):
        keys = tuple(raw)
        if set(map(type, keys)) <= {str}:
            groups.setdefault(keys, []).append(row)
    return groups.values()


def _plain_chunk(
    event_type: str, rows: Sequence[int], raws: Sequence[dict[Any, Any]], *, secrets: bool, copy: bool
) -> Chunk | None:
    """Copy payloads as far as they are ordinary; None if they do not have the same keys."""
    nothing = Chunk(event_type, (), (), {})
    if len(rows) < _FEW or not _are_ordinary_keys(tuple(raws[0]), secrets=secrets):
        return None
    try:
        columns = _columns_of(raws)
        if columns is None:
            return None
        kinds = [set(map(type, values)) for values in columns.values()]
        has_lists = any(list in each for each in kinds)
        payloads = list(map(_dict_copy, raws)) if copy or has_lists else list(raws)
        odd = _odd_places(columns, kinds, payloads, _TESTS if secrets else _TESTS_FOR_SECRETS)
    except Exception:  # noqa: BLE001 - an edge: methods of a key or value; seen in its copy
        return nothing
    if not odd:
        return Chunk(event_type, rows, payloads, columns)
    kept = [place for place in range(len(rows)) if place not in odd]
    kept_columns = {key: [values[place] for place in kept] for key, values in columns.items()}
    return Chunk(
        event_type, [rows[place] for place in kept], [payloads[place] for place in kept], kept_columns
    )


def _are_ordinary_keys(keys: tuple[Any, ...], *, secrets: bool) -> bool:
    if not all(type(key) is str and key.isascii() for key in keys):
        return False
    # Beside `value`, the value of another key decides.
    return secrets or (VALUE_KEYS.isdisjoint(keys) and all(map(is_ordinary_key, keys)))


def _columns_of(raws: Sequence[dict[Any, Any]]) -> dict[str, Sequence[Any]] | None:
    """Give the values of each key; None if not all have the same keys."""
    keys = tuple(raws[0])
    if len(set(map(len, raws))) > 1:
        return None
    if not keys:
        return {}
    # Of one key alone, itemgetter would give the value itself.
    values_of = itemgetter(*keys, keys[0])
    try:
        columns = zip(*map(values_of, raws), strict=True)
    except KeyError:
        return None
    return dict(zip(keys, columns, strict=False))


def _odd_places(
    columns: dict[str, Sequence[Any]],
    kinds: Sequence[set[type]],
    payloads: list[Payload],
    tests: dict[type, Test],
) -> set[int]:
    """Give the places where a value is not ordinary; copy lists, in `columns` and `payloads`."""
    odd: set[int] = set()
    for (key, values), its_kinds in zip(columns.items(), kinds, strict=True):
        if list in its_kinds:
            # First copied, then looked at: from here on nobody else changes them.
            columns[key] = [_list_copy(value) if type(value) is list else value for value in values]
            for payload, value in zip(payloads, columns[key], strict=True):
                payload[key] = value
        odd |= _odd_in(columns[key], its_kinds, tests)
    return odd


def _odd_in(values: Sequence[Any], kinds: set[type], tests: dict[type, Test]) -> set[int]:
    if len(kinds) == 1 and tests.get(next(iter(kinds)), _never)(values):
        return set()
    odd: set[int] = set()
    for kind in kinds:
        test = tests.get(kind, _never)
        places = [place for place, value in enumerate(values) if type(value) is kind]
        if not test([values[place] for place in places]):
            odd.update([place for place in places if not test([values[place]])])
    return odd


def _never(values: Sequence[Any]) -> bool:  # noqa: ARG001 - a test takes the values
    return False


def _always(values: Sequence[Any]) -> bool:  # noqa: ARG001 - a test takes the values
    return True


def _all_words(values: Sequence[int]) -> bool:
    return max(values) < _WORD and min(values) >= -_WORD


def _all_finite(values: Sequence[float]) -> bool:
    return all(map(math.isfinite, values))


def _all_utf8(values: Sequence[str]) -> bool:
    text = "".join(values)
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _all_without_secrets(values: Sequence[str]) -> bool:
    # Names repeat: of those, each is looked at once.
    if len(values) > _REPEATED_FROM and len(set(values[:_REPEATED_FROM])) <= _REPEATED_FROM // 2:
        values = list(set(values))
    return all_ordinary(values)


def _all_in_lists(test: Test) -> Test:
    def test_members(values: Sequence[list[Any]]) -> bool:
        members = list(chain.from_iterable(values))
        return set(map(type, members)) <= {str} and test(members)

    return test_members


_dict_copy: Callable[[Any], Any] = cast("Any", dict).copy
_list_copy: Callable[[Any], Any] = cast("Any", list).copy

# What values of one exact type have to pass to be copied as they are; a type without a test never is.
_ALWAYS: dict[type, Test] = {bool: _always, type(None): _always, int: _all_words, float: _all_finite}
_TESTS: dict[type, Test] = {**_ALWAYS, str: _all_utf8, list: _all_in_lists(_all_utf8)}
_TESTS_FOR_SECRETS: dict[type, Test] = {
    **_ALWAYS,
    str: _all_without_secrets,
    list: _all_in_lists(_all_without_secrets),
}
