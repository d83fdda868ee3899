"""Talking on one thread, for `attach`: prompts, steering, questions, Ctrl-C."""

import os
import select
import signal
import sys
import time
from collections import deque
from typing import Any

from codexctl.client import Answer, Client, Message
from codexctl.exits import Exit
from codexctl.interrupts import Interrupts
from codexctl.keys import Key
from codexctl.prompt import text_input
from codexctl.questions import INPUT_PROMPT, Questions, how_to_answer
from codexctl.screen import Screen
from codexctl.transcript import Transcript
from codexctl.views import View

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
        self, client: Client, transcript: Transcript, view: View, screen: Screen | None, *, as_json: bool
    ) -> None:
        self._client = client
        self._transcript = transcript
        self._view = view
        self._screen = screen
        self._as_json = as_json
        self._questions = Questions(client, transcript.items)
        self._sent: dict[int, str] = {}
        self._steered: dict[int, str] = {}
        self._steering: dict[str, str] = {}
        self._line = b""
        self._lines: deque[str] = deque()
        self._input_ended = False
        self._left = False
        self._was_interrupted = False
        self._typed_at: float | None = None
        self._told_of_question = False

    def run(self, interrupts: Interrupts) -> Exit:
        """Until the user leaves or the thread ends. Raises `KeyboardInterrupt` for the second Ctrl-C."""
        while True:
            while (incoming := self._client.receive(0)) is not None:
                self._take(incoming)
            while self._lines and not self._is_busy:
                self._say(self._lines.popleft())
            if self._left or self._transcript.ended or (self._input_ended and not self._is_busy):
                return Exit.DONE
            self._show_prompt()
            self._wait(interrupts, self._put_question())

    @property
    def _is_busy(self) -> bool:
        """A turn runs, or is about to."""
        return self._transcript.turn is not None or bool(self._sent)

    def _show_prompt(self) -> None:
        """What stands before the input says whether a line begins a turn or steers the one that runs."""
        if self._screen is not None and not self._questions.is_open:
            self._screen.ask(STEER_PROMPT if self._is_busy else INPUT_PROMPT)

    def _wait(self, interrupts: Interrupts, seconds: float | None) -> None:
        self._client.flush()
        poll = select.poll()
        poll.register(self._client, select.POLLIN)
        poll.register(interrupts, select.POLLIN)
        if not self._input_ended:
            poll.register(sys.stdin, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)}
        if interrupts.fileno() in ready:
            for number in interrupts.read():
                self._signal(number)
        if sys.stdin.fileno() in ready:
            self._read_input()

    # What comes from codexd

    def _take(self, incoming: Message | Answer) -> None:
        if isinstance(incoming, Answer):
            self._answered(incoming)
            return
        if self._as_json and incoming.params.get("threadId") == self._transcript.thread:
            print(incoming.line.decode(), flush=True)
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
                self._say_again()

    def _say_again(self) -> None:
        """What a turn took in at its very end gets a turn of its own."""
        for prompt_id in self._transcript.unanswered:
            if text := self._steering.pop(prompt_id, None):
                self._view.note("the turn ended before it could answer that; it is being asked again", "dim")
                self._start(text)
        self._transcript.unanswered.clear()

    def _answered(self, answer: Answer) -> None:
        steered = self._steered.pop(answer.id, None)
        sent = self._sent.pop(answer.id, None)
        if steered is not None and answer.error is not None:
            self._start(steered)  # the turn has ended meanwhile, or is of a kind that takes no steering
        elif sent is not None and answer.error is not None:
            self._view.note(f"not sent: {answer.error.message}", "red")
        elif sent is not None and answer.result["turn"]["id"] not in self._transcript.turns:
            self._transcript.turn = answer.result["turn"]["id"]

    def _asked(self, message: Message) -> None:
        question = self._questions.take(message)
        if question is not None and message.id is not None and self._screen is None:
            print(f"codexctl: {how_to_answer(question, message.id)}", file=sys.stderr, flush=True)

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
        if self._transcript.turn is None:
            self._start(text)
        else:
            prompt = self._prompt(text)
            self._steering[prompt["clientUserMessageId"]] = text
            steer = prompt | {"expectedTurnId": self._transcript.turn}
            self._steered[self._client.send("turn/steer", steer)] = text

    def _start(self, text: str) -> None:
        self._sent[self._client.send("turn/start", self._prompt(text))] = text

    def _prompt(self, text: str) -> dict[str, Any]:
        prompt_id = os.urandom(16).hex()
        self._transcript.own_prompts.add(prompt_id)
        ids = {"threadId": self._transcript.thread, "clientUserMessageId": prompt_id}
        return {**ids, "input": text_input(text)}

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
        if self._is_busy:
            # Without an id it is whichever turn runs: ours may not have been answered yet.
            turn = {"threadId": self._transcript.thread, "turnId": self._transcript.turn or ""}
            self._client.send("turn/interrupt", turn)
            self._view.note("the turn is being interrupted; Ctrl-C again leaves", "yellow")
        else:
            self._view.note("Ctrl-C again leaves, and Ctrl-D does", "dim")

    def _leave(self) -> None:
        self._left = True
        if self._is_busy:
            self._view.note("the turn goes on without you", "dim")
