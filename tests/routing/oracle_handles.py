"""The oracle's book of handles: what codexd calls them to Codex, whose they are, what is open."""

from tests.routing.sim_words import Asked, Said, Wrong

OPENS = frozenset({"process/spawn", "fs/watch", "fuzzyFileSearch/sessionStart"})
CLOSES = {"fs/unwatch": "fs/watch", "fuzzyFileSearch/sessionStop": "fuzzyFileSearch/sessionStart"}
CLEANS_UP = frozenset({
    "command/exec/terminate",
    "process/kill",
    "fs/unwatch",
    "fuzzyFileSearch/sessionStop",
})  # fmt: skip
_OF_WATCHES = frozenset({"fs/watch", "fs/unwatch"})
NATURAL_END = {
    "process/spawn": ("process/exited", "processHandle"),
    "fuzzyFileSearch/sessionStart": ("fuzzyFileSearch/sessionCompleted", "sessionId"),
}


class HandleBook:
    """One word of one client has one name at Codex, and no name has two owners."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, str], str] = {}
        self._nameless: dict[str, Asked] = {}
        self.owners: dict[str, tuple[int, str | None]] = {}
        self.open: dict[tuple[int, str, str], str] = {}
        """What its owner believes to be open, as (client, opener, word), with the name at Codex."""

    def name(self, asked: Asked, name: str) -> None:
        """A request with a handle was written under this name."""
        if asked.word is None:
            if name in self.owners and self._nameless.get(name) is not asked:
                raise Wrong(f"{name!r} names two things at Codex")
            self.owners[name] = (asked.client, None)
            self._nameless[name] = asked
            return
        known = self._names.setdefault((asked.client, asked.word), name)
        owner = self.owners.setdefault(name, (asked.client, asked.word))
        if known != name or owner != (asked.client, asked.word):
            raise Wrong(f"{name!r} of {owner} was used for {asked.word!r} of client {asked.client}")

    def answered(self, asked: Asked) -> None:
        """The client was told that Codex did it."""
        if asked.word is None:
            return
        if asked.method in OPENS:
            key = (asked.client, asked.method, asked.word)
            self.open[key] = self._names[asked.client, asked.word]
        elif asked.method in CLOSES:
            self.open.pop((asked.client, CLOSES[asked.method], asked.word), None)

    def codex_had(self, under_way: list[Asked]) -> None:
        """Codex died over these: a watch is not made again whose end was the last that its owner wanted of it."""
        last = {
            (asked.client, asked.word): asked.method for asked in under_way if asked.method in _OF_WATCHES
        }
        for (client, word), method in last.items():
            if word is not None and method == "fs/unwatch":
                self.open.pop((client, "fs/watch", word), None)

    def address(self, said: Said) -> tuple[int, str] | None:
        """Whose handle Codex speaks of, and the owner's word for it."""
        client, word = self.owners.get(said.handle or "", (0, None))
        if word is None:
            return None
        if said.method == "process/exited":
            self.open.pop((client, "process/spawn", word), None)
        return client, word

    def leave(self, client: int) -> None:
        """The client is gone; what it had open is to be closed."""
        self.open = {key: name for key, name in self.open.items() if key[0] != client}

    def codex_is_gone(self) -> list[tuple[int, str, str, str]]:
        """Returns what ended with it, as (client, method, member, word); watches stay open."""
        ends = [
            (client, *NATURAL_END[opener], word)
            for client, opener, word in self.open
            if opener in NATURAL_END
        ]
        self.open = {key: name for key, name in self.open.items() if key[1] == "fs/watch"}
        return ends
