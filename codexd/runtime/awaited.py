"""Waiting for what nobody announces: conditions that are looked at after every change."""

from collections.abc import Callable

import trio


class Awaited:
    """What is waited for at the moment. Whoever changes something calls `look`."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], bool], trio.Event]] = []

    def look(self) -> None:
        """Lets those go on whose condition has come true."""
        for condition, has_come in self._waiting:
            if condition():
                has_come.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Returns when it holds, or has held at a look since."""
        waiting = (condition, trio.Event())
        self._waiting.append(waiting)
        try:
            self.look()
            await waiting[1].wait()
        finally:
            self._waiting.remove(waiting)
