"""What Codex says is observed: every line of it once, with the number that it was given on the spot."""

from codexd.protocol import extension, messages
from codexd.protocol.errors import ProtocolError
from codexd.protocol.messages import Notification, Request
from codexd.routing.effects import Observed
from codexd.routing.events import Event
from tests.routing.sim_words import Wrong

RESOLVED = "serverRequest/resolved"


class ObservedSide:
    """Told of what goes in and of what was numbered."""

    def __init__(self) -> None:
        self._said: bytes | None = None
        self._events: list[Event] = []

    def hears(self, line: bytes) -> None:
        """codexd is about to read a line of Codex, of the present one or of an earlier one."""
        self._said = line

    def is_numbered(self, event: Event) -> None:
        """This is an event."""
        self._events.append(event)

    def judge(self, effect: Observed, now: float) -> None:
        """Raises `Wrong` for what was not said, or not numbered so."""
        if effect.line != self._said or effect.at != now:
            raise Wrong(f"observed is {effect}, said was {self._said!r}")
        numbers: list[int | None] = [event.seq for event in self._events if self._is_of(event, effect.line)]
        if effect.seq not in (numbers or [None]):
            raise Wrong(f"{effect} has another number: {numbers}")
        self._said = None

    def finished(self) -> None:
        """Nothing more follows on the line."""
        if self._said is not None:
            raise Wrong(f"nobody has observed {self._said!r}")
        self._events.clear()

    def _is_of(self, event: Event, line: bytes) -> bool:
        """Whether the event is this line, in codexd's words where its ids are codexd's."""
        try:
            message = messages.parse_codex(line)
        except ProtocolError:
            return False
        if isinstance(message, Request):
            return event.method == extension.SERVER_REQUEST
        if isinstance(message, Notification) and message.method == RESOLVED:
            return event.method == RESOLVED
        return event.line == line
