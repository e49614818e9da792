"""Take secrets out of what leaves the process's memory: views, frames, files.

What is taken out, each replaced by a mark that says why, as `[redacted: api_key]` or `[redacted: OpenAI key]`:

- by key: the whole value under a key that names a secret, however it is spelled (`api_key`, `apiKey`,
  `X-API-Key`, `OPENAI_API_KEY`, `VAULT_TOKEN`, `DB_PASS`, `api_key_2`: see `names`), and the `value` beside
  a `name`, `key` or `header` that does, what comes after it in a list of pairs, or after such a `--flag` in a list
- by shape, inside any text: keys and tokens with a shape of their own (of OpenAI, Anthropic, AWS, Google,
  Azure, GitHub, GitLab, Slack, Stripe, Hugging Face and some sixty more: see `shapes`), JSON web tokens, PEM
  private keys (also cut ones), `Bearer ...`, `Basic ...` with a name and a password in it, the password in
  `scheme://user:password@host`, a signature or token in a URL's query, webhooks
- by name, inside any text: what is assigned to such a name (`api_key=...`, `"password": "..."`,
  `environ["DB_PASSWORD"] = ...`, `Authorization: ApiKey ...`, `--password ...`, `<password>...</password>`, the
  `value` after a `name`: see `assigned`), up to the closing quote or bracket, also in JSON in JSON, or without one
  the next blank or delimiter; of a header, the line. Of code that chooses (`getenv("P") or "..."`) each text goes
- at the end of a text that was cut, by a preview's length, an error's or an ellipsis: what a secret may begin with

What is not promised: a secret that looks like any other text and has no telling name beside it, or whose name is
a column's, a position's or a sentence's rather than its own; one that was split before it came here, or cut at
another length; what is in code that only a run of it would tell; one that is encoded (base64, percent), and personal
data. Ids of runs are left as they are, and so is what names no value: code that reads the environment
(`os.environ["API_KEY"]`, `${API_KEY}`), or a variable of the same name, and what says that there is none
(`api_key: missing`). Counts are left alone: the bare words `token` and `key` name no secret, nor do `input_tokens`,
`next_page_token`, `sort_key`, `num_passwords` and the like, nor small numbers under the name of a token. More may go
than had to: of `password: please` the word `please` does.

The cost grows with the length of the text and with nothing else.

`set_redactor` has a function of the user's come after all this, or turns it off, for the whole process.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from locus_nb._payloads.names import LONGEST_KEY, MARK, is_count, mark, secret_name
from locus_nb._payloads.ordinary import is_ordinary
from locus_nb._payloads.shapes import without_secrets
from locus_nb._wire import MAX_DEPTH, dumps, jsonable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Redactor = Callable[[str, Any], Any]

FAILED = mark("the redact function failed")

_log = logging.getLogger(__name__)
# Without a logger of the user's, logging would print it: the mark tells too.
_log.addHandler(logging.NullHandler())

# Beside what names it, the value: of a header, a variable, a parameter.
VALUE_KEYS = frozenset({"value", "Value", "VALUE", "val", "Val"})
_NAME_KEYS = tuple(
    each
    for name in ("name", "key", "header", "variable", "field", "param", "parameter")
    for each in (name, name.title(), name.upper())
)
_PLAIN, _NAMES_SECRET, _HOLDS_SECRET = range(3)


class _Asked:
    """A function of the user's: asked about each value, and reported once when it fails."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self._told = False

    def tree(self, key: str, tree: Any, opened: tuple[int, ...] = ()) -> Any:
        """Have the members of a container looked at, in place, or a value that is none."""
        kind = _type_of(tree)
        opened = (*opened, id(tree))
        if kind is dict:
            for name, item in list(tree.items()):
                tree[name] = self._value(name, item, opened)
        elif kind is list:
            # Of a copy: it may grow with each question.
            tree[:] = [self._value(key, item, opened) for item in list(tree)]
        else:
            return self._value(key, tree, opened)
        return tree

    def _value(self, key: str, value: Any, opened: tuple[int, ...]) -> Any:
        """Ask about a value; about its members where it comes back as it was."""
        if type(value) is str and value.startswith(_MARKED) and value.endswith("]"):
            return value
        try:
            given = self.redactor(key, value)
        except Exception as error:  # noqa: BLE001 - an edge: user code; the mark says so, and it is reported once
            self._tell(error)
            return FAILED
        # It may have been changed in its place, to hold itself too.
        is_new = given is value and type(value) in (dict, list) and id(value) not in opened
        return self.tree(key, value, opened) if is_new and len(opened) <= MAX_DEPTH else given

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            # Not what the error says: that may be the secret.
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            line = f" in line {where.tb_lineno} of {where.tb_frame.f_code.co_filename}" if where else ""
            _log.warning(
                "locus_nb hides what it asked the redact function given to configure() about: it failed with %s%s. "
                "It is asked about numbers, lists and dicts too",
                type(error).__name__,
                line,
            )


_MARKED = MARK.rstrip("]")
# Read once by each call. True: as this module says.
_policy: _Asked | bool = True


def set_redactor(redactor: Redactor | bool) -> None:  # noqa: FBT001 - one of three ways, not a flag
    """Say what `redact` does in this process from now on: see `configure`, which checks the argument."""
    global _policy  # noqa: PLW0603 - it is one setting of the process
    if isinstance(_policy, _Asked) and _policy.redactor is redactor:
        return
    _policy = redactor if isinstance(redactor, bool) else _Asked(redactor)


def redaction() -> Literal["on", "off", "asks"]:
    """Say whether secrets are taken out, and whether a function of the user's is asked too."""
    return "asks" if isinstance(_policy, _Asked) else "on" if _policy else "off"


def redact(value: object, *, key: str = "") -> Any:
    """Copy any value as `jsonable` does, without the secrets this module's docstring lists.

    A key that holds a secret itself is replaced too; keys that then read alike are all kept, the second as
    `"[redacted: OpenAI key] (2)"`. `None`, booleans and empty texts under a secret's name stay: they show what was
    not set. Never raises; KeyboardInterrupt and SystemExit pass through. Redacting twice changes nothing.

    Args:
        value: A container, whose members are looked at, or a single value.
        key: What a function of the user's is told that a single value is.

    Example:
        >>> redact({"api_key": "abc", "input_tokens": 12, "note": "use Bearer abc123def"})
        {'api_key': '[redacted: api_key]', 'input_tokens': 12, 'note': 'use Bearer [redacted: bearer token]'}
    """
    return redact_tree(jsonable(value), key=key)


def redact_tree(tree: Any, *, key: str = "") -> Any:
    """Redact what `jsonable` gave, in place where that is possible: the caller must own `tree`."""
    policy = _policy
    if policy is True:
        return _redacted(tree)
    return jsonable(policy.tree(key, _redacted(tree))) if policy else tree


def redact_text(text: str, *, key: str = "") -> str:
    """Redact a text that has to stay one, as a name. What is none becomes its JSON text."""
    given = redact(text, key=key)
    return given if isinstance(given, str) else dumps(given)


def redact_name(name: str) -> str:
    """Redact an event type or the like: the few there are come often. No function of the user's is asked."""
    if not _policy:
        return name
    return _redacted_name(name) if len(name) <= LONGEST_KEY else without_secrets(name)


def redact_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """Redact a run's tags, which have to stay texts."""
    given = redact(dict(tags))
    return {name: value if isinstance(value, str) else dumps(value) for name, value in given.items()}


_redacted_name = lru_cache(maxsize=1024)(without_secrets)


def is_ordinary_key(key: str) -> bool:
    """Say whether redaction leaves both `key` and, but for its own sake, what stands under it alone."""
    return (_judge_cached(key) if len(key) <= LONGEST_KEY else _judge(key)) == _PLAIN


def _judge(key: str) -> int:
    """Say what a key means for its value, and whether it has to be redacted itself."""
    if without_secrets(key) != key:
        return _HOLDS_SECRET
    return _PLAIN if secret_name(key) is None else _NAMES_SECRET


_judge_cached = lru_cache(maxsize=4096)(_judge)


def _redacted(tree: Any) -> Any:
    kind = _type_of(tree)
    if kind is str:
        return without_secrets(tree)
    if kind is dict:
        return _redact_dict(tree)
    if kind is list:
        return _redact_list(tree)
    return tree


def _redact_list(tree: list[Any]) -> list[Any]:
    are_pairs = bool(tree) and _is_pair(tree[0]) and all(map(_is_pair, tree))
    flag = None
    for index, item in enumerate(tree):
        kind = _type_of(item)
        if kind is str:
            if flag is not None and not item.startswith("-"):
                tree[index] = _taken_out(flag, item)
            elif not is_ordinary(item):
                tree[index] = without_secrets(item)
            flag = item if item.startswith("--") and secret_name(item) is not None else None
            continue
        flag = None
        if are_pairs and secret_name(item[0]) is not None:
            item[1] = _taken_out(item[0], item[1])
        if kind is dict or kind is list:
            tree[index] = _redacted(item)
    return tree


def _is_pair(item: Any) -> bool:
    return _type_of(item) is list and len(item) == 2 and _type_of(item[0]) is str  # noqa: PLR2004 - a pair


def _redact_dict(tree: dict[str, Any]) -> dict[str, Any]:
    rename = False
    for key, item in tree.items():
        judged = _judge_cached(key) if len(key) <= LONGEST_KEY else _judge(key)
        kind = _type_of(item)
        if judged == _NAMES_SECRET:
            tree[key] = _taken_out(key, item)
        elif kind is str:
            if not is_ordinary(item):
                tree[key] = without_secrets(item)
        elif kind is dict or kind is list:
            tree[key] = _redacted(item)
        rename = rename or judged == _HOLDS_SECRET
    if not VALUE_KEYS.isdisjoint(tree):
        _redact_named_value(tree)
    return _with_redacted_keys(tree) if rename else tree


def _redact_named_value(tree: dict[str, Any]) -> None:
    """Take out the value beside the name of a secret, as in `{"name": "X-API-Key", "value": "..."}`."""
    names = [tree[key] for key in _NAME_KEYS if key in tree]
    name = next((each for each in names if _type_of(each) is str and secret_name(each) is not None), None)
    if name is not None:
        for key in VALUE_KEYS.intersection(tree):
            tree[key] = _taken_out(name, tree[key])


def _taken_out(key: str, item: Any) -> Any:
    if item is None or item is True or item is False or item == "":
        return item
    # `session_tokens: 120` counts something.
    if isinstance(item, int | float) and is_count(key, item):
        return item
    return mark(secret_name(key) or "secret")


def _with_redacted_keys(tree: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, item in tree.items():
        name = base = without_secrets(key)
        count = 1
        while name != key and (name in out or name in tree):
            count += 1
            name = f"{base} ({count})"
        out[name] = item
    return out


_type_of: Callable[[Any], type[Any]] = type
