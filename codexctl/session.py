"""What the verbs share: connecting as `codexctl`, and finding threads."""

import argparse
import sys
from typing import Any

from codexctl.client import Client
from codexctl.exits import Exit, Failure
from codexd import __version__
from codexd.protocol import extension
from codexd.protocol.thread_ids import canonical, is_thread_id

NAME = "codexctl"
_PAGE = 100

Thread = dict[str, Any]


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


def check_signed_in(account: dict[str, Any]) -> None:
    """Raises `Failure` for an answer to `account/read` that says that no turn can succeed."""
    if account.get("requiresOpenaiAuth") and account.get("account") is None:
        raise Failure(
            Exit.SIGNED_OUT,
            "Codex is not signed in; `codex login` does that, and so does `codexd-codex login`",
        )


def latest_query(directory: str) -> dict[str, Any]:
    """Params of the `thread/list` whose first thread is the latest of a directory."""
    return {"cwd": directory, "limit": 1, "sortKey": "updated_at", "modelProviders": []}


def latest_thread(client: Client, directory: str) -> Thread | None:
    """The thread of a directory that something happened on last."""
    found: list[Thread] = client.request("thread/list", latest_query(directory))["data"]
    return found[0] if found else None


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
        print(f"codexctl: {warning}", file=sys.stderr, flush=True)


def no_thread_here(directory: str) -> Failure:
    return Failure(
        Exit.FAILED,
        f"there is no thread of {directory} yet; `codexctl send` begins one, `codexctl threads` lists those of elsewhere",
    )


def whole_id(given: str) -> str | None:
    """The id in Codex's own spelling, whichever was given; `None` for a mere beginning of one."""
    return canonical(given) if is_thread_id(given) else None


def full_id(client: Client, given: str) -> str:
    """The id of the thread that is meant: a whole id, else that of the one thread whose id begins so."""
    if (whole := whole_id(given)) is not None:
        return whole
    found = {
        thread["id"]
        for archived in (False, True)
        for thread in all_threads(client, {"archived": archived})
        if thread["id"].startswith(given.lower())
    }
    if len(found) == 1:
        return str(found.pop())
    if not found:
        raise Failure(Exit.FAILED, f"no thread's id begins with {given}; `codexctl threads --all` lists them")
    raise Failure(Exit.FAILED, f"several ids begin with {given}:\n  " + "\n  ".join(sorted(found)))


def all_threads(client: Client, query: dict[str, Any]) -> list[Thread]:
    """All pages of a `thread/list`."""
    threads: list[Thread] = []
    cursor = None
    while True:
        page = client.request(
            "thread/list", {"limit": _PAGE, "modelProviders": [], **query, "cursor": cursor}
        )
        threads += page["data"]
        cursor = page.get("nextCursor")
        if cursor is None:
            return threads
