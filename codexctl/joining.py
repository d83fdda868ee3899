"""Getting onto a thread for `attach`: at first, and again when the connection was lost."""

import argparse
import os
from contextlib import ExitStack
from typing import Any, NamedTuple

from codexctl import finding, lacking, session, trust
from codexctl.carried import config_of
from codexctl.client import Client
from codexctl.threads import last_turns
from codexctl.time_limit import NO_LIMIT
from codexd import __version__
from codexd.protocol import extension

TURNS_SHOWN = 5
TURNS_MISSED = 20
"""How many of the last turns are looked through for what happened while there was no connection."""


class Joined(NamedTuple):
    """A client that is attached to a thread and follows its events, and what Codex's history has of the last turns.

    `cursor`: the number after which events come, None in the middle of a turn, whose events come from its beginning.
    `timeline`: how codexd's timeline is.
    """

    client: Client
    thread: dict[str, Any]
    turns: list[dict[str, Any]]
    cursor: int | None
    timeline: dict[str, Any]


def join(arguments: argparse.Namespace) -> Joined:
    """The thread that is meant, else the latest of this directory, else a new one."""
    with ExitStack() as on_failure:
        client = on_failure.enter_context(Client.open(arguments.socket, start=not arguments.no_start))
        status = _introduce(client)
        thread = _thread_meant(client, arguments.thread)
        joined = (
            _begin(client, status, arguments)
            if thread is None
            else _join(client, thread, None, status, TURNS_SHOWN)
        )
        provider = joined.thread.get("modelProvider")
        lacking.say("codexctl", lacking.wanted(os.environ), status["codex"], provider)
        on_failure.pop_all()
    return joined


def join_again(arguments: argparse.Namespace, thread: str, after: int | None, *, start: bool) -> Joined:
    """The same thread on a new connection; `start`: whether a codexd may be started."""
    with ExitStack() as on_failure:
        client = on_failure.enter_context(Client.open(arguments.socket, start=start))
        joined = _join(client, thread, after, _introduce(client), TURNS_MISSED)
        on_failure.pop_all()
    return joined


def _introduce(client: Client) -> dict[str, Any]:
    """The handshake; returns codexd's status. With numbers, no open items are replayed: the events say it all."""
    client.send(extension.CODEX_START)  # Codex may have been left down; the answer does not matter
    status = client.send(extension.STATUS)
    capabilities = {"requiredHumanApproval": True, "codexd": {"seq": True}}
    handshake = client.send_initialize(name=session.NAME, version=__version__, capabilities=capabilities)
    account = client.send("account/read")
    client.finish_initialize(handshake)
    session.check_signed_in(client, client.wait(account))
    answer: dict[str, Any] = client.wait(status)
    return answer


def _thread_meant(client: Client, given: str | None) -> str | None:
    """None where there is none yet."""
    if given is not None:
        return finding.full_id(client, given)
    latest = finding.latest_thread(client, os.path.realpath("."))
    return None if latest is None else str(latest["id"])


def _begin(client: Client, status: dict[str, Any], arguments: argparse.Namespace) -> Joined:
    where = {"cwd": os.path.realpath(".")}
    wanted = {**where, "config": config_of(os.environ, arguments.env)}
    config = client.request("config/read", where)["config"]
    settled = trust.settle(client, wanted, config, arguments.trust, NO_LIMIT)
    thread = client.request("thread/start", settled)["thread"]
    last = client.request(extension.EVENTS_FOLLOW, {"threadId": thread["id"]})["last"]
    return Joined(client, thread, [], last, status["timeline"])


def _join(client: Client, thread_id: str, after: int | None, status: dict[str, Any], turns: int) -> Joined:
    """Followed before it is resumed: so every event that comes has its number, and none comes before it is followed."""
    cursor = {} if after is None else {"after": after}
    follow = client.send(extension.EVENTS_FOLLOW, {"threadId": thread_id, **cursor})
    resume = client.send("thread/resume", {"threadId": thread_id, "excludeTurns": True})
    last = client.wait(follow)["last"]
    thread = client.wait(resume)["thread"]
    if after is None and thread["status"]["type"] != "active":
        after = last
    return Joined(client, thread, last_turns(client, thread_id, turns), after, status["timeline"])
