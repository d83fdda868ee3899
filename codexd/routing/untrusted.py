"""Directories that codexd names for a client are not trusted by that.

Codex trusts the directory of a new thread whose sandbox may write there, if a request names it, and does not if it is
that of its own process (`codexd.runtime.trust` has the whole story). codexd has to name the directory in both cases. So
where Codex knows nothing of a directory that the client did not name, the thread's configuration says that it is untrusted:
Codex then writes nothing, and runs nothing of what the directory brings along. The price is that it does not read the
directory's AGENTS.md either, and asks before each command that is not known to be safe, unless the client or the
configuration says another approval policy (0.163, 0.171). The client is told.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from codexd.protocol import messages
from codexd.protocol.messages import Request, encode

_READ_ONLY = ("read-only", ":read-only")


class _Config(Struct):
    sandbox_mode: Any = None
    default_permissions: Any = None
    profile: Any = None


class _Params(Struct):
    cwd: str
    sandbox: Any = None
    permissions: Any = None
    config: _Config | None = None


_params = msgspec.json.Decoder(_Params)


def place(request: Request) -> tuple[str, bool | None] | None:
    """The directory of a `thread/start`, and whether it says that its sandbox may write (None: it says nothing of that).

    None for params that Codex will refuse.
    """
    try:
        said = _params.decode(request.params if request.params is not UNSET else b"null")
    except msgspec.DecodeError:
        return None
    config = said.config or _Config()
    words = (said.sandbox, said.permissions, config.profile, config.sandbox_mode, config.default_permissions)
    word = next((word for word in words if word is not None), None)
    return said.cwd, None if word is None else word not in _READ_ONLY


def untrusted(request: Request, directory: str) -> Request:
    """The request, in which the directory is one that is not to be trusted."""
    own = messages.members_of(request.params).get("config")
    config = messages.members_of(own) if own is not None else {}
    said: dict[str, Any] = {directory: {"trust_level": "untrusted"}}
    projects = said | (messages.members_of(config["projects"]) if "projects" in config else {})
    return messages.changed(request, {"config": Raw(encode({**config, "projects": projects}))})


def warning(directory: str) -> bytes:
    """What its client is told."""
    sentence = (
        f"{directory} is not trusted, so Codex reads neither its AGENTS.md nor its .codex, and asks before most commands; "
        "to trust it, start `codex` there once, or have the client name the directory"
    )
    return messages.notification("warning", {"threadId": None, "message": sentence})
