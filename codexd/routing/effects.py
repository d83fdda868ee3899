"""What the core wants done. The broker carries effects out in the order in which they are returned.

An effect names all its recipients. Lines carry no line feed; the transport adds what its framing needs.
"""

from msgspec import Struct

ClientId = int


class ToClients(Struct, frozen=True):
    """Queue one line for each of these clients: the same bytes for all of them."""

    clients: tuple[ClientId, ...]
    line: bytes


class ToCodex(Struct, frozen=True):
    """Write one line to Codex's stdin."""

    line: bytes


class PauseReading(Struct, frozen=True):
    """Take nothing more from this client until `ResumeReading`: its own queue is full."""

    client: ClientId


class ResumeReading(Struct, frozen=True):
    """Read from this client again."""

    client: ClientId


class StartCodex(Struct, frozen=True):
    """Spawn a Codex and report it with `codex_spawned`, or with `codex_exited` when it cannot be had."""

    incarnation: int


class StopCodex(Struct, frozen=True):
    """End this Codex: close its stdin, then harder means; or `at_once`, by the hardest, because it hears no other.

    Its end is reported with `codex_exited`.
    """

    incarnation: int
    at_once: bool = False


class Log(Struct, frozen=True):
    """Something for the log. Never holds params, results or prompts."""

    level: int
    message: str


Effect = ToClients | ToCodex | PauseReading | ResumeReading | StartCodex | StopCodex | Log
