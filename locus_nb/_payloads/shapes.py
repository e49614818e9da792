"""What secrets look like in a text: by their shape, or by the name that stands before them.

Each is replaced by a mark that says why, as `[redacted: OpenAI key]` or `[redacted: api_key]`. The quick check comes
first: it says of most texts, by a few searches for what every shape holds, that there is nothing in them.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from locus_nb._payloads.assigned import NOTHING, without_assigned
from locus_nb._payloads.names import LONGEST_NAME, mark, may_tell
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Keys and tokens with a prefix, or another shape, of their own. What follows an underscore begins with twelve
# letters and digits, or the prefix stands in `_UNDERSCORED`; of what has dots, one is followed by twenty characters;
# what comes before a dash stands in `_DASH`: the quick check relies on it.
_SHAPES: tuple[tuple[str, str], ...] = (
    ("Anthropic key", r"sk-ant-[\w-]{4}"),
    ("OpenRouter key", r"sk-or-[\w-]{4}"),
    ("Langfuse key", r"sk-lf-[\w-]{4}"),
    ("OpenAI key", r"sk-(?:[A-Za-z0-9]{16}|(?:admin|proj|svcacct)-[\w-]{4})"),
    ("API key", r"c?sk-(?=(?:[A-Za-z_-]{0,40}[0-9]){3})[\w-]{8}"),
    ("AWS key", r"(?:AKIA|ASIA)[A-Z0-9]{16}"),
    ("Google key", r"AIza[\w-]{30}|GOCSPX-[\w-]{20}|ya29\.[\w-]{20}"),
    ("GitHub token", r"gh[opsru]_[A-Za-z0-9]{13}|github_pat_\w{13}"),
    ("GitLab token", r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[\w-]{10}"),
    ("Slack token", r"(?:xapp|xox[abeoprs])-[A-Za-z0-9-]{6}"),
    ("Stripe key", r"[rs]k_(?:live|test)_[A-Za-z0-9]{12}"),
    ("webhook secret", r"whsec_[A-Za-z0-9]{12}[\w+/=]*+"),
    ("Hugging Face token", r"(?:hf|api_org)_[A-Za-z0-9]{20}"),
    ("npm token", r"npm_[A-Za-z0-9]{20}"),
    ("PyPI token", r"pypi-AgE[\w-]{10}"),
    ("RubyGems key", r"rubygems_[a-f0-9]{32}"),
    ("Docker token", r"dckr_[po]at_[\w-]{12}"),
    ("Groq key", r"gsk_[A-Za-z0-9]{20}"),
    ("xAI key", r"xai-[A-Za-z0-9]{20}"),
    ("Perplexity key", r"pplx-[A-Za-z0-9]{20}"),
    ("NVIDIA key", r"nvapi-[\w-]{20}"),
    ("Replicate token", r"r8_[A-Za-z0-9]{20}"),
    ("Together key", r"tgp_v1_[\w-]{20}"),
    ("Fireworks key", r"fw_[A-Za-z0-9]{20}"),
    ("ElevenLabs key", r"sk_[a-f0-9]{40}"),
    ("Jina key", r"jina_[\w-]{30}"),
    ("Tavily key", r"tvly-[\w-]{12}"),
    ("Firecrawl key", r"fc-[a-f0-9]{32}"),
    ("Pinecone key", r"pcsk_[A-Za-z0-9]{4,8}_[A-Za-z0-9]{30}"),
    ("E2B key", r"e2b_[a-f0-9]{32}"),
    ("LangSmith key", r"lsv2_(?:pt|sk)_[A-Za-z0-9]{12}"),
    ("Weights & Biases key", r"wandb_v1_[A-Za-z0-9]{12}"),
    ("Databricks token", r"dapi[a-f0-9]{32}(?:-[0-9])?"),
    ("DigitalOcean token", r"do[opr]_v1_[a-f0-9]{32}"),
    ("Shopify token", r"shp(?:at|ca|pa|ss|ua)_[A-Fa-f0-9]{24}"),
    ("Linear key", r"lin_(?:api|oauth)_[A-Za-z0-9]{20}"),
    ("Notion token", r"ntn_[A-Za-z0-9]{30}|secret_[A-Za-z0-9]{40}"),
    ("Figma token", r"figd_[\w-]{20}"),
    ("Grafana token", r"(?:glsa|glc)_[A-Za-z0-9]{20}[\w+/=]*+"),
    ("Sentry token", r"sntry[su]_[A-Za-z0-9]{20}[\w+/=]*+"),
    ("PlanetScale token", r"pscale_(?:tkn|pw|oauth)_[\w-]{20}"),
    ("Supabase key", r"sb_secret_[\w-]{20}|sbp_[a-f0-9]{32}"),
    ("Netlify token", r"nfp_[A-Za-z0-9]{30}"),
    ("Razorpay key", r"rzp_(?:live|test)_[A-Za-z0-9]{12}"),
    ("CircleCI token", r"CCIPAT_[A-Za-z0-9]{12}"),
    ("Prefect key", r"pn[bu]_[A-Za-z0-9]{30}"),
    ("Typeform token", r"tfp_[A-Za-z0-9]{30}"),
    ("Mailgun key", r"key-[a-f0-9]{32}"),
    ("Mailchimp key", r"[a-f0-9]{32}-us[0-9]{1,2}"),
    ("HubSpot token", r"pat-(?:eu|na)[0-9]-[a-f0-9-]{30}"),
    ("Postman key", r"PMAK-[a-f0-9]{24}"),
    ("New Relic key", r"NRAK-[A-Z0-9]{20}"),
    ("Heroku key", r"HRKU-[\w-]{20}"),
    ("Square token", r"sq0(?:atp|csp|idp)-[\w-]{20}|(?<!/)(?<!\+)EAAA[EFl][\w-]{55,64}(?![\w+/=-])"),
    ("SendGrid key", r"SG\.[\w-]{20,24}\.[\w-]{30}"),
    ("Vault token", r"hv[brs]\.[\w-]{20}"),
    ("Doppler token", r"dp\.(?:audit|ct|pt|sa|scim|st)\.(?:[\w-]{1,40}\.)?[A-Za-z0-9]{40}"),
    ("Dynatrace token", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{30}"),
    ("Airtable token", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{60}"),
    ("Terraform token", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{40}"),
    ("Discord token", r"[MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{27}"),
    ("Telegram token", r"[0-9]{6,12}:AA[\w-]{30}"),
    ("Twilio key", r"SK[a-f0-9]{32}(?![A-Za-z0-9])"),
    ("Atlassian token", r"AT[AC]TT3[\w-]{30}[\w=-]*+|ATBB[A-Za-z0-9]{24}"),
    ("Alibaba key", r"LTAI[A-Za-z0-9]{16}"),
    ("age key", r"AGE-SECRET-KEY-1[A-Z0-9]{20}"),
    ("Azure secret", r"[\w.~-]{3}[0-9]Q~[\w.~-]{30}[\w.~-]*+"),
)
_SHAPED = rf"(?<![A-Za-z0-9])(?:{'|'.join(f'({shape})' for _, shape in _SHAPES)})[\w-]*+"
_WEBHOOK = (
    r"(hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/[0-9]{5,25}/)[\w/-]{16,}+"
)
_BEARER = (
    r"(\b(?:[Bb]earer|BEARER)\s{1,4})"
    r"(?!(?:tokens?|auth\w{0,20}|scheme|credentials?|certificates?|headers?)\b)[A-Za-z0-9._~+/=-]{6,}+"
)
_BASIC = r"(\b[Bb]asic\s{1,4})([A-Za-z0-9+/]{11,}+={0,2})"
_PEM = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY.*?(?:-----END [A-Z0-9 ]{0,60}-----|\Z)"
_NO_PORT = r"(?![0-9]{1,5}[/?,;|)\]}>])"
# A password may hold a slash; but not where the name is an address: `ssh://git@host:ann/repo@main` has none.
_IN_URL = (
    rf"(://[^\s/:@?#\[\]\"']{{0,256}}:){_NO_PORT}(?:[^\s/\"']{{1,256}}@|[^\s\"'?#]{{1,256}}@)",
    rf"(://[^\s/:@?#\[\]\"']{{1,256}}@[^\s/:@?#\"']{{1,256}}:){_NO_PORT}[^\s/\"']{{1,256}}@",
)
_IN_QUERY = (
    r"((?:[?&;]|\\u0026)(?:sig|token|x-(?:amz|goog)-signature)=)"
    rf"(?!{NOTHING})[\w%.~+/=-]{{16,}}+"
)
_JWT = r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+){0,3}"


def _without_shaped(found: re.Match[str]) -> str:
    return mark(_SHAPES[(found.lastindex or 1) - 1][0])


def _without_basic(found: re.Match[str]) -> str:
    """Take out what is a name and a password in base64, and no word."""
    text = found[2]
    try:
        user, colon, _ = b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return found[0]
    return f"{found[1]}{mark('basic credentials')}" if colon and user.isprintable() else found[0]


# Every repetition that may fail after it matched is bounded or possessive: that keeps the time linear.
_BEFORE: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(_PEM, re.ASCII | re.DOTALL), mark("private key")),
    *((re.compile(each, re.ASCII), rf"\1{mark('URL password')}@") for each in _IN_URL),
    (re.compile(_IN_QUERY, re.ASCII | re.IGNORECASE), rf"\1{mark('URL token')}"),
    (re.compile(_WEBHOOK, re.ASCII), rf"\1{mark('webhook')}"),
)
_AFTER: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(_BEARER, re.ASCII), rf"\1{mark('bearer token')}"),
    (re.compile(_BASIC, re.ASCII), _without_basic),
    (re.compile(_JWT, re.ASCII), mark("JSON web token")),
    (re.compile(_SHAPED, re.ASCII), _without_shaped),
)
PATTERNS = (*_BEFORE, *_AFTER)


def without_secrets(text: str) -> str:
    """Give `text` without the secrets that have a telling shape, or a telling name beside them.

    Returns the very same string when there is nothing to take out. The time grows with the length only.

    Example:
        >>> without_secrets("POST https://ann:hunter2@example.org with api_key=abc")
        'POST https://ann:[redacted: URL password]@example.org with api_key=[redacted: api_key]'
    """
    return text if is_ordinary(text) else searched(text)


def searched(text: str) -> str:
    """Give what `without_secrets` gives, without the quick check."""
    redacted = text
    for pattern, replacement in _BEFORE:
        redacted = pattern.sub(replacement, redacted)
    redacted = without_assigned(redacted)
    for pattern, replacement in _AFTER:
        redacted = pattern.sub(replacement, redacted)
    return text if redacted == text else redacted


def is_ordinary(text: str) -> bool:
    """Say that no pattern can match: a few substring searches, many times cheaper than the patterns."""
    if len(text) < _SHORTEST:
        return True
    if ("A" in text or "J" in text) and _any_in(_CAPITALS, text):
        return False
    if "earer" in text or ("-" in text and _may_dash(text)):
        return False
    if ("," in text and _may_pair(text)) or ("%" in text and "env" in text and may_tell(text)):
        return False
    if len(text) >= _LONG and _may_hold_long(text):
        return False
    return not ((":" in text or "=" in text) and _may_tell(text))


def all_ordinary(texts: Sequence[str]) -> bool:
    """Say that no pattern would change one of `texts`, or make it fit UTF-8; False if one wants a closer look.

    Asks about all at once what `without_secrets` asks about one, so it costs much less.
    """
    text = "\n".join(texts)
    if "earer" in text or not (text.isascii() or jsonable(text) is text):
        return False
    # One character is found ten times as fast as two.
    for character in "AJ":
        if character in text and _any_in(_CAPITALS, "\n".join([each for each in texts if character in each])):
            return False
    if "-" in text and _may_dash(text):
        return False
    if ("," in text and _may_pair(text)) or ("%" in text and "env" in text and may_tell(text)):
        return False
    if _may_hold_long(text):
        return False
    return not ((":" in text or "=" in text) and _may_tell(text))


def _may_hold_long(text: str) -> bool:
    """Say whether `text` may hold one of the shapes that take at least `_LONG` characters."""
    if "_" in text and (_UNDERSCORE(text) or _any_in(_UNDERSCORED, text)):
        return True
    if "." in text and _DOT(text):
        return True
    if ("asic" in text and _BASIC_CODE(text)) or ("SK" in text and _TWILIO(text)):
        return True
    return "~" in text or "dapi" in text or "hooks" in text


def _may_tell(text: str) -> bool:
    """Say whether one side of a `:` or `=` in `text` may tell that a secret is on the other."""
    if "@" in text and "://" in text:
        return True
    short = len(text) < _CUTTING or len(text) < _CUTTING_EACH * (text.count(":") + text.count("="))
    if short and not may_tell(text):
        return False
    *before, _ = text.replace("=", ":").split(":")
    names = [part.rstrip(_AFTER_NAMES)[-LONGEST_NAME:] for part in before]
    return may_tell("\n".join(names))


def _may_dash(text: str) -> bool:
    """Say whether what stands before or after a dash may be a prefix, or a flag that names a secret."""
    if _DASH(text) or "xox" in text:
        return True
    return "--" in text and may_tell("\n".join(_FLAGS(text)))


def _may_pair(text: str) -> bool:
    """Say whether `text` may hold a pair whose first is the name of a secret."""
    return ("[" in text or "(" in text) and may_tell("\n".join(_FIRST_OF_PAIR(text)))


def _any_in(parts: tuple[str, ...], text: str) -> bool:
    for part in parts:  # noqa: SIM110 - a generator costs more than the searches
        if part in text:
            return True
    return False


# `pwd=ab`
_SHORTEST = 6
_CAPITALS = ("AKIA", "ASIA", "AIza", "EARER", "eyJ", ":AA", "TT3", "ATBB", "LTAI", "AGE-", "EAAA")
# One look at the letter before tells of most dashes that they follow no prefix.
_DASH = re.compile(
    r"-(?:BEGIN |us[0-9]|(?<=[KUXcikptxy]-)(?:(?<=sk-)|(?<=pplx-)|(?<=pypi-)|(?<=xai-)|(?<=xapp-)|(?<=tvly-)"
    r"|(?<=nvapi-)|(?<=[MR]AK-)|(?<=HRKU-)|(?<=OCSPX-)|(?<=key-)|(?<=pat-)|(?<=fc-)|(?<=sq0[a-z]{2}p-)"
    r"|(?<=gl[dr]t-)|(?<=glft-)|(?<=gl[a-z]{2}t-)|(?<=gl[a-z]{3}t-)|(?<=glagent-)))"
).search
# `ghp_` and thirteen more. One more than a span's id, which comes with every event.
_LONG = 17
_UNDERSCORE = re.compile(r"_[A-Za-z0-9]{12}").search
_UNDERSCORED = ("_pat_", "_oat_", "figd_", "tgp_", "jina_", "pscale_", "sb_secret_")
_DOT = re.compile(r"\.[\w-]{20}", re.ASCII).search
_BASIC_CODE = re.compile(r"asic\s{1,4}[A-Za-z0-9+/]{11}", re.ASCII).search
_TWILIO = re.compile(r"SK[a-f0-9]{32}").search
_FLAGS = re.compile(r"--[A-Za-z][\w-]*+", re.ASCII).findall
_FIRST_OF_PAIR = re.compile(r"[\[(]\s{0,4}[bBfFrRuU]{0,2}\\{0,31}[\"'`][\w-]++", re.ASCII).findall
# What may come between the end of a name and `:` or `=`.
_AFTER_NAMES = " \t\n\r\f\v\\\"'`]?!*"
# To cut out what may be names takes as long as to search this many characters, or so many for each name.
_CUTTING, _CUTTING_EACH = 200, 50
