"""What `jsonable` and `dumps` promise, whatever they are given."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import threading
import types
from collections import OrderedDict, UserDict, deque
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, NoReturn
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from locus_nb import _wire
from locus_nb._wire import dumps, jsonable
from tests.bus_kit import case_id

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs", "Lu"]))
    | st.binary()
    | st.complex_numbers()
    | st.decimals(allow_nan=False)
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.integers(min_value=10**4299, max_value=10**5000)
)
KEYS = SCALARS | st.tuples(SCALARS, SCALARS) | st.frozensets(st.integers(), max_size=3)
ANYTHING = st.recursive(
    SCALARS | st.sets(st.integers() | st.text(), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4).map(types.MappingProxyType)
    ),
    max_leaves=12,
)
BUILT_IN = (dict, list, str, int, float, bool, type(None))


def raising(*_: object) -> NoReturn:
    """Stand in for any method, and fail."""
    msg = "not today"
    raise RuntimeError(msg)


def only_built_in(value: Any) -> bool:
    """Say whether a value is a tree of exact built-in types."""
    if type(value) is dict:
        return all(type(key) is str and only_built_in(item) for key, item in value.items())
    if type(value) is list:
        return all(only_built_in(item) for item in value)
    return type(value) in BUILT_IN


def strict(value: object) -> Any:
    """Give what a strict reader of the UTF-8 text of ``value`` reads."""
    plain = jsonable(value)
    assert only_built_in(plain)
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text) == plain
    plain_text = json.dumps(plain, allow_nan=False, ensure_ascii=False)
    assert plain_text.encode("utf-8").decode("utf-8") == plain_text
    assert json.loads(dumps(value).encode("utf-8"), parse_constant=raising) == plain
    return plain


@given(ANYTHING)
def test_anything_becomes_strict_json(value: object) -> None:
    """Whatever is given, the copy holds exact built-in types and survives strict JSON and UTF-8 unchanged."""
    strict(value)


@given(st.dictionaries(KEYS, st.integers(-(2**63), 2**63), max_size=8))
def test_no_key_is_lost(value: dict[Any, int]) -> None:
    """Every item of a mapping is still there when its keys have become text."""
    assert sorted(strict(value).values()) == sorted(value.values())


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_json_values_are_copied_unchanged(value: object) -> None:
    """What is JSON already comes back equal."""
    assert jsonable(value) == value


def test_the_copy_shares_no_container() -> None:
    """A later change of the original does not reach the copy."""
    value: dict[str, Any] = {"keys": ["a"], "mixed": [1, ["b"]], "deep": {"x": {}}}
    plain = jsonable(value)
    value["keys"].append("c")
    value["mixed"][1].append("d")
    value["deep"]["x"]["y"] = 1
    assert plain == {"keys": ["a"], "mixed": [1, ["b"]], "deep": {"x": {}}}


class Colour(enum.Enum):
    """A plain enum."""

    RED = "red"


class Level(enum.IntEnum):
    """An enum that is an int."""

    HIGH = 3


class Kind(enum.StrEnum):
    """An enum that is a str."""

    A = "a"


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: int
    y: Any


class Answer(BaseModel):
    """A pydantic model."""

    text: str
    when: dt.date


@pytest.mark.parametrize(
    "value,expected",
    [
        (b"\x00abc", "b'\\x00abc'"),
        (bytearray(b"ab"), "b'ab'"),
        (memoryview(b"abcd")[::2], "b'ac'"),
        (b"x" * 2000, repr(b"x" * 1024) + "... (2000 bytes)"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({1, "a", None, (2, 3)}, ["a", 1, [2, 3], None]),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (-(1 << 4000), "-0x8000000000000000... (4001 bits)"),
        ("\udc80ok", "\\udc80ok"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(seconds=90), 90.0),
        (Decimal("1.10"), "1.10"),
        (Decimal("NaN"), "NaN"),
        (Fraction(1, 3), "1/3"),
        (1 + 2j, "(1+2j)"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("a/b"), "a/b"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Kind.A, "a"),
        (Point(1, {2}), {"x": 1, "y": [2]}),
        (Answer(text="hi", when=dt.date(2026, 1, 2)), {"text": "hi", "when": "2026-01-02"}),
        (np.int64(4), 4),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), "NaN"),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ((1, (2,)), [1, [2]]),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": (1,)}), {"a": [1]}),
        (deque([1]), "deque([1])"),
        (ValueError("no"), "ValueError('no')"),
        ([True, False, None], [True, False, None]),
    ],
    ids=case_id,
)
def test_each_kind_of_value(value: object, expected: object) -> None:
    """Each kind of value is written as the module's docstring says, alone and inside a payload."""
    assert strict(value) == expected
    assert strict({"v": value, "w": [value]}) == {"v": expected, "w": [expected]}


def test_a_pydantic_value_that_is_excluded_stays_excluded() -> None:
    """A field that a pydantic model keeps out of its dump does not come out here."""

    class Login(BaseModel):
        user: str
        code: str = Field(exclude=True)
        secret: SecretStr

    plain = strict(Login(user="ann", code="1234", secret=SecretStr("5678")))
    assert plain == {"user": "ann", "secret": "SecretStr('**********')"}


def test_keys_become_text_and_are_never_merged() -> None:
    """Keys that read alike are all kept; a key that was text keeps its name, wherever it stands."""
    value = {
        1: "int",
        "1": "str",
        1.5: "float",
        None: "none",
        True + 1: "two",
        (1, "a"): "tuple",
        b"1": "bytes",
    }
    assert strict(value) == {
        "1 (2)": "int",
        "1": "str",
        "1.5": "float",
        "null": "none",
        "2": "two",
        '[1,"a"]': "tuple",
        "b'1'": "bytes",
    }
    assert strict({"\udc80": 1, "\\udc80": 2}) == {"\\udc80 (2)": 1, "\\udc80": 2}
    assert strict({None: 1, "null": 2, "null (2)": 3}) == {"null (3)": 1, "null": 2, "null (2)": 3}


def test_cycles_are_marked() -> None:
    """A value inside itself is marked; one that is only used twice is written twice."""
    loop: list[Any] = [1]
    loop.append({"again": loop})
    point = Point(1, None)
    point.y = point
    shared = [1]
    assert strict(loop) == [1, {"again": _wire.CYCLE}]
    assert strict(point) == {"x": 1, "y": _wire.CYCLE}
    assert strict({"a": shared, "b": shared, "c": (shared,)}) == {"a": [1], "b": [1], "c": [[1]]}


def test_depth_is_bounded() -> None:
    """What lies deeper than 64 levels is marked, however deep it goes."""
    deep: Any = "bottom"
    for _ in range(_wire.MAX_DEPTH):
        deep = [deep]
    assert "bottom" in dumps(deep)
    assert "bottom" not in dumps([deep])
    for _ in range(100_000):
        deep = {"down": deep}
    assert _wire.TOO_DEEP in dumps(strict(deep))


def test_near_the_recursion_limit_nothing_is_raised() -> None:
    """With stack left for one more call and its callee, `jsonable` and `dumps` still give strict JSON."""
    nested: Any = [[[{"a": [1, {2}, Point(1, 2)]}]]]
    seen: list[str] = []

    def down() -> None:
        try:
            json.loads("1")
            down()
        except RecursionError:
            return
        seen.append(dumps(nested))
        seen.append(json.dumps(jsonable(nested)))

    down()
    assert all(json.loads(text) is not None for text in seen)
    assert any(_wire.UNREADABLE in text for text in seen)
    assert json.loads(seen[-1]) == [[[{"a": [1, [2], {"x": 1, "y": 2}]}]]]


def test_values_that_multiply_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small value that stands for endlessly many is cut, and says so."""
    monkeypatch.setattr(_wire, "MAX_VALUES", 1000)
    bomb: Any = []
    for _ in range(50):
        bomb = [bomb, bomb]
    text = dumps(bomb)
    assert _wire.TOO_MANY in text
    assert len(text) < 100_000


class BadRepr:
    """Its repr raises."""

    def __repr__(self) -> str:
        return raising()


class WrongRepr:
    """Its repr is no str."""

    def __repr__(self) -> Any:
        return 3


class LongRepr:
    """Its repr is long."""

    def __repr__(self) -> str:
        return "x" * 100_000


class BadBase(BaseException):
    """Not an Exception."""


class BadBaseRepr:
    """Its repr raises something that is not an Exception."""

    def __repr__(self) -> str:
        raise BadBase


class BadMeta(type):
    """A class whose name cannot be read."""

    @property
    def __name__(cls) -> NoReturn:  # pyright: ignore[reportIncompatibleVariableOverride] - that is the point
        raising()


class BadName(metaclass=BadMeta):
    """Neither it nor its class can be named."""

    def __repr__(self) -> str:
        return raising()


class BadDict(dict[Any, Any]):
    """A dict whose methods raise."""

    items = keys = values = __iter__ = __getitem__ = __len__ = raising  # type: ignore[assignment] # it misbehaves


class BadMapping(UserDict[str, Any]):
    """A mapping whose methods raise."""

    def __iter__(self) -> Any:
        return raising()

    def __repr__(self) -> str:
        return "BadMapping"


class BadStr(str):
    """A str whose methods raise."""

    __slots__ = ()
    __str__ = __repr__ = encode = isascii = __eq__ = __hash__ = raising  # type: ignore[assignment] # it misbehaves


class BadInt(int):
    """An int whose methods raise."""

    __int__ = __index__ = __repr__ = __lt__ = __gt__ = __neg__ = raising  # type: ignore[assignment] # it misbehaves


class BadFloat(float):
    """A float whose methods raise."""

    __float__ = __repr__ = __lt__ = __gt__ = raising  # type: ignore[assignment] # it misbehaves


class BadList(list[Any]):
    """A list whose methods raise."""

    __iter__ = __len__ = __getitem__ = copy = raising  # type: ignore[assignment] # it misbehaves


class Liar:
    """It has no class and no attributes."""

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - that is the point
        return raising()

    def __getattr__(self, name: str) -> NoReturn:
        raising()

    def __repr__(self) -> str:
        return "Liar"


@pytest.mark.parametrize(
    "value,expected",
    [
        (BadRepr(), "<BadRepr: RuntimeError>"),
        (WrongRepr(), "<WrongRepr: TypeError>"),
        (BadBaseRepr(), "<BadBaseRepr: BadBase>"),
        (BadName(), "<BadName: RuntimeError>"),
        (LongRepr(), "x" * 1000 + "... (100000 characters)"),
        (BadDict(a=1), {"a": 1}),
        (BadMapping(a=1), "BadMapping"),
        (BadStr("text"), "text"),
        (BadInt(3), 3),
        (BadFloat(1.5), 1.5),
        (BadList([1, 2]), [1, 2]),
        (Liar(), "Liar"),
    ],
    ids=lambda value: _wire._name_of(type(value)),  # repr() is what fails here
)
def test_values_that_misbehave(value: object, expected: object) -> None:
    """A value whose methods raise or lie is written in its place; the rest of the payload is unharmed."""
    assert strict(value) == expected
    assert strict({"before": 1, "bad": value, "after": [2]}) == {"before": 1, "bad": expected, "after": [2]}


def test_a_key_that_misbehaves() -> None:
    """A key whose repr raises becomes the name of its type and error."""
    assert strict({BadRepr(): 1, "a": 2}) == {"<BadRepr: RuntimeError>": 1, "a": 2}


def test_interrupts_pass_through() -> None:
    """A KeyboardInterrupt raised inside a value reaches the caller."""

    class Stops:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    for call in (jsonable, dumps):
        with pytest.raises(KeyboardInterrupt):
            call({"a": [Stops()]})


def test_a_value_cannot_end_the_process() -> None:
    """A value whose repr asks to exit is shown as one that cannot be shown."""

    class Exits:
        def __repr__(self) -> str:
            raise SystemExit

    assert "SystemExit" in strict({"a": Exits()})["a"]


def test_a_mapping_that_changes_meanwhile() -> None:
    """A dict that changes while its own values are read is copied as it was."""
    value: dict[Any, Any] = {}

    class Adds:
        def __repr__(self) -> str:
            value[len(value)] = 1
            return "Adds"

    value.update({"a": Adds(), "b": Adds()})
    assert strict_once(value) == {"a": "Adds", "b": "Adds"}


def strict_once(value: object) -> Any:
    """Copy a value that looks different at a second look."""
    plain = jsonable(value)
    json.dumps(plain, allow_nan=False)
    return plain


def test_a_dict_that_another_thread_changes() -> None:
    """Copies taken while another thread adds and removes keys are all complete JSON."""
    value: dict[Any, Any] = {"fixed": 1, "odd": {1}}
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for number in range(50):
                value[f"k{number}"] = number
            for number in range(50):
                del value[f"k{number}"]

    other = threading.Thread(target=churn)
    other.start()
    try:
        copies = [strict_once(value) for _ in range(500)]
    finally:
        stop.set()
        other.join()
    assert all(copy["fixed"] == 1 and copy["odd"] == [1] for copy in copies)
