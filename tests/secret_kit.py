"""Hundreds of secrets, made anew by their pattern, and of look-alikes, for the tests of redaction.

None is written down, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
from typing import Any, NamedTuple

COUNT = 400
LOWER = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"
CAPS = string.ascii_uppercase + string.digits
WORD = string.ascii_letters + string.digits
URL_SAFE = WORD + "-_"
BASE64 = WORD + "+/"
SETS = {"l": LOWER, "h": HEX, "C": CAPS, "w": WORD, "u": URL_SAFE, "b": BASE64, "d": string.digits}

# A prefix, and what comes after it: `<48w>` is 48 of a set above.
SHAPES = """
sk-|<48w>   sk-proj-|<60u>   sk-svcacct-|<60u>   sk-admin-|<60u>   sk-ant-|api03-<60u>   sk-or-|v1-<64h>
sk-lf-|<8h>-<4h>-<12h>   sk-|<8h>1<23h>   csk-|<48l>1   AKIA|<16C>   ASIA|<16C>   AIza|<35u>   GOCSPX-|<28u>
ya29.|<60u>   ghp_|<36w>   gho_|<36w>   ghs_|<36w>   ghu_|<36w>   ghr_|<36w>   github_pat_|<22w>_<59w>
glpat-|<20w>   gldt-|<20w>   glrt-|<20w>   glcbt-|<20w>   glptt-|<40h>   glagent-|<50w>
xoxb-|<11d>-<12d>-<24w>   xoxp-|<11d>-<12d>-<24w>   xoxa-|2-<12d>-<24w>   xapp-|1-<11C>-<12d>-<40h>
sk_live_|<24w>   rk_live_|<24w>   sk_test_|<24w>   whsec_|<32w>   hf_|<34w>   api_org_|<34w>   npm_|<36w>
pypi-|AgEIcHlwaS5vcmc<60w>   rubygems_|<48h>   dckr_pat_|<27u>   dckr_oat_|<32u>   gsk_|<52w>   xai-|<70w>
pplx-|<48w>   nvapi-|<60u>   r8_|<37w>   tgp_v1_|<43u>   fw_|<24w>   sk_|<48h>   jina_|<60w>   tvly-|<32w>
fc-|<32h>   pcsk_|<6w>_<60w>   e2b_|<40h>   lsv2_pt_|<32h>_<10h>   lsv2_sk_|<32h>_<10h>   wandb_v1_|<40w>
bot|<9d>:AA<33w>   dapi|<32h>   dapi|<32h>-2   dop_v1_|<64h>   doo_v1_|<64h>   shpat_|<32h>   shpss_|<32h>
shpca_|<32h>   lin_api_|<40w>   lin_oauth_|<64h>   ntn_|<46w>   secret_|<43w>   figd_|<40u>   glsa_|<32w>_<8h>
\\nghp_|<36w>   32mhf_|<34w>   %20npm_|<36w>   napi_|<48l>   phx_|<43w>   sgp_|<16h>_<40h>   re_|<8w>_<24w>
bkua_|<40h>   rdme_|<60l>   glc_|<60w>
sntrys_|<60w>   sntryu_|<64h>   pscale_tkn_|<43u>   pscale_pw_|<43u>   sb_secret_|<31u>   sbp_|<40h>
nfp_|<36w>   rzp_live_|<14w>   CCIPAT_|<22w>_<40h>   pnu_|<36w>   tfp_|<44w>   key-|<32h>   |<32h>-us14
pat-na1-|<8h>-<4h>-<4h>-<12h>   PMAK-|<24h>-<34h>   NRAK-|<27C>   HRKU-|<8h>-<4h>-<4h>-<12h>   sq0csp-|<43u>
sq0atp-|<22u>   EAAAE|<59w>   SG.|<22u>.<43u>   hvs.|<24w><60u>   hvb.|<60u>   dp.st.|dev.<43w>   dp.pt.|<43w>
dt0c01.|<24C>.<64C>   pat|<14w>.<64h>   |<14w>.atlasv1.<64u>   M|<24w>.<6u>.<38u>   |<10d>:AA<33u>   SK|<32h>
ATATT3|xFfGF0<60u>=<8C>   ATBB|<28w>   LTAI|<20w>   AGE-SECRET-KEY-1|<58C>   |<3w>8Q~<34w>
""".split()  # noqa: SIM905 - a list of them would be five times as long

NAMED = """
password passwd PASSWORD db_password userPassword passphrase secret client_secret clientSecret SECRET_KEY secret_key
aws_secret_access_key AWS_SECRET_ACCESS_KEY api_key apikey apiKey X-API-Key x-api-key OPENAI_API_KEY COHERE_API_KEY
MISTRAL_API_KEY private_key signing_key encryption_key account_key AccountKey SharedAccessKey access_token accessToken
refresh_token id_token auth_token TWILIO_AUTH_TOKEN session_token csrf_token security_token bot_token github_token
Authorization Proxy-Authorization pwd credentials api_token slack_token openai_key password2 master_key
jwt bearer cookie secret_value auth_header authorization_header password_hash password_confirm password_confirmation
client_token personal_token VAULT_TOKEN NPM_TOKEN GH_TOKEN DISCORD_TOKEN HUGGINGFACE_TOKEN deploy_token sas_token
SECRET_KEY_BASE api_key_prod password_new private_key_pem DB_PASS smtp_pass auth_key Ocp-Apim-Subscription-Key
DEEPSEEK_KEY basic_auth vaultToken userToken authKey hmac_key license_key OPENAI_KEY_2 db_pwd API_KEYS webhookSecret
x-functions-key service_role_key SENTRY_AUTH_TOKEN oauth_token oauth2_token SMTP_PASS newPassword OLD_PASSWORD
""".split()  # noqa: SIM905 - as above


# How a text may assign one, `§`, beside `NAME=@` and `"NAME": "@"`.
FORMS = r"""
os.environ["DB_PASSWORD"] = "§"
headers["X-API-Key"] = "§"
headers['X-API-Key']='§'
api_key: str = "§"
password: str='§'
password: Optional[str] = "§"
password: str | None = "§"
client_secret: typing.Optional[str] = "§"
const apiKey: string = "§";
password?: string = "§"
password=b'§'
password=f'§'
password=r"§"
{'api_key': b'§'}
password := "§"
if password == "§":
password != '§'
password='''§'''
password=<<<§<<<
password=SecretStr('§')
password=open_vault.get('§')
api_key=os.environ.get("THE_KEY", "§")
password: true!§
password = Text!§
password=SecretStr(secret_value='§')
Obj(password=('§',), n=1)
{"api_keys": ["§", "x§"]}
{"api_keys": [["§"], "x§"], "n": 1}
"password": {"value": "§", "n": 1}
password: |~  §~  x§~n: 1
password: >-~    §
password: !vault §
password: !vault |~  $ANSIBLE_VAULT;1.1;AES256~  §~n: 1
**Password:** §
**Password**: §
`password`: `§`
Authorization: ApiKey §
authorization: SSWS §
Authorization: GenieKey §
Authorization: Key §
Authorization: DeepL-Auth-Key §
Authorization: Digest username="ann", realm="x", response="§"
Authorization: Token token="§"
curl -H 'Authorization: ApiKey §' https://example.org
b'Authorization: ApiKey §'
{'Authorization': 'ApiKey §', 'n': 1}
[('X-API-Key', '§'), ('Authorization', 'ApiKey §')]
[["X-API-Key", "§"], ["n", "1"]]
[(b'x-api-key', b'§'), (b'host', b'example.org')]
Command '['psql', '--password', '§', '-h', 'x']' returned non-zero exit status 1.
["psql", "--api-key", "§"]
psql --password § -h x
psql --password="§" -h x
deploy --token=§
deploy --token §
setdefault("API_KEY", "§")
%env OPENAI_API_KEY §
%set_env OPENAI_API_KEY=§
export VAULT_TOKEN=§
The API key: §
my access token = §
'client_secret' => '§'
smtp://ann@example.org:§@smtp.example.org
postgres://ann:p/§@db/main
{"name": "API_KEY", "value": "§"}
{'name': 'X-API-Key', 'value': '§'}
{"Key": "password", "Value": "§"}
{"name":"API_KEY","type":"plain","value":"§"}
{\"name\": \"API_KEY\", \"value\": \"§\"}
- name: API_KEY~  value: §~- name: n~  value: 1
- name: "API_KEY"~  value: "§"
env:\n- name: API_KEY\n  value: §\n
Header(name='X-API-Key', value='§')
<add key="ApiKey" value="§"/>
<input name="csrf_token" type="hidden" value="§">
<password>§</password>
<x:apiKey a="1">§</x:apiKey>
<db.password><![CDATA[§]]></db.password>
<name>fs.s3a.secret.key</name><value>§</value>
<key>API_KEY</key>~  <string>§</string>
password = os.getenv("P") or '§'
api_key = args.key or "§"
password = x if y else '§'
password = "abc" + "§"
user, password = "ann", "§"
password = config.get(KEY) or "§"
password = os.environ["DB_PASSWORD"] or "§"
password = process.env.DB_PASSWORD || '§'
api_key = getenv('API_KEY', default='§')
password = input("Password: ") or '§'
password=str('§')
setattr(c, 'api_key', '§')
requests.get(url, auth=('ann', '§'))
HTTPBasicAuth('ann', '§')
server.login("ann@example.org", "§")
curl -s -X GET --user "ann:§" https://example.org
curl -u ann:§ https://example.org
["curl", "-u", "ann:§"]
curl \~  -u ann:§ \~  https://example.org
setx OPENAI_API_KEY "§"
aws configure set aws_secret_access_key §
machine example.org login ann password §
machine example.org~  login ann~  password §
CREATE USER ann WITH PASSWORD '§';
CREATE USER 'ann'@'%' IDENTIFIED BY '§';
ALTER USER ann IDENTIFIED WITH sha256_password BY '§'
https://§:x-oauth-basic@example.org/a/b
https://§12@o1.ingest.example.org/1
ann:§@tcp(db:3306)/main
"line\nMY_KEY=§"
"line\nBearer §1"
fernet_key=§ become_pass=§
"line\n--password §1"
"see\rAuthorization: ApiKey §"
"see\u00a0Bearer §"
"line\n-----\nDB_PASS=§"
\x1b[32mAPI_KEY\x1b[0m=§
postgres://ann:p'§@db.example.org/main
DB_PASSCODE=§ aws_creds=§
""".strip().splitlines()


class Secret(NamedTuple):
    """What must not be seen.

    Attributes:
        text: With what tells that it is one.
        core: The secret itself.
        name: What it is called by, where only that tells.
    """

    text: str
    core: str
    name: str | None = None

    @property
    def parts(self) -> list[str]:
        """Pieces of it that are long enough to be looked for."""
        return re.findall(r"[A-Za-z0-9]{8,}", self.core)


def secrets(seed: int = 5) -> list[Secret]:
    """Make `COUNT` of them."""
    rng = random.Random(seed)
    made = [_shaped(rng, shape) for shape in SHAPES]
    made += [Secret(text, core) for _ in range(2) for text, core in _told(rng)]
    made += [Secret(value, value, name) for name in NAMED for value in [_of(rng, "<28w>")]]
    made += [_formed(form, _of(rng, "<24w>")) for form in FORMS]
    while len(made) < COUNT:
        made.append(_shaped(rng, rng.choice(SHAPES)))
    return made


def _formed(form: str, core: str) -> Secret:
    return Secret(form.replace("§", core).replace("<<<", '"""').replace("~", "\n"), core)


def _shaped(rng: random.Random, shape: str) -> Secret:
    prefix, _, rest = shape.partition("|")
    core = _of(rng, rest)
    return Secret(prefix + core, core)


def _of(rng: random.Random, pattern: str) -> str:
    """Make a text; it begins with a letter and a digit, as nearly all of any length hold both."""
    return re.sub(
        r"<(\d+)([a-zA-Z])>", lambda found: "".join(rng.choices(SETS[found[2]], k=int(found[1]))), pattern
    )


def _told(rng: random.Random) -> list[tuple[str, str]]:
    """Make those that what stands around them tells of."""
    one = _of(rng, "<24w>")
    two, signed = _of(rng, "<64h>"), _of(rng, "<43w>")
    code = base64.b64encode(f"ann:{one}".encode()).decode()
    token = ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=")
        for part in (b'{"alg":"HS256"}', json.dumps({"sub": one}).encode(), rng.randbytes(32))
    )
    kind = "RSA PRIVATE " + "KEY"
    lines = "\n".join(_of(rng, "<64b>") for _ in range(4))
    return [
        (f"https://ann:{one}@example.org/x", one),
        (f"postgresql://app:{one}@db.example.org:5432/main", one),
        (f"mongodb+srv://app:{one}@cluster0.example.net/?retryWrites=true", one),
        (f"redis://:{one}@cache:6379/0", one),
        (f"https://example.blob.core.windows.net/c/b?sv=2022-11-02&sig={signed}%3D&se=2030", signed),
        (f"https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={two}", two),
        (f"http://localhost:8888/lab?token={_last(two)}", _last(two)),
        (f"https://hooks.slack.com/services/T0{one[:8]}/B0{one[8:16]}/{signed[:24]}", signed[:24]),
        (f"https://discord.com/api/webhooks/123456789012345678/{signed}", signed),
        (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={signed}==;EndpointSuffix=x", signed),
        (f"Endpoint=sb://a.example.net/;SharedAccessKeyName=root;SharedAccessKey={signed}=", signed),
        (f"Server=db;Database=main;User Id=app;Password={one};Encrypt=true", one),
        (f"Authorization: Bearer {one}", one),
        (f"authorization: Basic {code}", code),
        (f"Proxy said Bearer {two}", two),
        (f"curl sent Basic {code} to it", code),
        (f"Cookie: session={one}; theme=dark", one),
        (f"Set-Cookie: sid={two}; Path=/; HttpOnly", two),
        (token, token.rpartition(".")[2]),
        (f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----", lines),
    ]


def _last(text: str) -> str:
    return text[-48:]


def places_of(secret: Secret) -> dict[str, Any]:
    """Give a payload that holds it in every place."""
    text, name = secret.text, secret.name
    item = {"note": text} if name is None else {name: text}
    said = text if name is None else f"{name}={text}"
    linked = {} if re.search(r"\s", text) else {"url": f"https://example.org/p?{'q=' * (not name)}{said}&n=1"}
    inside = json.dumps(item)
    return {
        **item,
        "nested": {"deep": {"deeper": item}},
        "list": [item, {"n": 1}],
        "headers": [{"name": name or "X-Note", "value": text}],
        "prose": f"then it used {said} and went on",
        "inside": inside,
        "twice": json.dumps({"args": inside}),
        f"under {said}": 1,
        **linked,
        "error": f"ValueError: not accepted: {said}",
        "output_preview": f"it said {said}",
        "arg_keys": [said],
    }


WORDS = """
secretary secretariat passport passenger password-less passwordless keyboard keynote monkey turkey hockey
tokenizer tokenize
detokenized cookiecutter bearish forbearer authority author authored authentic authenticator credentialed keystone
sk-learn scikit-learn sk-image task-12345678 desk-lamp-and-chair risk-free-trial-period disk-usage-report
Asia AKIA eyJ ghp_ xoxb- AIza hf_model_name npm_config_cache gsk_ r8_ sk- glpat- hvs. SG. dp.st key- pat- fc- SK dapi
gpt-4o-mini-2024-07-18 gpt-4.1 claude-3-5-sonnet-20241022 gemini-2.5-flash-preview-05-20 llama-3.1-8b-instant
text-embedding-3-small mistral-large-latest meta-llama/Llama-3.3-70B-Instruct o3-mini deepseek-r1-distill-qwen-32b
us-east-1 eu-west-3 single-region-us13 n-us2 example-us ann@example.org ann.lee+news@mail.example.co.uk
https://example.org:8080/a@b?q=1 http://localhost:8888/lab http://127.0.0.1:8000/docs#/default
https://example.org/@ann/post
https://example.org/search?q=token&page=2 https://example.org/p?next=%2Fhome&sort=asc git@github.com:ann/repo.git
https://pypi.org/project/locus-nb/ s3://bucket/key/part-0001.parquet file:///home/ann/a_b/c.txt ftp://ftp.example.org/pub
/usr/lib/python3.12/site-packages/locus_nb/_payloads/redact.py C:\\Users\\ann\\Documents\\keys.txt ./secrets/README.md
tests/test_tokens_and_keys.py locus_nb._payloads.shapes.is_ordinary package.module.some_function_name_that_is_long
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk
data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQE R0lGODlhAQABAIAAAAAAAP///yH5BAEA
2024-01-01T12:00:00+00:00 12:34:56.789 10.0.0.1:5432 [::1]:8080 v1.2.3-rc.1+build.5 1e-05 0x7ffd3c00a1b2 #ff00ff
{"city":"Oslo","degrees":12} key=value a=1;b=2 --max-tokens=100 tokens=[101,2023,102] x:int=3 <eos_token>
sk_buff skb_queue_tail secret_santa npm_lifecycle_event api_organisation shp_order key_performance_indicators
pypa/gh-action-pypi-publish@v1 pypi-attestations pypi-server xai-grok-4 xai-grok-code-fast-1 pplx-70b-online
pplx-7b-chat-alpha sk-fading-circle2x sk-cube-grid sk-folding-cube sk-three-bounce1 sk-circle12 --max-tokens=100
git+ssh://git@github.com:ann/repo.git@main ssh://git@example.org:22/ann/repo@v1 http://[::1]:8080/@ann/x@y
https://example.org:8443/@ann/post@2x http://example.org:80,http://example.net/a@b --token-count=5 --key=name
--sort-key=name --tokens=5
""".split()  # noqa: SIM905 - as above

SENTENCES = [
    "the password policy asks for twelve letters",
    "the bearer of bad news came late",
    "Bearer tokens are sent as Bearer authentication",
    "Basic authentication is not safe, basic understanding helps",
    "a basic introduction to internationalization",
    "the key to success is practice",
    "he passed the token to the next player",
    "the keys: red, green and blue",
    "cookie: chocolate chip; cookies = 3",
    "one secret of good coffee is water",
    "The tokens were counted: 12 in, 30 out",
    "token: 42, tokens: 50, max_tokens: 100, input_tokens=12",
    "next_page_token: abc, eos_token=</s>, pad_token: <pad>",
    "the stop token is ###",
    "password: None, api_key=null, secret: false",
    "def load(path: str, key: int = 3) -> dict[str, int]: ...",
    "for key, value in items: print(key, value)",
    "SELECT key, token_count FROM usage WHERE author = 'ann'",
    "-----BEGIN CERTIFICATE-----\nMIIEow\n-----END CERTIFICATE-----",
    "ssh-keygen makes a pair of keys",
    "the signature of the function changed: sig = inspect.signature(f)",
    "design: a sign=1, insight=2",
    "HTTP 401: check your credentials and try again",
    "The author: Ann. The authority: none.",
    "session_id is not shown, user_id=7, trace_id=9f",
    "the tokenizer splits it into 5 tokens: [CLS] a b [SEP] <|endoftext|>",
    "HTTP/1.1 200 OK, Content-Type: text/html; charset=utf-8, Content-Length: 1204",
    "KeyError: 'city' in line 12 of weather.py",
    'Traceback (most recent call last): File "/srv/app/keys/loader.py", line 3, in load_keys',
    "pip install 'locus-nb[parquet]==0.1.0' --index-url https://pypi.org/simple",
    "git log --oneline -5 && git show HEAD~2:README.md",
    "connection: keep-alive, connection refused: is it running?",
    "x = {'a': 1, 'key': 'value', 'pass': 3}",
    "class Token(NamedTuple): kind: str; text: str",
    "api_key: Optional[str], password: str | None, secret: SecretStr, token: string",
    "def connect(user: str, password: str = None, api_key: Optional[str] = None) -> None: ...",
    "use --password to be asked for it, or --api-key for a key; --max-tokens 100 --sort-key name --no-cache",
    "primary key: id, foreign key: user, sort key = date, public key: see below, cache_key = hash(x)",
    "JWT: JSON web token; bearer: Ann; cookie: oatmeal; hot-key: ctrl; the deploy_token: optional",
    'arg_keys: ["api_key", "query"], tools: [\'password\', \'user\'], required: ["token", "api_key"]',
    "memory_key='chat_history', output_key=\"answer\", input_key='question', idempotency_key=42",
    "num_passwords=3, n_secrets: 2, has_password=yes, is_secret = no, max_api_keys: 5, secret_count: 4",
    "first_token: The, next_token=is, eos_token='</s>', stop_token: \"###\", cost_per_token = 0.000001",
    "PRIMARY_KEY=id SORT_KEY=date CACHE_KEY=abc PUBLIC_KEY=ssh S3_KEY=a/b.csv PARTITION_KEY=day IDEMPOTENCY_KEY=1",
    "| key | token | author |\n|---|---|---|\n| a | b | c |",
    "print('password', 'is', 'asked for'); fields = ('user', 'email')",
    "BOARDING_PASS=A12 forward_pass=3 first_pass: ok, bypass=1, compass: north, monkey=1, turkey: 2, keyboard=us",
    "author: Ann, authority=none, authentic: yes, oauth: v2, auth: on, authored_by='Ann'",
    "100% of environments: key=1; the env of 5% is token",
    'api_key = os.environ["OPENAI_API_KEY"]; password: str = os.getenv("DB_PASSWORD")',
    "api_key=os.environ.get('OPENAI_API_KEY'), apiKey: process.env.API_KEY, token = userdata.get(\"HF_TOKEN\")",
    'password = getpass("Password: "), password = getpass.getpass("Your password: "), input("API key: ")',
    "OpenAI(api_key=api_key), OpenAI(api_key=settings.api_key), self._password = password, secret=self.secret",
    "password=${DB_PASSWORD} API_KEY=$API_KEY password: ${{ secrets.X }} secret=%MY_SECRET%, password={password}",
    'curl -H "Authorization: Bearer $TOKEN" -u "ann:$PASSWORD" https://example.org',
    "f'postgres://{user}:{password}@{host}/db', postgres://<user>:<password>@host, mysql://u:%s@h, redis://u:***@h",
    "model: sk-learn-pipeline-2024-v1-final2, task_sk-2024-01-01-abc",
    'The bearer instruments, WWW-Authenticate: Bearer realm="x"',
    "api_key: missing, API key: not set, private key: not found, password: field required, secret: invalid",
    "Authorization: required",
    "password: ****, password='**********', api_key=\"...\", SecretStr('**********')",
    "fetch(url, {credentials: \"same-origin\"}) or {credentials: 'include'}",
    "api_key_env: OPENAI_API_KEY, ANSWER_KEY=b LOCK_KEY=a JSON_KEY=x PRESSED_KEY=q expected_token=x",
    "docker run --user 1000:1000 -u ann:staff; curl https://example.org/a:b",
    "<h1>passwords</h1><p>use <password> and <api_key>, or <b>key</b></p>, API_KEY=<api_key>",
    '{"name": "password", "type": "string"}, {"name": "city", "value": "Oslo"}',
    "- name: API_KEY\n  valueFrom:\n    configMap: x\n- name: city\n  value: Oslo",
    "secret 'db-creds' not found, the login page password reset, the machine is new, login password",
    "auth=('ann', None), login('ann'), auth: (a, b), author=('Ann', 'Lee')",
    "the ENV API_KEY is missing; set a key; setattr(c, 'city', 'Oslo'); identified by name",
    "\x1b[32mtask-12345678\x1b[0m and it goes on…",
]

COUNTS = """
input_tokens output_tokens max_tokens total_tokens prompt_tokens completion_tokens cache_read_tokens token_count tokens
token n_tokens tokens_per_second max_completion_tokens reasoning_tokens key keys key_count author authors pass passed
password_length cookie_count secret_count session_id user_id request_id credential_count keyboard bearing tokenizer
num_passwords n_secrets has_password is_secret max_api_keys min_secrets total_cookies count_passwords hasApiKey
numTokens maxTokens inputTokens nextPageToken next_token page_token continuationToken eos_token bos_token pad_token
unk_token stop_token first_token last_token per_token cost_per_token valid_token image_token predicted_token
tokenizer_name tokenize token_ids token_type token_usage tokens_used user_tokens vaultTokens image_tokens
primary_key sort_key foreign_key cache_key public_key partition_key PRIMARY_KEY SORT_KEY CACHE_KEY PUBLIC_KEY S3_KEY
memory_key input_key output_key output_keys arg_keys dict_key index_key row_key object_key idempotency_key hotkey
monkey turkey hockey donkey my_key some_key x_key keyword keywords keynote key_name secretary secretariat passport
passenger pass_rate first_pass forward_pass two_pass bypass compass BOARDING_PASS FIRST_PASS pass_count
passwordless password_policy password_reset_url secret_name secret_id access_key_id api_key_name api_key_id
key_id cookie_name cookies_enabled credential_type authorized authorization_url auth auth_type auth_method author_id
basic signature sig sign connection connections connection_count design bearer_count jwt_issuer passes passing
""".split()  # noqa: SIM905 - as above


def look_alikes(seed: int = 6) -> list[dict[str, Any]]:
    """Make some six hundred payloads that hold no secret."""
    rng = random.Random(seed)
    random_ones = ["<40h>", "<64h>", "<32h>", "<16h>", "<8h>-<4h>-4<3h>-a<3h>-<12h>", "run-<12h>"] * 4
    texts = [*WORDS, *SENTENCES, *(_of(rng, pattern) for pattern in random_ones)]
    made: list[dict[str, Any]] = [{"note": text} for text in texts]
    made += [{name: rng.randint(1, 5000)} for name in COUNTS]
    made += [{name: "one-two"} for name in COUNTS]
    made += [
        {"note": f"{name}=one-two; {name}: two, \"{name}\": \"two\", ['{name}'] = 'two'"} for name in COUNTS
    ]
    return [*made, {"headers": [{"name": "Accept", "value": "*/*"}], "arg_keys": ["key", "token"]}]
