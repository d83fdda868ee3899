"""What the user says on a thread, until Codex has it: said again where that is needed, and never twice."""

import os
from typing import Any, NamedTuple

from codexctl.client import Answer, Client
from codexctl.prompt import text_input
from codexctl.transcript import Transcript
from codexctl.views import View


class _Prompt(NamedTuple):
    """Codex calls what was said by its `id`."""

    id: str
    text: str


class Saying:
    """Begins turns and steers them. `client` is the connection of now."""

    def __init__(self, client: Client, transcript: Transcript, view: View) -> None:
        self.client = client
        self._transcript = transcript
        self._view = view
        self._sent: dict[int, _Prompt] = {}
        self._steered: dict[int, _Prompt] = {}
        self._unanswered: list[_Prompt] = []
        self._steering: dict[str, str] = {}

    @property
    def is_busy(self) -> bool:
        """A turn runs, or is about to."""
        return self._transcript.turn is not None or bool(self._sent)

    def say(self, text: str) -> None:
        """Steers the turn that runs, else begins one."""
        if self._transcript.turn is None:
            self._start(text)
            return
        prompt, params = self._prompt(text)
        self._steering[prompt.id] = text
        steer = params | {"expectedTurnId": self._transcript.turn}
        self._steered[self.client.send("turn/steer", steer)] = prompt

    def answered(self, answer: Answer) -> None:
        """The answer to a request, be it one of these or not."""
        steered = self._steered.pop(answer.id, None)
        sent = self._sent.pop(answer.id, None)
        if steered is not None and answer.error is not None:
            self._start(steered.text)  # the turn has ended meanwhile, or is of a kind that takes no steering
        elif sent is not None and answer.error is not None:
            self._view.note(f"not sent: {answer.error.message}", "red")
        elif sent is not None and answer.result["turn"]["id"] not in self._transcript.turns:
            self._transcript.turn = answer.result["turn"]["id"]

    def turn_ended(self) -> None:
        """What a turn took in at its very end gets a turn of its own."""
        for prompt_id in self._transcript.unanswered:
            if text := self._steering.pop(prompt_id, None):
                self._view.note("the turn ended before it could answer that; it is being asked again", "dim")
                self._start(text)
        self._transcript.unanswered.clear()

    def lost(self) -> None:
        """The connection is: what has no answer will get none."""
        self._unanswered += [*self._sent.values(), *self._steered.values()]
        self._sent.clear()
        self._steered.clear()

    def say_unheard(self) -> None:
        """Says again what Codex has not got; the transcript has been told all that happened meanwhile."""
        unanswered, self._unanswered = self._unanswered, []
        for prompt in unanswered:
            if prompt.id not in self._transcript.heard:
                self.say(prompt.text)

    def _start(self, text: str) -> None:
        prompt, params = self._prompt(text)
        self._sent[self.client.send("turn/start", params)] = prompt

    def _prompt(self, text: str) -> tuple[_Prompt, dict[str, Any]]:
        prompt = _Prompt(os.urandom(16).hex(), text)
        self._transcript.own_prompts.add(prompt.id)
        ids = {"threadId": self._transcript.thread, "clientUserMessageId": prompt.id}
        return prompt, {**ids, "input": text_input(text)}
