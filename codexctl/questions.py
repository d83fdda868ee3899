"""What Codex has asked this client: answered by itself, put to the user one at a time, or left to others.

Most turns ask nothing, so what a question takes is imported with the first one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codexctl.client import Client, Message, RequestId

if TYPE_CHECKING:
    from codexctl.asking import Asking
    from codexctl.decisions import Decision, Form
    from codexctl.keys import Key
    from codexctl.screen import Screen

INPUT_PROMPT = "> "


def how_to_answer(question: Decision | Form, request_id: RequestId) -> str:
    """For a place where nobody can be asked: what waits, and the commands that answer it."""
    from codexctl.asking import summary

    return (
        f"{summary(question)}\n  Codex waits for `codexctl approvals accept {request_id}`"
        f" (or `decline {request_id}`; `show {request_id}` has the details)"
    )


class Questions:
    """The questions in the order in which they came. `refused`: the user refused Codex something.

    `items` are the open items of the thread, where the diff of a file change is to be found.
    """

    def __init__(self, client: Client, items: Mapping[str, dict[str, Any]]) -> None:
        self.refused = False
        self.asked_items: set[str] = set()
        self.client = client
        self._items = items
        self._waiting: dict[RequestId, Message] = {}
        self._active: tuple[RequestId, Asking] | None = None

    @property
    def is_open(self) -> bool:
        """A question is on the screen."""
        return self._active is not None

    @property
    def is_waiting(self) -> bool:
        """There is a question to put to the user."""
        return bool(self._waiting) and self._active is None

    def take(self, message: Message) -> Decision | Form | None:
        """Takes up a server request; returns the question if somebody has to answer it."""
        assert message.id is not None
        if message.method == "currentTime/read":
            self.client.respond(message.id, {"currentTimeAt": int(time.time())})
            return None
        question = self._question(message)
        if question is None:
            self.client.abstain(message.id, f"codexctl cannot answer {message.method}")
            return None
        self._waiting[message.id] = message
        if isinstance(item := message.params.get("itemId"), str):
            self.asked_items.add(item)
        return question

    def present(self, screen: Screen) -> None:
        """Puts the oldest question to the user."""
        from codexctl.asking import Asking

        request_id, message = next(iter(self._waiting.items()))
        question = self._question(message)
        assert question is not None, "it was not taken up"
        asking = Asking(question, screen.width, screen.paint)
        self._active = request_id, asking
        more = f" ({len(self._waiting) - 1} more wait)" if len(self._waiting) > 1 else ""
        first, *rest = asking.opening
        screen.discard_typed()
        screen.lines([first + more, *rest])
        self._go_on(screen, request_id, asking)

    def press(self, screen: Screen, key: Key) -> None:
        """A key for the question on the screen."""
        assert self._active is not None
        request_id, asking = self._active
        if asking.wants_key:
            asking.key(key.text)
        elif (pressed := screen.press(key)) == "line":
            screen.lines(asking.line(screen.take()))
        elif pressed == "end":
            asking.decline()
        self._go_on(screen, request_id, asking)

    def resolved(self, request_id: RequestId, screen: Screen | None) -> None:
        """It is over: by our answer, by somebody else's, or because the turn is."""
        self._waiting.pop(request_id, None)
        if self._active is not None and self._active[0] == request_id:
            self._close(screen, "not asked any more: somebody answered it, or its turn ended")

    def turn_ended(self, turn: str, screen: Screen | None) -> None:
        """Whatever was asked in a turn is over with it."""
        for request_id, message in list(self._waiting.items()):
            if message.params.get("turnId") == turn:
                self.resolved(request_id, screen)

    def forget(self, screen: Screen | None) -> None:
        """The connection on which they were asked is lost: what is still to be decided is asked again on the next one."""
        self._waiting.clear()
        if self._active is not None:
            self._close(screen, "not asked any more, unless it is asked again")

    def _question(self, message: Message) -> Decision | Form | None:
        from codexctl.decisions import Unanswerable, question_of

        item = self._items.get(message.params.get("itemId", ""))
        question = question_of(message.method, message.params, item)
        return None if isinstance(question, Unanswerable) else question

    def _go_on(self, screen: Screen, request_id: RequestId, asking: Asking) -> None:
        if asking.reply is None:
            screen.ask(asking.prompt, key=asking.wants_key, secret=asking.is_secret)
            return
        self.refused = self.refused or asking.reply.refused
        self.client.respond(request_id, asking.reply.result)
        del self._waiting[request_id]
        self._close(screen, asking.reply.said)

    def _close(self, screen: Screen | None, outcome: str) -> None:
        self._active = None
        if screen is not None:
            screen.editor.clear()
            screen.ask(INPUT_PROMPT)
            screen.note(f"  {outcome}", "dim")
