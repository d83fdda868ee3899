"""Codex's own terminal program in a world, attached to codexd."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.harness import World, a_world
from tests.e2e.harness_tmux import Screen, Tmux

READY = "Ask Codex to do anything"
ASKED = "Would you like to run the following command?"


class NativeClients:
    """A codexd with this Codex, and the TUIs of the same Codex.

    With `control_socket` they attach by themselves, as for a user who types `codex`; without it by `--remote`.
    """

    def __init__(self, world: World, tmux: Tmux, control_socket: bool) -> None:
        self.world = world
        self._tmux = tmux
        self._codex = str(world.codex)
        self._remote = [] if control_socket else ["--remote", f"unix://{world.socket_path}"]
        self._options = ["--control-socket"] if control_socket else []
        self.daemon = world.start_daemon(*self._options)

    def start_codexd_again(self) -> None:
        """After its end."""
        self.daemon = self.world.start_daemon(*self._options)

    def open(self, *arguments: str) -> Screen:
        """A TUI that takes a prompt; `arguments` go before the address."""
        screen = self._tmux.open([self._codex, *arguments, *self._remote])
        screen.wait(READY)
        return screen

    def thread_of(self, screen: Screen) -> str:
        """The thread that a TUI follows, as codexd has it: the proof that it is codexd that it is attached to."""
        client = self.world.connect()
        clients = client.call("codexd/clients/list")["clients"]
        client.close()
        threads: list[str] = [
            thread
            for each in clients
            for thread in each["threads"]
            if (each["name"], each["pid"]) == ("codex-tui", screen.pid)
        ]
        return min(
            threads
        )  # ids grow; for a while there is a younger one, which thinks of a name for the first

    @staticmethod
    def prompt(screen: Screen, text: str) -> None:
        """Sends a prompt."""
        screen.paste(text)
        screen.wait(text)
        screen.press("Enter")

    @staticmethod
    def reply(screen: Screen, text: str) -> None:
        """Waits until the reply has this text and its turn is over.

        What is typed before that steers the turn, and 0.163 loses what steers a turn that is just ending: bare Codex
        too, 2 of 60 times; 0.169 never did.
        """
        screen.wait_below(text, "Worked for")

    @staticmethod
    def accept(screen: Screen) -> None:
        """Says yes to what the TUI asks. It is deaf for an instant after a dialog has come up over what one types."""
        screen.press_until_gone("y", ASKED)


@contextmanager
def native_clients(codex: Path, control_socket: bool) -> Iterator[NativeClients]:
    """Them, in a world of their own."""
    with a_world(codex) as world:
        tmux = Tmux(world)
        try:
            yield NativeClients(world, tmux, control_socket)
        finally:
            tmux.close()
