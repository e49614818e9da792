"""Payloads taken together become what each of them becomes alone."""

from __future__ import annotations

import enum
import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb._payloads import chunks as payloads_module
from locus_nb._payloads.chunks import clean_chunks
from locus_nb._payloads.names import mark
from locus_nb._payloads.ordinary import all_ordinary
from locus_nb._payloads.redact import redact
from locus_nb._payloads.shapes import searched
from locus_nb._wire import jsonable

SECRET = "sk-" + "Ab3" * 8
KEYS = st.sampled_from(["a", "b", "model", "api_key", "value", "name", "é", "x-" + SECRET, 1, None, (1, "a")])
VALUES = st.sampled_from(
    [
        *(None, True, 0, 7, -(1 << 70), 1.5, math.nan, math.inf, "", "text", "é", "\udc80", SECRET, "key: 1"),
        *(
            "password=abc",
            "https://u:p@h",
            "BEARER abcdef12",
            "a-b_c:d=e",
            [],
            ["a"],
            [SECRET],
            [1],
            ["\udc80"],
        ),
        *({}, {"api_key": "x"}, {1}, b"raw", object, ("a",)),
    ]
)
TEXTS = st.sampled_from(
    [
        *(
            "api_key",
            "Password",
            "token",
            "secret",
            "cookie",
            "Authorization",
            "connection string",
            "\u212aey",
        ),
        *(
            "Bearer ",
            "://",
            "u:p@",
            ":",
            "=",
            "=>",
            " ",
            "\n",
            '"',
            "'",
            "\\",
            "hunter2",
            "sid=abc",
            "abc123def",
        ),
        *(
            "AKIA" + "IOSFODNN7EXAMPLE",
            "eyJ" + "hbGci.eyJ" + "zdWIi",
            SECRET,
            "ghp_" + "a1B2c3",
            "A",
            "-",
            "_",
        ),
        *("ordinary words " * 20, "key: 1, " * 20, "\udc80", "é"),
    ]
)
PAYLOADS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=12)
SHAPED = st.lists(KEYS, max_size=4, unique=True).flatmap(
    lambda keys: st.lists(st.fixed_dictionaries(dict.fromkeys(keys, VALUES)), max_size=12)
)


def by_row(raws: list[dict[Any, Any]], *, secrets: bool, event_type: str = "my.own") -> list[Any]:
    """Give the clean payloads in order, having checked that chunks hold what they say."""
    found: dict[int, Any] = {}
    for chunk in clean_chunks(event_type, range(len(raws)), raws, secrets=secrets):
        assert len(chunk.rows) == len(chunk.payloads) > 0
        for place, (row, payload) in enumerate(zip(chunk.rows, chunk.payloads, strict=True)):
            assert row not in found
            assert {key: values[place] for key, values in chunk.columns.items()} == payload
            found[row] = payload
    return [found[row] for row in range(len(raws))]


@given(PAYLOADS | SHAPED | SHAPED.map(lambda raws: raws * 5), st.booleans())
def test_together_as_alone(raws: list[dict[Any, Any]], secrets: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Each payload becomes what `redact`, or `jsonable` where secrets may stay, makes of it alone."""
    alone = [jsonable(raw) if secrets else redact(raw) for raw in raws]
    assert by_row(raws, secrets=secrets) == alone


def test_one_secret_among_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    """One payload in thousands that has a secret is redacted, and it alone takes the long way."""
    raws: list[dict[str, Any]] = [{"model": "mock", "text": f"number {row}", "n": row} for row in range(5000)]
    raws[1234]["text"] = f"number {SECRET}"
    long_way: list[Any] = []
    monkeypatch.setattr(payloads_module, "redact", lambda raw: long_way.append(raw) or redact(raw))
    clean = by_row(raws, secrets=False)
    assert clean[1234] == {"model": "mock", "text": f"number {mark('OpenAI key')}", "n": 1234}
    assert [*clean[:1234], *clean[1235:]] == [*raws[:1234], *raws[1235:]]
    assert long_way == [raws[1234]]


def test_the_copies_share_no_container() -> None:
    """A later change of a payload, or of a list in it, does not reach the copy."""
    raws: list[dict[str, Any]] = [{"keys": ["a"], "n": row} for row in range(10)]
    for secrets in (False, True):
        clean = by_row(raws, secrets=secrets)
        clean[0]["keys"].append("b")
        clean[1]["n"] = "changed"
        assert raws[0]["keys"] == ["a"]
        assert raws[1]["n"] == 1


NAMES = ["api_key", "id_token", "secrets", "passphrases", "pwd", "credentials", "Authorization", "cookie"]
GAPS = ["", " ", '"', '    \\\\\\\\\\\\\\"    ', "\n\t' "]
PROSE = "what follows is ordinary and long enough to be looked at by its names only, as most texts are " * 4


@pytest.mark.parametrize("name", [*NAMES, "connection string", "CONNECTION-STRING", "privateKeys"])
@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("sign", [": ", "=", " => "])
def test_a_name_at_any_distance_is_seen(name: str, gap: str, sign: str) -> None:
    """Whatever may stand between a secret's name and its value, in texts short and long, the value goes."""
    for before, after in itertools.product(("", PROSE, "a: b=c, " * 40), ("", f", {PROSE}", ", a: b" * 40)):
        text = f"{before}{name}{gap}{sign.strip() if gap else sign}hunter2=x{after}"
        assert "hunter2" not in redact(text)
        raws = [{"text": f"{PROSE}{row}"} for row in range(9)]
        assert by_row([*raws, {"text": text}], secrets=False) == [*raws, {"text": redact(text)}]


@pytest.mark.parametrize(
    "secret", ["https://ann:hunter2@host", "Bearer hunter2hunter2", SECRET, "eyJ" + "hbGci.eyJzdWI"]
)
@pytest.mark.parametrize("around", ["{}", PROSE + "{}", "{}" + PROSE, "a: b, " * 40 + "{}"])
def test_a_shape_in_any_surroundings_is_seen(secret: str, around: str) -> None:
    """A secret of a telling shape goes from one text among many, whatever is around it."""
    raws = [{"text": f"{PROSE}{row}"} for row in range(9)]
    text = around.format(secret)
    assert "[redacted: " in redact(text)
    assert by_row([*raws, {"text": text}], secrets=False) == [*raws, {"text": redact(text)}]


@given(st.lists(st.lists(TEXTS, max_size=9).map("".join), min_size=1, max_size=5))
def test_texts_that_are_ordinary_together_are_so_alone(texts: list[str]) -> None:
    """Of texts that are passed in common, redaction would not change a single one."""
    full = [searched(jsonable(text)) for text in texts]
    assert not all_ordinary(texts) or full == texts
    assert list(map(redact, texts)) == full


class Field(enum.StrEnum):
    """Keys that are equal to texts."""

    N = "n"


class Stubborn:
    """A value whose type cannot even be asked for its hash."""

    class Meta(type):
        """The type of the type."""

        def __hash__(cls) -> int:
            raise RuntimeError

    class Value(metaclass=Meta):
        """Its values."""

        def __repr__(self) -> str:
            return "Value"


def test_values_and_keys_that_misbehave() -> None:
    """What cannot be asked about in common is asked one by one."""
    raws: list[dict[Any, Any]] = [{"n": row} for row in range(8)]
    raws += [{"n": Stubborn.Value()}, {Field.N: 1}]
    assert by_row(raws, secrets=False) == [*raws[:8], {"n": "Value"}, {"n": 1}]
