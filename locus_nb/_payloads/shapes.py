"""What secrets look like in a text: by their shape, or by the name that stands before them.

Each is replaced by a mark that says why, as `[redacted: OpenAI key]` or `[redacted: api_key]`. The quick check of
`ordinary` comes first. What a cut left of a secret is told by how it might go on.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING, NamedTuple

from locus_nb._payloads.assigned import Needs, has_each, without_assigned
from locus_nb._payloads.names import mark
from locus_nb._payloads.ordinary import continued, cut_at, is_ordinary
from locus_nb._payloads.values import ESCAPED, NOTHING, QUOTE

if TYPE_CHECKING:
    from collections.abc import Callable

# Keys and tokens with a prefix, or another shape, of their own. What follows an underscore begins with twelve
# letters and digits, or the prefix stands in `_UNDERSCORED`; of what has dots, one is followed by twenty characters;
# what comes before a dash stands in `_DASH`: the quick check of `ordinary` relies on it.
_SHAPES: tuple[tuple[str, str], ...] = (
    ("Anthropic key", r"sk-ant-[\w-]{4}"),
    ("OpenRouter key", r"sk-or-[\w-]{4}"),
    ("Langfuse key", r"sk-lf-[\w-]{4}"),
    ("OpenAI key", r"sk-(?:[A-Za-z0-9]{16}|(?:admin|proj|svcacct)-[\w-]{4})"),
    ("API key", r"c?sk-(?!learn\b|[0-9]{4}-[0-9]{2}-)(?=(?:[A-Za-z_-]{0,40}[0-9]){3})[\w-]{8}"),
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
    ("Neon key", r"napi_[a-z0-9]{30}"),
    ("PostHog key", r"phx_[A-Za-z0-9]{30}"),
    ("Sourcegraph token", r"sgp_(?:[a-f0-9]{16}_)?[a-f0-9]{40}"),
    ("Resend key", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20}"),
    ("Buildkite token", r"bkua_[a-f0-9]{40}"),
    ("ReadMe key", r"rdme_[a-z0-9]{40}"),
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
    ("Telegram token", r"(?:bot)?[0-9]{6,12}:AA[\w-]{30}"),
    ("Twilio key", r"SK[a-f0-9]{32}(?![A-Za-z0-9])"),
    ("Atlassian token", r"AT[AC]TT3[\w-]{30}[\w=-]*+|ATBB[A-Za-z0-9]{24}"),
    ("Alibaba key", r"LTAI[A-Za-z0-9]{16}"),
    ("age key", r"AGE-SECRET-KEY-1[A-Z0-9]{20}"),
    ("Azure secret", r"[\w.~-]{3}[0-9]Q~[\w.~-]{30}[\w.~-]*+"),
)
_SHAPED = rf"(?:(?<![A-Za-z0-9])|{ESCAPED})(?:{'|'.join(f'({shape})' for _, shape in _SHAPES)})[\w-]*+"
_WEBHOOK = (
    r"(hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/[0-9]{5,25}/)[\w/-]{16,}+"
)
_BEARER = (
    rf"((?:\b|{ESCAPED})(?:[Bb]earer|BEARER)\s{{1,4}})(?!(?<=bearer )[a-z]{{1,15}}(?![\w.~+/=-]))"
    r"(?!(?:tokens?|auth\w{0,20}|scheme|credentials?|certificates?|headers?|realm)\b)[A-Za-z0-9._~+/=-]{6,}+"
)
_BASIC = rf"((?:\b|{ESCAPED})[Bb]asic\s{{1,4}})([A-Za-z0-9+/]{{11,}}+={{0,2}})"
_PEM = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY.*?(?:-----END [A-Z0-9 ]{0,60}-----|\Z)"
_NO_PORT = r"(?![0-9]{1,5}[/?,;|)\]}>])"
# What stands for a password that is filled in.
_NO_PLACE = (
    r"(?!(?:<[\w -]{1,40}>|\$?\{{1,2}[^\s{}@]{1,60}\}{1,2}|\$\w{1,60}|%(?:\(\w{1,40}\))?s|\*{1,20}|\.{3}"
    r"|\[redacted[^\]]{0,40}\])@)"
)
_CURL = (
    rf"((?:\b|{ESCAPED})curl\b(?:[^\r\n|;]|(?<=\\)\r?\n){{0,200}}?[\s\"'](?:-u|--user|--proxy-user)"
    rf"(?:[= ]|{QUOTE}, )?(?:{QUOTE})?"
    r"[^\s:\"'=\\]{1,64}:)(?!\$|\[redacted)[^\s\"'\\]{1,256}+"
)
# A password may hold a slash; but not where the name is an address: `ssh://git@host:ann/repo@main` has none.
_IN_URL: tuple[tuple[Needs, str], ...] = (
    (
        (("://",),),
        rf"(://[^\s/:@?#\[\]\"']{{0,256}}:){_NO_PORT}{_NO_PLACE}(?:(?:[^\s/\"']|[\"'](?![\s,:;)\]}}>])){{1,256}}(?=@)|[^\s\"'?#]{{1,256}}(?=@))",
    ),
    (
        (("://",),),
        rf"(://[^\s/:@?#\[\]\"']{{1,256}}@[^\s/:@?#\"']{{1,256}}:){_NO_PORT}[^\s/\"']{{1,256}}(?=@)",
    ),
    ((("@tcp(", "@unix("),), r"((?<![\w.-])[\w.-]{1,64}+:)[^\s:@\"'/]{1,256}+(?=@(?:tcp|unix)\()"),
    ((("curl",),), _CURL),
)
# Alone, the name is a token.
_ALONE = (
    r"(://)(?:[^\s/:@?#\[\]\"']{1,256}(?=:x-oauth-basic@)|(?=[A-Za-z_-]{0,40}[0-9])[\w-]{20,256}+(?=:?@))"
)
_IN_QUERY = (
    r"((?:[?&;]|\\u0026)(?:sig|token|x-(?:amz|goog)-signature)=)"
    rf"(?!{NOTHING})[\w%.~+/=-]{{16,}}+"
)
_JWT = rf"(?:(?<![\w-])|{ESCAPED})eyJ[\w-]{{5,}}+\.[\w-]{{5,}}+(?:\.[\w-]*+){{0,3}}"


class _Step(NamedTuple):
    """A pattern, what must stand in a text for it (see `has_each`), and what takes the place of what it finds."""

    needs: Needs
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def _without_shaped(found: re.Match[str]) -> str:
    return mark(_SHAPES[(found.lastindex or 1) - 1][0])


def _without_basic(found: re.Match[str]) -> str:
    """Take out what is a name and a password in base64, and no word."""
    # Of a cut one, as much as can be read.
    text = found[2][: len(found[2]) // 4 * 4]
    try:
        user, colon, _ = b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return found[0]
    return f"{found[1]}{mark('basic credentials')}" if colon and user.isprintable() else found[0]


# Every repetition that may fail after it matched is bounded or possessive: that keeps the time linear.
_BEFORE: tuple[_Step, ...] = (
    _Step((("-----BEGIN ",),), re.compile(_PEM, re.ASCII | re.DOTALL), mark("private key")),
    _Step((("://",),), re.compile(_ALONE, re.ASCII), rf"\1{mark('URL token')}"),
    *(_Step(needs, re.compile(each, re.ASCII), rf"\1{mark('URL password')}") for needs, each in _IN_URL),
    _Step(
        (("=",), ("?", "&", ";", "u0026")),
        re.compile(_IN_QUERY, re.ASCII | re.IGNORECASE),
        rf"\1{mark('URL token')}",
    ),
    _Step((("hooks",),), re.compile(_WEBHOOK, re.ASCII), rf"\1{mark('webhook')}"),
)
_AFTER: tuple[_Step, ...] = (
    _Step((("earer", "EARER"),), re.compile(_BEARER, re.ASCII), rf"\1{mark('bearer token')}"),
    _Step((("asic",),), re.compile(_BASIC, re.ASCII), _without_basic),
    _Step((("eyJ",),), re.compile(_JWT, re.ASCII), mark("JSON web token")),
    _Step((), re.compile(_SHAPED, re.ASCII), _without_shaped),
)
PATTERNS = tuple(step.pattern for step in (*_BEFORE, *_AFTER))


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
    end = cut_at(text)
    if not end:
        return _searched(text)
    head = _searched(text[:end])
    for start, rest in continued(head):
        whole = head[start:] + rest
        found = _searched(whole)
        if found != whole:
            head = head[:start] + found.removesuffix(rest)
            break
    return head + text[end:]


def _searched(text: str) -> str:
    redacted = _replaced(without_assigned(_replaced(text, _BEFORE)), _AFTER)
    return text if redacted == text else redacted


def _replaced(text: str, steps: tuple[_Step, ...]) -> str:
    for step in steps:
        if has_each(text, step.needs):
            text = step.pattern.sub(step.replacement, text)
    return text
