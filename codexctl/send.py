"""`codexctl send`: one prompt, its reply on stdout, and an exit code that says how it went."""

import argparse
import importlib
import os
import sys
import time
from typing import Any

from codexctl import session
from codexctl.arguments import directory
from codexctl.client import Client
from codexctl.exits import Exit
from codexctl.prompt import needs_config, new_thread, overrides, turn_options, user_input
from codexctl.render import as_json
from codexd import __version__
from codexd.protocol import extension

Params = dict[str, Any]


class TimeLimit:
    """`--timeout`: the monotonic time at which it has passed, and the seconds that are left; None without one."""

    def __init__(self, seconds: float | None) -> None:
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


def run(arguments: argparse.Namespace) -> Exit:
    """Sends a prompt to a new thread or an old one, and follows the turn to its end."""
    limit = TimeLimit(arguments.timeout)
    turn: Params = {"input": user_input(arguments), **turn_options(arguments)}
    with Client.open(arguments.socket, start=not arguments.no_start) as client:
        thread = _open_thread(client, arguments, turn, limit)
        turn |= {"threadId": thread["id"], "clientUserMessageId": os.urandom(16).hex()}
        if arguments.detach:
            return _detach(client, arguments, turn, limit)
        from codexctl.follow import Follower

        is_busy = thread["status"]["type"] == "active"
        return Follower(client, turn, is_busy=is_busy, as_json=arguments.json).run(limit.deadline)


def _open_thread(client: Client, arguments: argparse.Namespace, turn: Params, limit: TimeLimit) -> Params:
    """A thread that this client is attached to. What does not depend on an answer leaves in one write, the longest first.

    Overrides for a thread that exists are added to `turn`.
    """
    client.send(extension.CODEX_START)  # Codex may have been left down; the answer does not matter
    handshake = client.send_initialize(
        name=session.NAME, version=__version__, capabilities={"requiredHumanApproval": True}
    )
    if arguments.thread is not None:
        query = None
    elif arguments.latest:
        query = client.send("thread/list", session.latest_query(directory(arguments)))
    else:
        query = client.send("thread/start", new_thread(arguments))
    account = client.send("account/read")
    client.finish_initialize(handshake, limit.left())
    session.check_signed_in(client.wait(account, limit.left()))
    if arguments.thread is not None:
        return _resume(client, session.full_id(client, arguments.thread), arguments, turn, limit)
    assert query is not None
    if not arguments.latest:
        return _thread_of(client, query, limit)
    found = client.wait(query, limit.left())["data"]
    if not found:
        raise session.no_thread_here(directory(arguments))
    return _resume(client, found[0]["id"], arguments, turn, limit)


def _resume(
    client: Client, thread_id: str, arguments: argparse.Namespace, turn: Params, limit: TimeLimit
) -> Params:
    resume = client.send("thread/resume", {"threadId": thread_id, "excludeTurns": True})
    config = None
    if needs_config(arguments):
        config = client.request("config/read", timeout=limit.left())["config"]
    turn |= overrides(arguments, config)
    return _thread_of(client, resume, limit)


def _thread_of(client: Client, request: int, limit: TimeLimit) -> Params:
    """The thread in the answer. Codex takes so long for it that the import of what follows a turn costs no time."""
    client.flush()
    importlib.import_module("codexctl.follow")
    thread: Params = client.wait(request, limit.left())["thread"]
    return thread


def _detach(client: Client, arguments: argparse.Namespace, turn: Params, limit: TimeLimit) -> Exit:
    """Leaves the turn running. Prints the thread's id; with `--json` `{threadId, turnId}`."""
    started = client.request("turn/start", turn, limit.left())["turn"]
    if arguments.json:
        print(as_json({"threadId": turn["threadId"], "turnId": started["id"]}, sys.stdout))
    else:
        print(turn["threadId"])
    return Exit.DONE
