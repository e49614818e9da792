"""Which names tell that a secret stands under them: one rule, for keys and for names inside a text alike.

A name tells by its end: by one of `_TELLING_NAMES`, however it is spelled, or by a last word that tells after most
others (`VAULT_TOKEN`, `DEEPSEEK_KEY`, `DB_PASS`, `basic_auth`). A number, a plural's `s` and a word such as `prod` or
`new` may follow. What counts secrets (`num_passwords`) or is a key or a token of another kind (`sort_key`,
`next_page_token`) tells nothing, nor does a bare `token` or `key`.
"""

from __future__ import annotations

import re
from functools import lru_cache

MARK = "[redacted]"
_MARKED = MARK.rstrip("]")
# A longer key is judged by its end.
LONGEST_KEY = 128
# So are names in a text, by an end that holds the longest of these names.
LONGEST_NAME = 40
# One of these is in the last `LONGEST_NAME` characters, in lower case, of each name that tells.
STEMS = (
    *("key", "token", "secret", "pass", "pwd", "cookie", "cred", "auth", "connection", "sig"),
    *("jwt", "bearer"),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Compared with a key in lower case, without separators. As they stand here they are named in marks.
_TELLING_NAMES = """
    password password_confirm password_confirmation passwd passphrase passcode password_hash db_pass db_pwd
    user_pass secret secret_value
    credential creds authorization authorization_header auth_header bearer cookie connection_string jwt api_key
    access_key secret_key private_key priv_key preshared_key signing_key encryption_key master_key ssh_key account_key
    access_token
    api_token auth_token bearer_token bot_token client_token csrf_token github_token gitlab_token hf_token
    personal_token refresh_token secret_token security_token session_token slack_token xsrf_token
    shared_access_signature
"""
_SEPARATORS = str.maketrans("", "", "-_. ")
_SECRET_ENDS = {name.replace("_", ""): name for name in _TELLING_NAMES.split()}
_ALL_ENDS = tuple(_SECRET_ENDS)
# What stands after the name of a secret and says which of several.
_WHICH = _words(
    """
    base prod production dev development staging stage test live new old current previous pem value text plain raw
    hash confirm confirmation header encoded str string bytes primary secondary default backup again repeat
    """
)
# What counts secrets, or says whether there are some.
_COUNTED = _words(
    """
    n num number count total max min avg is was has had needs need requires require allow show hide should can
    """
)
# `..._key` tells after these; in capitals, as in the environment, after all but the others.
_KEYS_OF = _words(
    """
    auth authentication authorization subscription functions function service role anon admin deploy deployment
    license licence webhook hmac aes rsa gpg pgp fernet jwt sign signature encrypt decrypt decryption cipher crypto
    consumer shared session kms unseal bot app
    bearer openai anthropic azure aws gemini google groq mistral cohere deepseek xai
    together replicate perplexity huggingface hf stripe twilio sendgrid mailgun datadog pinecone tavily langsmith
    langfuse openrouter cerebras fireworks nvidia serper serpapi brave exa jina voyage elevenlabs firecrawl
    weaviate qdrant supabase
    """
)
_OTHER_KEYS = _words(
    """
    primary sort foreign cache public publishable partition row range hash index group join lookup routing dict
    map object s state memory input output context config setting translation message event arg tool idempotency
    dedup unique composite natural surrogate parent child item issue project registry history metric feature label
    field column order hot shortcut enter escape tab arrow any each every the first last next prev min max
    answer lock json pressed
    """
)
# `..._token` tells after all words but these: of models and parsers, of pages, of counts.
_OTHER_TOKENS = _words(
    """
    input output prompt completion max min total avg mean eos bos pad padding unk sep cls mask stop start end
    begin special next prev previous first last new current page pagination continuation continue cursor sync
    resume delta change valid invalid expired missing bad expected unexpected unknown per image audio video text cached
    cache reasoning thinking accepted rejected generated predicted target source control role chat tool system
    function word sub subword byte char n num number count query top draft dummy placeholder fill prefix suffix
    middle leading trailing each single every any this that the a no one cancel cancellation lock fencing design
    color syntax parse lex ttft batch context vocab whitespace punctuation lookahead
    """
)
# `..._pass` tells after these; in capitals, after all but the others.
_PASSES_OF = _words(
    """
    db database user admin smtp imap mail email root mysql pg postgres redis mongo ftp ssh proxy login auth
    become sudo vault
    """
)
_OTHER_PASSES = _words(
    """
    first second third forward backward single multi one two by boarding high low all no test next last
    """
)
_AUTHS_OF = _words("basic http proxy digest")
# Told by their last word alone: they are words of prose too.
SOFT = frozenset({"cookie", "bearer", "jwt", "token", "key", "pass", "auth"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# A count is not as large, a token without a letter not as small.
_LARGE = 1_000_000


def mark(reason: str) -> str:
    """Give what stands in the place of a secret."""
    return f"[redacted: {reason}]"


def secret_name(key: str) -> str | None:
    """Say by which name what stands under `key` is to be taken out, whatever it is; None if it may stay.

    Example:
        >>> secret_name("X-API-Key"), secret_name("VAULT_TOKEN"), secret_name("max_tokens")
        ('api_key', 'token', None)
    """
    return _secret_name_cached(key[-LONGEST_KEY:])


def secret_phrase(text: str, last: str) -> str | None:
    """Say by which name a text's last words tell, as `the API key`; None if they do not, or its `last` word does."""
    return None if _listed(_squeezed(last)) else _listed(_squeezed(text))


def is_alike(name: str, other: str) -> bool:
    """Say whether two names are the same but for how they are spelled, and a number."""
    return _squeezed(name) == _squeezed(other)


def _squeezed(text: str) -> str:
    return text.lower().translate(_SEPARATORS).rstrip("0123456789")


def may_tell(text: str) -> bool:
    """Say whether a text, or a name in one, holds a part of a name that tells."""
    lowered = text.lower()
    for stem in STEMS:  # noqa: SIM110 - a generator costs more than the searches
        if stem in lowered:
            return True
    return False


def is_count(key: str, number: float) -> bool:
    """Say whether a number under the name of a token counts something, as in `session_tokens: 120`."""
    name = key.lower().rstrip("0123456789-_. ")
    if name.endswith("tokens"):
        return True
    return name.endswith("token") and (number % 1 != 0 or abs(number) < _LARGE)


@lru_cache(maxsize=2048)
def _secret_name_cached(key: str) -> str | None:
    if _MARKED in key:
        # It holds a secret itself, and tells no more than before that was taken out.
        return None
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or words[0] in _COUNTED:
        return None
    shouted = key.isupper()
    found = None
    for _ in range(3):
        while words[-1].isdigit() and len(words) > 1:
            words.pop()
        found = _listed("".join(words)) or _by_last_word(words, shouted=shouted)
        if found or len(words) == 1 or words[-1] not in _WHICH:
            break
        words.pop()
    if found is None and words == ["token"] and key.startswith("--"):
        return "token"
    return found


def _listed(squeezed: str) -> str | None:
    for name in (squeezed, squeezed.removesuffix("s")):
        if name.endswith(_ALL_ENDS):
            # The longest: of `secret_key`, not the shorter that it may end in too.
            return _SECRET_ENDS[max((end for end in _ALL_ENDS if name.endswith(end)), key=len)]
    return None


def _by_last_word(words: list[str], *, shouted: bool) -> str | None:
    last, before = words[-1], next((word for word in words[-2::-1] if not word.isdigit()), "")
    found = None
    if last == "pwd":
        found = None if before == "old" else "pwd"
    elif last == "idtoken":
        found = "id_token"
    elif not before:
        found = None
    elif last == "token":
        found = None if before in _OTHER_TOKENS else "id_token" if before == "id" else "token"
    elif last in ("key", "keys"):
        found = "key" if before in _KEYS_OF or (shouted and before not in _OTHER_KEYS) else None
    elif last == "pass":
        found = "pass" if before in _PASSES_OF or (shouted and before not in _OTHER_PASSES) else None
    elif last == "auth":
        found = "auth" if before in _AUTHS_OF else None
    return found
