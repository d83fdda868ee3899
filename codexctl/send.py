"""`codexctl send`: one prompt, its reply on stdout, and an exit code that says how it went."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from codexctl import finding, lacking, session, trust
from codexctl.arguments import directory
from codexctl.client import Client
from codexctl.exits import Exit, Failure
from codexctl.prompt import needs_config, new_thread, overrides, turn_options, user_input
from codexctl.render import as_json
from codexctl.time_limit import TimeLimit
from codexd import __version__
from codexd.protocol import extension

Params = dict[str, Any]


def run(arguments: argparse.Namespace) -> Exit:
    """Sends a prompt to a new thread or an old one, and follows the turn to its end."""
    limit = TimeLimit(arguments.timeout)
    if arguments.trust is not None and (arguments.latest or arguments.thread is not None):
        raise Failure(Exit.USAGE, "--trust and --no-trust are for a new thread")
    turn: Params = {"input": user_input(arguments, limit), **turn_options(arguments)}
    with Client.open(arguments.socket, start=not arguments.no_start) as client:
        wants = lacking.wanted(os.environ)
        status = None if wants is None else client.send(extension.STATUS)
        thread = _open_thread(client, arguments, turn, limit)
        if status is not None:
            codex = client.wait(status, limit.left())["codex"]
            lacking.say("codexctl", wants, codex, thread.get("modelProvider"))
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
    is_new = arguments.thread is None and not arguments.latest
    begin = _begin(client, arguments, limit) if is_new else None
    query = None
    if arguments.latest:
        query = client.send("thread/list", finding.latest_query(directory(arguments)))
    account = client.send("account/read")
    client.finish_initialize(handshake, limit.left())
    session.check_signed_in(client, client.wait(account, limit.left()), limit.left())
    if begin is not None:
        return _thread_of(client, begin(), limit)
    if query is None:
        return _resume(client, finding.full_id(client, arguments.thread, limit), arguments, turn, limit)
    found = finding.latest_of(client, query, directory(arguments), limit)
    if found is None:
        raise finding.no_thread_here(directory(arguments))
    return _resume(client, found["id"], arguments, turn, limit)


def _begin(client: Client, arguments: argparse.Namespace, limit: TimeLimit) -> Callable[[], int]:
    """Sends what can be sent at once of beginning a thread; the result does the rest, and returns the request's id."""
    thread = new_thread(arguments)
    if not trust.is_at_stake(thread, arguments.trust):
        request = client.send("thread/start", thread)
        return lambda: request
    asked = client.send("config/read", {"cwd": thread["cwd"]})

    def begin() -> int:
        config = client.wait(asked, limit.left())["config"]
        return client.send("thread/start", trust.settle(client, thread, config, arguments.trust, limit))

    return begin


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
