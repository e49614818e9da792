"""Take secrets out of what leaves the process's memory: views, frames, files.

What is taken out, each replaced by `[redacted]`:

- by key: the whole value under a key that names a secret, however it is spelled (`api_key`, `apiKey`,
  `X-API-Key`, `OPENAI_API_KEY`, `OPENAI_KEY`, `api_key_2`), and the `value` beside
  a `name`, `key` or `header` that does
- by shape, inside any text: keys and tokens with a well-known prefix (OpenAI, Anthropic, AWS, Google,
  GitHub, GitLab, Slack, Stripe, Hugging Face, npm, PyPI, Groq, xAI, LangSmith), JSON web tokens, PEM
  private keys (also cut ones), `Bearer ...`, the password in `scheme://user:password@host`
- by name, inside any text: what is assigned to the name of a secret (`api_key=...`, `"password": "..."`,
  `Authorization: Basic ...`), up to the closing quote, or the next blank or delimiter without one

What is not promised: a secret that looks like any other text and has no telling name beside it, one that was
cut or split before it came here, one that is encoded (base64, percent), and personal data. Counts are left
alone: the bare word `token` names no secret, nor do `input_tokens`, `max_tokens` and the like. More may go
than had to: of `password: please` the word `please` does.

The cost grows with the length of the text and with nothing else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MARK = "[redacted]"

# Compared with a key in lower case, without separators, a number at its end and a plural's `s`; a longer key
# ends in one.
_TELLING_NAMES = """
    password passwordconfirm passwordconfirmation passwd passphrase passwordhash secret secretvalue
    credential authorization authorizationheader authheader bearer cookie connectionstring jwt apikey
    accesskey secretkey privatekey signingkey encryptionkey masterkey sshkey accountkey accesstoken
    apitoken authtoken bearertoken bottoken clienttoken csrftoken githubtoken gitlabtoken hftoken
    personaltoken refreshtoken secrettoken securitytoken sessiontoken slacktoken xsrftoken dbpwd mysqlpwd
    userpwd openaikey anthropickey azurekey awskey geminikey googlekey groqkey mistralkey coherekey
"""
_SECRET_ENDS = tuple(_TELLING_NAMES.split())
# Too short, or too often the end of another word, to stand at the end of a longer key.
_SECRET_KEYS_ALONE = frozenset({"idtoken", "pwd"})
_SEPARATORS = str.maketrans("", "", "-_. ")
_LONGEST_KEY = 128

# The names of secrets inside a text. Tokens in the plural are counts.
_NAMES = (
    r"(?:(?:(?:api|access|secret|private|signing|encryption|account|master|ssh)[-_ ]?"
    r"|(?:openai|anthropic|azure|aws|gemini|google|groq|mistral|cohere)[-_])keys?"
    r"|(?:access|api|auth|bearer|bot|csrf|github|gitlab|hf|refresh|secret|security|session|slack|xsrf|\bid)"
    r"[-_ ]?token"
    r"|(?:secret|passphrase|passw(?:or)?d|credential)s?|pwd|authorization|connection[-_ ]?string)(?:[-_]?[0-9]{1,3})?"
)
_ASSIGN = r"\s{0,4}\\{0,7}[\"']?\s{0,4}(?::|=>?)\s{0,4}"
_SCHEME = r"(?:(?:bearer|basic|digest|token|bot)\s{1,4})?"
# Not: what was redacted before, what stands for no value, the type in a signature.
_VALUE = r"(?!\[redacted\]|(?:none|null|true|false|str)\b)"
# A double-quoted value, a single-quoted one, one in a JSON text inside a JSON text, one without quotes.
_QUOTED = (
    rf"(\"){_VALUE}(?:[^\"\\]|\\.)++|('){_VALUE}(?:[^'\\]|\\.)++"
    rf"|(\\{{1,7}}[\"']){_VALUE}[^\"'\\]++(?:\\{{1,7}}[^\"'\\]++)*+"
)
_BARE = rf"{_VALUE}[^\s\"'\\,;&(){{}}\[\]<>]++"
_ASSIGNED = rf"({_NAMES}{_ASSIGN}{_SCHEME})(?:{_QUOTED}|{_BARE})"

# A key or token with a prefix of its own.
_PREFIXED = (
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:[A-Za-z0-9]{16}|(?:ant|lf|or|proj|svcacct)-[\w-]{4}|(?=[A-Za-z_-]{0,40}[0-9])[\w-]{8})"
    r"|(?:gh[opsru]|github_pat|whsec|lsv2_(?:pt|sk)|[rs]k_(?:live|test))_[A-Za-z0-9]{6}"
    r"|(?:gsk|hf|npm)_[A-Za-z0-9]{20}|(?:glpat|pplx|pypi|xai|xapp|xox[abeoprs])-[A-Za-z0-9-]{6}"
    r"|AIza[\w-]{30}|(?:AKIA|ASIA)[A-Z0-9]{16})[\w-]*+"
)
_BEARER = (
    r"(\b(?:[Bb]earer|BEARER)\s{1,4})"
    r"(?!(?:tokens?|auth\w{0,20}|scheme|credentials?|certificates?|headers?)\b)[A-Za-z0-9._~+/=-]{6,}+"
)
_PEM = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY.*?(?:-----END [A-Z0-9 ]{0,60}-----|\Z)"
_IN_URL = r"(://[^\s/:@?#\"']{0,256}:)[^\s/\"']{1,256}@"
_JWT = r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+){0,3}"
_COOKIE = rf"(cookie{_ASSIGN}\\{{0,7}}[\"']?)(?=[^\s=;\"']{{1,100}}=)[^\r\n\"'\\]++"

# Every repetition that may fail after it matched is bounded or possessive: that keeps the time linear.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(_PEM, re.ASCII | re.DOTALL), MARK),
    (re.compile(_IN_URL, re.ASCII), rf"\1{MARK}@"),
    (
        re.compile(_ASSIGNED, re.ASCII | re.DOTALL | re.IGNORECASE),
        rf"\1\2\3\4{MARK}",
    ),
    (re.compile(_COOKIE, re.ASCII | re.IGNORECASE), rf"\1{MARK}"),
    (re.compile(_BEARER, re.ASCII), rf"\1{MARK}"),
    (re.compile(_JWT, re.ASCII), MARK),
    (re.compile(_PREFIXED, re.ASCII), MARK),
)


def redact(value: object) -> Any:
    """Copy any value as `jsonable` does, without the secrets this module's docstring lists.

    A key that holds a secret itself is replaced too; keys that then read alike are all kept, the second as
    `"[redacted] (2)"`. `None`, booleans and empty texts under a secret's name stay: they show what was not
    set. Never raises; KeyboardInterrupt and SystemExit pass through. Redacting twice changes nothing.

    Example:
        >>> redact({"api_key": "abc", "input_tokens": 12, "note": "use Bearer abc123def"})
        {'api_key': '[redacted]', 'input_tokens': 12, 'note': 'use Bearer [redacted]'}
    """
    return redact_tree(jsonable(value))


def redact_tree(tree: Any) -> Any:
    """Redact what `jsonable` gave, in place where that is possible: the caller must own `tree`."""
    kind = _type_of(tree)
    if kind is str:
        return redact_text(tree)
    if kind is dict:
        return _redact_dict(tree)
    if kind is list:
        for index, item in enumerate(tree):
            if isinstance(item, str | dict | list):
                tree[index] = redact_tree(item)
    return tree


def redact_text(text: str) -> str:
    """Give `text` without the secrets that have a telling shape, or a telling name beside them.

    Returns the very same string when there is nothing to take out. The time grows with the length only.

    Example:
        >>> redact_text("POST https://ann:hunter2@example.org with api_key=abc")
        'POST https://ann:[redacted]@example.org with api_key=[redacted]'
    """
    if _is_ordinary(text):
        return text
    redacted = text
    for pattern, replacement in _PATTERNS:
        redacted = pattern.sub(replacement, redacted)
    return text if redacted == text else redacted


def is_secret_key(key: str) -> bool:
    """Say whether what stands under `key` is to be taken out, whatever it is."""
    name = key[-_LONGEST_KEY:].lower().translate(_SEPARATORS).rstrip("0123456789").rstrip("s")
    return name.endswith(_SECRET_ENDS) or name in _SECRET_KEYS_ALONE


_PLAIN, _NAMES_SECRET, _HOLDS_SECRET = range(3)


def is_ordinary_key(key: str) -> bool:
    """Say whether redaction leaves both `key` and, but for its own sake, what stands under it alone."""
    return (_judge_cached(key) if len(key) <= _LONGEST_KEY else _judge(key)) == _PLAIN


def _judge(key: str) -> int:
    """Say what a key means for its value, and whether it has to be redacted itself."""
    if redact_text(key) != key:
        return _HOLDS_SECRET
    return _NAMES_SECRET if is_secret_key(key) else _PLAIN


_judge_cached = lru_cache(maxsize=4096)(_judge)


def _redact_dict(tree: dict[str, Any]) -> dict[str, Any]:
    rename = False
    for key, item in tree.items():
        judged = _judge_cached(key) if len(key) <= _LONGEST_KEY else _judge(key)
        kind = _type_of(item)
        if judged == _NAMES_SECRET:
            tree[key] = _taken_out(key, item)
        elif kind is str:
            if not _is_ordinary(item):
                tree[key] = redact_text(item)
        elif kind is dict or kind is list:
            tree[key] = redact_tree(item)
        rename = rename or judged == _HOLDS_SECRET
    if "value" in tree:
        name = tree.get("name", tree.get("key", tree.get("header")))
        if isinstance(name, str) and is_secret_key(name):
            tree["value"] = _taken_out(name, tree["value"])
    return _with_redacted_keys(tree) if rename else tree


def _taken_out(key: str, item: Any) -> Any:
    if item is None or item is True or item is False or item == "":
        return item
    # `session_tokens: 120` counts something.
    return item if isinstance(item, int | float) and "token" in key.lower() else MARK


def _with_redacted_keys(tree: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, item in tree.items():
        name = base = redact_text(key)
        count = 1
        while name != key and (name in out or name in tree):
            count += 1
            name = f"{base} ({count})"
        out[name] = item
    return out


def _is_ordinary(text: str) -> bool:
    """Say that no pattern can match: a few substring searches, many times cheaper than the patterns."""
    if len(text) < _SHORTEST:
        return True
    if ("A" in text or "J" in text) and _any_in(_CAPITALS, text):
        return False
    if "earer" in text or ("-" in text and _any_in(_DASHED, text)):
        return False
    if "_" in text and _any_in(_UNDERSCORED, text):
        return False
    return not ((":" in text or "=" in text) and _may_tell(text))


def all_ordinary(texts: Sequence[str]) -> bool:
    """Say that `redact` would change none of `texts`; False if one of them wants a closer look.

    Asks about all at once what `redact_text` asks about one, so it costs much less.
    """
    text = "\n".join(texts)
    if "earer" in text or not (text.isascii() or jsonable(text) is text):
        return False
    # One character is found ten times as fast as two.
    for character, parts in (("A", _CAPITALS), ("J", _CAPITALS), ("-", _DASHED), ("_", _UNDERSCORED)):
        if character in text and _any_in(parts, "\n".join([each for each in texts if character in each])):
            return False
    return not ((":" in text or "=" in text) and _may_tell(text))


def _may_tell(text: str) -> bool:
    """Say whether one side of a `:` or `=` in `text` may tell that a secret is on the other."""
    if "://" in text:
        return True
    short = len(text) < _CUTTING or len(text) < _CUTTING_EACH * (text.count(":") + text.count("="))
    if short and not _any_in(_STEMS, text.lower()):
        return False
    *before, _ = text.replace("=", ":").split(":")
    names = [part.rstrip(_AFTER_NAMES)[-_LONGEST_NAME:] for part in before]
    return _any_in(_STEMS, "\n".join(names).lower())


# `pwd=ab`
_SHORTEST = 6
_CAPITALS = ("AKIA", "ASIA", "AIza", "EARER", "eyJ")
_DASHED = ("sk-", "xox", "-----BEGIN", "glpat-", "pplx-", "pypi-", "xai-", "xapp-")
_UNDERSCORED = (
    "hf_",
    "npm_",
    "gsk_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghr_",
    "ghu_",
    "_pat_",
    "whsec_",
    "lsv2_",
    "k_live_",
    "k_test_",
)
_STEMS = ("key", "token", "secret", "pass", "pwd", "cookie", "credential", "authoriz", "connection")
# How far back from the end of a name its stem may begin, and what may come between that end and `:` or `=`.
_LONGEST_NAME = len("connection string-123")
_AFTER_NAMES = " \t\n\r\f\v\\\"'"
# To cut out what may be names takes as long as to search this many characters, or so many for each name.
_CUTTING, _CUTTING_EACH = 200, 50


def _any_in(parts: tuple[str, ...], text: str) -> bool:
    for part in parts:  # noqa: SIM110 - a generator costs more than the searches
        if part in text:
            return True
    return False


_type_of: Callable[[Any], type[Any]] = type
