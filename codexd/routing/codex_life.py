"""What happens to everybody when Codex starts, is ready, dies, or is to end.

When it dies, what it had under way ends (`Deaths`); requests that were not handed over stay queued. In the next process
the threads that somebody follows are resumed, and their requests wait for that.
"""

import logging
import re
from collections.abc import Callable
from typing import Any

from msgspec import Raw

from codexd.protocol import extension, messages
from codexd.protocol.catalogue import RESUMING
from codexd.protocol.errors import ACTIVE_WRITER, Code
from codexd.protocol.learnt import Learnt
from codexd.protocol.messages import ErrorResponse, Response
from codexd.protocol.request_ids import WITHOUT_SCHEMA
from codexd.protocol.writer_lock import ways_out
from codexd.routing import params, quarantine
from codexd.routing.clients import Client
from codexd.routing.deaths import Deaths
from codexd.routing.dispatch import Dispatch
from codexd.routing.effects import StartCodex, StopCodex
from codexd.routing.lifecycle import START_SECONDS, State as LifeState
from codexd.routing.login_change import REPLACED, LoginChange
from codexd.routing.publishing import Publisher
from codexd.routing.requests import Call, Purpose, own_call
from codexd.routing.silence import LONG_BYTES, Step
from codexd.routing.state import State
from codexd.routing.threads import Thread

Refusal = tuple[str, dict[str, Any]]
"""Message and data of a -32050 error."""

STOPPING: Refusal = (
    "codexd is stopping; start it again with `codexd start`",
    {"reason": "stopping", "safeToRetry": True},
)
_NEVER = "no rollout found"
"""In the error of a resume of a thread of which Codex has nothing on disk (measured)."""
_VERSION = re.compile(r'/([^ "]+)')


class CodexLife:
    """Carries the others through the deaths of Codex."""

    def __init__(
        self,
        state: State,
        dispatch: Dispatch,
        publisher: Publisher,
        writer_of: Callable[[str], int | None],
    ) -> None:
        self._state = state
        self._dispatch, self._publisher = dispatch, publisher
        self._deaths = Deaths(state, publisher, dispatch.unloading)
        self._writer_of = writer_of
        self._login_change = LoginChange(state)
        self._verdict: str | None = None

    def start(self) -> None:
        """Begins the next incarnation."""
        self._verdict = None
        self._state.learnt = None
        self._state.logins.taken_up()
        self._state.want(StartCodex(self._state.life.start(self._state.now)))

    def try_again(self) -> None:
        """Somebody asks for Codex: if it was left down, it gets a new chance."""
        if self._state.life.is_left_down and not self._state.life.stopping:
            self._state.life.forgive()
            self.start()

    def spawned(self, incarnation: int, pid: int, binary: tuple[str, str] | None) -> None:
        """The process is there: codexd introduces itself, once for all clients."""
        state, identity = self._state, self._state.identity
        if not state.life.is_current(incarnation) or state.life.state is not LifeState.STARTING:
            return
        state.life.spawned(pid, state.now, binary)
        state.startup.clear()
        state.startup_is_complete = False
        capabilities = {
            "experimentalApi": True,
            "requiredHumanApproval": True,
            "requestAttestation": identity.request_attestation,
        }
        client_info = {"name": identity.client_name, "title": "codexd", "version": identity.version}
        introduction = {"clientInfo": client_info, "capabilities": capabilities}
        self._dispatch.send(own_call(Purpose.INITIALIZE, "initialize", introduction))

    def learnt(self, incarnation: int, learnt: Learnt | str) -> None:
        """What the schema of this Codex says; a sentence if it says nothing: then nothing is held back from anybody."""
        if self._state.life.is_current(incarnation):
            self._state.learnt = learnt
            if isinstance(learnt, str):
                self._state.named.ids = WITHOUT_SCHEMA
                self._state.log(f"{learnt}; experimental methods are not held back", logging.WARNING)
            else:
                self._state.named.ids = learnt.request_ids

    def initialized(self, answer: Response | ErrorResponse) -> None:
        """Codex answered the introduction: who waited for it gets its own answer, and the threads come back."""
        state = self._state
        if isinstance(answer, ErrorResponse):
            self._condemn(f"Codex refused codexd's initialize: {params.error_body(answer.error)[1]}")
            return
        said = messages.members_of(answer.result)
        if not said:
            self._condemn("Codex answered codexd's initialize with something unknown")
            return
        state.life.answered()
        state.codex_answer = Raw(bytes(answer.result))
        found = _VERSION.search(bytes(said.get("userAgent", b"")).decode())
        state.codex_is(found[1] if found else None)
        state.log(f"Codex {state.codex_version} is ready, pid {state.life.pid}")
        not_their_first = state.clients.knowing_codexd()
        for client in state.clients.waiting_for_codex():
            self.greet(client)
        for watch in state.handles.watches():
            state.flow.offer(Call(None, watch.request, purpose=Purpose.WATCH_AGAIN))
        for thread in state.threads.all():
            assert thread.resuming, "only those were kept"
            wanted: dict[str, Any] = {"threadId": thread.id, "excludeTurns": True}
            if state.identity.thread_config:
                wanted["config"] = state.identity.thread_config
            self._dispatch.ask(Purpose.RESUME, "thread/resume", wanted, thread.id)
        ready = messages.notification(extension.CODEX_READY, {"pid": state.life.pid})
        state.notify(not_their_first, extension.CODEX_READY, ready)

    def greet(self, client: Client) -> None:
        """Answers a client's `initialize` when Codex's own answer is there, or says why it won't be."""
        state = self._state
        refusal = self.refusal()
        if refusal is not None:
            state.refuse(client.id, state.clients.refuse_initialize(client), Code.CODEX_UNAVAILABLE, *refusal)
        elif state.life.state is LifeState.READY:
            assert state.codex_answer is not None, "Codex is ready"
            answer = state.clients.finish_initialize(client, state.codex_answer, state.life.incarnation)
            state.following.greet(client.id, with_numbers=client.introduction.wants_numbers)
            state.tell((client.id,), answer)
            for notification in state.startup:
                state.notify((client.id,), notification.method, notification.line)

    def refusal(self) -> Refusal | None:
        """Why requests can't even wait: codexd is stopping, or Codex was left down. `None` while there is hope."""
        life = self._state.life
        if life.stopping:
            return STOPPING
        if life.is_left_down:
            return self.down_sentence(), {"reason": "codexDown", "safeToRetry": True}
        return None

    def resumed(self, thread_id: str, answer: Response | ErrorResponse) -> None:
        """The answer to codexd's own resume of a thread after a death."""
        state = self._state
        thread = state.threads.get(thread_id)
        if thread is not None:
            thread.resuming = False
            if isinstance(answer, ErrorResponse):
                self._not_resumed(thread, params.error_body(answer.error)[1])
            else:
                thread.attached = True
                self._dispatch.unloading.release_if_deserted(thread_id)

    def _not_resumed(self, thread: Thread, why: str) -> None:
        """Its followers follow nothing any more. Another process may have it now, and a later resume may succeed."""
        state = self._state
        message = f"thread {thread.id} could not be resumed after Codex died: {why}"
        if ACTIVE_WRITER in why:
            message += f": {ways_out(thread.id, self._writer_of(thread.id))}"
        state.log(message, logging.WARNING)
        self._publisher.tell_of(thread.id, "warning", {"message": message})
        self._dispatch.unloading.forget(thread, lost=_NEVER in why)

    def exited(self, incarnation: int, reason: str) -> None:
        """The process is gone, or could not be had. What an older incarnation reports is ignored."""
        state = self._state
        if not state.life.is_current(incarnation):
            return
        pid, reason = state.life.pid, self._verdict or reason
        by_wish = reason == REPLACED
        quarantined = self._quarantined_by_death()
        will_retry = state.life.exited(reason, state.now, by_wish=by_wish, counts=not quarantined)
        is_news = not (state.life.stopping or by_wish)
        state.log(f"Codex is gone: {reason}", logging.WARNING if is_news else logging.INFO)
        state.silence.codex_is_gone()
        self._deaths.end_what_was_under_way(reason, by_wish=by_wish)
        for thread_id in quarantined:
            self._let_go_of_quarantined(thread_id)
        ended = messages.notification(extension.CODEX_EXITED, {"pid": pid, "reason": reason})
        state.notify(state.clients.knowing_codexd(), extension.CODEX_EXITED, ended)
        if not will_retry and not state.life.stopping:
            state.warn(self.down_sentence())
            self._refuse_what_waits()

    def _quarantined_by_death(self) -> list[str]:
        """The threads that will not be resumed any more, because this death is the second one that each was near."""
        state = self._state
        resumed = [c.thread for c in state.requests.of_methods(RESUMING) if c.thread is not None]
        quarantined, first_deaths = state.quarantine.died(resumed, state.now)
        state.life.excuse(first_deaths)
        return quarantined

    def _let_go_of_quarantined(self, thread_id: str) -> None:
        """Its followers are told, and follow nothing any more."""
        state, message = self._state, quarantine.sentence(thread_id)
        state.log(message, logging.WARNING)
        thread = state.threads.get(thread_id)
        if thread is not None:
            self._publisher.tell_of(thread_id, "warning", {"message": message})
            self._dispatch.unloading.forget(thread)

    def stop(self) -> None:
        """codexd ends: everybody gets an answer, every turn an end, and Codex is to go."""
        state = self._state
        was_running = state.life.state in (LifeState.STARTING, LifeState.READY)
        state.life.stop()
        self._deaths.end_what_was_under_way("codexd is stopping")
        self._refuse_what_waits()
        if was_running:
            state.want(StopCodex(state.life.incarnation))

    def tick(self) -> None:
        """Does what is due: the next try, or giving up on a Codex that does not answer."""
        life, silence = self._state.life, self._state.silence
        if life.deadline is not None and self._state.now >= life.deadline:
            if life.state is LifeState.WAITING:
                self.start()
            else:
                self._condemn(f"Codex did not answer initialize within {START_SECONDS:.0f} s", at_once=True)
        step = silence.tick(self._state.now)
        if step is Step.ASK_FOR_SIGN and not self._state.flow.has_marker:
            self._dispatch.send_marker()
        elif step is Step.GIVE_UP:
            self._name_who_may_have_caused_it()
            self._condemn(f"Codex has not answered for {silence.limit:g} s", at_once=True)

    def _name_who_may_have_caused_it(self) -> None:
        """Who sent the longest line that Codex is not known to have read, if it is long."""
        state = self._state
        call = state.requests.longest(state.flow.unproven)
        if call is None or call.owner is None or call.size <= LONG_BYTES:
            return
        who = f"client {call.owner}"
        if call.owner in state.clients:
            client = state.clients[call.owner]
            who += f" ({client.introduction.name!r}, pid {client.peer.pid})"
        state.log(
            f"Codex fell silent over a request of {call.size} bytes of {who}: {call.method!r}",
            logging.WARNING,
        )

    def renew_login(self) -> None:
        """Called after everything that may have changed what is under way: Codex is replaced, if that is due."""
        if self._login_change.is_due():
            self._condemn(REPLACED)

    def watch(self) -> None:
        """Called after everything that may have changed what is open: only then is Codex expected to say something."""
        state = self._state
        is_open = bool(state.requests) or state.threads.a_turn_runs()
        state.silence.watch(is_open and state.life.state is LifeState.READY, state.now)

    def _condemn(self, verdict: str, *, at_once: bool = False) -> None:
        """Nothing more is sent to it, and nothing more heard of it but its end."""
        self._verdict = verdict
        self._state.life.condemn()
        self._state.want(StopCodex(self._state.life.incarnation, at_once))

    def down_sentence(self) -> str:
        """Why Codex was left down, and what brings it back."""
        return (
            f"Codex {self._state.life.left_down_because} and is left down ({self._state.life.reason}); "
            "`codexd start` or the next `codexctl send` tries again, `codexd logs` shows what it said"
        )

    def _refuse_what_waits(self) -> None:
        state = self._state
        refusal = self.refusal()
        assert refusal is not None, "there is no Codex to wait for"
        for call in [call for owner in state.flow.owners() for call in state.flow.drop(owner)]:
            assert call.owner is not None, "what codexd itself had to ask is gone with Codex"
            if call.wants_answer:
                state.refuse(call.owner, call.request, Code.CODEX_UNAVAILABLE, *refusal)
        for client in state.clients.waiting_for_codex():
            self.greet(client)
