"""What redaction takes out, what it leaves, and what it costs."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb._payloads import redact as redact_module
from locus_nb._payloads.redact import MARK, redact, redact_text
from locus_nb._wire import jsonable

# Put together here, so that no scanner takes this file for a leak.
OPENAI = "sk-" + "Ab3" * 16
ANTHROPIC = "sk-ant-" + "api03-Ab3_x" * 3
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2" * 9
SLACK = "xoxb-" + "12345-67890-abcdef"
GOOGLE = "AIza" + "SyA-b_c1234567890123456789012345678"
WEB_TOKEN = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxIn0.c2ln_bmF0-dXJl"
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow\nIBAAK=\n-----END RSA PRIVATE " + "KEY-----"


@pytest.mark.parametrize(
    "key",
    [
        *("api_key", "apikey", "apiKey", "API-KEY", "X-API-Key", "OPENAI_API_KEY", "api.key", "api_keys"),
        *("authorization", "Authorization", "Proxy-Authorization", "auth_header", "bearer"),
        *("password", "Password", "dbPassword", "passwd", "pwd", "passphrase", "password_hash"),
        *("secret", "secrets", "client_secret", "clientSecret", "aws_secret_access_key", "secret_key"),
        *("access_token", "accessToken", "refresh_token", "auth_token", "id_token", "sessionToken"),
        *("cookie", "set-cookie", "Set-Cookie", "cookies", "private_key", "privateKey", "ssh-key"),
        *("github_token", "credentials", "connection_string", "jwt"),
        *("password2", "passwords_12", "api_key_1", "passwordConfirm", "authorization_header", "OPENAI_KEY"),
    ],
)
@pytest.mark.parametrize("value", ["x", "[]", 1234, ["x"], {"any": "thing"}, 1.5])
def test_values_under_secret_names_go(key: str, value: object) -> None:
    """The whole value under a key that names a secret is taken out, at any depth, whatever it is."""
    expected = value if isinstance(value, int | float) and "token" in key.lower() else MARK
    assert redact({key: value, "other": 1}) == {key: expected, "other": 1}
    assert redact([{"deep": ({key: value},)}]) == [{"deep": [{key: expected}]}]


@pytest.mark.parametrize(
    "key",
    [
        *("token", "tokens", "input_tokens", "output_tokens", "prompt_tokens", "completion_tokens"),
        *("total_tokens", "max_tokens", "cache_read_tokens", "valid_token", "invalid_tokens", "stop_token"),
        *(
            "next_page_token",
            "eos_token",
            "key",
            "keys",
            "arg_keys",
            "author",
            "pass",
            "passed",
            "session_id",
        ),
        *("monkey", "keyboard", "secretary", "cookie_count", "password_length", "tool_name", "bear"),
    ],
)
@pytest.mark.parametrize("value", [12, "13", "</s>", ["api", "query"]])
def test_values_under_ordinary_names_stay(key: str, value: object) -> None:
    """Counts of tokens and names that only sound like a secret's are left alone."""
    assert redact({key: value}) == {key: value}


@pytest.mark.parametrize("value", [None, True, False, ""])
def test_what_was_not_set_can_be_seen(value: object) -> None:
    """Under a secret's name, None, booleans and empty texts stay: they hold no secret."""
    assert redact({"api_key": value}) == {"api_key": value}


def test_counts_of_tokens_stay() -> None:
    """A number under a token's name counts something; under another secret's name it is a secret."""
    assert redact({"session_tokens": 12, "access_token": 1, "password": 1}) == {
        "session_tokens": 12,
        "access_token": 1,
        "password": MARK,
    }


def test_headers_as_pairs_of_name_and_value() -> None:
    """The value beside a name that names a secret is taken out."""
    headers = [{"name": "Authorization", "value": "abc"}, {"name": "Accept", "value": "*/*"}]
    assert redact(headers) == [{"name": "Authorization", "value": MARK}, {"name": "Accept", "value": "*/*"}]
    assert redact({"key": "api-key", "value": "abc"}) == {"key": "api-key", "value": MARK}


def test_a_key_may_hold_a_secret() -> None:
    """A secret used as a key is taken out, and no item is lost by that, at any depth."""
    value = {"deep": {OPENAI: 1, GITHUB: 2, MARK: 3, "a": 4}}
    assert redact(value) == {"deep": {f"{MARK} (2)": 1, f"{MARK} (3)": 2, MARK: 3, "a": 4}}


@pytest.mark.parametrize(
    "secret",
    [
        *(OPENAI, ANTHROPIC, AWS, GITHUB, SLACK, GOOGLE, WEB_TOKEN, PEM),
        "sk-" + "abcdefghijklmnopqrst",
        "sk-" + "test-1234",
        "sk-proj-" + "abc_def-ghi",
        "gho_" + "16C7e42F292c6912E7",
        "github_pat_" + "11ABCDEFG0_abcdef",
        "xoxp-" + "1-2-3-abc",
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "hf_" + "AbCdEfGhIjKlMnOpQrStUvWx",
        "glpat-" + "abc123def456",
        PEM.partition("-----END")[0],
        PEM.replace("\n", "\\n"),
        PEM.replace("RSA ", ""),
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "use {} now", '"{}"', "key={}", "({})", "'{}',", "x {}\nnext", "→{}←"]
)
def test_secrets_of_a_telling_shape_go(secret: str, around: str) -> None:
    """A secret of a well-known shape is taken out of any text, and nothing of it is left."""
    text = redact_text(around.format(secret))
    assert MARK in text
    assert not any(part in text for part in re.findall(r"[A-Za-z0-9]{5,}", secret.replace("KEY", "")))


@pytest.mark.parametrize(
    "text,expected",
    [
        ("Bearer abc123def", f"Bearer {MARK}"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {MARK}"),
        ("authorization: Basic dXNlcjpw", f"authorization: Basic {MARK}"),
        ("Authorization: hunter2", f"Authorization: {MARK}"),
        ("api_key=abc&q=1", f"api_key={MARK}&q=1"),
        ("OPENAI_API_KEY=abc\nB=2", f"OPENAI_API_KEY={MARK}\nB=2"),
        ("password: hunter2, user: ann", f"password: {MARK}, user: ann"),
        ("Client(api_key='a b', n=1)", f"Client(api_key='{MARK}', n=1)"),
        ('{"api_key": "a \\" b", "n": 1}', f'{{"api_key": "{MARK}", "n": 1}}'),
        (
            '{"args": "{\\"password\\": \\"a b\\", \\"n\\": 1}"}',
            f'{{"args": "{{\\"password\\": \\"{MARK}\\", \\"n\\": 1}}"}}',
        ),
        ('{"password": "cut he', f'{{"password": "{MARK}'),
        ('{"pin": 1, "password": 1234}', f'{{"pin": 1, "password": {MARK}}}'),
        ("'client_secret' => 'abc'", f"'client_secret' => '{MARK}'"),
        ("clientSecret = abc", f"clientSecret = {MARK}"),
        ("postgres://ann:hunter2@db:5432/x", f"postgres://ann:{MARK}@db:5432/x"),
        ("redis://:hunter2@db", f"redis://:{MARK}@db"),
        ("https://ann:p@ss@host/x", f"https://ann:{MARK}@host/x"),
        ("Cookie: sid=abc; theme=dark", f"Cookie: {MARK}"),
        ("Set-Cookie: sid=abc; Path=/\r\nX: 1", f"Set-Cookie: {MARK}\r\nX: 1"),
        ('"Set-Cookie": "sid=abc; Path=/"', f'"Set-Cookie": "{MARK}"'),
        ("access_token=abc refresh_token=def", f"access_token={MARK} refresh_token={MARK}"),
    ],
)
def test_secrets_with_a_name_beside_them_go(text: str, expected: str) -> None:
    """In a text, what is assigned to a secret's name goes, and the text around it stays readable."""
    assert redact_text(text) == expected
    assert redact({"note": text}) == {"note": expected}
    assert redact([text]) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "The key to success is to pass the token: 3 tokens, input_tokens=12, max_tokens: 100, tokens: 5",
        "password: None, api_key=null, 'secret': true, api_key: str",
        'api_key="" password: "", x',
        "task-12345678 desk-abcdefghijklmnopqrst risk-free",
        "sk-learn and sk-image are not secrets, nor is sk-",
        "https://example.org:8080/a@b?q=1 http://localhost:8888/lab mailto:ann@example.org",
        "Bearer tokens are sent as Bearer authentication; the bearer of this",
        "Asia, AKIA, eyJ, ghp_, xoxb-, AIza, hf_model_name, npm_config",
        "cookie: chocolate chip; cookies = 3",
        "-----BEGIN CERTIFICATE-----\nMIIEow\n-----END CERTIFICATE-----",
        "the monkey: keyboard = 3",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "def load(path: str, key: int = 3) -> dict[str, int]: ...",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """Text without a secret comes back as the very same string."""
    assert redact_text(text) is text


PIECES = st.sampled_from(
    [
        *(
            OPENAI,
            AWS,
            GITHUB,
            SLACK,
            WEB_TOKEN,
            PEM,
            "sk-",
            "eyJ",
            "-----BEGIN ",
            "PRIVATE KEY",
            "-----END ",
        ),
        *(
            "api_key",
            "password",
            "secret",
            "cookie",
            "Set-Cookie",
            "Bearer",
            "BEARER",
            "bEaReR",
            "Authorization",
        ),
        *(
            "token",
            "pwd",
            "id_token",
            "=",
            ":",
            "=>",
            " ",
            "\n",
            '"',
            "'",
            "\\",
            '\\"',
            "a",
            "a1b2c3",
            "://",
            "@",
        ),
        *("u:p@", ";", ",", "{", "}", "[", "]", "-", "_", ".", MARK, "None", "\u212aey", "\u017f", "Basic"),
        *(
            "ghs_",
            "lsv2_pt_",
            "sk_live_",
            "hf_",
            "npm_",
            "xai-",
            "AIza",
            "ASIA",
            "ABCDEFGHIJKLMNOP1234567890",
        ),
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_the_quick_check_overlooks_nothing(text: str) -> None:
    """Whatever the quick check lets through unchanged, no pattern would have changed."""
    full = text
    for pattern, replacement in redact_module._PATTERNS:
        full = pattern.sub(replacement, full)
    assert redact_text(text) == full


@given(st.lists(PIECES, max_size=12).map("".join))
def test_redacting_twice_changes_nothing(text: str) -> None:
    """What was redacted is ordinary text from then on."""
    once = redact_text(text)
    assert redact_text(once) == once


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(PIECES, max_size=5).map("".join),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | PIECES, inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_redaction_gives_json_and_leaves_its_argument_alone(value: Any) -> None:
    """The result is strict JSON with as many items in each place; the argument is not changed."""
    before = copy.deepcopy(value)
    redacted = redact(value)
    assert value == before
    json.dumps(redacted, allow_nan=False).encode("utf-8")
    if isinstance(value, dict | list):
        assert len(redacted) == len(value)


@given(JSON)
def test_what_has_no_secret_is_only_copied(value: Any) -> None:
    """A value in which nothing is redacted comes back as `jsonable` gives it."""
    redacted = redact(value)
    if MARK not in json.dumps(redacted):
        assert redacted == jsonable(value)


def test_values_json_does_not_know_are_redacted_too() -> None:
    """Bytes, sets and objects are redacted in the form in which they are written."""

    class Client:
        def __repr__(self) -> str:
            return f"Client(api_key='{OPENAI}')"

    value = {"raw": OPENAI.encode(), "all": {OPENAI}, "client": Client()}
    assert redact(value) == {"raw": f"b'{MARK}'", "all": [MARK], "client": f"Client(api_key='{MARK}')"}


def test_the_longest_keys_are_judged_by_their_end() -> None:
    """A key of any length is judged, and none of the long ones is kept in memory."""
    before = redact_module._judge_cached.cache_info().currsize
    assert redact({"x" * 100_000 + "_api_key": "abc"}) == {"x" * 100_000 + "_api_key": MARK}
    assert redact_module._judge_cached.cache_info().currsize == before


HOSTILE = [
    *(
        "a",
        " ",
        "\\",
        '"',
        "'",
        ":",
        "=",
        "-",
        "sk-",
        "sk-a",
        "eyJ",
        "eyJaaaaaaaa.",
        "eyJaaaaaaaa-",
        "://",
        "://a:",
    ),
    *(
        "://a:a",
        "@",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY",
        "-----END ",
        "password",
        "password=",
        'password="',
    ),
    *(
        "password=\\",
        'password=\\"',
        "password \\",
        "cookie: ",
        "cookie: a",
        "Bearer ",
        "bearer  ",
        "api",
        "api_",
    ),
    *("authorization: bearer ", "xox", "ghp_", "AKIA", "AIza", '\\"', "secret: '", "key" + " " * 9, "a." * 3),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_hostile_text_is_done(piece: str) -> None:
    """Half a megabyte of any piece a pattern could stumble over is done: quadratic work would take hours."""
    count = 250_000 // len(piece)
    for text in (piece * count, "password=" + piece * count + "\n"):
        assert isinstance(redact_text(text), str)


def test_every_repetition_is_bounded_or_possessive() -> None:
    """No pattern repeats in a way that could be tried again at other lengths without bound."""
    for pattern, _ in redact_module._PATTERNS:
        outside_classes = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", pattern.pattern)
        final = re.sub(r"(?:[*+]|\{\d+,\})\+", "", outside_classes)
        # The one lazy search: it ends at the end of the text, so it cannot fail.
        assert not re.search(r"[*+]|\{\d+,\}", final.replace(r".*?(?:-----END", ""))


@pytest.mark.parametrize(
    "text", ["password2={}", "api-key-12: {}", "OPENAI_KEY={}", '{{"secret_3": "{}"}}', "pwd1='{}'"]
)
def test_numbered_names_in_a_text_tell_too(text: str) -> None:
    """What is assigned to a secret's name with a number, or to a provider's key, goes, also far into a text."""
    for before in ("", "plain words, " * 100):
        assert redact_text(before + text.format("hunter2")) == before + text.format(MARK)
