"""What the clients of the world do next."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.routing.oracle_books import Life
from tests.routing.oracle_clients import UNAVAILABLE
from tests.routing.oracle_events import UNKNOWN_PARAMS
from tests.routing.sim_client_errands import Errands
from tests.routing.sim_clients import GARBAGE, PLAIN, SimulatedClient, Speech
from tests.routing.sim_codex import NEVER_ANSWERED
from tests.routing.sim_words import CONFIG, Asked, Claims

if TYPE_CHECKING:
    from tests.routing.simulation import World

BURST = 300
NEVER_AT_ONCE = 40
_OPT_OUTS = (
    "item/agentMessage/delta",
    "thread/status/changed",
    "turn/completed",
    "serverRequest/resolved",
    "thread/tokenUsage/updated",
    "configWarning",
    "process/exited",
    "thread/queue/changed",
    "warning",
    "codexd/codex/exited",
    "codexd/serverRequest",
    "turn/started",
    "item/started",
    "thread/started",
    "thread/deleted",
    "thread/goal/cleared",
    "rawResponseItem/completed",
)
_ON_THREADS = (b"review/start", b"thread/resume", b"thread/resume", b"thread/fork", b"thread/unsubscribe", b"turn/start", b"turn/start",
               b"turn/interrupt", b"thread/read", b"thread/turns/list", b"thread/archive", b"thread/delete", b"thread/queue/add",
               b"future/onThread")  # fmt: skip
_ON_THREAD_WEIGHTS = (4, 12, 10, 6, 12, 14, 8, 5, 4, 4, 0.7, 0.7, 2, 6)
_GATED_IN_START = (
    (b',"dynamicTools":[{"name":"x"}]', "thread/start.dynamicTools"),
    (b',"dynamicTools":[{"name":"x"}]', "thread/start.dynamicTools"),
    (b',"dynamicTools":[{"name":"x"}]', "thread/start.dynamicTools"),
    (b',"dynamicTools":[{"name":"x"}]', "thread/start.dynamicTools"),
    (b',"dynamicTools":null', ""),
    (b',"experimentalRawEvents":true', "thread/start.experimentalRawEvents"),
    (b',"experimentalRawEvents":false', ""),
)
_GRANULAR = b',"approvalPolicy":{"granular":{"rules":true}}'
_BAD_NAME = "b\\u0007d"
_BAD_CAPABILITIES = (
    (b'{"optOutNotificationMethods":5}', b',"unreadable":true'),
    (b'{"experimentalApi":1}', b',"unreadable":true'),
    (b'{"codexd":5}', b""),
    (b'{"codexd":{"cwd":["x"]}}', b""),
)
"""What codexd can't read, and whether Codex can't either."""
_OWN = (
    b"codexd/status",
    b"codexd/clients/list",
    b"codexd/codex/start",
    b"codexd/approvals/list",
    b"codexd/nonsense",
)


class ClientActions:
    """Draws by lot who does what."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng
        self._speech = Speech(world.rng)
        self._errands = Errands(world, self._speech, self._ask)
        self._never: dict[int, int] = {}
        self._choices: list[tuple[float, Callable[[SimulatedClient], None]]] = [
            (24, self._ask_plain),
            (32, self._ask_on_thread),
            (5, self._start_thread),
            (12, self._use_handle),
            (22, self._answer_codex),
            (2, self._ask_in_vain),
            (2, self._odd),
            (2, self._garbage),
            (3, self._ask_codexd),
            (2, self._decide_for_all),
            (2, self._release_thread),
            (1.5, self._notify),
            (0.5, self._too_long),
            (1, self._initialize),
            (5, self._errands.run),
            (1.5, self._follow_events),
            (1.5, self.read_events),
        ]
        self._weights = [weight for weight, _ in self._choices]

    def act(self) -> None:
        """One client does something, if it is read."""
        world = self._world
        if not world.clients:
            return
        client = world.clients[self._rng.choice(list(world.clients))]
        view = world.oracle.books.clients[client.id]
        if view.paused:
            return
        has_begun = view.initialized or view.initialize is not None
        if not has_begun and client.will_initialize and self._rng.random() < 0.7:
            self._initialize(client)
        elif not has_begun and self._rng.random() < 0.05:
            self._follow_events(client)
        elif client.patient and not view.initialized and self._rng.random() < 0.9:
            return
        elif self._rng.random() < world.weather.burst:
            self._burst(client)
        elif self._rng.random() < world.weather.affairs:
            self._errands.run(client)
        elif world.oracle.books.life is Life.DOWN and self._rng.random() < 0.05:
            self._start_codex(client)
        else:
            self._rng.choices(self._choices, self._weights)[0][1](client)

    def _send(self, client: SimulatedClient, what: str, line: bytes) -> None:
        world = self._world
        world.input(f"{client.id} {what}", line, lambda: world.router.receive(client.id, line, world.now))

    def _ask(self, client: SimulatedClient, asked: Asked, line: bytes) -> None:
        self._world.oracle.clients.asks(asked)
        self._send(client, "asks", line)

    def _initialize(self, client: SimulatedClient) -> None:
        sides, view = self._world.oracle.clients, self._world.oracle.books.clients[client.id]
        chance = self._rng.random()
        is_first = not view.initialized and view.initialize is None
        if chance < 0.1:
            asked, line = self._speech.initialize(client, *self._rng.choice(_BAD_CAPABILITIES))
            sides.introduces_itself_in_vain(asked)
        elif not is_first:
            asked, line = self._speech.initialize(client, b"{}", name=self._rng.choice(("", _BAD_NAME)))
            sides.introduces_itself_in_vain(asked)
        elif chance < 0.12:
            asked, line = self._speech.initialize(client, b"{}", name=_BAD_NAME)
            sides.has_a_bad_name(asked)
        else:
            claims = self._claims()
            asked, line = self._speech.initialize(client, _capabilities(claims))
            sides.initializes(asked, f"client {client.id}", claims)
            client.claims = claims
        self._send(client, "initializes", line)

    def _claims(self) -> Claims:
        knows = self._rng.random() < 0.3
        stands_for_process = not knows and self._rng.random() < 0.4
        return Claims(
            experimental=self._rng.random() < 0.75,
            humans=self._rng.random() < 0.4,
            attests=self._rng.random() < 0.3,
            opted_out=frozenset(self._rng.sample(_OPT_OUTS, self._rng.choice((0, 0, 0, 1, 4)))),
            knows_codexd=knows,
            numbers=knows and self._rng.random() < 0.6,
            cwd=self._rng.choice(("/w", None)) if stands_for_process else None,
            has_config=stands_for_process and self._rng.random() < 0.5,
        )

    def _burst(self, client: SimulatedClient) -> None:
        """As much as a program can write before anybody looks; codexd stops reading in the midst of it."""
        requests = self._rng.random() < 0.9
        for _ in range(self._rng.randrange(BURST)):
            if self._world.oracle.books.clients[client.id].paused:
                return
            if requests:
                self._rng.choices((self._ask_plain, self._ask_on_thread), (9, 1))[0](client)
            else:
                self._notify(client)

    def _ask_plain(self, client: SimulatedClient) -> None:
        self._ask(client, *self._speech.request(client, self._rng.choice(PLAIN)))

    def _ask_in_vain(self, client: SimulatedClient) -> None:
        self._never[client.id] = self._never.get(client.id, 0) + 1
        if self._never[client.id] <= NEVER_AT_ONCE:
            thread = self._rng.choice(self._world.some_threads()) if self._rng.random() < 0.3 else None
            self._ask(client, *self._speech.request(client, NEVER_ANSWERED.encode(), thread=thread))

    def _odd(self, client: SimulatedClient) -> None:
        self._ask(client, *self._speech.odd_request(client))

    def _use_handle(self, client: SimulatedClient) -> None:
        self._ask(client, *self._speech.with_handle(client))

    def _start_thread(self, client: SimulatedClient) -> None:
        members, gated = self._rng.choice(_GATED_IN_START) if self._rng.random() < 0.5 else (b"", "")
        members += b',"ephemeral":true' if self._rng.random() < 0.2 else b""
        asked, line = self._speech.request(client, b"thread/start", members, gated=gated)
        asked.declares_tools = gated == "thread/start.dynamicTools"
        self._ask(client, asked, line)

    def _ask_on_thread(self, client: SimulatedClient) -> None:
        (method,) = self._rng.choices(_ON_THREADS, _ON_THREAD_WEIGHTS)
        thread = self._rng.choice(self._world.some_threads())
        if method == b"thread/unsubscribe" and self._rng.random() < 0.6:
            thread = self._rng.choice(self._world.followed_by(client.id) or [thread])
        elif method == b"thread/resume" and self._rng.random() < 0.3:
            thread = self._rng.choice(self._world.oracle.books.requests.let_go() or [thread])
        elif method == b"thread/resume" and self._rng.random() < 0.3:
            thread = self._rng.choice(self._world.not_known_yet() or [thread])
        members, gated = b"", ""
        if method == b"thread/resume" and self._rng.random() < 0.5:
            members = b',"excludeTurns":true'
        elif method == b"turn/start" and self._rng.random() < 0.1:
            members, gated = _GRANULAR, "askForApproval.granular"
        turn = self._some_turn(thread) if method == b"turn/interrupt" else None
        members += b',"turnId":"%b"' % turn.encode() if turn is not None else b""
        asked, line = self._speech.request(client, method, members, thread, gated)
        asked.turn = turn
        if method == b"thread/resume" and self._world.is_being_joined(thread):
            return  # what codexd asks in their stead looks alike
        if method != b"thread/unsubscribe" or not self._is_open(asked):
            self._ask(client, asked, line)

    def _some_turn(self, thread: str) -> str:
        """The one that runs there, the one that has ended last, or whichever it may be."""
        view = self._world.oracle.books.threads.get(thread)
        known = [] if view is None else [*view.ended, *([view.turn] if view.turn is not None else [])]
        return self._rng.choice([*known, *known, ""])

    def _is_open(self, asked: Asked) -> bool:
        """Whether the same client has the same question open under the same id: their answers look alike."""
        others = self._world.oracle.books.requests.open[asked.client].values()
        return any(other.id == asked.id and other.method == asked.method for other in others)

    def _answer_codex(self, client: SimulatedClient) -> None:
        """Under an id that it was asked under, now or once; that others were; or that nobody was."""
        books = self._world.oracle.books
        asks = [ask.id for ask in books.asks if ask.id is not None and client.id in ask.asked]
        if not asks and self._rng.random() < 0.8:
            return
        choice = self._rng.random()
        if choice < 0.85 and asks:
            number = self._rng.choice(asks)
        elif choice < 0.97 and books.asks.by_id:
            number = self._rng.choice(self._world.recent_asks())
        else:
            number = self._rng.choice((0, 1, 2, 10**15))
        ok = self._rng.random() < 0.6
        template, line = self._speech.decision(number, ok=ok)
        if self._rng.random() < 0.1:
            self._send(client, "answers under a string", template.replace(b"\x00", b'"%d"' % number))
            return
        for _ in range(self._rng.choice((1, 1, 1, 2))):
            self._world.oracle.clients.decides(client.id, number, template, ok=ok)
            self._send(client, "answers", line)

    def _decide_for_all(self, client: SimulatedClient) -> None:
        asks = self._world.recent_asks()
        number = self._rng.choice(asks) if asks and self._rng.random() < 0.9 else 5
        raw_id = self._speech.id_for(client)
        result = b'{"decision":"decline","f":2.0}'
        line = b'{"id":%b,"method":"codexd/approvals/answer","params":{"id":%d,"result":%b}}' % (
            raw_id,
            number,
            result,
        )
        self._world.oracle.clients.decides_for_all(client.id, raw_id, number, result)
        self._send(client, "decides", line)

    def _release_thread(self, client: SimulatedClient) -> None:
        deserted = self._world.followed_by_nobody()
        thread = self._rng.choice((self._rng.random() < 0.7 and deserted) or self._world.some_threads())
        raw_id = self._speech.id_for(client)
        line = b'{"id":%b,"method":"codexd/threads/release","params":{"threadId":"%b"}}' % (
            raw_id,
            self._speech.spelled(thread).encode(),
        )
        if self._world.oracle.books.releases.is_waiting(client.id, raw_id):
            return  # their answers would look alike
        self._world.oracle.clients.releases(client.id, raw_id, thread)
        self._send(client, "releases", line)

    def _garbage(self, client: SimulatedClient) -> None:
        line, code, ids = self._rng.choice(GARBAGE)
        self._world.oracle.clients.sends_garbage(client.id, code, ids)
        self._send(client, "sends garbage", line)

    def _too_long(self, client: SimulatedClient) -> None:
        world = self._world
        raw_id = self._speech.id_for(client)
        head = b'{"id":%b,"method":"x","params":{"a":"%b' % (raw_id, b"y" * 50)
        world.oracle.clients.sends_garbage(client.id, -32053, (raw_id,))
        world.input("too long", head, lambda: world.router.receive_too_long(client.id, head, world.now))

    def _start_codex(self, client: SimulatedClient) -> None:
        raw_id = self._speech.id_for(client)
        if self._world.oracle.books.life is Life.DOWN:
            self._world.oracle.death.starts()
        self._world.oracle.clients.calls_codexd(client.id, raw_id)
        self._send(client, "starts Codex", b'{"id":%b,"method":"codexd/codex/start"}' % raw_id)

    def _ask_codexd(self, client: SimulatedClient) -> None:
        method = self._rng.choice(_OWN)
        if method == b"codexd/codex/start":
            self._start_codex(client)
            return
        raw_id = self._speech.id_for(client)
        sides = self._world.oracle.clients
        if method == b"codexd/nonsense":
            sides.calls_codexd_in_vain(client.id, raw_id, -32601)
        else:
            check = self._world.oracle.is_list_of_asks if method == b"codexd/approvals/list" else None
            sides.calls_codexd(client.id, raw_id, check)
        self._send(client, "asks codexd", b'{"id":%b,"method":"%b","params":{}}' % (raw_id, method))

    def _cursor(self) -> int:
        """Where somebody wants to go on: close to the newest event, at the very beginning, or in times to come."""
        last, chance = self._world.oracle.books.following.last_seq, self._rng.random()
        if chance < 0.8:
            return max(0, last - self._rng.choice((0, 1, 5, 40, 200)))
        return self._rng.randrange(last + 1) if chance < 0.9 else last + self._rng.randrange(10)

    def _thread_or_all(self) -> str | None:
        return None if self._rng.random() < 0.3 else self._rng.choice(self._world.some_threads())

    def _follow_events(self, client: SimulatedClient) -> None:
        raw_id, thread = self._speech.id_for(client), self._thread_or_all()
        after = self._cursor() if self._rng.random() < 0.8 else None
        self._world.oracle.events.follows(client.id, raw_id, thread, after)
        spelled = self._speech.spelled(thread) if thread is not None else None
        body = json.dumps({"threadId": spelled, "after": after}).encode()
        line = b'{"id":%b,"method":"codexd/events/follow","params":%b}' % (raw_id, body)
        self._send(client, "follows events", line)

    def read_events(self, client: SimulatedClient) -> None:
        """Asks for some of what has been."""
        raw_id, thread, after = self._speech.id_for(client), self._thread_or_all(), self._cursor()
        limit, events = self._rng.choice((0, 1, 3, 20)), self._world.oracle.events
        sides, books = self._world.oracle.clients, self._world.oracle.books
        if not limit:
            sides.calls_codexd_in_vain(client.id, raw_id, UNKNOWN_PARAMS)
        elif books.life is Life.STOPPING:
            sides.calls_codexd_in_vain(client.id, raw_id, UNAVAILABLE)
        else:
            events.reads(client.id, raw_id, thread, after, limit)
        named = b'"threadId":"%b",' % self._speech.spelled(thread).encode() if thread is not None else b""
        body = b'{%b"after":%d,"limit":%d}' % (named, after, limit)
        self._send(
            client, "reads events", b'{"id":%b,"method":"codexd/events/read","params":%b}' % (raw_id, body)
        )

    def _notify(self, client: SimulatedClient) -> None:
        method = self._rng.choice(("initialized", "future/notification"))
        line = self._speech.notification(method)
        self._world.oracle.clients.notifies(client.id, method, line)
        self._send(client, "notifies", line)


def _capabilities(claims: Claims) -> bytes:
    said = {
        "experimentalApi": claims.experimental,
        "requiredHumanApproval": claims.humans,
        "requestAttestation": claims.attests,
        "optOutNotificationMethods": sorted(claims.opted_out),
    }
    written = json.dumps(said).encode()
    if claims.knows_codexd:
        return written[:-1] + (b',"codexd":{"seq":true}}' if claims.numbers else b',"codexd":{}}')
    cwd = b'"cwd":"%b"' % claims.cwd.encode() if claims.cwd is not None else b'"cwd":null'
    config = b',"config":' + CONFIG if claims.has_config else b""
    has_process = claims.cwd is not None or claims.has_config
    return written[:-1] + b',"codexd":{%b%b}}' % (cwd, config) if has_process else written
