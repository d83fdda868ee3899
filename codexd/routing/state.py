"""Everything the core knows, in one place, and the list of what it wants done."""

import logging
from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct

from codexd.protocol import messages
from codexd.protocol.bulk import Bulk
from codexd.protocol.catalogue import to_everyone
from codexd.protocol.learnt import Learnt
from codexd.protocol.messages import Notification, Request
from codexd.protocol.sandbox import Inside
from codexd.routing.clients import Clients
from codexd.routing.delays import Delays
from codexd.routing.effects import ClientId, Effect, Log, ToClients, ToCodex
from codexd.routing.events import Kept
from codexd.routing.flow import Flow
from codexd.routing.following import Following
from codexd.routing.handles import Handles
from codexd.routing.lifecycle import Lifecycle
from codexd.routing.logins import Logins
from codexd.routing.missing_ends import MissingEnds
from codexd.routing.named_requests import NamedRequests
from codexd.routing.origins import Origins
from codexd.routing.parked import Parked
from codexd.routing.quarantine import Quarantine
from codexd.routing.reads import Reads
from codexd.routing.releases import Releases
from codexd.routing.requests import Requests
from codexd.routing.server_requests import ServerRequests
from codexd.routing.silence import Silence
from codexd.routing.threads import Threads


class Identity(Struct, frozen=True):
    """What the daemon says of itself, to Codex and in `codexd/status`. `started_at` in seconds since the epoch.

    `thread_unload_delay`: how many seconds a thread stays loaded that nobody follows. `codex_silence`: after how many
    seconds a Codex that says nothing counts as hung. `is_observed`: whether `Observed` is wanted for all that Codex sends.
    `inside`: what becomes of clients that Codex itself runs. `thread_config`: what each thread is given as `config`, by
    dotted keys; it may hold secrets and is told to nobody but Codex. `environment`: the names of the variables that Codex has.
    """

    pid: int
    version: str
    socket: str
    codex_home: str
    started_at: float
    client_name: str = "codexd"
    request_attestation: bool = False
    thread_unload_delay: float = 60.0
    codex_silence: float = 30.0
    is_observed: bool = False
    inside: Inside = "refuse"
    thread_config: dict[str, Any] = {}
    environment: tuple[str, ...] = ()


class Received(Struct):
    """What was made of the message of Codex that is being received, for the observability log.

    `seq`: its number, when it was given one on the spot. `answers`: the method of what it answers.
    """

    line: bytes = b""
    seq: int | None = None
    answers: str | None = None


class State:
    """The tables that the deciders share. Each table is decided upon in one place and looked at in many.

    `kept`: the timeline, of which only questions are asked here.

    `draining_until`: until when codexd waits for running turns before it ends; `None` while it is not about to end.

    `learnt`: what the schema of the present Codex says; a sentence when it can't be had, `None` until it is known.
    `deserted`: the threads at the top of their families that nobody follows, and when they are to go.
    """

    def __init__(self, identity: Identity, kept: Kept, login: Callable[[], str] = lambda: "") -> None:
        self.identity = identity
        self.kept = kept
        self.following = Following(kept.next_seq)
        self.reads = Reads()
        self.life = Lifecycle()
        self.logins = Logins(login)
        self.clients = Clients()
        self.requests = Requests()
        self.named = NamedRequests(self.requests)
        self.flow = Flow()
        self.threads = Threads()
        self.parked = Parked()
        self.quarantine = Quarantine()
        self.deserted = Delays(identity.thread_unload_delay)
        self.silence = Silence(identity.codex_silence)
        self.releases = Releases()
        self.missing_ends = MissingEnds()
        self.interrupts = Delays(1.0)
        self.server_requests = ServerRequests(identity.started_at)
        self.handles = Handles()
        self.origins = Origins()
        self.paused: set[ClientId] = set()
        self.codex_answer: Raw | None = None
        self.codex_version: str | None = None
        self.to_everyone = to_everyone(None)
        self.learnt: Learnt | str | None = None
        self.startup: list[Notification] = []
        self.startup_is_complete = False
        self.draining_until: float | None = None
        self.received = Received()
        self.now = identity.started_at
        self._effects: list[Effect] = []

    def codex_is(self, version: str | None) -> None:
        """The version of Codex is known, and so is what it sends to everybody: it counts for who is behind, too."""
        self.codex_version = version
        if self.to_everyone != to_everyone(version):
            self.to_everyone = to_everyone(version)
            self.following.change(client.id for client in self.clients.all())

    def want(self, effect: Effect) -> None:
        """Adds an effect."""
        self._effects.append(effect)

    def tell(self, clients: tuple[ClientId, ...], line: bytes) -> None:
        """Sends a line to these clients, if there are any."""
        if clients:
            self._effects.append(ToClients(clients, line))

    def notify(self, clients: tuple[ClientId, ...], method: str, line: bytes) -> None:
        """Sends a notification without a number to those of these clients that want it."""
        self.tell(self.clients.wanting(method, clients), line)

    def warn(self, sentence: str) -> None:
        """Tells everybody who listens: the initialized clients, and those that only follow events."""
        clients = tuple(dict.fromkeys((*self.clients.initialized(), *self.following.clients())))
        warning = messages.notification("warning", {"threadId": None, "message": sentence})
        self.notify(clients, "warning", warning)

    def tell_codex(self, line: bytes, bulk: Bulk | None = None) -> None:
        """Writes a line to Codex, with its bulk."""
        length = len(line) if bulk is None else len(line) + bulk.size
        self.silence.handed(length, self.now)
        self._effects.append(ToCodex(line, bulk))

    def refuse(
        self, client: ClientId, request: Request, code: int, message: str, data: object = None
    ) -> None:
        """Answers a client's request with an error of codexd's own."""
        self.tell((client,), messages.error(request.id, code, message, data))

    def log(self, message: str, level: int = logging.INFO, error: Exception | None = None) -> None:
        """Leaves a trace, with the traceback of `error`. Never params, results or prompts."""
        self._effects.append(Log(level, message, error))

    def take_effects(self) -> list[Effect]:
        """What is to be done, in order."""
        effects, self._effects = self._effects, []
        return effects
