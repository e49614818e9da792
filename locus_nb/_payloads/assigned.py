"""What a text assigns to the name of a secret: found by the name, as `names` judges it, and taken out.

The name may be a key or a keyword, a subscript, a header, a flag of a command, the first of a pair, an element of
XML, or what stands as `name` or `key` beside a `value`; between it and the value may stand the end of a subscript, a
type, a scheme, a tag and the beginning of a call. Where the value ends, `values` says.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from locus_nb._payloads.names import LONGEST_NAME, mark, may_tell, secret_name, secret_phrase
from locus_nb._payloads.values import COLOUR, ESCAPED, PREFIXED, QUOTE, Form, Name, value_spans

# Groups of texts.
Needs = tuple[tuple[str, ...], ...]


class _Way(NamedTuple):
    """A way to bring a name, the first group, together with what follows; one that names none itself is `told`.

    Of each group of `needs` one must stand in the text, or the pattern finds nothing: to see that is far cheaper.
    """

    form: Form
    pattern: re.Pattern[str]
    needs: Needs
    told: str | None = None


_NAMED = re.compile(
    rf"(?<![\w-])([\w-]++){COLOUR}\s{{0,4}}(?:{QUOTE}(?:\s{{0,4}}\])?|\??)(?:\*\*)?{COLOUR}\s{{0,4}}"
    r"(:=|!?={1,3}>?|:)\s{0,4}(?:\*\*\s{0,4})?",
    re.ASCII,
)
_FLAG = re.compile(
    rf"(?:(?<![\w-])|{ESCAPED})(--[A-Za-z][\w-]*+)(?:{QUOTE}\s{{0,4}},\s{{0,4}}(?={PREFIXED})|[ \t]{{1,4}}(?!-))",
    re.ASCII,
)
# A line: of IPython, a Dockerfile, Windows, the AWS command.
_SET = re.compile(
    rf"(?:%(?:set_)?env|(?:(?<![^\n\"'])|(?<=\\n))ENV|(?:\b|{ESCAPED})(?:setx|configure set)) {{1,4}}([\w.-]++)"
    r"[ \t]{1,4}(?=\S)",
    re.ASCII,
)
_PAIR = re.compile(
    r"(?:(?<=[\w\[(,{])\(|(?<=, )\(|(?<=[\[(,])\[|(?<=[\[,]\s)\[|(?<=setattr)\([\w.]{1,60},)"
    rf"\s{{0,4}}{PREFIXED}([\w-]++){QUOTE}\s{{0,4}},\s{{0,4}}(?:default=)?(?={PREFIXED})",
    re.ASCII,
)
_NAME_KEY = r"(?i:name|key|header|variable|field|param(?:eter)?)"
_VALUE_KEY = r"(?i:value|val)"
_APART = r"(?:[\s,;]|\\{1,31}[nrt]){1,40}+"
_MEMBER = (
    rf"(?!{QUOTE}?(?:{_NAME_KEY}|{_VALUE_KEY})\b){QUOTE}?[\w.-]{{1,30}}+{QUOTE}?\s{{0,2}}[:=]\s{{0,4}}"
    rf"{QUOTE}?[^\s\"'`,;<>{{}}\\]{{0,60}}+{QUOTE}?{_APART}"
)
# `{"name": "API_KEY", "value": ...}`, in JSON, YAML, XML or code.
_BESIDE = re.compile(
    rf"(?:(?<![\w-])|{ESCAPED}){_NAME_KEY}{QUOTE}?\s{{0,4}}[:=]\s{{0,4}}(?:{PREFIXED})?([\w.-]++)(?:{QUOTE})?{_APART}"
    rf"(?:{_MEMBER}){{0,2}}(?:{QUOTE})?{_VALUE_KEY}{QUOTE}?\s{{0,4}}([:=])\s{{0,4}}",
    re.ASCII,
)
# With its end, or it may be a placeholder.
_ELEMENT = re.compile(
    rf"(?:<{_NAME_KEY}>\s{{0,8}}([\w.-]++)\s{{0,8}}</\w{{1,20}}+>(?:{_APART})?<\w{{1,20}}+>"
    r"|<(?:\w{1,40}:)?([\w.-]++)(?:\s[^<>]{0,200}+)?>)(?=\s{0,8}(?:<!\[CDATA\[)?[^<]++</)",
    re.ASCII,
)
# Two in brackets: the second is the password.
_SIGN_IN = re.compile(
    rf"((?:(?<![\w-])|{ESCAPED})auth\s{{0,4}}=\s{{0,4}}\w{{0,40}}\("
    r"|(?<![A-Za-z])\w{0,10}BasicAuth\(|(?<=\.)login\()\s{0,4}(?:\w{1,40}=)?"
    rf"{PREFIXED}[^\"'`\\\r\n]{{0,100}}+{QUOTE}\s{{0,4}},\s{{0,4}}(?:\w{{1,40}}=)?(?={PREFIXED})",
    re.ASCII,
)
_NETRC = re.compile(
    rf"(?:(?<![\w-])|{ESCAPED})machine {{1,8}}\S{{1,100}}+\s{{1,8}}login\s{{1,8}}\S{{1,100}}+\s{{1,8}}"
    r"(password)\s{1,8}(?=\S)",
    re.ASCII,
)
_SQL = re.compile(
    rf"(?:(?<![\w-])|{ESCAPED})(password|identified(?: with \w{{1,40}})? by) {{1,4}}"
    # One that ends a text has a blank, an operator or the next text behind it.
    r"(?=\\{0,31}[\"'][^\s,;:)\]}+%.\\])",
    re.ASCII | re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\(?:[nrtfvb]|x[0-9a-f]{2}|u[0-9a-f]{4})|%[0-9A-F]{2}|[\[;][0-9]{1,3}m")
_WAYS = (
    _Way("assigned", _NAMED, ((":", "="),)),
    _Way("assigned", _BESIDE, (("val", "Val", "VAL"),)),
    _Way("flag", _FLAG, (("--",),)),
    _Way("pair", _PAIR, ((",",), ("(", "["))),
    _Way("line", _SET, (("env ", "ENV ", "setx ", "configure set "),)),
    _Way("element", _ELEMENT, (("<",),)),
    _Way("assigned", _SIGN_IN, ((",",), ("(",)), "password"),
    _Way("assigned", _NETRC, (("machine ",),), "password"),
    _Way("assigned", _SQL, (("assw", "ASSW", "entified", "ENTIFIED"),), "password"),
)


def without_assigned(text: str) -> str:
    """Take out what is assigned to the name of a secret.

    Example:
        >>> without_assigned('os.environ["DB_PASSWORD"] = "hunter2"; n = 1')
        'os.environ["DB_PASSWORD"] = "[redacted: password]"; n = 1'
    """
    for way in _WAYS:
        if has_each(text, way.needs):
            text = _without(text, way)
    return text


def has_each(text: str, needs: Needs) -> bool:
    """Say whether one of each group of texts stands in `text`."""
    for parts in needs:
        for part in parts:
            if part in text:
                break
        else:
            return False
    return True


def _without(text: str, way: _Way) -> str:
    parts: list[str] = []
    done = at = 0
    while found := way.pattern.search(text, at):
        at = found.end()
        name = _name_of(text, found, way)
        if name is None:
            continue
        spans, at = value_spans(text, at, name)
        for start, end in spans:
            parts += (text[done:start], mark(name.told))
            done = end
    return "".join((*parts, text[done:])) if parts else text


def _name_of(text: str, found: re.Match[str], way: _Way) -> Name | None:
    group = 1 if found[1] is not None else 2
    start, end = found.span(group)
    escape = _ESCAPE.match(text, start - 1, end) if start else None
    start = max(escape.end() if escape else start, end - LONGEST_NAME)
    told = way.told or _told_by(text, start, end, way)
    return None if told is None else Name(told, text[start:end], found[found.lastindex or 1], way.form, start)


def _told_by(text: str, start: int, end: int, way: _Way) -> str | None:
    around = text[max(0, end - LONGEST_NAME) : end]
    if not may_tell(around):
        return None
    told = secret_name(text[start:end])
    if told is None and way.pattern is _NAMED and text[start - 1 : start] in (" ", "."):
        told = secret_phrase(around, text[start:end])
    return told
