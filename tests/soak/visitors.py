"""Who comes and goes in a soak: each a thread that is one client after another, and looks at all that it is told."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient, Message
from tests.soak.books import Books
from tests.soak.pool import Pool
from tests.soak.recording import SEQ, PlainClient, RecordingClient

APPROVAL = "item/commandExecution/requestApproval"
PROMPTS = (
    "stream 300 2",
    "stream 300 2",
    "stream 2000",
    "hello",
    "run-free echo hello",
    "run true",
    "fail 400 no",
)
_BACK = 20_000
_Client = TypeVar("_Client", bound=RecordingClient)


class Visitor(ABC):
    """One client after another."""

    name = ""

    def __init__(self, world: World, books: Books, pool: Pool, rng: Random) -> None:
        self.world = world
        self.books = books
        self.pool = pool
        self.rng = rng
        self.thread = threading.Thread(target=self._live, name=self.name)
        self.has_finished = False
        """Whether it was there to the end: one that has stumbled looks at nothing any more."""

    @abstractmethod
    def visit(self) -> None:
        """One client, from its coming to its going."""

    def _live(self) -> None:
        while not self.books.done:
            self.books.wait_codexd()
            life = self.books.life
            try:
                self.visit()
                self.books.count(f"visits of a {self.name}")
            except (ConnectionError, FileNotFoundError) as error:
                if life == self.books.life:
                    self.books.complain(f"a {self.name} was cut off while codexd lives: {error}")
                    self.books.rest(1.0)
            except (TimeoutError, AssertionError) as error:
                self.books.complain(f"a {self.name}: {error}")
                self.books.rest(1.0)
        self.has_finished = True

    @contextmanager
    def connected(self, kind: type[_Client], **capabilities: object) -> Iterator[_Client]:
        """A client after its handshake, and what it was sent in the books after its end."""
        life = self.books.life
        client = self.world.connect_as(kind)
        try:
            client.initialize(self.name, **capabilities)
            yield client
        finally:
            client.close()
            client.received.was_killed = life != self.books.life
            if client.has_begun:
                self.books.note(client.received)
            client.messages.clear()  # the world remembers its clients to the end

    def ask(self, client: JsonLinesClient, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """The result; None when it can be asked again.

        That is when Codex has died over it, or by chance twice while it resumed that thread: the quarantine is lifted.
        There may be no other error.
        """
        answer = client.wait_response(client.start(method, params))
        if "error" in answer:
            reason = (answer["error"].get("data") or {}).get("reason")
            if reason == "threadQuarantined":
                lifted = {"threadId": params["threadId"]}
                client.wait_response(client.start("codexd/threads/release", lifted))
                self.books.count("quarantined threads")
                return None
            assert reason == "codexExited", f"{method} was answered {answer}"
            self.books.count("requests that died with Codex")
            return None
        result: dict[str, Any] = answer["result"]
        return result

    def resume(self, client: JsonLinesClient, thread: str) -> dict[str, Any]:
        """Subscribes, however often Codex dies over it."""
        while (
            found := self.ask(client, "thread/resume", {"threadId": thread, "excludeTurns": True})
        ) is None:
            continue
        return found


class Talker(Visitor):
    """Has turns in threads that nobody else talks in meanwhile, and sometimes leaves in their midst."""

    name = "talker"

    def visit(self) -> None:
        """See `Visitor.visit`."""
        if self.pool.may_found():
            self._found()
            return
        thread = self.pool.take()
        if thread is None:
            self.books.rest(0.1)
            return
        turns = self.rng.randrange(1, 5)
        try:
            with self.connected(PlainClient) as client:
                self._talk(client, thread, turns)
        finally:
            self.pool.give_back(thread, turns)

    def _found(self) -> None:
        founded = None
        try:
            with self.connected(PlainClient) as client:
                started = self.ask(client, "thread/start", {"cwd": str(self.world.project)})
                thread = started["thread"]["id"] if started else ""
                turn = self._begin(client, thread, "hello") if thread else None
                if turn and client.wait_turn(turn)["status"] == "completed":
                    founded = thread
                    self.books.count("threads")
        finally:
            self.pool.founded(founded)

    def _talk(self, client: PlainClient, thread: str, turns: int) -> None:
        mark = client.mark()
        if self.resume(client, thread)["thread"]["status"]["type"] == "active":
            self._see_to_its_end(client, thread, mark)
        client.begin(f"talker in {thread}")
        for _ in range(turns):
            mark = client.mark()
            turn = self._begin(client, thread, self.rng.choice(PROMPTS))
            if turn is None:
                continue
            if self.rng.random() < 0.15:
                self.books.rest(self.rng.random())
                self.books.count("talkers that left in mid-turn")
                return
            self._see_to_its_end(client, thread, mark)
            self.books.rest(self.rng.random() / 2)

    def _begin(self, client: JsonLinesClient, thread: str, prompt: str) -> str | None:
        params = {"threadId": thread, "input": [{"type": "text", "text": prompt}]}
        started = self.ask(client, "turn/start", params)
        return None if started is None else str(started["turn"]["id"])

    def _see_to_its_end(self, client: JsonLinesClient, thread: str, since: int) -> None:
        """Says yes to whatever is asked in the turn that runs. It ends, however Codex does."""
        asked: set[int] = set()

        def is_news(message: Message) -> bool:
            if message.get("params", {}).get("threadId") != thread:
                return False
            if message.get("method") == APPROVAL:
                return message["id"] not in asked
            return message.get("method") == "turn/completed"

        while (news := client.wait(is_news, since=since, what=f"end in {thread}"))["method"] == APPROVAL:
            asked.add(news["id"])
            client.answer(news, {"decision": "accept"})
        self.books.count(f"turns {news['params']['turn']['status']}")


class Follower(Visitor):
    """Follows everything from the first number to the last, over all deaths."""

    name = "follower"
    cursor = 0

    def visit(self) -> None:
        """See `Visitor.visit`."""
        with self.connected(RecordingClient) as client:
            life = self.books.life
            client.follow(f"follower behind {self.cursor}", self.cursor)
            while not self.books.done and not client.closed:
                self.books.cursor = client.received.last
                self.books.rest(0.2)
            if client.closed and life == self.books.life and not self.books.done:
                self.books.complain("a follower was cut off while codexd lives")
        self.books.cursor = self.cursor = client.received.last


class Passer(Visitor):
    """Follows events of the near past and those to come for some seconds, at its own pace, and goes."""

    name = "passer-by"

    def visit(self) -> None:
        """See `Visitor.visit`."""
        after = max(1, self.books.cursor - self.rng.randrange(_BACK))
        thread = self.rng.choice(("", self.pool.glance()))
        with self.connected(RecordingClient) as client:
            client.follow(f"passer-by behind {after}", after, thread)
            self.stay(client)

    def stay(self, client: RecordingClient) -> None:
        """Reads, or does not for a while, or never again."""
        self.books.rest(self.rng.random() * 5)
        if self.rng.random() < 0.5:
            client.flowing.clear()
            self.books.count("stalls")
            self.books.rest(self.rng.random() * 10)
            if self.rng.random() < 0.3:
                self.books.count("stalled clients that never read again")
                return
            client.flowing.set()
        # The answer stands behind everything that happened before it.
        newest = client.call("codexd/status")["timeline"]["lastSeq"]
        client.received.upto = newest


class Subscriber(Passer):
    """Is subscribed to some threads, with numbers."""

    name = "subscriber"

    def visit(self) -> None:
        """See `Visitor.visit`."""
        threads = frozenset(filter(None, (self.pool.glance() for _ in range(3))))
        with self.connected(RecordingClient, **SEQ) as client:
            client.begin("subscriber", subscribed=threads or frozenset({"none"}))
            for thread in threads:
                self.resume(client, thread)
            self.stay(client)
