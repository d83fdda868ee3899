"""What Codex sends: each line goes to who decides about its kind."""

import logging

from codexd.protocol import messages
from codexd.protocol.errors import ProtocolError
from codexd.protocol.messages import Message, Notification, Request
from codexd.routing.answers import Answers
from codexd.routing.decisions import Decisions
from codexd.routing.effects import Observed
from codexd.routing.lifecycle import State as LifeState
from codexd.routing.notifications import Notifications
from codexd.routing.state import Received, State


class FromCodex:
    """Takes the lines of the present Codex; those of an earlier one, or of one that is to end, are nobody's."""

    def __init__(
        self, state: State, decisions: Decisions, notifications: Notifications, answers: Answers
    ) -> None:
        self._state = state
        self._decisions = decisions
        self._notifications = notifications
        self._answers = answers

    def receive(self, incarnation: int, line: bytes) -> None:
        """One line of the present Codex. One that is no message is logged and skipped; all can be observed."""
        state = self._state
        if not state.identity.is_observed:
            self._take(incarnation, line)
            return
        received = state.received = Received(line)
        message = self._take(incarnation, line)
        state.want(Observed(line, state.now, received.seq, received.answers, message))

    def _take(self, incarnation: int, line: bytes) -> Message | None:
        life, message = self._state.life, None
        if not life.is_current(incarnation) or life.state is LifeState.DRAINING:
            return None
        self._state.silence.heard(self._state.now)
        try:
            message = messages.parse_codex(line)
            if isinstance(message, Notification):
                self._notifications.deliver(message)
            elif isinstance(message, Request):
                self._decisions.take_up(message)
            else:
                self._answers.take(message)
        except ProtocolError as error:
            self._state.log(f"skipped a line of {len(line)} bytes: {error}", logging.WARNING)
        return message
