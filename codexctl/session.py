"""What the verbs share: connecting as `codexctl`, and whether a turn can succeed."""

import argparse
import sys
from typing import Any

from codexctl.client import Client, RpcError
from codexctl.exits import Exit, Failure
from codexd import __version__
from codexd.protocol import extension
from codexd.protocol.visible import plain

NAME = "codexctl"


def connect(arguments: argparse.Namespace, *, start: bool) -> Client:
    """A client after its handshake. `start`: whether the verb may start codexd, which `--no-start` forbids."""
    return Client.connect(
        arguments.socket, name=NAME, version=__version__, start=start and not arguments.no_start
    )


def connect_to_codexd(arguments: argparse.Namespace, *, start: bool = False) -> tuple[Client, dict[str, Any]]:
    """A client for the `codexd/*` methods, which are answered in every state of Codex, and codexd's status.

    `start` is as for `connect`.
    """
    client = Client.open(arguments.socket, start=start and not arguments.no_start)
    try:
        status: dict[str, Any] = client.request(extension.STATUS)
        client.check_home(status["codexd"].get("codexHome"))
    except BaseException:
        client.close()
        raise
    return client, status


def check_signed_in(client: Client, account: dict[str, Any], timeout: float | None = None) -> None:
    """Raises `Failure` for an answer to `account/read` that says that no turn can succeed.

    A Codex that could not read its configuration when it started says so of the model provider that it has instead
    (0.163, 0.171).
    """
    if not account.get("requiresOpenaiAuth") or account.get("account") is not None:
        return
    try:
        client.request("config/read", {}, timeout)
    except RpcError as wrong:
        raise Failure(Exit.FAILED, misconfigured(wrong.message)) from None
    raise Failure(
        Exit.SIGNED_OUT,
        "Codex is not signed in; `codex login` does that, and so does `codexd-codex login`",
    )


def misconfigured(words: str) -> str:
    """What to say when Codex can't read its configuration, for reasons that it gives in these words."""
    return f"Codex's configuration is wrong: {' '.join(words.split())}; correct it, and try again"


def timeline_warning(timeline: dict[str, Any], *, also_when_off: bool = False) -> str | None:
    """Why events may be missing, in one sentence. `timeline`: as `codexd/status` has it."""
    if timeline["state"] == "degraded":
        return f"events may be missing: {timeline['problem']}"
    if timeline["state"] == "off" and also_when_off:
        return (
            'events are not kept on disk (timeline = "off" in codexd\'s settings), only the newest in memory'
        )
    return None


def warn_of_timeline(timeline: dict[str, Any], *, also_when_off: bool = False) -> None:
    """Says that on stderr."""
    if warning := timeline_warning(timeline, also_when_off=also_when_off):
        print(plain(f"codexctl: {warning}"), file=sys.stderr, flush=True)
