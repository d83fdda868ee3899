"""The threads of one simulated Codex: loaded or not, subscribed to or not, turns, sub-agents, and what it asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tests.routing.sim_words import (
    ADDITIONAL,
    ID,
    NEVER_RESOLVED,
    Kind,
    Said,
    Written,
    Wrong,
    filled,
    thread_id,
)

if TYPE_CHECKING:
    from tests.routing.sim_codex import SimulatedCodex

THREADS = 14
"""More are not loaded at once, so that everybody meets on a few."""
_COMMAND = "item/commandExecution/requestApproval"
_ASKS = (
    (_COMMAND, b""),
    (_COMMAND, b',"kind":"command",' + ADDITIONAL),
    (_COMMAND, b',"kind":"humanCommand"'),
    (_COMMAND, b"," + ADDITIONAL + b',"kind":"humanCommand"'),
    ("item/fileChange/requestApproval", b""),
    ("item/permissions/requestApproval", b""),
    ("item/tool/requestUserInput", b""),
    ("mcpServer/elicitation/request", b',"mode":"form"'),
    ("mcpServer/elicitation/request", b',"mode":"openai/userVerification"'),
    ("future/request", b""),
    *[("item/tool/call", b"")] * 5,
    ("currentTime/read", b""),
    ("currentTime/read", b""),
)
_ASKS_OF_ONE = (("item/tool/call", b""), ("item/tool/call", b""), ("currentTime/read", b""))
_ASKS_WITHOUT_THREAD = ("account/chatgptAuthTokens/refresh", "attestation/generate")
_EVENTS = (
    "item/agentMessage/delta",
    "thread/settings/updated",
    "thread/queue/changed",
    "rawResponseItem/completed",
)
_DEADLY = tuple("0369")
"""The last digits of the threads whose rollouts kill Codex in some weathers."""
_ACTIVE = b',"status":{"type":"active"}'


class Loaded(Struct, eq=False):
    """A thread in memory. `closing`: it is being unloaded; a resume is told to come again. `turns`: how each was last.

    `items`: those that are open, as they stand in lines. `begun_as`: the id with which the running turn has begun: a
    review's is not the one with which it ends. `interrupted`: the turn that was so last; `unanswered`: interrupts of it.
    """

    id: str
    ephemeral: bool = False
    parent: str | None = None
    turn: str | None = None
    begun_as: str | None = None
    interrupted: str | None = None
    unanswered: list[Written] = field(default_factory=list)
    closing: bool = False
    turns: dict[str, bytes] = field(default_factory=dict)
    items: list[bytes] = field(default_factory=list)


class AskedByCodex(Struct, eq=False):
    """A request of Codex that it still wants an answer to."""

    id: int
    method: str
    thread: str | None
    turn: str | None
    template: bytes


class SimulatedThreads:
    """What thread methods do. Notifications of a thread are said only while codexd is subscribed to it."""

    def __init__(self, codex: SimulatedCodex) -> None:
        self._codex = codex
        self._disk = codex.disk
        self._rng = codex.rng
        self.loaded: dict[str, Loaded] = {}
        self.subscribed: dict[str, None] = {}
        self.pending: dict[int, AskedByCodex] = {}
        self._asked = 0
        self._late_ends: list[tuple[str, str, bytes]] = []
        self._forking: dict[int, str] = {}
        self.handlers: dict[str, Callable[[Written], bool]] = {
            "thread/start": self._start,
            "thread/resume": lambda written: self._dies_of(written) or self._resume(written),
            "thread/fork": self._fork,
            "thread/unsubscribe": self._unsubscribe,
            "thread/archive": self._archive,
            "thread/delete": self._archive,
            "thread/read": self._read,
            "thread/turns/list": self._turns_list,
            "turn/start": self._turn_start,
            "review/start": self._review_start,
            "turn/interrupt": self._turn_interrupt,
        }

    def happen(self) -> None:
        """Something goes on in one of the threads."""
        stale = [ask.id for ask in self.pending.values() if ask.thread is None]
        if stale and self._rng.random() < 0.1:
            del self.pending[stale[0]]
        if self._late_ends and self._rng.random() < 0.02:
            late, turn, status = self._late_ends.pop()
            self._say_turn_completed(late, turn, status)
        if not self.loaded:
            return
        thread = self.loaded[self._rng.choice(list(self.loaded))]
        if thread.id in self._forking.values():
            return
        if thread.closing:
            self._closed(thread)
        elif thread.turn is not None:
            self._in_turn(thread)
        elif thread.id not in self.subscribed and not self._pending_of(thread.id):
            thread.closing = True
            if self._rng.random() < 0.5:
                self._closed(thread)
        elif self._rng.random() < 0.2:
            self._of_thread(thread.id, "future/ofThread")

    def finish_closing(self) -> None:
        """What is being unloaded is gone, and what nobody is subscribed to comes to its end."""
        for thread in self.unwanted():
            if thread.turn is not None:
                self._end_turn(thread, b"completed")
            self._closed(thread)

    def unwanted(self) -> list[Loaded]:
        """What nobody is subscribed to."""
        forked = self._forking.values()
        return [
            each for each in self.loaded.values() if each.id not in self.subscribed and each.id not in forked
        ]

    def _in_turn(self, thread: Loaded) -> None:
        choice = self._rng.random()
        if self._rng.random() < self._codex.affairs / 2:
            choice = 0.55 + choice * 0.35
        if choice < 0.35:
            self._work_on_item(thread)
        elif choice < 0.44:
            self._of_thread(thread.id, self._rng.choice(_EVENTS))
        elif choice < 0.45:
            self._to_all(thread.id, "mcpServer/oauthLogin/completed")
        elif choice < 0.55:
            self._of_thread(thread.id, "thread/tokenUsage/updated")
        elif choice < 0.79:
            method, members = self._rng.choice(_ASKS_OF_ONE if self._codex.affairs else _ASKS)
            self._ask(method, thread.id, thread.turn, members)
        elif choice < 0.82:
            self._ask(self._rng.choice(_ASKS_WITHOUT_THREAD), None, None)
        elif choice < 0.90 and len(self.loaded) < THREADS:
            self._spawn_agent(thread)
        else:
            self._end_turn(thread, b"completed")

    def _work_on_item(self, thread: Loaded) -> None:
        """One begins, goes on, or is done."""
        choice = self._rng.random()
        if not thread.items or (choice < 0.2 and len(thread.items) < 4):
            item = b'"i%d"' % self._disk.number()
            thread.items.append(item)
            self._of_item(thread.id, "item/started", b',"item":{"id":%b,"type":"x"}' % item, item)
        elif choice < 0.8:
            item = self._rng.choice(thread.items)
            self._of_item(thread.id, "item/agentMessage/delta", b',"itemId":' + item, item)
        else:
            item = thread.items.pop(self._rng.randrange(len(thread.items)))
            self._of_item(thread.id, "item/completed", b',"item":{"id":%b,"type":"x"}' % item, item)

    def decided(self, codex_id: int) -> None:
        """An answer to one of the requests comes in; one that is over already is ignored (measured)."""
        if codex_id >= self._asked:
            raise Wrong(f"an answer to request {codex_id}, which this Codex has not made")
        ask = self.pending.pop(codex_id, None)
        if ask is not None:
            self._resolved(ask)

    def _resolved(self, ask: AskedByCodex) -> None:
        if ask.method not in NEVER_RESOLVED and ask.thread is not None and ask.thread in self.subscribed:
            template = b'{"method":"serverRequest/resolved","params":{"threadId":"%b","requestId":%b}}' % (
                ask.thread.encode(),
                ID,
            )
            line = filled(template, b"%d" % ask.id)
            method = "serverRequest/resolved"
            said = Said(line, Kind.RESOLVED, template, method, thread=ask.thread, codex_id=ask.id)
            self._codex.saying.append(said)

    def _ask(self, method: str, thread: str | None, turn: str | None, members: bytes = b"") -> None:
        if len(self.pending) >= 24:
            return
        where = (
            b',"threadId":"%b","turnId":"%b"' % (thread.encode(), (turn or "").encode()) if thread else b""
        )
        template = b'{"id":%b,"method":"%b","params":{"n":%d%b}}' % (
            ID,
            method.encode(),
            self._disk.number(),
            where + members,
        )
        ask = AskedByCodex(self._asked, method, thread, turn, template)
        self._asked += 1
        self.pending[ask.id] = ask
        if thread is None or thread in self.subscribed:
            self._say_request(ask)

    def _say_request(self, ask: AskedByCodex) -> None:
        line = filled(ask.template, b"%d" % ask.id)
        thread = self.loaded.get(ask.thread or "")
        said = Said(line, Kind.REQUEST, ask.template, ask.method, thread=ask.thread, turn=ask.turn)
        said.parent = thread.parent if thread is not None else None
        said.codex_id = ask.id
        self._codex.saying.append(said)

    def _of_thread(self, thread: str, method: str, members: bytes = b"", turn: str | None = None) -> None:
        if thread in self.subscribed:
            where = b',"threadId":"%b"%b' % (thread.encode(), members)
            parent = self.loaded[thread].parent
            self._codex.note(Kind.THREAD, method, where, thread=thread, turn=turn, parent=parent)

    def _of_item(self, thread: str, method: str, members: bytes, item: bytes) -> None:
        if thread in self.subscribed:
            where = b',"threadId":"%b"%b' % (thread.encode(), members)
            parent = self.loaded[thread].parent
            self._codex.note(Kind.THREAD, method, where, thread=thread, parent=parent, item=item)

    def _to_all(self, thread: str, method: str, members: bytes = b"") -> None:
        where = b',"threadId":"%b"%b' % (thread.encode(), members)
        self._codex.note(Kind.EVERYONE, method, where, thread=thread)

    def _say_started(self, thread: Loaded) -> None:
        described = self._describe(thread)
        said = self._codex.note(Kind.EVERYONE, "thread/started", described, thread=thread.id)
        said.ephemeral = thread.ephemeral

    def _begin_turn(self, thread: Loaded, review: str | None = None) -> None:
        thread.items.clear()
        thread.begun_as = f"u{self._disk.number()}"
        thread.turn = review or thread.begun_as
        if not thread.ephemeral:
            self._disk.kept.setdefault(thread.id, thread.parent)
        thread.turns[thread.begun_as] = b"inProgress"

    def _running(self, thread: Loaded) -> bytes:
        """The running turn, as Codex describes it."""
        assert thread.turn is not None, "it has begun"
        parent = self.loaded.get(thread.parent or "")
        root = parent.turn if parent is not None and thread.turn == thread.begun_as else thread.turn
        id, named = (
            (thread.begun_as or thread.turn).encode(),
            b"null" if root is None else b'"%b"' % root.encode(),
        )
        return b'{"id":"%b","items":[],"status":"inProgress","rootTurnId":%b}' % (id, named)

    def _say_turn_started(self, thread: Loaded) -> None:
        self._to_all(thread.id, "thread/status/changed", _ACTIVE)
        self._of_thread(thread.id, "turn/started", b',"turn":' + self._running(thread), thread.turn)

    def _end_turn(self, thread: Loaded, status: bytes, *, in_order: bool = False) -> None:
        assert thread.turn is not None, "one is running"
        turn, thread.turn = thread.turn, None
        thread.turns[turn] = status
        for written in thread.unanswered:
            self._codex.say_result(written, thread=thread.id)
        thread.unanswered.clear()
        rest = self._rng.choice((b"idle", b"idle", b"systemError"))
        self._to_all(thread.id, "thread/status/changed", b',"status":{"type":"%b"}' % rest)
        if not in_order and thread.parent is None and self._rng.random() < self._codex.forgetful:
            if self._rng.random() < 0.5:
                self._late_ends.append((thread.id, turn, status))
            choice = self._rng.random()
            if choice < 0.4:
                self._begin_turn(thread)
                self._say_turn_started(thread)
            elif choice < 0.6:
                thread.turn = turn
                del thread.turns[turn]
                thread.turns[thread.begun_as or turn] = b"inProgress"
                self._late_ends.clear()
                self._to_all(thread.id, "thread/status/changed", _ACTIVE)
        else:
            self._say_turn_completed(thread.id, turn, status)
        for ask in self._pending_of(thread.id):
            del self.pending[ask.id]
            self._resolved(ask)

    def _say_turn_completed(self, thread: str, turn: str, status: bytes) -> None:
        ended = b',"turn":{"id":"%b","items":[],"status":"%b"}' % (turn.encode(), status)
        self._of_thread(thread, "turn/completed", ended, turn)

    def _pending_of(self, thread: str) -> list[AskedByCodex]:
        return [ask for ask in self.pending.values() if ask.thread == thread]

    def _spawn_agent(self, parent: Loaded) -> None:
        """Every connection is subscribed to a sub-agent's thread from its beginning (measured)."""
        child = Loaded(thread_id(self._disk.number()), ephemeral=parent.ephemeral, parent=parent.id)
        self.loaded[child.id] = child
        self.subscribed[child.id] = None
        self._begin_turn(child)
        self._of_thread(child.id, "warning")
        self._say_turn_started(child)

    def _closed(self, thread: Loaded) -> None:
        self._to_all(thread.id, "thread/status/changed", b',"status":{"type":"notLoaded"}')
        self._to_all(thread.id, "thread/closed")
        self._unload(thread)

    def _unload(self, thread: Loaded) -> None:
        del self.loaded[thread.id]
        self.subscribed.pop(thread.id, None)
        for ask in self._pending_of(thread.id):
            del self.pending[ask.id]

    def _describe(self, thread: Loaded, turns: bytes = b"") -> bytes:
        parent = b'"%b"' % thread.parent.encode() if thread.parent else b"null"
        return (
            b',"thread":{"id":"%b","ephemeral":%b,"parentThreadId":%b,"status":{"type":"idle"},"turns":[%b]}'
            % (
                thread.id.encode(),
                b"true" if thread.ephemeral else b"false",
                parent,
                turns,
            )
        )

    def _reveal(self, written: Written, thread: Loaded, turns: bytes = b"") -> None:
        self.subscribed[thread.id] = None
        self._codex.say_result(
            written,
            self._describe(thread, turns),
            opens=thread.id,
            thread=thread.id,
            parent=thread.parent,
            ephemeral=thread.ephemeral,
            turn=thread.turn if turns else None,
        )

    def _replays(self, written: Written, thread: str, method: str, kind: Kind) -> None:
        self._codex.note(kind, method, b',"threadId":"%b"' % thread.encode(), thread=thread, cause=written)

    def _start(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        if len(self.loaded) >= THREADS:
            self._codex.say_error(written, "too many threads for this simulation")
            return True
        if self._rng.random() < 0.2:
            self._codex.cause_of("configWarning", written)
        thread = Loaded(thread_id(self._disk.number()), ephemeral=written.params.ephemeral)
        self.loaded[thread.id] = thread
        self._reveal(written, thread)
        self._say_started(thread)
        self._of_thread(thread.id, "mcpServer/startupStatus/updated")
        return True

    def _dies_of(self, written: Written) -> bool:
        """A rollout that is to be loaded kills this Codex, if it is one that can."""
        assert written.params is not None, "a request has params here"
        wanted = written.params.thread_id or ""
        is_deadly = wanted not in self.loaded and wanted.endswith(_DEADLY)
        if is_deadly and self._rng.random() < self._codex.deadly:
            self._codex.dead = True
        return self._codex.dead

    def _resume(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        wanted = written.params.thread_id or ""
        thread = self.loaded.get(wanted)
        if thread is not None and thread.closing:
            text = f"thread {wanted} is closing; retry thread/resume after the thread is closed"
            self._codex.say_error(written, text, kind=Kind.CLOSING)
            return True
        if wanted not in self._disk.kept:
            self._codex.say_error(written, f"no rollout found for thread id {wanted}")
            return True
        if not written.serial and self._rng.random() < 0.2:
            self._codex.say_error(written, f"thread {wanted} already has an active writer")
            return True
        if thread is None:
            thread = self.loaded[wanted] = Loaded(wanted, parent=self._disk.kept[wanted])
            self._to_all(wanted, "thread/status/changed", b',"status":{"type":"idle"}')
        elif self._rng.random() < 0.5:
            self._codex.cause_of("deprecationNotice", written)
        turns = b""
        if thread.turn is not None and not written.params.exclude_turns:
            turns = self._running(thread)
        self._reveal(written, thread, turns)
        if not written.params.exclude_turns:
            self._replays(written, wanted, "thread/tokenUsage/updated", Kind.REPLAYED_USAGE)
        self._replays(written, wanted, "thread/goal/cleared", Kind.GOAL_SNAPSHOT)
        for ask in self._pending_of(wanted):
            if ask.method != "currentTime/read" and b"userVerification" not in ask.template:
                self._say_request(ask)
        return True

    def _fork(self, written: Written) -> bool:
        """Two steps: what the new thread says comes before the answer that reveals it (measured)."""
        assert written.params is not None, "a request has params here"
        new = self._forking.pop(written.number, None)
        if new is not None:
            thread = self.loaded[new]
            self._reveal(written, thread)
            self._replays(written, new, "thread/tokenUsage/updated", Kind.REPLAYED_USAGE)
            self._say_started(thread)
            return True
        if written.params.thread_id not in self._disk.kept or len(self.loaded) >= THREADS:
            self._codex.say_error(written, f"no rollout found for thread id {written.params.thread_id}")
            return True
        new = self._forking[written.number] = thread_id(self._disk.number())
        self.loaded[new] = Loaded(new)
        self.subscribed[new] = None
        self._disk.kept[new] = None
        self._codex.cause_of("deprecationNotice", written)
        self._forked(written, new, "warning")
        self._forked(written, new, "mcpServer/startupStatus/updated")
        return False

    def _forked(self, written: Written, new: str, method: str) -> None:
        where = b',"threadId":"%b"' % new.encode()
        self._codex.note(Kind.THREAD, method, where, thread=new, cause=written)

    def _unsubscribe(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        wanted = written.params.thread_id or ""
        status = "notLoaded" if wanted not in self.loaded else "notSubscribed"
        if wanted in self.subscribed:
            del self.subscribed[wanted]
            status = "unsubscribed"
        self._codex.say_result(written, b',"status":"%b"' % status.encode(), thread=wanted)
        return True

    def _archive(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        wanted = written.params.thread_id or ""
        if wanted not in self._disk.kept:
            self._codex.say_error(written, f"no rollout found for thread id {wanted}")
            return True
        family = self._family(wanted)
        self._to_all(wanted, "thread/status/changed", b',"status":{"type":"notLoaded"}')
        self._codex.say_result(written, thread=wanted)
        for member in family:
            del self._disk.kept[member]
            if (thread := self.loaded.get(member)) is not None:
                self._unload(thread)
            self._to_all(member, written.method + "d")
        return True

    def _family(self, thread: str) -> list[str]:
        children = [child for child, parent in self._disk.kept.items() if parent == thread]
        return [thread, *(member for child in children for member in self._family(child))]

    def _read(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        thread = self.loaded.get(written.params.thread_id or "")
        if thread is None or (written.serial and self._rng.random() < 0.05):
            self._codex.say_error(written, f"thread not loaded: {written.params.thread_id}")
            return True
        if written.serial and self._rng.random() < 0.3:
            self._codex.cause_of("deprecationNotice", written)
        described = self._describe(thread)
        said = {"thread": thread.id, "parent": thread.parent, "ephemeral": thread.ephemeral}
        self._codex.say_result(written, described, **said)
        return True

    def _turns_list(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        wanted = written.params.thread_id or ""
        thread = self.loaded.get(wanted)
        if thread is not None and thread.ephemeral:
            self._codex.say_error(written, "ephemeral threads do not support thread/turns/list")
        elif thread is not None and wanted not in self._disk.kept:
            self._codex.say_error(written, f"thread {wanted} is not materialized yet; unavailable")
        elif written.serial or thread is None or self._rng.random() < 0.2:
            self._codex.say_result(written, b',"data":[{"id":"u0","status":"completed"}]')
        else:
            turns = [
                b'{"id":"%b","status":"%b"}' % (turn.encode(), status)
                for turn, status in thread.turns.items()
            ]
            self._codex.say_result(written, b',"data":[%b]' % b",".join(turns[:-9:-1]))
        return True

    def _turn_start(self, written: Written) -> bool:
        assert written.params is not None, "a request has params here"
        thread = self.loaded.get(written.params.thread_id or "")
        if thread is None or thread.closing:
            self._codex.say_error(written, f"thread not found: {written.params.thread_id}")
            return True
        if thread.turn != thread.begun_as and thread.turn is not None:
            self._codex.say_error(written, "ActiveTurnNotSteerable", code=-32603)
            return True
        begins = thread.turn is None
        if begins:
            self._begin_turn(thread)
        turn = b',"turn":{"id":"%b","items":[],"status":"inProgress"}' % (thread.turn or "").encode()
        self._codex.say_result(written, turn, thread=thread.id, turn=thread.turn)
        if begins:
            self._say_turn_started(thread)
        return True

    def _review_start(self, written: Written) -> bool:
        """It interrupts the turn that runs. Its answer and its end bear one id, its beginning another one (measured)."""
        assert written.params is not None, "a request has params here"
        thread = self.loaded.get(written.params.thread_id or "")
        if thread is None or thread.closing:
            self._codex.say_error(written, f"thread not found: {written.params.thread_id}")
            return True
        if thread.parent is not None:
            self._codex.say_error(written, "no reviews of a sub-agent's work in this simulation")
            return True
        review = f"r{self._disk.number()}"
        turn = b',"turn":{"id":"%b","items":[],"status":"inProgress"}' % review.encode()
        self._codex.say_result(written, turn, thread=thread.id, turn=review)
        if thread.turn is not None:
            self._end_turn(thread, b"interrupted", in_order=True)
        self._begin_turn(thread, review)
        self._say_turn_started(thread)
        return True

    def _turn_interrupt(self, written: Written) -> bool:
        """Asked once more for the turn that was interrupted last it says nothing before the next one has ended (0.163)."""
        assert written.params is not None, "a request has params here"
        wanted = written.params.turn_id
        thread = self.loaded.get(written.params.thread_id or "")
        if thread is None:
            self._codex.say_error(written, f"thread not found: {written.params.thread_id}")
        elif thread.turn is None and wanted and wanted == thread.interrupted:
            thread.unanswered.append(written)
        elif thread.turn is None:
            self._codex.say_error(written, "no active turn to interrupt")
        elif wanted and wanted != thread.begun_as:
            self._codex.say_error(written, f"expected active turn id {wanted} but found {thread.begun_as}")
        else:
            self._codex.say_result(written, thread=thread.id)
            thread.interrupted = thread.turn
            self._end_turn(thread, b"interrupted")
        return True
