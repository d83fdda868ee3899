"""Secrets do not get into a log, wherever they stand; the rest of a message does."""

import json
from typing import Any

import pytest

from codexd.runtime.redaction import PATTERNS, REDACTED, SECRET_ENDINGS, redacted

PLANTED = "PLANTED"
"""Is in every secret of these tests."""
LONG = f"{PLANTED}0123456789abcdefABCDEF0123456789"

NAMES = [
    "token", "accessToken", "refresh_token", "id-token", "authBearerToken", "sessionToken", "tokens", "apiKey", "API_KEY",
    "OPENAI_API_KEY", "secretAccessKey", "accessKeyId", "client_secret", "secrets", "password", "dbPassword", "passphrase",
    "passcode", "Authorization", "proxy-authorization", "cookie", "Set-Cookie", "cookies", "credential", "awsCredentials",
    "authUrl", "authorizationUrl", "verificationUrl", "redirect_uri", "userCode", "manualPairingCode", "deviceCode",
    "headers", "http_headers", "requestHeaders", "env", "answers", "deltaBase64", "dataBase64", "signature", "attestation",
    "jwt", "otp", "privateKey", "signing_key", "passwords", "passwd", "api_keys", "secretKey", "encryptionKey", "sessionKey",
    "authKey", "credentials", "authentication", "bearer", "verificationUri", "verification_uri_complete", "loginUrl",
    "callbackUrl", "redirectUrl", "authCode", "envVars", "manualCode", "delta", "pwd", "db_pwd",
    "auth", "_auth", "basicAuth", "AccountKey", "client_assertion",
]  # fmt: skip

TEXTS = [
    f"Authorization: Bearer {PLANTED}",
    f"authorization: Basic {PLANTED}==",
    f"curl -H 'Authorization: token {PLANTED}' https://example.org",
    f'curl -H "X-Api-Key: {PLANTED}" https://example.org',
    f'Cookie: theme="dark"; session="{PLANTED}"',
    f"Set-Cookie: session={PLANTED}; HttpOnly",
    f"it says Bearer {LONG}, and that is all",
    f"export OPENAI_API_KEY={PLANTED}",
    f"STRIPE_KEY={PLANTED}",
    f"DB_PASSWORD='{PLANTED} in two words'",
    f'password = "{PLANTED} \\" and more {PLANTED}"',
    f"password: {PLANTED}",
    f'{{"ok":1,"api_key" : "{PLANTED} and more"}} and {{"token":"{PLANTED}"}}',
    f'the arguments are {{\\"api_key\\":\\"{PLANTED} and more\\",\\"rest\\":1}}',
    f"secret => {PLANTED}",
    f"passphrase: {PLANTED}",
    f"APP_PWD=/{PLANTED}",
    f"DB_PWD: {PLANTED}",
    f"dbPwd = '{PLANTED}'",
    f"login --pwd {PLANTED}",
    f"Server=db;Uid=me;Pwd={PLANTED};",
    f'the answer was {{"pwd": "{PLANTED}"}}',
    f'the arguments are {{\\"pwd\\":\\"{PLANTED}\\",\\"rest\\":1}}',
    f"AccountName=me;AccountKey={PLANTED}==;EndpointSuffix=core.example.org",
    f"sessionKey={PLANTED}",
    f"encryptionKey: {PLANTED}",
    f"authkey={PLANTED}",
    f"client_assertion={PLANTED}&scope=all",
    f"//registry.example.org/:_auth={PLANTED}==",
    f'it says "auth": "{PLANTED}"',
    f"credential = {PLANTED}",
    f"X-Auth: {PLANTED}",
    f"page=1&code={PLANTED}",
    f"login --password {PLANTED} --user me",
    f"login --access-token '{PLANTED}'",
    f"login --password-stdin --token {PLANTED}",
    f"curl -u me:{PLANTED} https://example.org",
    f"curl -u :{PLANTED} https://example.org",
    f"curl -u me+you@example.org:{PLANTED} https://example.org",
    f'curl -u "${{ME}}:{PLANTED}" https://example.org',
    f"curl --user=me@example.org:{PLANTED} https://example.org",
    f"curl --user 'me:{PLANTED} and {PLANTED}' https://example.org",
    f'curl -U "DOMAIN\\me:{PLANTED} \\" and {PLANTED}" https://example.org',
    f"Command '['echo', '--token', '{PLANTED}']' returned non-zero exit status 1",
    f"Command '['curl', '-u', 'me:{PLANTED}']' returned non-zero exit status 1",
    f"https://user:{PLANTED}@example.org/path",
    f"https://{PLANTED}@example.org",
    f"https://example.org/callback?code={PLANTED}&state={PLANTED}#top",
    f"https://example.org/?X-Amz-Signature={PLANTED}",
    f"eyJhbGciOiJIUzI1NiJ9.{PLANTED}.c2lnbmF0dXJl",
    f"sk-proj-{LONG}",
    *(
        f"{beginning}{LONG}"
        for beginning in (
            "sk_live_",
            "rk-",
            "rk_live_",
            "ghp_",
            "gho_",
            "github_pat_",
            "glpat-",
            "xoxb-",
            "xapp-",
            "hf_",
            "npm_",
            "pypi-",
            "dop_v1_",
            "whsec_",
            "AIza",
            "ya29.",
            "SG.",
        )
    ),
    f"AKIA{PLANTED}ABCDEFGH",
    f"ASIA{PLANTED}ABCDEFGH",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{PLANTED}\n{PLANTED}\n-----END OPENSSH PRIVATE KEY-----",
    f"-----BEGIN RSA PRIVATE KEY-----\n{PLANTED}",
    json.dumps({"answers": {"q1": {"answers": [PLANTED]}}}),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_known_by_the_name_of_its_member(name: str) -> None:
    """However deep it stands, and whatever it is."""
    for secret in (PLANTED, [PLANTED], {"value": PLANTED}, 1234):
        value = {"item": [{"arguments": {name: secret, "path": "/tmp"}}]}
        assert redacted(value) == {"item": [{"arguments": {name: REDACTED, "path": "/tmp"}}]} or (
            name == "tokens" and secret == 1234
        )


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_is_known_by_how_it_looks(text: str) -> None:
    """In a text, and in a text that is JSON in a text."""
    assert PLANTED not in redacted(text)
    assert PLANTED not in redacted(f"Chunk ID: 1\nOutput:\n{text}\n")
    assert PLANTED not in redacted(json.dumps({"command": ["bash", "-lc", text]}))
    assert REDACTED in redacted(text)


def test_a_secret_is_known_by_the_option_before_it() -> None:
    """In a list of words, as Codex proposes one for a command whose approval it asks for."""
    words = [
        "echo",
        "--token",
        "x1",
        "--verbose",
        "--password",
        "-x2",
        "--api-key=x3",
        "-u",
        "me:x4 x5",
        "end",
    ]
    clean = ["echo", "--token", REDACTED, "--verbose", "--password", REDACTED, f"--api-key={REDACTED}"]
    clean += ["-u", f"me:{REDACTED}", "end"]
    assert redacted({"proposedExecpolicyAmendment": words}) == {"proposedExecpolicyAmendment": clean}
    decision = {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": words}}
    assert redacted(decision) == {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": clean}}
    assert redacted(["curl", "--proxy-user", "me:x1"]) == ["curl", "--proxy-user", f"me:{REDACTED}"]
    assert redacted(["--password-stdin", "--token", "x1"]) == ["--password-stdin", "--token", REDACTED]
    assert redacted(["--token"]) == ["--token"]


def test_every_ending_and_every_pattern_is_needed() -> None:
    """The lists hold nothing that no test would miss."""
    small = ["".join(filter(str.isalnum, name.lower())) for name in NAMES]
    unused = [ending for ending in SECRET_ENDINGS if not any(name.endswith(ending) for name in small)]
    assert unused == []
    hits = [[text for text in TEXTS if pattern.expression.search(text)] for pattern in PATTERNS]
    assert [len(hit) > 0 for hit in hits] == [True] * len(PATTERNS)


@pytest.mark.parametrize(
    "value",
    [
        {"tokenUsage": {"total": {"totalTokens": 12, "inputTokens": 3}}, "tokensUsed": 5, "tokenBudget": 7},
        {"exitCode": 0, "httpStatusCode": 500, "code": "x", "identityKey": "k", "isSecret": True, "token": None},
        {"text": "tokens are counted, and a key opens a door: that is no secret"},
        {"cwd": "/home/me/project", "command": "git -C /tmp log --oneline", "url": "https://example.org/a?b=c"},
        {"text": "{no JSON"},
        {"text": '[1, {"x": "y"}]'},
        {"text": "user@example.org // a comment"},
        [1.5, True, None, "é ☃"],
        ["echo", "--user", "me", "--tokens", 5, "token", "-x", "a:b", "--output", "token"],
        ["docker", "run", "-u", "1000:1000", "image"],
        {"text": "docker run -u 1000:1000 image; date -u +%H:%M; git push -u origin HEAD:main"},
        {"pwd": "/home/me", "oldPwd": "/tmp", "auth": None, "deviceAuth": True, "authMode": "chatgpt", "author": "me"},
        {"text": "PWD=/home/me OLDPWD=/tmp pwd=$(pwd) PWD=~ pwd='/a b' \"pwd\":\"/tmp\" bash: pwd: command not found"},
        {"text": "AssertionError: assertion: a == b; the author: me; auth: it works; oauth=x; pwd = `pwd`; PWD=C:\\x PWD=%CD% pwd=.."},
        {"text": "sudo -u me ls; systemctl --user status a:b; option --x-u me:x"},
    ],
)  # fmt: skip
def test_the_rest_stays_as_it_is(value: Any) -> None:
    """A log whose every second word is missing is none."""
    assert redacted(value) == value


def test_a_text_that_is_json_is_looked_into() -> None:
    """Arguments of tools are; names count there that would say nothing in a text."""
    assert redacted('[{"env":{"A":"x"},"n":1}]') == f'[{{"env":"{REDACTED}","n":1}}]'
    assert redacted('{"env":{"A":"x"}}') == f'{{"env":"{REDACTED}"}}'


def test_what_surrounds_a_secret_stays() -> None:
    """One sees what was there, and where it ended."""
    assert redacted("login --password x1 --user me") == f"login --password {REDACTED} --user me"
    assert redacted("https://me:x1@example.org/p?code=x2&page=3") == (
        f"https://{REDACTED}@example.org/p?code={REDACTED}&page=3"
    )
    assert redacted('so: {"answers":["a, b"]}') == f'so: {{"answers":[{REDACTED}]}}'
    assert redacted('{"path":"/tmp","token":"x"}') == f'{{"path":"/tmp","token":"{REDACTED}"}}'


@pytest.mark.parametrize(
    "piece",
    ["a", "token", "-token", "?token", "eyJ-", "x-", '"', "key='", "\\", '\\"', "secret=\\", "//", "bearer ", "sk-",
     "-----BEGIN PRIVATE KEY-----", "[", "{", "cookie:", " ", "api_key", "--token ", "-u ", "-u a:", "-u 'a:", "-u 1:1", "pwd=", "auth "],
)  # fmt: skip
def test_no_text_takes_for_ever(piece: str) -> None:
    """A text made to have the patterns go over it again and again: with one that does, this test does not end."""
    redacted(piece * (256 * 1024 // len(piece)))
