"""What must not stand in a log: known by the name of the member that holds it, or by how it looks in a text.

Two lists are all there is for a log: `SECRET_ENDINGS` and `PATTERNS`; settings of Codex have `_IN_SETTINGS`, too. An option and its value may also be two words of a list.
What is said in words (`my password is x`) can be known by neither. No pattern goes over a text more than once or so,
however it is made up.

Codex repeats the answer to a secret question in one message: the `output` of a `rawResponseItem/completed`, a text
that is the JSON `{"answers":…}` (measured on 0.163 and 0.169, with `experimentalRawEvents`).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

REDACTED = "[redacted]"

SECRET_ENDINGS = (
    # What lets somebody in.
    "token", "tokens", "secret", "secrets", "password", "passwords", "passwd", "passphrase", "passcode",
    "apikey", "apikeys", "accesskey", "accesskeyid", "privatekey", "secretkey", "signingkey", "encryptionkey",
    "sessionkey", "authkey", "credential", "credentials", "cookie", "cookies", "authorization", "authentication",
    "bearer", "jwt", "otp", "attestation", "signature", "pwd", "auth", "accountkey", "clientassertion",
    # Where and how to log in.
    "authurl", "authorizationurl", "verificationurl", "verificationuri", "verificationuricomplete", "loginurl",
    "callbackurl", "redirecturl", "redirecturi", "usercode", "devicecode", "pairingcode", "manualcode", "authcode",
    # What may hold any of it under any name.
    "headers", "env", "envvars", "answers",
    # What cannot be looked into: an encoding, and a piece that may begin or end in the middle of a secret. What is
    # streamed in pieces Codex says again as a whole.
    "base64", "delta",
)  # fmt: skip
"""How the names of members end whose values are secret, in small letters and without `_` and `-`."""

_IN_SETTINGS = (
    "queryparams",
    "token",
    "secret",
    "passw",
    "pwd",
    "passphrase",
    "credential",
    "key",
    "assertion",
)
"""What is in the names of settings that may hold a secret, beyond those endings."""
_NO_SECRETS = ("envvar", "envkey", "store", "limit", "instructions", "keymap")
"""How settings end that are called so and hold none: `env_key` is the name of a variable."""
_NAMED_BY_USERS = ("mcp_servers", "model_providers", "profiles", "projects")
"""Tables of Codex's settings whose members have names that the user made up."""

_NAMES = ("token", "secret", "passw", "pwd", "passphrase", "credential", "key", "assertion")
_NAME = (
    r"(?:token|secret|passw(?:or)?d|[_-]pwd|passphrase|credential|client[_-]?assertion|api[_-]?key|[_-]key"
    r"|(?:access|account|private|signing|encryption|session|auth)key)"
)
_OPTION = rf"--?[\w-]{{0,20}}?{_NAME}[\w-]{{0,20}}"
# Between an option and what is given to it: in a command, and in a text that lists the words of one.
_NEXT_WORD = r"""(?:\s{1,8}|\\*+["'],\s{0,8}(?=\\*["']))"""
# In quotes that are themselves quoted, in quotes, or without.
_QUOTED = r"""(?:\\++(["'])(?:(?!\\++["']).)*+|"(?:[^"\\]++|\\.)*+|'(?:[^'\\]++|\\.)*+"""
# Numbers on both sides are ids (`docker run -u 1000:1000`), and what begins with a plus is a format (`date -u +%H:%M`).
_USER = r"""(?!\+|\d++:\d++(?![^\s"'\\]))[\w.@+%${}\\-]{0,100}+"""
_VALUE = rf"""{_QUOTED}|[^\s"'\\]++)"""
_REST_OF_LINE = rf"""{_QUOTED}|[^\r\n]++)"""


class Pattern(NamedTuple):
    """What a secret looks like in a text, and what is written for it. One of `hints` is in all that fits, in small letters."""

    hints: tuple[str, ...]
    expression: re.Pattern[str]
    replacement: str


def _pattern(hints: tuple[str, ...], expression: str, replacement: str = REDACTED) -> Pattern:
    return Pattern(hints, re.compile(expression, re.IGNORECASE | re.DOTALL), replacement)


_BEGINNINGS = (
    "sk-",
    "sk_",
    "rk-",
    "rk_",
    "gh",
    "github_pat_",
    "glpat-",
    "xox",
    "xapp-",
    "hf_",
    "npm_",
    "pypi-",
    "dop_",
    "whsec_",
)
PATTERNS = (
    _pattern(
        ("private key",),
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----)(?:(?!-----END).)*+",
        rf"\1{REDACTED}",
    ),
    # Headers.
    _pattern(
        ("authorization", "cookie", "x-"),
        r"\b((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{0,30}?(?:key|token|secret|auth)[\w-]{0,30})"
        rf"""(\\*["']?\s{{0,8}}[:=]>?\s{{0,8}}){_REST_OF_LINE}""",
        rf"\1\2{REDACTED}",
    ),
    _pattern(("bearer",), r"\b(bearer)(\s{1,8})[^\s\"',;]{8,}+", rf"\1\2{REDACTED}"),
    # Assignments, members of JSON in a text, and options of programs.
    _pattern(
        _NAMES, rf"""({_NAME}[\w-]{{0,20}})(\\*["']?\s{{0,8}}[:=]>?\s{{0,8}}){_VALUE}""", rf"\1\2{REDACTED}"
    ),
    _pattern(_NAMES, rf"""({_OPTION})({_NEXT_WORD})(?!\\*["']?{_OPTION}){_VALUE}""", rf"\1\2{REDACTED}"),
    _pattern(
        ("-u",),
        rf"""(?<![\w-])(--?(?:u|(?:proxy-)?user))((?:{_NEXT_WORD}|=)(\\*+["'])?+{_USER}:)"""
        r"""(?(3)(?:(?!\3)(?:\\.|[^\\]))++|[^\s"'\\]++)""",
        rf"\1\2{REDACTED}",
    ),
    # Names that are also those of a directory, and of a way to log in.
    _pattern(
        ("pwd", "auth"),
        r"""((?:pwd|(?<![a-z])auth)(?:\\*["']\s{0,8}:|\s{0,8}=)\s{0,8})"""
        rf"""(?!\\*["']?(?:[/~.$`%]|[a-z]:\\)){_VALUE}""",
        rf"\1{REDACTED}",
    ),
    # What Codex makes of a user's answers.
    _pattern(("answers",), r"""(answers\\*["']\s{0,8}:\s{0,8}\[)[^\]]++""", rf"\1{REDACTED}"),
    # URLs.
    _pattern(("@",), r"//[^/\s@\"']++@", f"//{REDACTED}@"),
    _pattern(
        ("?", "&"),
        r"([?&][\w-]{0,20}?(?:token|secret|key|sig|code|state|password|auth)[\w-]{0,20}=)[^&\s\"'#]++",
        rf"\1{REDACTED}",
    ),
    # What is known by its beginning.
    _pattern(("eyj",), r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}+(?:\.[\w-]*+)*+"),
    _pattern(
        _BEGINNINGS,
        r"(?<![\w-])(?:[sr]k[-_]|gh[oprsu]_|github_pat_|glpat-|xox[a-z]-|xapp-|hf_|npm_|pypi-|dop_v1_|whsec_)[\w-]{16,}+",
    ),
    _pattern(("akia", "asia"), r"(?<![\w-])(?-i:AKIA|ASIA)(?-i:[A-Z0-9]{12,}+)"),
    _pattern(("aiza", "ya29", "sg."), r"(?<![\w-])(?:AIza[\w-]{30,}+|ya29\.[\w-]{16,}+|SG\.[\w.-]{30,}+)"),
)

_SECRET_OPTION = re.compile(_OPTION, re.IGNORECASE)
_USER_OPTION = re.compile(r"--?(?:u|(?:proxy-)?user)", re.IGNORECASE)
_USER_AND_SECRET = re.compile(rf"({_USER}:).+", re.IGNORECASE | re.DOTALL)

_HINT = re.compile("|".join(re.escape(hint) for pattern in PATTERNS for hint in pattern.hints))
_IN_NAMES = re.compile(r"[^a-z0-9]")


def redacted(value: Any) -> Any:
    """A value as JSON has them, without its secrets; members keep their names and order."""
    match value:
        case str():
            return _text(value)
        case dict():
            return {name: _member(name, inner) for name, inner in value.items()}
        case list():
            return _list(value)
        case _:
            return value


def may_hold_secret(path: Sequence[str], value: Any) -> bool:
    """Whether a setting of Codex may hold a secret. In doubt it may, whatever its value.

    Args:
        path: the keys that lead to it, outermost first; at least one.
        value: no table, or an empty one.
    """
    if list(path[:2]) == ["shell_environment_policy", "set"]:
        return True
    told = [name for at, name in enumerate(path) if at != 1 or path[0] not in _NAMED_BY_USERS]
    *outer, last = told or path
    if any(map(_is_secret_setting, outer)):
        return True
    if isinstance(value, str | list) and _is_secret_setting(last):
        return True
    return bool(redacted({last: value}) != {last: value})


def _is_secret_setting(name: str) -> bool:
    if _is_secret(name):
        return True
    bare = _IN_NAMES.sub("", name.lower())
    return any(part in bare for part in _IN_SETTINGS) and not bare.endswith(_NO_SECRETS)


def _list(values: list[Any]) -> list[Any]:
    """Its elements may be the words of a command, where an option says what the next one is."""
    clean = [redacted(inner) for inner in values]
    for at, (option, word) in enumerate(pairwise(values), 1):
        if isinstance(option, str) and isinstance(word, str):
            clean[at] = _word(option, word, clean[at])
    return clean


def _word(option: str, word: str, clean: str) -> str:
    """What is written for a word behind this one, where `clean` is without what it shows to be secret by itself."""
    if _SECRET_OPTION.fullmatch(option) and not _SECRET_OPTION.fullmatch(word):
        return REDACTED
    if _USER_OPTION.fullmatch(option) and (user := _USER_AND_SECRET.fullmatch(word)):
        return f"{user[1]}{REDACTED}"
    return clean


def _member(name: str, value: Any) -> Any:
    if not _is_secret(name) or value is None or isinstance(value, bool) or _is_directory(name, value):
        return redacted(value)
    # Tokens are counted, too.
    is_count = isinstance(value, int | float) and name.lower().endswith("tokens")
    return value if is_count else REDACTED


def _is_directory(name: str, value: Any) -> bool:
    """Shells call the directory they are in by a name that passwords have, too."""
    return name.lower() in ("pwd", "oldpwd") and isinstance(value, str) and value.startswith("/")


@lru_cache(4096)
def _is_secret(name: str) -> bool:
    return _IN_NAMES.sub("", name.lower()).endswith(SECRET_ENDINGS)


def _text(text: str) -> str:
    if text[:1] in ("{", "["):
        try:
            inner = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            pass  # it only looked like JSON
        else:
            clean = redacted(inner)
            return text if clean == inner else msgspec.json.encode(clean).decode()
    small = text.lower()
    if _HINT.search(small) is None:
        return text
    for hints, expression, replacement in PATTERNS:
        if any(hint in small for hint in hints):
            text = expression.sub(replacement, text)
    return text
