"""What can be read back of what has happened, as outboxes see the timeline."""

from typing import Protocol

from codexd.routing.events import Gap
from codexd.runtime.archive import Page


class Past(Protocol):
    """The timeline."""

    @property
    def keeps(self) -> bool:
        """Whether what is appended now can be read back however late."""

    def gap(self, after: int, upto: int, thread: str | None) -> Gap | None:
        """What can't be read any more of the events of a thread, or of all, above `after`, up to `upto`."""

    async def read(
        self,
        first: int,
        last: int,
        *,
        thread: str | None = None,
        max_bytes: int,
        max_events: int,
        lenient: bool = False,
    ) -> Page:
        """Events in order, and the number to go on from."""
