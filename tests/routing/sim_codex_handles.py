"""What clients have opened in one simulated Codex: commands, processes, file watches, searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.routing.sim_words import HANDLE, Kind, Written, filled

if TYPE_CHECKING:
    from tests.routing.sim_codex import SimulatedCodex

OUTPUT = {
    "command/exec": ("command/exec/outputDelta", "processId"),
    "process/spawn": ("process/outputDelta", "processHandle"),
    "fs/watch": ("fs/changed", "watchId"),
    "fuzzyFileSearch/sessionStart": ("fuzzyFileSearch/sessionUpdated", "sessionId"),
}
"""What opens something, the notification about it, and the member that names it."""


class SimulatedHandles:
    """Everything that is open, as (opener, handle): one connection's, since codexd is one."""

    def __init__(self, codex: SimulatedCodex) -> None:
        self._codex = codex
        self.open: dict[tuple[str, str], int] = {}
        """The number of the `command/exec` that opened it; 0 for everything else."""
        self._nameless: set[tuple[str, str]] = set()
        """Commands whose asker gave no id: of those Codex streams no output (measured)."""
        self.handlers: dict[str, Callable[[Written], bool]] = {
            "command/exec": self._exec,
            "command/exec/terminate": self._terminate,
            "process/spawn": self._spawn,
            "process/kill": self._kill,
            "fs/watch": self._watch,
            "fs/unwatch": self._unwatch,
            "fuzzyFileSearch/sessionStart": self._search,
            "fuzzyFileSearch/sessionStop": self._stop_search,
        }

    def begun(self, written: Written) -> None:
        """A command runs from the moment it is taken."""
        if written.method == "command/exec":
            key = ("command/exec", self._handle(written))
            self.open.setdefault(key, written.number)
            if written.asked is not None and written.asked.word is None:
                self._nameless.add(key)

    def happen(self) -> None:
        """Something that is open has news, or a process ends."""
        if not self.open:
            return
        opener, handle = self._codex.rng.choice(list(self.open))
        if (opener, handle) in self._nameless:
            return
        if opener == "process/spawn" and self._codex.rng.random() < 0.2:
            self._exited(handle)
        else:
            method, member = OUTPUT[opener]
            self._say(method, member, handle)

    def _handle(self, written: Written) -> str:
        assert written.params is not None, "a request has params here"
        return written.params.handle or ""

    def _say(self, method: str, member: str, handle: str) -> None:
        said = self._codex.note(Kind.HANDLE, method, b',"%b":"%b"' % (member.encode(), HANDLE), handle=handle)
        said.line = filled(said.template, b"", handle)

    def _exited(self, handle: str) -> None:
        del self.open["process/spawn", handle]
        self._say("process/exited", "processHandle", handle)

    def _exec(self, written: Written) -> bool:
        key = ("command/exec", self._handle(written))
        if self.open.get(key) == written.number:
            del self.open[key]
            self._codex.say_result(written, b',"exitCode":0')
        else:
            self._codex.say_error(written, 'duplicate active command/exec process id: \\"\x01\\"')
        return True

    def _terminate(self, written: Written) -> bool:
        if self.open.get(("command/exec", self._handle(written))):
            self._codex.say_result(written)
            self._codex.end_soon(self.open["command/exec", self._handle(written)])
        else:
            self._codex.say_error(written, 'no active command/exec for process id \\"\x01\\"')
        return True

    def _spawn(self, written: Written) -> bool:
        key = ("process/spawn", self._handle(written))
        if key in self.open:
            self._codex.say_error(written, 'duplicate active process handle: \\"\x01\\"')
        else:
            self.open[key] = 0
            self._codex.say_result(written)
        return True

    def _kill(self, written: Written) -> bool:
        if ("process/spawn", self._handle(written)) in self.open:
            self._codex.say_result(written)
            self._exited(self._handle(written))
        else:
            self._codex.say_error(written, 'no active process for process handle \\"\x01\\"')
        return True

    def _watch(self, written: Written) -> bool:
        key = ("fs/watch", self._handle(written))
        if key in self.open:
            self._codex.say_error(written, "watchId already exists: \x01")
        else:
            self.open[key] = 0
            self._codex.say_result(written)
        return True

    def _unwatch(self, written: Written) -> bool:
        self.open.pop(("fs/watch", self._handle(written)), None)
        self._codex.say_result(written)
        return True

    def _search(self, written: Written) -> bool:
        self.open["fuzzyFileSearch/sessionStart", self._handle(written)] = 0
        self._codex.say_result(written)
        return True

    def _stop_search(self, written: Written) -> bool:
        self.open.pop(("fuzzyFileSearch/sessionStart", self._handle(written)), None)
        self._codex.say_result(written)
        return True
