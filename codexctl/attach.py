"""`codexctl attach`: a conversation in the terminal, on a thread that others may be talking on too."""

import argparse
import gc
import os
import sys
from typing import Any

from codexctl import session
from codexctl.client import Client, ConnectionLost
from codexctl.conversation import SIGNALS, Conversation
from codexctl.exits import Exit
from codexctl.interrupts import Interrupts
from codexctl.render import is_terminal, one_line
from codexctl.screen import Screen
from codexctl.threads import last_turns
from codexctl.transcript import Transcript
from codexctl.views import PlainView, SilentView, View
from codexd import __version__
from codexd.protocol import extension
from codexd.protocol.errors import Unavailable

TURNS_SHOWN = 5


def run(arguments: argparse.Namespace) -> Exit:
    """Follows a thread and talks on it, until Ctrl-D, a second Ctrl-C or the end of the thread."""
    gc.enable()  # a talk may last for days
    with Client.open(arguments.socket, start=not arguments.no_start) as client:
        thread = _open_thread(client, arguments.thread)
        turns = last_turns(client, thread["id"], TURNS_SHOWN)
        if arguments.json:
            return _talk(client, thread, turns, SilentView(), None, as_json=True)
        if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
            return _talk(client, thread, turns, PlainView(), None)
        with Screen(sys.stdout) as screen:
            return _talk(client, thread, turns, screen, screen)


def _open_thread(client: Client, given: str | None) -> dict[str, Any]:
    """The thread that is meant, else the latest of this directory, else a new one; attached to it."""
    here = os.path.realpath(".")
    client.send(extension.CODEX_START)  # Codex may have been left down; the answer does not matter
    handshake = client.send_initialize(
        name=session.NAME, version=__version__, capabilities={"requiredHumanApproval": True}
    )
    account = client.send("account/read")
    client.finish_initialize(handshake)
    session.check_signed_in(client.wait(account))
    if given is not None:
        thread_id = session.full_id(client, given)
    elif latest := session.latest_thread(client, here):
        thread_id = latest["id"]
    else:
        started: dict[str, Any] = client.request("thread/start", {"cwd": here})["thread"]
        return started
    resumed: dict[str, Any] = client.request("thread/resume", {"threadId": thread_id, "excludeTurns": True})[
        "thread"
    ]
    return resumed


def _talk(
    client: Client,
    thread: dict[str, Any],
    turns: list[dict[str, Any]],
    view: View,
    screen: Screen | None,
    *,
    as_json: bool = False,
) -> Exit:
    transcript = Transcript(thread["id"], view, detailed=True)
    title = one_line(thread.get("name") or thread["preview"] or "a new thread", 60)
    with Interrupts(*SIGNALS) as interrupts:
        view.note(f"thread {thread['id']} in {thread['cwd']}: {title}", "dim")
        transcript.history(turns)
        try:
            return Conversation(client, transcript, view, screen, as_json=as_json).run(interrupts)
        except ConnectionLost as lost:
            raise Unavailable(
                f"{lost}; the thread is kept, and `codexctl attach {thread['id']}` goes on with it"
            ) from lost
