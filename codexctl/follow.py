"""Following one turn to its end, for `send`: the reply, the questions, Ctrl-C, the time limit."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from codexctl.client import Answer, Client, ConnectionLost, Message
from codexctl.exits import Exit
from codexctl.interrupts import Interrupts
from codexctl.questions import Questions, how_to_answer
from codexctl.render import is_terminal
from codexctl.transcript import Transcript
from codexctl.views import PlainView, SilentView
from codexd.protocol.errors import Unavailable
from codexd.protocol.visible import json_plain, plain

if TYPE_CHECKING:
    from codexctl.screen import Screen

INTERRUPT_SECONDS = 5.0
"""How long the turn may take to end when it is interrupted because the time limit has passed."""


class Follower:
    """Sends `turn/start` and stays until the turn has ended."""

    def __init__(self, client: Client, turn: dict[str, Any], *, is_busy: bool, as_json: bool) -> None:
        """`turn`: params of `turn/start`. `is_busy`: a turn runs already, and will take the prompt in."""
        self._client = client
        self._params = turn
        self._thread: str = turn["threadId"]
        self._as_json = as_json
        self._view = SilentView() if as_json else PlainView(last_only="outputSchema" in turn)
        self._transcript = Transcript(self._thread, self._view)
        self._transcript.own_prompts.add(turn["clientUserMessageId"])
        self._transcript.is_muted = self._is_busy = is_busy
        self._questions = Questions(client, self._transcript.items)
        self._is_interactive = is_terminal(sys.stdin) and is_terminal(sys.stderr)
        self._screen: Screen | None = None
        self._held: list[Message] = []
        self._turn: str | None = None
        self._declined = False
        self._stopped: Exit | None = None

    def run(self, deadline: float | None) -> Exit:
        """Returns 130 after Ctrl-C, 124 after the deadline (monotonic seconds), else what the turn's end means.

        That is 5 when an approval was declined, by us or (as the item's status tells) by anybody else, 1 when the turn
        failed or was interrupted, and 0. Raises `KeyboardInterrupt` for a Ctrl-C while the turn is being interrupted.
        """
        self._view.note(f"thread {self._thread}", "dim")
        if self._is_busy:
            self._view.note("a turn runs on this thread already; it takes the prompt in", "yellow")
        with Interrupts(signal.SIGINT) as interrupts, ExitStack() as screens:
            self._request = self._client.send("turn/start", self._params)
            try:
                return self._follow(deadline, interrupts, screens)
            except ConnectionLost as lost:
                raise Unavailable(
                    f"{lost}; what became of the turn shows `codexctl threads show {self._thread}`, "
                    f"and `codexctl send -t {self._thread}` goes on with the thread"
                ) from lost
            finally:
                self._view.finish()  # it may be left in the middle of a line

    def _follow(self, deadline: float | None, interrupts: Interrupts, screens: ExitStack) -> Exit:
        while True:
            while (incoming := self._client.receive(0)) is not None:
                self._take(incoming)
                if self._turn in self._transcript.turns and not self._sent_again():
                    return self._outcome(self._transcript.turns[self._turn])
            self._put_question(screens)
            if self._wait(deadline, interrupts):
                continue
            if self._stopped is not None:
                return self._stopped
            self._stop(Exit.TIMED_OUT, "the time limit has passed; the turn is being interrupted")
            deadline = time.monotonic() + INTERRUPT_SECONDS

    def _wait(self, deadline: float | None, interrupts: Interrupts) -> bool:
        """Until something happens; False when the deadline comes first."""
        poll = select.poll()
        poll.register(self._client, select.POLLIN)
        poll.register(interrupts, select.POLLIN)
        if self._screen is not None:
            poll.register(sys.stdin, select.POLLIN)
        wait_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = {descriptor for descriptor, _ in poll.poll(wait_ms)}
        if interrupts.fileno() in ready:
            for _ in interrupts.read():
                if self._stopped is not None:
                    raise KeyboardInterrupt
                self._stop(Exit.INTERRUPTED, "the turn is being interrupted; Ctrl-C again leaves at once")
        elif self._screen is not None and sys.stdin.fileno() in ready:
            for key in self._screen.read():
                if self._questions.is_open:
                    self._questions.press(self._screen, key)
        return bool(ready)

    def _stop(self, code: Exit, why: str) -> None:
        self._stopped = code
        self._view.note(why, "yellow")
        if self._turn is not None:
            self._interrupt(self._turn)

    def _interrupt(self, turn: str) -> None:
        self._client.send("turn/interrupt", {"threadId": self._thread, "turnId": turn})

    # What comes from codexd

    def _take(self, incoming: Message | Answer) -> None:
        if isinstance(incoming, Answer):
            if incoming.id == self._request:
                self._started(incoming)
            return
        if self._as_json:
            self._print(incoming)
        if incoming.id is not None:
            self._asked(incoming)
        elif incoming.method == "serverRequest/resolved":
            self._questions.resolved(incoming.params["requestId"], self._screen)
        else:
            if incoming.method == "turn/completed":
                self._questions.turn_ended(incoming.params["turn"]["id"], self._screen)
            self._held.append(incoming)
        if not self._questions.is_open:
            self._tell_held()

    def _started(self, answer: Answer) -> None:
        if answer.error is not None:
            raise answer.error
        turn: str = answer.result["turn"]["id"]
        self._turn = turn
        if self._stopped is not None:
            self._interrupt(turn)

    def _tell_held(self) -> None:
        """Nothing is told while a question is on the screen."""
        for message in self._held:
            self._transcript.take(message)
            item = message.params.get("item") or {}
            if item.get("status") == "declined" and item["id"] in self._questions.asked_items:
                self._declined = True
        self._held.clear()

    def _print(self, message: Message) -> None:
        thread = message.params.get("threadId") or message.params.get("thread", {}).get("id")
        if thread == self._thread:
            print(json_plain(message.line.decode()), flush=True)

    def _sent_again(self) -> bool:
        """A running turn that took the prompt in at its very end has not answered it: it gets a turn of its own."""
        if not (self._is_busy and self._transcript.unanswered and self._stopped is None):
            return False
        self._is_busy, self._turn = False, None
        self._view.note("the turn ended before it could answer; the prompt is being sent again", "yellow")
        again = self._params | {"clientUserMessageId": os.urandom(16).hex()}
        self._request = self._client.send("turn/start", again)
        return True

    # Questions

    def _asked(self, message: Message) -> None:
        question = self._questions.take(message)
        if question is not None and message.id is not None and not self._is_interactive:
            print(plain(f"codexctl: {how_to_answer(question, message.id)}"), file=sys.stderr, flush=True)

    def _put_question(self, screens: ExitStack) -> None:
        if not self._is_interactive:
            return
        if self._questions.is_waiting:
            if self._screen is None:
                from codexctl.screen import Screen

                self._view.note("")
                self._screen = screens.enter_context(Screen(sys.stderr, prompt=""))
            self._questions.present(self._screen)
        elif self._screen is not None and not self._questions.is_open:
            screens.close()
            self._screen = None
            self._tell_held()

    # The end

    def _outcome(self, turn: dict[str, Any]) -> Exit:
        if self._transcript.is_muted and self._transcript.last_message:
            # The running turn never showed our prompt (a Codex that does not echo its id): its last word is the reply.
            self._view.reply(self._transcript.last_message)
            self._view.end_reply()
        if self._stopped is not None:
            return self._stopped
        if self._declined or self._questions.refused:
            self._view.note("an approval was declined", "yellow")
            return Exit.DECLINED
        return Exit.DONE if turn["status"] == "completed" else Exit.FAILED
