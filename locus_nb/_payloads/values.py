"""Where the value of a secret's name begins and ends in a text.

A value ends with its quotes, at whatever depth of JSON in JSON, with its brackets, or, without any, with the word.
Code may put one together, or name another for want of it (`os.getenv("P") or "..."`): all texts it may come from are
its value, while code that reads the environment, or another place of that name, holds none.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from locus_nb._payloads.names import SOFT, is_alike, is_count, secret_name

Span = tuple[int, int]
Form = Literal["assigned", "flag", "pair", "line", "element"]

# A letter or digit that ends an escape or a terminal's colour, as `\\n` and `\\x1b[32m`, begins no word.
ESCAPED = r"(?<=[a-vA-F0-9])(?:(?<=\\[nrtfvb])|(?<=[0-9]m)|(?<=%[0-9A-F]{2})|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4}))"
COLOUR = r"(?:(?:\x1b|\\{1,8}(?:x1b|u001b|033))\[[0-9;]{0,9}m)?+"
QUOTE = r"\\{0,31}[\"'`]"
PREFIXED = rf"[bBfFrRuU]{{0,2}}{QUOTE}"
_TYPES = r"(?:str|[sS]tring|bytes|Text|Secret(?:Str|Bytes)|Optional|Union|Final|ClassVar|Annotated|Literal)"
_TYPE = re.compile(
    rf"(?:typing\.|t\.|&(?:'static )?)?{_TYPES}\b(?:\[[\w., |\[\]]{{0,60}})?(?:\s?\|\s?\w{{1,40}}){{0,3}}"
    r"\s{0,4}=\s{0,4}",
    re.ASCII,
)
_TAG = re.compile(r"!{1,2}[\w.-]{1,40}\s{1,4}", re.ASCII)
_SCHEME = re.compile(r"(?:bearer|basic|token|bot)\s{1,4}", re.ASCII | re.IGNORECASE)
_ENDS = r"(?=[\s\"'`\\,;&)}\]<@]|\Z)"
# A variable of a shell or a template.
_VARIABLE = (
    r"\$?\{{1,2}\s{0,4}[A-Za-z_][\w.]{0,60}\s{0,4}\}{1,2}|%[A-Z_]{2,60}%|\$(?:env:\w{1,60}|[A-Z_]{2,60})"
)
# What was redacted before, and what stands for no value.
REDACTED = r"\[redacted[\]:]"
NOTHING = (
    rf"{REDACTED}|(?:none|null|true|false|str)(?![\w!@#$%^*+~/-]|\.\w|\(\s{{0,4}}[bBfFrRuU]{{0,2}}\\{{0,31}}[\"'`])"
    rf"|(?-i:(?:{_VARIABLE}|\*{{1,64}}|\.{{3}}|(?:same-origin|include|omit)(?=[\"'])){_ENDS})"
)
_NOTHING = re.compile(rf"{NOTHING}|[\w.]{{0,60}}[\[({{]\[redacted[\]:]", re.ASCII | re.IGNORECASE)
_REDACTED = re.compile(REDACTED)
_COLOUR = re.compile(COLOUR)
_ONLY_TYPE = re.compile(rf"{_TYPES}(?=[\s,;:=|)\]}}\[]|\Z)", re.ASCII)
_OPENING = re.compile(r"[bBfFrRuU]{0,2}(\\{0,31})([\"'`])")
# Odd and even backslashes before a quote say whether it ends the value.
_ANY_QUOTE = re.compile(r"(?<!\\)(\\*+)([\"'`])")
_FIRST = r"[\s\[({]{0,8}(?:\w{1,40}=)?[bBfFrRuU]{0,2}"
_CALL = re.compile(rf"(?:[A-Za-z_][\w.]{{0,60}})?[\[({{](?={_FIRST}(\\{{0,31}})[\"'`])", re.ASCII)
_FIRST_QUOTED = re.compile(rf"{_FIRST}{QUOTE}", re.ASCII)
# `environ["A"]`, `getenv("A", ...)`: what reads, what it is told, and the way to what counts for want of it.
_LOOK_UP = re.compile(
    rf"([A-Za-z_][\w.]{{0,60}}[\[(])\s{{0,4}}(?:\w{{1,40}}=)?{PREFIXED}([^\"'`\\\r\n]{{0,80}}){QUOTE}\s{{0,4}}"
    r"(?:,\s{0,4}(?:\w{1,40}=)?|(?=[)\]]))",
    re.ASCII,
)
_READS = re.compile(
    r"(?:getenv|environ|env|getenvironmentvariable|getpass|input|prompt|ask)(?:\.\w{1,20})?[\[(]\Z",
    re.ASCII | re.IGNORECASE,
)
_GETS = re.compile(r"(?:\[|(?:get|fetch|pop|read|load)\w{0,20}\()\Z", re.ASCII | re.IGNORECASE)
# From one text that may be the value to the next: the end of the one, and an operator.
_MORE = re.compile(
    r"(?:\\{0,31}[\"'`]){0,3}[)\]}]{0,3}(?:\([^()\r\n\"'`\\]{0,60}\))?[ \t]{0,4}"
    r"(?:or\b|\|\||\?\?|\+|if\s[^\r\n]{1,80}?\selse\b)\s{0,4}",
    re.ASCII,
)
_NEXT = re.compile(rf"{QUOTE}\s{{0,4}},\s{{0,4}}(?={PREFIXED})", re.ASCII)
_OF_SEVERAL = re.compile(r"\w\s{0,4},\s{0,4}\Z")
# `input("Your password: ")`: the quote ends what asks.
_PROMPT = re.compile(r"[\"'][\w ]{0,40}\Z")
_PROMPT_END = re.compile(r"[\"'](?:[)\]]|,\s)")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]{0,80}+", re.ASCII)
_PAIR_END = re.compile(r"(?:\\{0,31}[\"'`]){1,3}\s{0,4},?\s{0,4}[)\]]|\Z", re.ASCII)
_BRACKET = re.compile(r"[\[({\])}]|(?<!\\)(\\*+)([\"'`])")
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}[ \t]{0,8}(\r?\n|(?:\\{1,31}r)?\\{1,31}n)([ \t]{1,40})")
_BARE = re.compile(r"[^\s\x1b\"'`\\,;&(){}\[\]<>]++")
# The rest of a line, up to a quote that does not open a parameter's value.
_REST = re.compile(r"(?:[^\r\n\"'`\\=]++|=(?:\\{0,31}\"[^\"\r\n\\]*+(?:\\{0,31}\"|\Z))?+)++")
_LINE = re.compile(r"[^\r\n\"'`\\]++")
_IN_ELEMENT = re.compile(r"\s{0,8}+(?:<!\[CDATA\[)?+((?:[^<\]]++|\](?!\]>))++)")
_PAIRED = re.compile(r"[^\s=;\"']{1,100}=")
_PROSE = re.compile(r"(?:[A-Z]?[a-z]{1,19}|[A-Z]{1,19})(?![\w-])", re.ASCII)
_STATE = re.compile(
    r"(?:field required|required|missing|optional|unset|undefined|empty|invalid|expired|too (?:short|long)|must be"
    r"|(?:is )?not (?:set|found|given|provided|configured|valid|allowed|available|required))(?=[\s,;.)\]}\"']|\Z)",
    re.ASCII,
)
_NUMBER = re.compile(r"[0-9]++(?:\.[0-9]++)?(?![\w-])", re.ASCII)
_HEADERS = frozenset({"authorization", "authorization_header", "auth_header"})


class Name(NamedTuple):
    """A name that tells.

    Attributes:
        told: How marks call it.
        text: How it stands there.
        sign: What stands after it.
        form: How it is brought together with its value.
        start: Where it stands.
    """

    told: str
    text: str
    sign: str
    form: Form
    start: int


def value_spans(text: str, at: int, name: Name) -> tuple[list[Span], int]:
    """Give where the value of a name begins and ends, and from where on to look for the next name.

    There are more than one where code may choose, and none where there is no value.
    """
    if name.form == "element":
        inside = _IN_ELEMENT.match(text, at)
        return (
            ([inside.span(1)], inside.end())
            if inside and not _NOTHING.match(text, inside.start(1))
            else ([], at)
        )
    if (
        name.sign == ":"
        and _PROMPT_END.match(text, at)
        and _PROMPT.search(text, max(0, name.start - 48), name.start)
    ):
        return [], at
    for before in (_COLOUR, _TYPE, _TAG):
        if found := before.match(text, at):
            at = found.end()
    if block := _BLOCK.match(text, at):
        span = _block(text, block)
        return ([span], span[1]) if span else ([], at)
    spans: list[Span] = []
    end = _first(text, at, name, spans)
    if name.form == "assigned":
        _others(text, end, name, spans)
    elif name.form == "pair" and not _PAIR_END.match(text, end):
        return [], at
    spans = [span for span in spans if span[0] < span[1]]
    return spans, spans[-1][1] if spans else end if _LOOK_UP.match(text, at) else at


def _first(text: str, at: int, name: Name, spans: list[Span]) -> int:
    """Add what stands there as the value, and say where it ends."""
    scheme = _SCHEME.match(text, at)
    if scheme and not _NOTHING.match(text, at):
        at = scheme.end()
    end = _literal(text, at, spans)
    if end is None:
        span = _bare(text, at, name, has_scheme=scheme is not None)
        if span is not None:
            spans.append(span)
        word = _BARE.match(text, at)
        end = span[1] if span else word.end() if word else at
    return end


def _others(text: str, at: int, name: Name, spans: list[Span]) -> None:
    """Add what code puts together with the value, or takes for want of it."""
    several = "=" in name.sign and _OF_SEVERAL.search(text, max(0, name.start - 8), name.start)
    while more := _MORE.match(text, at) or (several and _NEXT.match(text, at)):
        end = _literal(text, more.end(), spans)
        if end is None:
            identifier = _IDENTIFIER.match(text, more.end())
            if identifier is None:
                return
            end = identifier.end()
        at = end


def _literal(text: str, at: int, spans: list[Span]) -> int | None:
    """Add a value in quotes or brackets, and say where it ends, or what stands for no value; None without either."""
    if nothing := _NOTHING.match(text, at):
        return nothing.end()
    if opening := _OPENING.match(text, at):
        return _add(spans, _quoted(text, opening))
    look_up = _LOOK_UP.match(text, at)
    if look_up and (_READS.search(look_up[1]) or (_GETS.search(look_up[1]) and secret_name(look_up[2]))):
        # No further look-up: one in another in another would take long.
        opening = _OPENING.match(text, look_up.end())
        return _add(spans, _quoted(text, opening)) if opening else look_up.end()
    if call := _CALL.match(text, at):
        return _add(spans, _bracketed(text, call))
    return None


def _add(spans: list[Span], span: Span) -> int:
    spans.append(span)
    return span[1]


def _quoted(text: str, opening: re.Match[str]) -> Span:
    start = opening.end()
    delimiter = opening[1] + opening[2]
    is_triple = text.startswith(delimiter * 2, start)
    if is_triple:
        start += 2 * len(delimiter)
    if nothing := _NOTHING.match(text, start):
        return nothing.end(), nothing.end()
    if is_triple:
        end = text.find(delimiter * 3, start)
        end = len(text) if end < 0 else end
    else:
        end = _end_of_quoted(text, start, len(opening[1]), opening[2])
    return start, end


def _end_of_quoted(text: str, start: int, depth: int, quote: str) -> int:
    """Say where a value ends that began with a quote after `depth` backslashes; of a cut one, where the text does.

    In JSON in JSON, a quote in the value has about twice as many.
    """
    for found in _ANY_QUOTE.finditer(text, start):
        count = len(found[1])
        if found[2] == quote and (count < depth or count % (2 * depth + 2) == depth):
            return found.end() - 1 - min(count, depth)
    return len(text)


def _bracketed(text: str, call: re.Match[str]) -> Span:
    """Give what stands in brackets, up to the one that closes them or the end of the quotes around."""
    start = at = call.end()
    first = _FIRST_QUOTED.match(text, start)
    for nothing in (_NOTHING.match(text, start), first and _NOTHING.match(text, first.end())):
        if nothing:
            return nothing.end(), nothing.end()
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


def _block(text: str, block: re.Match[str]) -> Span | None:
    """Give the lines of a block of YAML: those as far in as the first; up to a quote where the text is JSON's."""
    newline, indent = block[1], block[2]
    start = at = block.end()
    if _REDACTED.match(text, start):
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


def _bare(text: str, at: int, name: Name, *, has_scheme: bool) -> Span | None:
    """Give a word without quotes, or the line, of a header's value."""
    word = _BARE.match(text, at)
    if word is None or _ONLY_TYPE.match(text, at) or _is_harmless(word, name) or _is_read(word[0], name):
        return None
    by_colon = name.sign == ":"
    if name.form == "line" or (name.told == "cookie" and by_colon and _PAIRED.match(text, at)):
        return _trimmed(_LINE.match(text, at) or word)
    if by_colon and _STATE.match(text, at):
        return None
    if name.told in _HEADERS:
        has_more = (by_colon or text[word.end() : word.end() + 1] in (" ", "\t")) and not has_scheme
        if has_more or word[0].endswith("="):
            return _trimmed(_REST.match(text, at) or word)
    return word.span()


def _trimmed(line: re.Match[str]) -> Span:
    return line.start(), line.start() + len(line[0].rstrip())


def _is_harmless(word: re.Match[str], name: Name) -> bool:
    """Say whether what stands after a name that prose knows too is a count, or a word."""
    is_soft = name.told in SOFT or name.text.lower().endswith("tokens")
    if is_soft or name.told.endswith("token"):
        number = _NUMBER.fullmatch(word[0])
        if number and is_count("token", float(number[0][:9])):
            return True
    in_prose = name.form == "flag" or (is_soft and name.sign == ":" and name.form == "assigned")
    return in_prose and _PROSE.fullmatch(word[0]) is not None


def _is_read(word: str, name: Name) -> bool:
    """Say whether a word is code that reads what has such a name itself: `api_key`, `settings.api_key`, `env.A`."""
    if not _IDENTIFIER.fullmatch(word):
        return False
    *owners, last = word.split(".")
    if owners:
        return owners[-1] == "env" or secret_name(last) is not None
    return "=" in name.sign and is_alike(last, name.text)
