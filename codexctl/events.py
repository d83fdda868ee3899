"""`codexctl events`: what has happened in all threads or in one, by number, and with `-f` what happens."""

import argparse
import gc
import select
import sys
from contextlib import ExitStack

from codexctl import finding, session
from codexctl.client import Client, ConnectionLost, Message
from codexctl.coming_back import ComingBack
from codexctl.event_lines import EventLines, JsonLines, Lines
from codexctl.exits import Exit
from codexctl.timeline import Following, Gap, read
from codexctl.transcript import warning_to_all
from codexd.protocol.descriptors import STDOUT, waited
from codexd.protocol.visible import plain


def run(arguments: argparse.Namespace) -> Exit:
    """Prints events: those that are kept, and with `-f` those that come, until Ctrl-C or until nobody reads them.

    `--json`: one `{seq, at, method, params}` per line.
    """
    thread = _thread_meant(arguments)
    lines = JsonLines(sys.stdout) if arguments.json else EventLines(sys.stdout)
    client, status = session.connect_to_codexd(arguments, start=True)
    with client:
        session.warn_of_timeline(status["timeline"], also_when_off=True)
        if not arguments.follow:
            _print_kept(client, thread, arguments.after, lines)
            return Exit.DONE
        gc.enable()  # it may run for days
        after = status["timeline"]["lastSeq"] if arguments.after is None else arguments.after
        return _Follower(arguments, thread, lines).run(client, after)


def _thread_meant(arguments: argparse.Namespace) -> str | None:
    if arguments.thread is None:
        return None
    if (whole := finding.whole_id(arguments.thread)) is not None:
        return whole
    with session.connect(arguments, start=True) as client:
        return finding.full_id(client, arguments.thread)


def _print_kept(client: Client, thread: str | None, after: int | None, lines: Lines) -> None:
    """Without `after` it is everything that is kept: what was before that is not missed."""
    begun = after is not None
    for page in read(client, after=after or 0, thread=thread):
        if page.gap is not None and (begun or (page.events and page.gap.last > page.events[0].seq)):
            _tell_gap(page.gap)
        begun = True
        for event in page.events:
            lines.show(event)
        lines.finish()


def _tell_gap(gap: Gap) -> None:
    _say(
        f"some events between {gap.first} and {gap.last} may be missing: "
        "they are older than what is kept, or were lost with a codexd that was killed"
    )


def _say(what: str) -> None:
    print(plain(f"codexctl: {what}"), file=sys.stderr, flush=True)


class _Follower:
    """`-f`: goes on from its cursor on another connection when one is lost."""

    def __init__(self, arguments: argparse.Namespace, thread: str | None, lines: Lines) -> None:
        self._arguments = arguments
        self._thread = thread
        self._lines = lines

    def run(self, client: Client, after: int) -> Exit:
        """Until nobody reads what is printed. Raises `Unavailable` when codexd does not come back."""
        following = self._follow(client, after)
        while True:
            if following.gap is not None:
                _tell_gap(following.gap)
            with client:
                try:
                    self._print(client, following)
                    return Exit.DONE
                except ConnectionLost as lost:
                    self._lines.leave_off()
                    _say(f"{lost}; connecting again")
            client, following = self._come_back(client.path, following.cursor)
            _say(f"connected again, going on after {following.cursor}")

    def _follow(self, client: Client, after: int) -> Following:
        return Following(client, after=after, thread=self._thread, others=self._warn)

    def _warn(self, message: Message) -> None:
        """codexd's warnings are for people, and no events."""
        if warning := warning_to_all(message):
            self._lines.leave_off()
            _say(warning)

    def _print(self, client: Client, following: Following) -> None:
        either = select.poll()
        either.register(client, select.POLLIN)
        either.register(STDOUT, 0)
        while True:
            while (event := following.receive(0)) is not None:
                self._lines.show(event)
            self._lines.finish()
            if not waited(either):
                return

    def _come_back(self, path: str, cursor: int) -> tuple[Client, Following]:
        def attempt(start: bool) -> tuple[Client, Following]:
            client, status = session.connect_to_codexd(self._arguments, start=start)
            with ExitStack() as on_failure:
                on_failure.enter_context(client)
                following = self._follow(client, cursor)
                session.warn_of_timeline(status["timeline"])
                on_failure.pop_all()
            return client, following

        with ComingBack(attempt, path, start=not self._arguments.no_start) as back:
            either = select.poll()
            either.register(back, select.POLLIN)
            while (found := back.result()) is None:
                either.poll(back.seconds_left * 1000)
            return found
