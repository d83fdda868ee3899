"""`codexctl interrupt`: ends the turn that runs on a thread, whoever began it."""

import argparse
import os
import sys

from codexctl import finding, session
from codexctl.client import Client, RpcError
from codexctl.exits import Exit, Failure
from codexctl.render import as_json


def interrupt(arguments: argparse.Namespace) -> Exit:
    """Interrupts the turn that runs on a thread, whoever began it. `--json`: `{threadId, turnId}`."""
    with session.connect(arguments, start=False) as client:
        thread_id = _thread_meant(client, arguments.thread)
        turn_id = _running_turn(client, thread_id)
        client.request("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
    if arguments.json:
        print(as_json({"threadId": thread_id, "turnId": turn_id or None}, sys.stdout))
    else:
        print(f"the turn on {thread_id} was interrupted", file=sys.stderr)
    return Exit.DONE


def _thread_meant(client: Client, given: str | None) -> str:
    if given is not None:
        return finding.full_id(client, given)
    thread = finding.latest_thread(client, os.path.realpath("."))
    if thread is None:
        raise finding.no_thread_here(os.path.realpath("."))
    return str(thread["id"])


def _running_turn(client: Client, thread_id: str) -> str:
    """The id of the turn in progress, learnt without subscribing to the thread.

    Empty for a thread whose turns cannot be listed (an ephemeral one): `turn/interrupt` takes that for whichever turn
    runs (measured on 0.163 and 0.169).
    """
    query = {"threadId": thread_id, "limit": 1, "sortDirection": "desc", "itemsView": "notLoaded"}
    read, listed = (
        client.send("thread/read", {"threadId": thread_id}),
        client.send("thread/turns/list", query),
    )
    if client.wait(read)["thread"]["status"]["type"] != "active":
        raise Failure(Exit.FAILED, f"no turn runs on {thread_id}")
    try:
        turns = client.wait(listed)["data"]
    except RpcError:
        return ""
    return str(turns[0]["id"]) if turns and turns[0]["status"] == "inProgress" else ""
