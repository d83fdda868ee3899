"""`codexctl attach`: a conversation in the terminal, on a thread that others may be talking on too."""

import argparse
import gc
import sys

from codexctl import session
from codexctl.conversation import SIGNALS, Conversation
from codexctl.exits import Exit
from codexctl.interrupts import Interrupts
from codexctl.joining import Joined, join, join_again
from codexctl.render import is_terminal, one_line
from codexctl.screen import Screen
from codexctl.transcript import Transcript
from codexctl.views import PlainView, SilentView, View
from codexd.protocol.errors import Unavailable


def run(arguments: argparse.Namespace) -> Exit:
    """Follows a thread and talks on it, until Ctrl-D, a second Ctrl-C or the end of the thread."""
    gc.enable()  # a talk may last for days
    joined = join(arguments)
    session.warn_of_timeline(joined.timeline)
    if arguments.json:
        return _talk(arguments, joined, SilentView(), None)
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        return _talk(arguments, joined, PlainView(), None)
    with Screen(sys.stdout) as screen:
        return _talk(arguments, joined, screen, screen)


def _talk(arguments: argparse.Namespace, joined: Joined, view: View, screen: Screen | None) -> Exit:
    thread = joined.thread
    transcript = Transcript(thread["id"], view, detailed=True)
    title = one_line(thread.get("name") or thread["preview"] or "a new thread", 60)

    def rejoin(after: int | None, start: bool) -> Joined:
        return join_again(arguments, thread["id"], after, start=start and not arguments.no_start)

    conversation = Conversation(joined, rejoin, transcript, view, screen, as_json=arguments.json)
    with Interrupts(*SIGNALS) as interrupts:
        view.note(f"thread {thread['id']} in {thread['cwd']}: {title}", "dim")
        transcript.history(joined.turns)
        try:
            return conversation.run(interrupts)
        except Unavailable as gone:
            raise Unavailable(
                f"{gone}; the thread is kept, and `codexctl attach {thread['id']}` goes on with it"
            ) from gone
        finally:
            conversation.close()
