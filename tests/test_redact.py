"""What redaction takes out, what it leaves, and what it costs."""

from __future__ import annotations

import copy
import json
import re
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb._payloads import assigned, ordinary, shapes, values
from locus_nb._payloads import redact as redact_module
from locus_nb._payloads.names import mark, secret_name
from locus_nb._payloads.ordinary import is_ordinary
from locus_nb._payloads.redact import redact
from locus_nb._payloads.shapes import without_secrets
from locus_nb._wire import MAX_PREVIEW, jsonable
from tests.secret_kit import COUNTS, NAMED

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
    expected = (
        value if isinstance(value, int | float) and "token" in key.lower() else mark(str(secret_name(key)))
    )
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
        "password": "[redacted: password]",
    }


def test_headers_as_pairs_of_name_and_value() -> None:
    """The value beside a name that names a secret is taken out."""
    headers = [{"name": "Authorization", "value": "abc"}, {"name": "Accept", "value": "*/*"}]
    hidden = {"name": "Authorization", "value": "[redacted: authorization]"}
    assert redact(headers) == [hidden, {"name": "Accept", "value": "*/*"}]
    assert redact({"key": "api-key", "value": "abc"}) == {"key": "api-key", "value": "[redacted: api_key]"}
    assert redact({"Name": "password", "Value": "abc"}) == {"Name": "password", "Value": mark("password")}
    assert redact({"key": "DB_PASS", "val": "abc", "n": 1}) == {
        "key": "DB_PASS",
        "val": mark("db_pass"),
        "n": 1,
    }
    assert redact({"name": "n", "key": "jwt", "value": "abc"}) == {
        "name": "n",
        "key": "jwt",
        "value": mark("jwt"),
    }


def test_a_namedtuple_tells_by_its_names() -> None:
    """What a namedtuple holds under the name of a secret is taken out."""

    class Login(NamedTuple):
        user: str
        password: str

    assert redact({"who": Login("ann", "abc")}) == {"who": {"user": "ann", "password": mark("password")}}


@pytest.mark.parametrize(
    "text,expected",
    [
        ('password = os.getenv("P") or "abc"', 'password = os.getenv("P") or "[redacted: password]"'),
        ('password=os.environ.get("P", "abc")', 'password=os.environ.get("P", "[redacted: password]")'),
        ("password = 'a' + 'b'", "password = '[redacted: password]' + '[redacted: password]'"),
        ("<password>abc</password>", "<password>[redacted: password]</password>"),
        ("- name: API_KEY\n  value: abc\n", "- name: API_KEY\n  value: [redacted: api_key]\n"),
        ("A\nENV API_KEY abc d\nB", "A\nENV API_KEY [redacted: api_key]\nB"),
        ("- password: 'old'\n+ \"password\": 'new'", "- password: '{0}'\n+ \"password\": '{0}'"),
        ("curl -u ann:abc https://h", "curl -u ann:[redacted: URL password] https://h"),
    ],
)
def test_no_more_goes_than_the_value(text: str, expected: str) -> None:
    """Around a value that code, a file or a command gives a name, all stays as it was."""
    assert without_secrets(text) == expected.format(mark("password"))


def test_headers_as_pairs() -> None:
    """In a list of pairs, what comes after a secret's name is taken out; a list of names is left alone."""
    pairs = [("X-API-Key", "abc"), ("Authorization", "ApiKey abc"), ("Accept", "*/*"), (b"x-api-key", b"abc")]
    assert redact({"headers": pairs}) == {
        "headers": [
            ["X-API-Key", mark("api_key")],
            ["Authorization", mark("authorization")],
            ["Accept", "*/*"],
            ["b'x-api-key'", mark("api_key")],
        ]
    }
    assert redact({"arg_keys": ["api_key", "query"]}) == {"arg_keys": ["api_key", "query"]}
    assert redact([["a", 1], ["b", 2]]) == [["a", 1], ["b", 2]]


def test_flags_of_a_command() -> None:
    """In a list, what comes after a flag that names a secret is taken out, unless it is a flag too."""
    command = [
        "psql",
        "--password",
        "abc",
        "--api-key",
        "--user",
        "ann",
        "--token",
        "abc",
        "--max-tokens",
        "5",
    ]
    assert redact(command) == [
        *("psql", "--password", mark("password"), "--api-key", "--user", "ann"),
        *("--token", mark("token"), "--max-tokens", "5"),
    ]


@pytest.mark.parametrize(
    "value", ['ab"hunter2', "hunter2\\", "a\\hunter2", 'it\'s \\"hunter2\\\\"', '"hunter2"']
)
@pytest.mark.parametrize("depth", range(6))
def test_json_in_json_at_any_depth(value: str, depth: int) -> None:
    """A value with quotes and backslashes in it goes up to its end, however often it was made JSON; no more goes."""
    text = json.dumps({"password": value, "kept": "as it was"})
    expected = json.dumps({"password": mark("password"), "kept": "as it was"})
    for _ in range(depth):
        text, expected = json.dumps({"args": text}), json.dumps({"args": expected})
    assert redact(text) == expected


@pytest.mark.parametrize("key", COUNTS)
def test_what_names_no_secret_tells_nothing(key: str) -> None:
    """Counts, kinds and names of secrets, and keys and tokens of another kind, are no secrets."""
    assert secret_name(key) is None


@pytest.mark.parametrize("key", NAMED)
def test_one_rule_for_keys_and_texts(key: str) -> None:
    """What is hidden under a key is hidden where a text assigns it to that name, with the same mark."""
    hidden = mark(str(secret_name(key)))
    assert redact({key: "a1b2"}) == {key: hidden}
    for text in ("{}={}", "x {}={}; n", "'{}': '{}'", '{{"{}": "{}"}}', "{}: {}"):
        assert redact(text.format(key, "a1b2")) == text.format(key, hidden)


@given(st.text("aeky_-. PAS0stonr", max_size=20))
def test_one_rule_for_any_name(name: str) -> None:
    """A name in a text tells just as it does as a key."""
    name = name.strip("-. ")
    told = secret_name(name)
    text = without_secrets(f"{name}='a1b2'")
    if re.fullmatch(r"[\w-]+", name):
        assert ("a1b2" not in text) == (told is not None)


def test_numbers_under_the_name_of_a_token() -> None:
    """A large whole number under one token's name is a secret; a small one, or one under tokens, a count."""
    given = {"access_token": 12345678901, "session_tokens": 12345678901, "api_token": 5, "n_token": 1.5}
    assert redact(given) == {**given, "access_token": mark("access_token")}
    assert (
        redact("access_token=12345678901, api_token: 5")
        == "access_token=[redacted: access_token], api_token: 5"
    )


def test_a_key_may_hold_a_secret() -> None:
    """A secret used as a key is taken out, and no item is lost by that, at any depth."""
    hidden, other = mark("OpenAI key"), mark("GitHub token")
    value = {"deep": {OPENAI: 1, OPENAI + "1": 2, hidden: 3, GITHUB: 4, "a": 5}}
    assert redact(value) == {"deep": {f"{hidden} (2)": 1, f"{hidden} (3)": 2, hidden: 3, other: 4, "a": 5}}


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
    text = without_secrets(around.format(secret))
    assert "[redacted: " in text
    assert not any(part in text for part in re.findall(r"[A-Za-z0-9]{5,}", secret.replace("KEY", "")))


@pytest.mark.parametrize(
    "text,expected",
    [
        ("Bearer abc123def", "Bearer [redacted: bearer token]"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted: authorization]"),
        ("authorization: Basic dXNlcjpw", "authorization: Basic [redacted: authorization]"),
        ("Authorization: hunter2", "Authorization: [redacted: authorization]"),
        ("api_key=abc&q=1", "api_key=[redacted: api_key]&q=1"),
        ("OPENAI_API_KEY=abc\nB=2", "OPENAI_API_KEY=[redacted: api_key]\nB=2"),
        ("password: hunter2, user: ann", "password: [redacted: password], user: ann"),
        ("Client(api_key='a b', n=1)", "Client(api_key='[redacted: api_key]', n=1)"),
        ('{"api_key": "a \\" b", "n": 1}', '{"api_key": "[redacted: api_key]", "n": 1}'),
        (
            '{"args": "{\\"password\\": \\"a b\\", \\"n\\": 1}"}',
            '{"args": "{\\"password\\": \\"[redacted: password]\\", \\"n\\": 1}"}',
        ),
        ('{"password": "cut he', '{"password": "[redacted: password]'),
        ('{"pin": 1, "password": 1234}', '{"pin": 1, "password": [redacted: password]}'),
        ("'client_secret' => 'abc'", "'client_secret' => '[redacted: secret]'"),
        ("clientSecret = abc", "clientSecret = [redacted: secret]"),
        ("postgres://ann:hunter2@db:5432/x", "postgres://ann:[redacted: URL password]@db:5432/x"),
        ("redis://:hunter2@db", "redis://:[redacted: URL password]@db"),
        ("https://ann:p@ss@host/x", "https://ann:[redacted: URL password]@host/x"),
        ("Cookie: sid=abc; theme=dark", "Cookie: [redacted: cookie]"),
        ("Set-Cookie: sid=abc; Path=/\r\nX: 1", "Set-Cookie: [redacted: cookie]\r\nX: 1"),
        ('"Set-Cookie": "sid=abc; Path=/"', '"Set-Cookie": "[redacted: cookie]"'),
        (
            "access_token=abc refresh_token=def",
            "access_token=[redacted: access_token] refresh_token=[redacted: refresh_token]",
        ),
    ],
)
def test_secrets_with_a_name_beside_them_go(text: str, expected: str) -> None:
    """In a text, what is assigned to a secret's name goes, and the text around it stays readable."""
    assert without_secrets(text) == expected
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
    assert without_secrets(text) is text


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
        *(
            "u:p@",
            ";",
            ",",
            "{",
            "}",
            "[",
            "]",
            "-",
            "_",
            ".",
            "[redacted]",
            mark("OpenAI key"),
            "None",
            "\u212aey",
            "\u017f",
            "Basic",
        ),
        *(
            "(",
            ")",
            "`",
            "b'",
            "[(",
            "]]",
            ", ",
            ": ",
            ":=",
            "!",
            "|\n ",
            "**",
            "--",
            "--password",
            "%env ",
            "DB_KEY",
            "VAULT_TOKEN",
            "basic_auth",
            "n_secrets",
            "the access token",
            "SecretStr(",
            "get(",
            "str = ",
            "Digest a=",
            "jwt",
            "12345678",
            '"""',
            "p/q@h",
        ),
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
    assert without_secrets(text) == shapes.searched(text)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_redacting_twice_changes_nothing(text: str) -> None:
    """What was redacted is ordinary text from then on."""
    once = without_secrets(text)
    assert without_secrets(once) == once


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
    if "[redacted" not in json.dumps(redacted):
        assert redacted == jsonable(value)


def test_values_json_does_not_know_are_redacted_too() -> None:
    """Bytes, sets and objects are redacted in the form in which they are written."""

    class Client:
        def __repr__(self) -> str:
            return f"Client(api_key='{OPENAI}')"

    value = {"raw": OPENAI.encode(), "all": {OPENAI}, "client": Client()}
    hidden = mark("OpenAI key")
    assert redact(value) == {
        "raw": f"b'{hidden}'",
        "all": [hidden],
        "client": "Client(api_key='[redacted: api_key]')",
    }


def test_the_longest_keys_are_judged_by_their_end() -> None:
    """A key of any length is judged, and none of the long ones is kept in memory."""
    before = redact_module._judge_cached.cache_info().currsize
    assert redact({"x" * 100_000 + "_api_key": "abc"}) == {"x" * 100_000 + "_api_key": mark("api_key")}
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
    *(
        'password="[redacted',
        "password=(",
        "password=f('",
        "password: |\n ",
        "  password: |\n  [redacted: x]\n",
        "password: !a ",
        "api_key: Optional[",
    ),
    *(
        '("password", "',
        '[["password", "',
        "--password ",
        "--password', '",
        "%env A_KEY ",
        "authorization: a=",
    ),
    *(
        'authorization: a="',
        "password=" + "'" * 3,
        "password=" + "\\'" * 3,
        "password :=",
        "password*",
        "://a@b:",
    ),
    *(
        "cookie: a=b\\",
        "password=([",
        "[redacted",
        "password: str | ",
        "password-",
        "the access ",
        "n_secret",
    ),
    *(
        "name: key",
        '"name": "key", "value": ',
        "name: key value",
        "key=a,a=a,",
        "key=a" + " " * 40,
        "<key>",
        "<key>a</key>",
        "<key a",
        "password=get(",
        "password=get('a',",
        "password=a or ",
        "password=a if ",
        "password=a +",
        "a, password=",
        "auth=('a',",
        "curl ",
        "curl -u a:",
        "machine a ",
        "machine a login a ",
        "password '",
        "a:a@tcp",
        "a" * 64 + ":",
        "://a1",
        "\\n",
        "\x1b[3",
        "…",
    ),
    *("authorization: bearer ", "xox", "ghp_", "AKIA", "AIza", '\\"', "secret: '", "key" + " " * 9, "a." * 3),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_hostile_text_is_done(piece: str) -> None:
    """Half a megabyte of any piece a pattern could stumble over is done: quadratic work would take hours."""
    count = 250_000 // len(piece)
    for text in (piece * count, "password=" + piece * count + "\n"):
        assert isinstance(without_secrets(text), str)


def test_every_repetition_is_bounded_or_possessive() -> None:
    """No pattern repeats in a way that could be tried again at other lengths without bound."""
    assigned_ones = [
        each
        for module in (assigned, values, ordinary)
        for each in vars(module).values()
        if isinstance(each, re.Pattern)
    ]
    assert len(assigned_ones) > 30
    for pattern in (*shapes.PATTERNS, *assigned_ones):
        outside_classes = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", pattern.pattern)
        final = re.sub(r"(?:[*+?]|\{\d+,\d*\})\+", "", outside_classes)
        # The one lazy search: it ends at the end of the text, so it cannot fail.
        assert not re.search(r"[*+]|\{\d+,\}", final.replace(r".*?(?:-----END", ""))


@pytest.mark.parametrize(
    "text,name",
    [
        ("password2={}", "password"),
        ("api-key-12: {}", "api_key"),
        ("OPENAI_KEY={}", "key"),
        ('{{"secret_3": "{}"}}', "secret"),
        ("pwd1='{}'", "pwd"),
    ],
)
def test_numbered_names_in_a_text_tell_too(text: str, name: str) -> None:
    """What is assigned to a secret's name with a number, or to a provider's key, goes, also far into a text."""
    for before in ("", "plain words, " * 100):
        assert without_secrets(before + text.format("hunter2")) == before + text.format(mark(name))


SECRET = "Zq8hT2mWn5Lr9XcV"


@pytest.mark.parametrize(
    "text",
    [
        "API_KEY: \x1b[33m§\x1b[0m",
        "API_KEY\x1b[0m=\x1b[31m§",
        "password: \x1b[32m'§'\x1b[0m",
        "{\x1b[32m'password'\x1b[0m: \x1b[32m'§'\x1b[0m}",
        '{"a": "x\\ncurl -u ann:§ http://x"}',
        '{"a": "x\\nsetx OPENAI_API_KEY \\"§\\""}',
        "{\"a\": \"x\\nauth=('ann', '§')\"}",
        '{"a": "x\\nPASSWORD \'§\'"}',
        '{"a": "ENV API_TOKEN §"}',
        'let password: String = "§"',
        "password: !!str §",
    ],
)
def test_what_stands_around_a_value_does_not_save_it(text: str) -> None:
    """Colours, the escape of a new line, types and tags stand before a secret or its name as nothing does."""
    assert SECRET not in without_secrets(text.replace("§", SECRET))


@pytest.mark.parametrize(
    "text",
    [
        'print("Wrong password " + name + ", try again")',
        '["Enter your password ", "Enter the code "]',
        "Use 'password ' or 'token'",
        '"File %r is encrypted, password "\n "required for extraction"',
        "The password `x` is bad",
        "secret = str(uuid.uuid4())",
        "see https://my-app-1234-preview-branch…",
        "mail ann.smith@example.org…",
    ],
)
def test_a_text_that_ends_with_a_telling_word_is_left_alone(text: str) -> None:
    """The quote after `password ` may end a text, a call may make a secret, and a cut host holds no password."""
    assert without_secrets(text) is text


@pytest.mark.parametrize("end", [" main.py", " 18.2", " ann@example.org", " www.example.org/a", " word"])
def test_cut_texts_stay_ordinary(end: str) -> None:
    """A text of a preview's length needs the patterns only where it may end in the midst of a secret."""
    text = "It is sunny in Porto. " * 20
    assert is_ordinary(text[: MAX_PREVIEW - len(end)] + end)
