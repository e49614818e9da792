"""What a text assigns to the name of a secret: found by the name, as `names` judges it, and taken out up to its end.

The name may be a key or a keyword, a subscript, a header, a flag of a command or the first of a pair; between it and
the value may stand the end of a subscript, a type, a scheme, a tag and the beginning of a call. The value ends with
its quotes, at whatever depth of JSON in JSON, with its brackets, or, without any, with the word.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from locus_nb._payloads.names import LONGEST_NAME, SOFT, is_count, mark, may_tell, secret_name, secret_phrase

_QUOTE = r"\\{0,31}[\"'`]"
_PREFIXED = rf"[bBfFrRuU]{{0,2}}{_QUOTE}"
_NAMED = re.compile(
    rf"(?<![\w-])([\w-]++)\s{{0,4}}(?:{_QUOTE}(?:\s{{0,4}}\])?|\??)(?:\*\*)?\s{{0,4}}"
    r"(:=|!?={1,3}>?|:)\s{0,4}(?:\*\*\s{0,4})?",
    re.ASCII,
)
_FLAG = re.compile(
    rf"(?<![\w-])(--[A-Za-z][\w-]*+)(?:{_QUOTE}\s{{0,4}},\s{{0,4}}(?={_PREFIXED})|[ \t]{{1,4}}(?!-))",
    re.ASCII,
)
_ENV = re.compile(r"%(?:set_)?env[ \t]{1,4}([\w-]++)[ \t]{1,4}(?=\S)", re.ASCII)
_PAIR = re.compile(
    rf"(?:(?<=[\w\[(,{{])\(|(?<=, )\(|(?<=[\[(,])\[|(?<=[\[,]\s)\[)\s{{0,4}}{_PREFIXED}([\w-]++){_QUOTE}"
    rf"\s{{0,4}},\s{{0,4}}(?={_PREFIXED})",
    re.ASCII,
)
_TYPES = r"(?:str|string|bytes|Text|Secret(?:Str|Bytes)|Optional|Union|Final|ClassVar|Annotated|Literal)"
_TYPE = re.compile(
    rf"(?:typing\.|t\.|&(?:'static )?)?{_TYPES}\b(?:\[[\w., |\[\]]{{0,60}})?(?:\s?\|\s?\w{{1,40}}){{0,3}}"
    r"\s{0,4}=\s{0,4}",
    re.ASCII,
)
_TAG = re.compile(r"![\w.-]{1,40}\s{1,4}", re.ASCII)
_SCHEME = re.compile(r"(?:bearer|basic|token|bot)\s{1,4}", re.ASCII | re.IGNORECASE)
# What was redacted before, and what stands for no value.
NOTHING = r"\[redacted[\]:]|(?:none|null|true|false|str)(?![\w!@#$%^*+~/-]|\.\w)"
_NOTHING = re.compile(rf"{NOTHING}|[\w.]{{0,60}}[\[({{]\[redacted[\]:]", re.ASCII | re.IGNORECASE)
_ONLY_TYPE = re.compile(rf"{_TYPES}(?=[\s,;:=|)\]}}\[]|\Z)", re.ASCII)
_OPENING = re.compile(r"[bBfFrRuU]{0,2}(\\{0,31})([\"'`])")
# Odd and even backslashes before a quote say whether it ends the value.
_ANY_QUOTE = re.compile(r"(?<!\\)(\\*+)([\"'`])")
_FIRST = r"[\s\[({]{0,8}(?:\w{1,40}=)?[bBfFrRuU]{0,2}"
_CALL = re.compile(rf"(?:[A-Za-z_][\w.]{{0,60}})?[\[({{](?={_FIRST}(\\{{0,31}})[\"'`])", re.ASCII)
_FIRST_QUOTED = re.compile(rf"{_FIRST}{_QUOTE}", re.ASCII)
_PAIR_END = re.compile(r"(?:\\{0,31}[\"'`]){1,3}\s{0,4},?\s{0,4}[)\]]|\Z", re.ASCII)
_BRACKET = re.compile(r"[\[({\])}]|(?<!\\)(\\*+)([\"'`])")
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}[ \t]{0,8}(\r?\n|(?:\\{1,31}r)?\\{1,31}n)([ \t]{1,40})")
_BARE = re.compile(r"[^\s\"'`\\,;&(){}\[\]<>]++")
# The rest of a line, up to a quote that does not open a parameter's value.
_REST = re.compile(r"(?:[^\r\n\"'`\\=]++|=(?:\\{0,31}\"[^\"\r\n\\]*+\\{0,31}\")?+)++")
_LINE = re.compile(r"[^\r\n\"'`\\]++")
_PAIRED = re.compile(r"[^\s=;\"']{1,100}=")
_PROSE = re.compile(r"[A-Za-z]++(?![\w-])", re.ASCII)
_NUMBER = re.compile(r"[0-9]++(?:\.[0-9]++)?(?![\w-])", re.ASCII)
_HEADERS = frozenset({"authorization", "authorization_header", "auth_header"})


class _Name(NamedTuple):
    """A name that tells: how marks call it, as it stands there, the sign after it, and what found it."""

    told: str
    text: str
    sign: str
    pattern: re.Pattern[str]


def without_assigned(text: str) -> str:
    """Take out what is assigned to the name of a secret.

    Example:
        >>> without_assigned('os.environ["DB_PASSWORD"] = "hunter2"; n = 1')
        'os.environ["DB_PASSWORD"] = "[redacted: password]"; n = 1'
    """
    for pattern in (_NAMED, _FLAG, _PAIR, _ENV):
        text = _without(text, pattern)
    return text


def _without(text: str, pattern: re.Pattern[str]) -> str:
    parts: list[str] = []
    done = at = 0
    while found := pattern.search(text, at):
        at = found.end()
        name = _name_of(text, found, pattern)
        span = None if name is None else _value_of(text, at, name)
        if name is None or span is None:
            continue
        parts += (text[done : span[0]], mark(name.told))
        done = at = span[1]
    return "".join((*parts, text[done:])) if parts else text


def _name_of(text: str, found: re.Match[str], pattern: re.Pattern[str]) -> _Name | None:
    end = found.end(1)
    start = max(found.start(1), end - LONGEST_NAME)
    around = text[max(0, end - LONGEST_NAME) : end]
    if not may_tell(around):
        return None
    told = secret_name(text[start:end])
    if told is None and pattern is _NAMED and text[start - 1 : start] in (" ", "."):
        told = secret_phrase(around, text[start:end])
    return None if told is None else _Name(told, text[start:end], found[found.lastindex or 1], pattern)


def _value_of(text: str, at: int, name: _Name) -> tuple[int, int] | None:
    """Give where the value begins and ends; None if there is none."""
    for before in (_TYPE, _TAG):
        if found := before.match(text, at):
            at = found.end()
    if block := _BLOCK.match(text, at):
        return _block(text, block)
    if _NOTHING.match(text, at):
        return None
    scheme = _SCHEME.match(text, at)
    if scheme:
        at = scheme.end()
    if opening := _OPENING.match(text, at):
        span = _quoted(text, opening)
        return None if span and name.pattern is _PAIR and not _PAIR_END.match(text, span[1]) else span
    if call := _CALL.match(text, at):
        return _bracketed(text, call)
    return _bare(text, at, name, has_scheme=scheme is not None)


def _quoted(text: str, opening: re.Match[str]) -> tuple[int, int] | None:
    start = opening.end()
    delimiter = opening[1] + opening[2]
    is_triple = text.startswith(delimiter * 2, start)
    if is_triple:
        start += 2 * len(delimiter)
    if _NOTHING.match(text, start):
        return None
    if is_triple:
        end = text.find(delimiter * 3, start)
        end = len(text) if end < 0 else end
    else:
        end = _end_of_quoted(text, start, len(opening[1]), opening[2])
    return (start, end) if start < end else None


def _end_of_quoted(text: str, start: int, depth: int, quote: str) -> int:
    """Say where a value ends that began with a quote after `depth` backslashes; of a cut one, where the text does.

    In JSON in JSON, a quote in the value has about twice as many.
    """
    for found in _ANY_QUOTE.finditer(text, start):
        count = len(found[1])
        if found[2] == quote and (count < depth or count % (2 * depth + 2) == depth):
            return found.end() - 1 - min(count, depth)
    return len(text)


def _bracketed(text: str, call: re.Match[str]) -> tuple[int, int] | None:
    """Give what stands in brackets, up to the one that closes them or the end of the quotes around."""
    start = at = call.end()
    first = _FIRST_QUOTED.match(text, start)
    if _NOTHING.match(text, start) or (first and _NOTHING.match(text, first.end())):
        return None
    open_ones = 1
    while found := _BRACKET.search(text, at):
        at = found.end()
        if found[2]:
            if len(found[1]) < len(call[1]):
                return start, found.start()
            at = _end_of_quoted(text, at, len(found[1]), found[2]) + len(found[1]) + 1
            continue
        open_ones += 1 if found[0] in "[({" else -1
        if not open_ones:
            return start, found.start()
    return start, len(text)


def _block(text: str, block: re.Match[str]) -> tuple[int, int] | None:
    """Give the lines of a block of YAML: those as far in as the first; up to a quote where the text is JSON's."""
    newline, indent = block[1], block[2]
    start = at = block.end()
    if _NOTHING.match(text, start):
        return None
    while True:
        end = text.find(newline, at)
        end = len(text) if end < 0 else end
        quote = _ANY_QUOTE.search(text, at, end) if newline[0] == "\\" else None
        if quote:
            end = quote.start()
            break
        at = end + len(newline)
        if not text.startswith(indent, at):
            break
    return (start, end) if start < end else None


def _bare(text: str, at: int, name: _Name, *, has_scheme: bool) -> tuple[int, int] | None:
    """Give a word without quotes, or the line, of a header's value."""
    word = _BARE.match(text, at)
    if word is None or _ONLY_TYPE.match(text, at) or _is_harmless(word, name):
        return None
    by_colon = name.sign == ":"
    if name.pattern is _ENV or (name.told == "cookie" and by_colon and _PAIRED.match(text, at)):
        return _trimmed(_LINE.match(text, at) or word)
    if name.told in _HEADERS:
        has_more = (by_colon or text[word.end() : word.end() + 1] in (" ", "\t")) and not has_scheme
        if has_more or word[0].endswith("="):
            return _trimmed(_REST.match(text, at) or word)
    return word.span()


def _trimmed(line: re.Match[str]) -> tuple[int, int]:
    return line.start(), line.start() + len(line[0].rstrip())


def _is_harmless(word: re.Match[str], name: _Name) -> bool:
    """Say whether what stands after a name that prose knows too is a count, or a word."""
    is_soft = name.told in SOFT or name.text.lower().endswith("tokens")
    if is_soft or name.told.endswith("token"):
        number = _NUMBER.fullmatch(word[0])
        if number and is_count("token", float(number[0][:9])):
            return True
    in_prose = name.pattern is _FLAG or (is_soft and name.sign == ":" and name.pattern is _NAMED)
    return in_prose and _PROSE.fullmatch(word[0]) is not None
