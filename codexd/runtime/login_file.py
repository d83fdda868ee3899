"""Which login lies in Codex's home: what `codex login` and `codex logout` change, and a refreshed token does not.

`auth.json` holds `OPENAI_API_KEY`, or `tokens` that Codex renews by itself, with `last_refresh` (0.163, 0.171). Where Codex keeps
its login in the system's keyring there is no such file, and nothing to be seen from here.
"""

import base64
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

_MAX_BYTES = 1024 * 1024
_NONE = ""


class LoginFile:
    """`auth.json` of a CODEX_HOME. It is read only when it is another file than at the last look, or was written to."""

    def __init__(self, codex_home: str) -> None:
        self._path = Path(codex_home) / "auth.json"
        self._salt = os.urandom(16)
        self._seen: tuple[int, int, int] | None = None
        self._login = _NONE

    def login(self) -> str:
        """A word for the login: the same for the same one, empty without any. One that can't be read is no change."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._seen, self._login = None, _NONE
            return _NONE
        except OSError:
            return self._login
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen and stat.S_ISREG(found.st_mode) and found.st_size <= _MAX_BYTES:
            try:
                said = json.loads(self._path.read_bytes())
            except (
                OSError,
                ValueError,
                RecursionError,
                MemoryError,
            ):  # it is being written, or there is no memory
                return self._login
            self._seen, self._login = seen, self._word_for(said)
        return self._login

    def _word_for(self, said: Any) -> str:
        """Salted, so that it says nothing of a key to whoever sees it."""
        if isinstance(said, dict):
            said = {key: value for key, value in said.items() if key != "last_refresh"}
            said |= {"tokens": _whose(said.get("tokens"))}
        written = json.dumps(said, sort_keys=True).encode()
        return hashlib.blake2b(written, key=self._salt, digest_size=16).hexdigest()


def _whose(tokens: Any) -> Any:
    """Whose the tokens are: they themselves change every few days."""
    if not isinstance(tokens, dict):
        return tokens
    return [tokens.get("account_id"), _subject(tokens.get("id_token"))]


def _subject(id_token: Any) -> Any:
    """The user that a JSON Web Token is about; None where it can't be read."""
    if not isinstance(id_token, str) or id_token.count(".") != 2:
        return None
    claims = id_token.split(".")[1]
    try:
        said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (ValueError, RecursionError):
        return None
    return said.get("sub") if isinstance(said, dict) else None
