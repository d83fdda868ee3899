"""One client: its first bytes say what it speaks, the rest becomes lines, and its end is seen, whichever way it comes."""

import socket
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

import trio

from codexd.protocol.bulk import LongLine
from codexd.protocol.errors import Code
from codexd.protocol.framing import TooLong
from codexd.protocol.long_lines import SLICE_BYTES, Unread
from codexd.protocol.reducer import Reducer
from codexd.routing.effects import ClientId
from codexd.routing.rights import Peer
from codexd.runtime import memory
from codexd.runtime.budget import FREE_BYTES, LineBudget, OutboxBudget
from codexd.runtime.isolation import SENTENCE, ClientFailed, alone
from codexd.runtime.lag import Lag
from codexd.runtime.limits import Limits
from codexd.runtime.lines import Lines
from codexd.runtime.outbox import Outbox
from codexd.runtime.transport import WEBSOCKET_BEGINNING, Transport, is_undecided
from codexd.runtime.turning_away import refusal

LINES_PER_TURN = 256
"""So many lines of a burst are handed in at once, then the other clients have their turn: short lines cost the most."""
LOOK_SECONDS = 1.0
"""How often it is looked whether a client that has closed its sending side is still there: nothing else tells."""
FAREWELL_SECONDS = 5.0
"""How long one that was told the end may take to end, too."""
DISCARDED_BYTES = 1 << 20
_READING = "reading what it sends"


class Desk(Protocol):
    """Where a session hands in what it receives: the broker."""

    def join(self, session: "Session") -> None:
        """The client is there; called once, first."""

    def speaks_frames(self, client: ClientId) -> None:
        """The client speaks WebSocket, and is to be sent frames; called before anything is received from it."""

    def receive(self, client: ClientId, lines: Sequence[bytes | TooLong | LongLine]) -> None:
        """Some lines of a burst, in order; never none."""

    async def wait_answered(self, client: ClientId) -> None:
        """Waits until no request of the client is open."""

    def leave(self, client: ClientId) -> None:
        """The client is gone; called once for each `join`."""


class Session:
    """The connection of one client, which is `peer`.

    `pause` and `resume` stop and start the reading; what is queued for the client is sent all the same.
    """

    def __init__(
        self,
        client: ClientId,
        connection: socket.socket,
        peer: Peer,
        *,
        limits: Limits,
        lag: Lag,
        budget: LineBudget,
        outbox_budget: OutboxBudget,
        on_load: Callable[[bool], None],
    ) -> None:
        self.client = client
        self.peer = peer
        self._connection = connection
        self._limits = limits
        self._beginning: bytes | None = b""
        self._transport: Transport = Lines(limits.max_message_bytes)
        self._speaks_frames = self._has_failed = False
        self._unsent: list[bytes] = []
        """What the transport wants sent: queued when it is done, because that may have the core decide something."""
        self._budget = budget
        self._resumed: trio.Event | None = None
        self._conversation = trio.CancelScope()
        self.outbox = Outbox(
            client,
            connection.fileno(),
            lag,
            self._conversation,
            spill=limits.spill_bytes,
            limit=limits.max_outbox_bytes,
            stalled=limits.stalled_seconds,
            budget=outbox_budget,
            on_load=on_load,
        )

    def pause(self) -> None:
        """Takes nothing more from the client until `resume`."""
        self._resumed = trio.Event()

    def resume(self) -> None:
        """Reads again."""
        assert self._resumed is not None, "the core resumes only who is paused"
        self._resumed.set()
        self._resumed = None

    def say_goodbye(self) -> None:
        """Tells the client that codexd ends, where its transport has a word for it; what is queued is sent before."""
        if last := self._transport.going_away():
            self.outbox.finish(last)

    async def run(self, desk: Desk) -> None:
        """Serves the client until it leaves, is cut off, or codexd ends. Closes the connection."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.outbox.run, name=f"outbox of client {self.client}")
                await self._converse(desk)
                await self.outbox.wait_rest_sent()
                if self._transport.farewell is not None or self._has_failed:
                    await self._hear_out()
                nursery.cancel_scope.cancel()
        finally:
            self._connection.close()

    async def _converse(self, desk: Desk) -> None:
        desk.join(self)
        try:
            with self._conversation:
                await self._read(desk)
                await self._linger(desk)
        finally:
            self._budget.hold(self.client, 0)
            desk.leave(self.client)

    async def _read(self, desk: Desk) -> None:
        """Reads to the end; half a message that stands there is nobody's. One `recv` for each scheduling turn."""
        while True:
            await trio.lowlevel.wait_readable(self._connection)
            await self._wait_resumed()
            try:
                chunk = self._received()
                if chunk == b"":
                    return
                lines = await self._reduced(self._lines(chunk, desk))
            except BlockingIOError:
                continue
            except ClientFailed:
                self._has_failed = True
                self.outbox.finish(self._word_of_failure())
                self._conversation.cancel()
                return
            if chunk is None and not lines:
                await trio.sleep(memory.RETRY_SECONDS)
            for at in range(0, len(lines), LINES_PER_TURN):
                if at:
                    await trio.lowlevel.checkpoint()
                    await self._wait_resumed()
                desk.receive(self.client, lines[at : at + LINES_PER_TURN])
            if self._transport.farewell is not None:
                self.outbox.finish(self._transport.farewell)
                return

    def _received(self) -> bytes | None:
        """What has come: empty at the end, None when there is no memory to read anything just now."""
        try:
            return self._connection.recv(self._transport.receive_bytes) if memory.has() else None
        except MemoryError:
            return None
        except ConnectionError:  # it left without having read what it was sent
            return b""

    async def _reduced(
        self, received: list[bytes | TooLong | LongLine | Unread]
    ) -> list[bytes | TooLong | LongLine]:
        """The same, with long messages that have come at once reduced; the others have their turns meanwhile."""
        return [await self._reduce(line) if isinstance(line, Unread) else line for line in received]

    async def _reduce(self, unread: Unread) -> bytes | LongLine:
        reducer = Reducer(SLICE_BYTES)
        for text in unread.slices():
            alone(self.client, _READING, reducer.feed, text)
            await trio.lowlevel.checkpoint()
        return alone(self.client, _READING, reducer.finish, b"")

    async def _wait_resumed(self) -> None:
        """Waits while the client is paused; else no checkpoint, which each message would have to wait for."""
        if self._resumed is not None:
            await self._resumed.wait()

    def _after_beginning(self, chunk: bytes, desk: Desk) -> bytes:
        """Takes the first bytes; when they say what the client speaks, all that has come is handed on."""
        assert self._beginning is not None, "it is asked for until it is known"
        self._beginning += chunk
        if is_undecided(self._beginning):
            return b""
        begun, self._beginning = self._beginning, None
        if begun.startswith(WEBSOCKET_BEGINNING):
            self._speaks_frames = True
            self._transport = alone(self.client, "speaking WebSocket", self._websocket)
            self.outbox.framing = self._transport.framing
            desk.speaks_frames(self.client)
        return begun

    def _websocket(self) -> Transport:
        # Late: only those who speak WebSocket need the library.
        from codexd.runtime.websocket import WebSocket

        return WebSocket(self._limits.max_message_bytes, self._unsent.append)

    def _lines(self, chunk: bytes | None, desk: Desk) -> list[bytes | TooLong | LongLine | Unread]:
        """What the chunk completes, and an unfinished message that is given up. `chunk`: None for want of memory."""
        lines: list[bytes | TooLong | LongLine | Unread] = []
        if chunk is not None:
            received = chunk if self._beginning is None else self._after_beginning(chunk, desk)
            lines += alone(self.client, _READING, self._transport.feed, received)
        if self._holds_too_much(chunk is not None):
            given_up = alone(self.client, _READING, self._transport.give_up)
            assert given_up is not None, "only an unfinished message weighs anything"
            self._budget.hold(self.client, 0)
            lines.append(given_up)
        for answer in self._unsent:
            self.outbox.put(answer)
        self._unsent.clear()
        return lines

    def _holds_too_much(self, has_memory: bool) -> bool:
        """Whether the unfinished message is more than all clients together may hold, or than there is memory for."""
        held = self._transport.buffered_bytes
        if not self._budget.hold(self.client, held):
            return True
        return held > FREE_BYTES and not (has_memory and memory.has_for_line(held))

    def _word_of_failure(self) -> bytes:
        if self._speaks_frames and not self._transport.going_away():  # before the handshake is done
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return refusal(WEBSOCKET_BEGINNING, Code.INTERNAL_ERROR, status, SENTENCE)
        return self.outbox.framing.failed(SENTENCE)

    async def _linger(self, desk: Desk) -> None:
        """`printf ... | nc -U` closes its sending side at once and waits for answers all the same.

        For as long as they take, if it is there and takes what comes.
        """
        if not self._transport.lingers:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._let_go_when_gone, nursery.cancel_scope)
            await desk.wait_answered(self.client)
            await self.outbox.wait_sent()
            nursery.cancel_scope.cancel()

    async def _let_go_when_gone(self, waiting: trio.CancelScope) -> None:
        """Ends the waiting for a client that has closed both sides, or takes nothing of what is queued for it."""
        while self._still_listens() and not self.outbox.is_stalled():  # noqa: ASYNC110 - the kernel tells nobody
            await trio.sleep(LOOK_SECONDS)
        waiting.cancel()

    async def _hear_out(self) -> None:
        """Throws away what still comes: who is in the middle of sending would meet a broken pipe before our last word."""
        with trio.move_on_after(FAREWELL_SECONDS):
            try:
                self._connection.shutdown(socket.SHUT_WR)
                while await self._discards():
                    pass
            except OSError:  # it is gone
                return

    async def _discards(self) -> bool:
        """Takes what comes; False at the end."""
        await trio.lowlevel.wait_readable(self._connection)
        try:
            return bool(self._connection.recv(DISCARDED_BYTES))
        except MemoryError:
            await trio.sleep(memory.RETRY_SECONDS)
            return True

    def _still_listens(self) -> bool:
        """Whether the peer has closed only one side: the kernel refuses even an empty message to one that is gone."""
        try:
            self._connection.send(b"")
        except OSError:
            return False
        return True
