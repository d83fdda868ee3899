"""Talking on one thread, for `attach`: prompts, steering, questions, Ctrl-C."""

import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from codexctl import session
from codexctl.client import Answer, Client, ConnectionLost, Message
from codexctl.coming_back import ComingBack
from codexctl.exits import Exit
from codexctl.interrupts import Interrupts
from codexctl.joining import Joined
from codexctl.keys import Key
from codexctl.questions import INPUT_PROMPT, Questions, how_to_answer
from codexctl.saying import Saying
from codexctl.screen import Screen
from codexctl.transcript import Transcript, warning_to_all
from codexctl.views import View
from codexd.protocol import extension
from codexd.protocol.visible import json_plain, plain

SIGNALS = (signal.SIGINT, signal.SIGCONT, signal.SIGWINCH)
"""What `run` wants to be told of."""
STEER_PROMPT = "steer> "
TYPING_SECONDS = 1.0
"""A question does not come up while somebody types, or the next letter would answer it."""


class Conversation:
    """Takes what happens on the thread, what is typed, and signals, as they come.

    Without a screen lines are read from stdin, each when the turn before it has ended; it leaves after the last one.
    """

    def __init__(
        self,
        joined: Joined,
        rejoin: Callable[[int | None, bool], Joined],
        transcript: Transcript,
        view: View,
        screen: Screen | None,
        *,
        as_json: bool,
    ) -> None:
        """`rejoin` joins the thread again, given the number to go on from and whether codexd may be started."""
        self._client = joined.client
        self._cursor = joined.cursor
        self._rejoin = rejoin
        self._transcript = transcript
        self._view = view
        self._screen = screen
        self._as_json = as_json
        self._questions = Questions(joined.client, transcript.items)
        self._saying = Saying(joined.client, transcript, view)
        self._line = b""
        self._lines: deque[str] = deque()
        self._input_ended = False
        self._is_away = False
        self._left = False
        self._was_interrupted = False
        self._typed_at: float | None = None
        self._told_of_question = False

    def run(self, interrupts: Interrupts) -> Exit:
        """Until the user leaves or the thread ends. Raises `KeyboardInterrupt` for the second Ctrl-C.

        A connection that is lost is made again, and the talk goes on where it was; raises `CodexdError` when it can't be.
        """
        again: Joined | None = None
        while True:
            try:
                if again is not None:
                    self._go_on(again)
                self._serve(interrupts)
                return Exit.DONE
            except ConnectionLost as lost:
                again = self._come_back(lost, interrupts)
                if again is None:
                    return Exit.DONE

    def close(self) -> None:
        """Hangs up."""
        self._client.close()

    def _serve(self, interrupts: Interrupts) -> None:
        while not self._is_over():
            self._show_prompt()
            seconds = self._put_question()
            self._client.flush()
            self._wait(interrupts, self._client, seconds)

    def _is_over(self) -> bool:
        """Takes what has come, and begins what is due."""
        self._take_all()
        while self._lines and not self._saying.is_busy:
            self._say(self._lines.popleft())
        is_said = self._input_ended and not self._saying.is_busy
        return self._left or self._transcript.ended is not None or is_said

    def _show_prompt(self) -> None:
        """What stands before the input says whether a line begins a turn or steers the one that runs."""
        if self._screen is not None and not self._questions.is_open:
            self._screen.ask(STEER_PROMPT if self._saying.is_busy else INPUT_PROMPT)

    def _wait(
        self, interrupts: Interrupts, awaited: Client | ComingBack[Joined], seconds: float | None
    ) -> None:
        poll = select.poll()
        poll.register(awaited, select.POLLIN)
        poll.register(interrupts, select.POLLIN)
        if not self._input_ended:
            poll.register(sys.stdin, select.POLLIN)
        poll.poll(None if seconds is None else seconds * 1000)
        # Once more: a shell that stopped this program meanwhile has taken what was typed, and a read would wait for more.
        ready = {descriptor for descriptor, _ in poll.poll(0)}
        if interrupts.fileno() in ready:
            for number in interrupts.read():
                self._signal(number)
        elif sys.stdin.fileno() in ready:
            self._read_input()

    # When the connection is lost

    def _come_back(self, lost: ConnectionLost, interrupts: Interrupts) -> Joined | None:
        """Joins the thread again; None when the user has left meanwhile. What is typed is kept."""
        self._say_on_the_way(f"{lost}; connecting again", "yellow")
        self._questions.forget(self._screen)
        self._saying.lost()
        self._client.close()
        self._is_away = True
        attempt = partial(self._rejoin, self._cursor)
        with ComingBack(attempt, self._client.path, start=True) as back:
            while (joined := back.result()) is None and not self._left:
                self._show_prompt()
                self._wait(interrupts, back, back.seconds_left)
        self._is_away = False
        return joined

    def _go_on(self, joined: Joined) -> None:
        """Tells what was missed. A prompt that Codex has not heard, or that was typed meanwhile, is said now."""
        self._client = self._questions.client = self._saying.client = joined.client
        self._say_on_the_way("connected again", "dim")
        if warning := session.timeline_warning(joined.timeline):
            self._say_on_the_way(warning, "yellow")
        self._transcript.history(joined.turns)
        if joined.thread["status"]["type"] != "active":
            self._transcript.turn = None
        self._take_all()
        self._saying.say_unheard()
        while self._lines and self._screen is not None:
            self._say(self._lines.popleft())

    def _say_on_the_way(self, text: str, style: str) -> None:
        """About the connection: on stderr where events are printed."""
        if self._as_json:
            print(plain(f"codexctl: {text}"), file=sys.stderr, flush=True)
        else:
            self._view.note(text, style)

    # What comes from codexd

    def _take_all(self) -> None:
        while (incoming := self._client.receive(0)) is not None:
            if isinstance(incoming, Answer):
                self._saying.answered(incoming)
            elif self._is_new(incoming):
                self._take(incoming)

    def _is_new(self, message: Message) -> bool:
        """False for an event of the thread that was told already."""
        if message.seq is None or message.params.get("threadId") != self._transcript.thread:
            return True
        if self._cursor is not None and message.seq <= self._cursor:
            return False
        self._cursor = message.seq
        return message.method != extension.SERVER_REQUEST  # it comes as a request, too

    def _take(self, incoming: Message) -> None:
        if self._as_json:
            self._print(incoming)
        if incoming.id is not None:
            self._asked(incoming)
        elif incoming.method == "serverRequest/resolved":
            self._questions.resolved(incoming.params["requestId"], self._screen)
        else:
            self._transcript.take(incoming)
            if incoming.method == "turn/started":
                self._was_interrupted = False
            elif incoming.method == "turn/completed":
                self._questions.turn_ended(incoming.params["turn"]["id"], self._screen)
                self._saying.turn_ended()

    def _print(self, message: Message) -> None:
        """Stdout has the messages of the thread alone."""
        if message.params.get("threadId") == self._transcript.thread:
            print(json_plain(message.line.decode()), flush=True)
        elif warning := warning_to_all(message):
            self._say_on_the_way(warning, "yellow")

    def _asked(self, message: Message) -> None:
        question = self._questions.take(message)
        if question is not None and message.id is not None and self._screen is None:
            print(plain(f"codexctl: {how_to_answer(question, message.id)}"), file=sys.stderr, flush=True)

    # Questions

    def _put_question(self) -> float | None:
        """Puts the next question if there is one, not while somebody types; returns when to try again, in seconds."""
        if self._screen is None or not self._questions.is_waiting:
            return None
        if self._screen.editor.text:
            if not self._told_of_question:
                self._view.note(
                    "Codex asks something: send your line, or clear it with Ctrl-U, to see it", "yellow"
                )
                self._told_of_question = True
            return None
        if self._typed_at is not None and (left := self._typed_at + TYPING_SECONDS - time.monotonic()) > 0:
            return left
        self._told_of_question = False
        self._questions.present(self._screen)
        return None

    # What is typed

    def _read_input(self) -> None:
        if self._screen is not None:
            for key in self._screen.read():
                self._press(self._screen, key)
            return
        chunk = os.read(sys.stdin.fileno(), 65536)
        *lines, self._line = (self._line + chunk).split(b"\n")
        if not chunk:
            lines.append(self._line)
            self._input_ended = True
        self._lines += [line.decode(errors="replace") for line in lines]

    def _press(self, screen: Screen, key: Key) -> None:
        self._was_interrupted = False
        self._typed_at = None if key.name == "enter" else time.monotonic()
        if self._questions.is_open:
            self._questions.press(screen, key)
            self._typed_at = None
        elif (pressed := screen.press(key)) == "line":
            self._say(screen.take())
        elif pressed == "end":
            self._leave()

    def _say(self, text: str) -> None:
        """Steers the turn that runs, else begins one."""
        if not text.strip():
            return
        if self._is_away:
            self._lines.append(text)
            self._view.note("it will be sent when codexd is there again", "dim")
        else:
            self._saying.say(text)

    # Leaving

    def _signal(self, number: signal.Signals) -> None:
        if number != signal.SIGINT:
            if self._screen is not None:
                self._screen.resume()
        elif self._was_interrupted:
            self._leave()
            raise KeyboardInterrupt
        else:
            self._was_interrupted = True
            self._interrupt()

    def _interrupt(self) -> None:
        if self._screen is not None and not self._questions.is_open:
            self._screen.editor.clear()
        if self._is_away:
            self._view.note("codexd is not there; Ctrl-C again leaves, and Ctrl-D does", "yellow")
        elif self._saying.is_busy:
            # Without an id it is whichever turn runs: ours may not have been answered yet.
            turn = {"threadId": self._transcript.thread, "turnId": self._transcript.turn or ""}
            self._client.send("turn/interrupt", turn)
            self._view.note("the turn is being interrupted; Ctrl-C again leaves", "yellow")
        else:
            self._view.note("Ctrl-C again leaves, and Ctrl-D does", "dim")

    def _leave(self) -> None:
        self._left = True
        if self._saying.is_busy and not self._is_away:
            self._view.note("the turn goes on without you", "dim")
