"""What simulated clients send: good, bad, late, twice, under ids of their own choice."""

import json
from random import Random

from msgspec import Struct

from tests.routing.sim_words import CONFIG, ENDED_BY, HANDLE, ID, STANDS_IN, Asked, Claims, filled, spellings

IDS = (
    b"0",
    b"1",
    b"2",
    b"3",
    b"-5",
    b"9223372036854775807",
    b'"0"',
    b'"1"',
    b'"a"',
    b'""',
    b'"\\u00e9\\""',
    '"é"'.encode(),
)
WORDS = ("p1", "p2", "p 1", 'q"t', "é", "a:b", "", "1:p1", "2:p2", "0")
LAYOUTS = (
    b'{"id":%b,"method":"%b","params":%b}',
    b'{"id":%b,"method":"%b","params":%b}',
    b'{ "jsonrpc" : "2.0", "id" : %b , "method":"%b", "params":%b,"trace":{"traceparent":"x"},"future":[1,{"id":2}]}',
    b' {"emittedAtMs":5,"id":%b,\t"method":"%b","params":%b,"s":0} ',
)
PLAIN = (
    b"model/list",
    b"config/read",
    b"account/read",
    b"thread/list",
    b"thread/loaded/list",
    b"future/method",
    b"skills/list",
    b"hooks/list",
    b"mcpServer/tool/call",
)
HANDLED = (
    (b"command/exec", b"processId"),
    (b"command/exec/terminate", b"processId"),
    (b"process/spawn", b"processHandle"),
    (b"process/spawn", b"processHandle"),
    (b"process/kill", b"processHandle"),
    (b"fs/watch", b"watchId"),
    (b"fs/unwatch", b"watchId"),
    (b"fuzzyFileSearch/sessionStart", b"sessionId"),
    (b"fuzzyFileSearch/sessionStop", b"sessionId"),
)
_DEEP = b'{"id":4,"method":"x","params":' + b"[" * 127 + b"]" * 127 + b"}"
GARBAGE: tuple[tuple[bytes, int, tuple[bytes, ...]], ...] = (
    (b"nonsense", -32700, (b"null",)),
    (b"", -32700, (b"null",)),
    (b'{"id":1,"method":"x"', -32700, (b"null",)),
    (b'{"id":1,"method":"\xff"}', -32700, (b"null",)),
    (b"[]", -32600, (b"null",)),
    (b"17", -32600, (b"null",)),
    (b"{}", -32600, (b"null",)),
    (b'{"id":null,"method":"model/list"}', -32600, (b"null",)),
    (b'{"id":1.5,"method":"model/list"}', -32600, (b"null",)),
    (b'{"id":9223372036854775808,"method":"model/list"}', -32600, (b"null",)),
    (b'{"id":7,"id":8,"method":"model/list"}', -32600, (b"7", b"8", b"null")),
    (b'{"id":7,"method":"model/list","method":"config/read"}', -32600, (b"7",)),
    (b'{"id":"7","method":5}', -32600, (b'"7"',)),
    (b'{"id":7}', -32600, (b"7",)),
    (b'{"id":7,"method":"model/list","trace":5}', -32600, (b"7",)),
    (_DEEP, -32600, (b"4",)),
    (rb'{"id":7,"method":"x","params":{"text":"\ud800"}}', -32600, (b"7",)),
)  # fmt: skip


GATED_REQUESTS = frozenset(
    {"process/spawn", "process/kill", "thread/queue/add", *ENDED_BY, *ENDED_BY.values()}
)
"""Methods that are experimental as a whole."""


class SimulatedClient(Struct, eq=False):
    """One program. `patience`: whether it waits for its `initialize` to be answered; `heard`: ids it was asked under."""

    id: int
    will_initialize: bool
    patient: bool
    is_burst: bool = False
    claims: Claims = Claims()
    heard: list[int] = []
    gone: bool = False


class Speech:
    """Makes lines, each with a serial number that no other has."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._serial = 0

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def spelled(self, thread: str) -> str:
        """The thread's id as a client may write it: mostly as it was told."""
        return thread if self._rng.random() < 0.7 else self._rng.choice(spellings(thread))

    def id_for(self, client: SimulatedClient) -> bytes:
        """An id as the client chooses it: one of a few, often the one of something that is pending."""
        choice = self._rng.random()
        if choice < 0.1 and client.heard:
            return b"%d" % self._rng.choice(client.heard)
        if choice < 0.15:
            return json.dumps(f"{client.id}:p1").encode()
        return self._rng.choice(IDS)

    def request(
        self,
        client: SimulatedClient,
        method: bytes,
        members: bytes = b"",
        thread: str | None = None,
        gated: str = "",
    ) -> tuple[Asked, bytes]:
        """A request and its line; `gated`: what in its params is experimental."""
        serial = self._next()
        if thread is not None:
            members = b',"threadId":"%b"%b' % (self.spelled(thread).encode(), members)
        said, due, added = self._of_process(client, method)
        raw_id = self.id_for(client)
        layout = self._rng.choice(LAYOUTS)
        line = filled(layout % (ID, method, b'{"s":%d%b%b,"x":1.50}' % (serial, members, said)), raw_id)
        template = layout % (ID, method, b'{"s":%d%b%b,"x":1.50%b}' % (serial, members, due, added))
        asked = Asked(serial, client.id, raw_id, method.decode(), template, thread)
        asked.gated = asked.method if asked.method in GATED_REQUESTS else gated
        return asked, line

    def _of_process(self, client: SimulatedClient, method: bytes) -> tuple[bytes, bytes, bytes]:
        """What the request says of directory and configuration, what Codex must get in its place, and what is added.

        Its own word counts more than what the client's process has; of a configuration, member by member.
        """
        said = due = added = b""
        for member, has_it, own, merged in self._of_the_process(client.claims, method):
            form = self._rng.choice(("silent", "null", "own"))
            if form == "own":
                said, due = said + member + own, due + member + (merged if has_it is not None else own)
            elif form == "null":
                said, due = said + member + b"null", due + member + (has_it or b"null")
            elif has_it is not None:
                added += member + has_it
        return said, due, added

    @staticmethod
    def _of_the_process(claims: Claims, method: bytes) -> list[tuple[bytes, bytes | None, bytes, bytes]]:
        """The members that count for the method: name, the process's value, one's own, and both together."""
        cwd = b'"%b"' % (claims.cwd or STANDS_IN).encode()
        members: list[tuple[bytes, bytes | None, bytes, bytes]] = []
        if method in (b"thread/start", b"command/exec"):
            members.append((b',"cwd":', cwd, b'"/own"', b'"/own"'))
        elif method in (b"skills/list", b"hooks/list"):
            several = b"[%b]" % cwd
            members.append((b',"cwds":', several, b'["/own"]', b'["/own"]'))
        if method in (b"thread/start", b"thread/resume", b"thread/fork"):
            own, both = b'{"model":"own","c":2}', b'{"model":"own","a.b":1.50,"c":2}'
            members.append((b',"config":', CONFIG if claims.has_config else None, own, both))
        return members

    def odd_request(self, client: SimulatedClient) -> tuple[Asked, bytes]:
        """One without params that anybody could read."""
        serial = self._next()
        raw_id = self.id_for(client)
        method = b"odd/%d" % serial
        params = self._rng.choice((b"", b',"params":null', b',"params":7', b',"params":"x"'))
        template = b'{"method":"%b"%b,"id":%b}' % (method, params, ID)
        return Asked(serial, client.id, raw_id, method.decode(), template), filled(template, raw_id)

    def with_handle(self, client: SimulatedClient) -> tuple[Asked, bytes]:
        """A request about something that the client has opened, or wants to."""
        method, member = self._rng.choice(HANDLED)
        serial, raw_id = self._next(), self.id_for(client)
        layout = self._rng.choice(LAYOUTS)
        if method == b"command/exec" and self._rng.random() < 0.4:
            said, due, added = self._of_process(client, method)
            nameless = filled(layout % (ID, method, b'{"s":%d%b}' % (serial, said)), raw_id)
            members = due + added + b',"processId":"%b"' % HANDLE
            template = layout % (ID, method, b'{"s":%d%b}' % (serial, members))
            return Asked(serial, client.id, raw_id, "command/exec", template), nameless
        word = self._rng.choice(WORDS)
        if not word and member in (b"processHandle", b"sessionId"):
            word = "w"  # Codex refuses an empty one, which is passed to it as it is
        said, due, added = self._of_process(client, method)
        params = b'{"s":%d,"%b":"%b"%b,"x":[1.0]}' % (serial, member, HANDLE, said)
        line = filled(layout % (ID, method, params), raw_id, word)
        params = b'{"s":%d,"%b":"%b"%b,"x":[1.0]%b}' % (serial, member, HANDLE, due, added)
        template = layout % (ID, method, params)
        asked = Asked(serial, client.id, raw_id, method.decode(), template, word=word)
        asked.gated = asked.method if asked.method in GATED_REQUESTS else ""
        return asked, line

    def notification(self, method: str) -> bytes:
        """One that no other is like."""
        return b'{"method":"%b","params":{"x":1.0,"s":%d}}' % (method.encode(), self._next())

    def initialize(
        self, client: SimulatedClient, capabilities: bytes, more: bytes = b"", name: str = ""
    ) -> tuple[Asked, bytes]:
        """The handshake; the client's name holds its number, unless another is given."""
        serial, raw_id = self._next(), self.id_for(client)
        info = b'{"name":"%b","version":"1","title":null}' % (name or f"client {client.id}").encode()
        params = b'{"s":%d,"clientInfo":%b,"capabilities":%b%b}' % (serial, info, capabilities, more)
        template = b'{"id":%b,"method":"initialize","params":%b}' % (ID, params)
        asked = Asked(serial, client.id, raw_id, "initialize", template)
        return asked, filled(template, raw_id)

    def decision(self, number: int, *, ok: bool) -> tuple[bytes, bytes]:
        """An answer to a request of Codex; returns its template and its line."""
        if ok:
            body = b'"result":{"decision":"accept","n":%d,"f":1.0}' % self._next()
        else:
            body = b'"error":{"code":-32601,"message":"what?","data":%d}' % self._next()
        shape = self._rng.choice((b'{"id":%b,%b}', b'{"jsonrpc":"2.0", "id": %b ,%b,"future":null}'))
        template = shape % (ID, body)
        return template, filled(template, b"%d" % number)
