"""Things that are due when a while has passed, the same while for all of them."""


class Delays:
    """When each of them is due, by name.

    All wait equally long, so they are due in the order in which they were added. Only a clock that is set back can
    disturb that; it then takes so much longer.
    """

    def __init__(self, delay: float) -> None:
        """`delay`: in seconds."""
        self.delay = delay
        self._due: dict[str, float] = {}

    def add(self, name: str, now: float) -> None:
        """Its time begins; if it had begun already, it goes on."""
        self._due.setdefault(name, now + self.delay)

    def cancel(self, name: str) -> None:
        """It is not to be due."""
        self._due.pop(name, None)

    def take_due(self, now: float) -> list[str]:
        """Those whose time is over; they stand here no longer."""
        due = []
        for name, when in self._due.items():
            if when > now:
                break
            due.append(name)
        for name in due:
            del self._due[name]
        return due

    @property
    def deadline(self) -> float | None:
        """When the next one is due."""
        return next(iter(self._due.values()), None)

    def clear(self) -> None:
        """None is to be due."""
        self._due.clear()
