"""Notifications of Codex: who gets each of them, and what they tell codexd itself."""

from collections.abc import Callable

from codexd.protocol import messages
from codexd.protocol.catalogue import (
    AUTH_URL,
    CAUSED_BY,
    ENDS_THREAD,
    GATEWAY_CHANGED,
    GOAL_SNAPSHOT,
    HANDLE_OF_NOTIFICATION,
    RESUMING,
    USAGE,
    WINDOWS_SETUP_DONE,
    Scope,
    scope_of,
)
from codexd.protocol.messages import Notification
from codexd.routing import params
from codexd.routing.asking import Asking
from codexd.routing.decisions import Decisions
from codexd.routing.dispatch import Dispatch
from codexd.routing.effects import ClientId, ForgetThread
from codexd.routing.publishing import Publisher
from codexd.routing.state import State
from codexd.routing.threads import NOBODY, Thread
from codexd.routing.turns import Turns


class Notifications:
    """Decides who gets a notification. What a thread's own say of its state is taken down on the way."""

    def __init__(
        self,
        state: State,
        dispatch: Dispatch,
        decisions: Decisions,
        asking: Asking,
        publisher: Publisher,
    ) -> None:
        self._state = state
        self._dispatch = dispatch
        self._decisions = decisions
        self._asking = asking
        self._publisher = publisher
        self._turns = Turns(state)
        self._special: dict[str, Callable[[Notification], None]] = {
            "turn/started": self._turn_started,
            "turn/completed": self._turn_completed,
            "thread/status/changed": self._status_changed,
            "thread/started": self._thread_started,
            "item/started": self._item_started,
            "item/completed": self._item_completed,
            "serverRequest/resolved": decisions.resolve,
            "remoteControl/status/changed": self._remote_status,
            "account/updated": self._login_changed,
            USAGE: self._usage,
            GATEWAY_CHANGED: self._gateway_changed,
            WINDOWS_SETUP_DONE: self._windows_setup_done,
            **dict.fromkeys(ENDS_THREAD, self._thread_ended),
            **dict.fromkeys(GOAL_SNAPSHOT, self._goal),
            **dict.fromkeys(HANDLE_OF_NOTIFICATION, self._of_handle),
            **dict.fromkeys(CAUSED_BY, self._caused),
        }

    def deliver(self, notification: Notification) -> None:
        """Sends it to those it is meant for."""
        special = self._special.get(notification.method)
        if special is not None:
            special(notification)
        elif (addressed := self._state.named.address(notification)) is not None:
            self._to_asker(notification.method, *addressed)
        else:
            self._pass_on(notification)

    def deliver_held(self, thread: str) -> None:
        """The thread is known now: what came before goes to its followers, in order."""
        for notification in self._state.threads.take_held(thread):
            self.deliver(notification)

    def adopt(self) -> None:
        """Sub-agents' threads are known whose parents are: with what they said, what they asked, and nobody's go again."""
        for child in self.open_adopted():
            self._asking.offer(child.id)
            self.offer_below(child)
            self._dispatch.unloading.release_if_deserted(child.id)

    def open_adopted(self) -> list[Thread]:
        """The first half of that: what they said reaches whoever follows them."""
        being_resumed = {call.thread for call in self._state.requests.of_methods(RESUMING)}
        adopted = self._state.threads.adopt(being_resumed)
        for child in adopted:
            self.deliver_held(child.id)
        return adopted

    def offer_below(self, thread: Thread) -> None:
        """Somebody follows the thread, and its sub-agents' threads by that: what waits there is offered."""
        for followed in self._state.threads.descendants(thread):
            self._asking.offer(followed.id)

    def _pass_on(self, notification: Notification) -> int | None:
        """Sends it on; returns its number, 0 for what is not numbered, `None` if it is held back."""
        state = self._state
        thread = params.thread_id(notification.params)
        if thread is None:
            state.notify(state.clients.initialized(), notification.method, notification.line)
            return 0
        is_for_subscribers = self._scope_of(notification.method) is Scope.SUBSCRIBERS
        if is_for_subscribers and state.threads.get(thread) is None:
            state.threads.hold(thread, notification)
            self._decisions.find_parent(thread)
            return None
        return self._publisher.publish(thread, notification.method, notification.line)

    def _scope_of(self, method: str) -> Scope:
        return scope_of(method, has_thread=True, everyone=self._state.to_everyone)

    def _thread_started(self, notification: Notification) -> None:
        """Goes to everybody, and names its thread in a way of its own."""
        thread = params.started(notification.params)
        if thread is None:
            self._pass_on(notification)
            return
        if thread.ephemeral:
            self._state.threads.note_ephemeral(thread.id)
        self._publisher.publish(thread.id, notification.method, notification.line)

    def _item_started(self, notification: Notification) -> None:
        """What is open is sent to who joins later."""
        self._pass_on(notification)
        thread, item = self._thread_of(notification), params.item(notification.params)
        if thread is not None and item is not None:
            thread.open_items[item] = None

    def _item_completed(self, notification: Notification) -> None:
        self._pass_on(notification)
        thread, item = self._thread_of(notification), params.item(notification.params)
        if thread is not None and item is not None:
            thread.open_items.pop(item, None)

    def _thread_of(self, notification: Notification) -> Thread | None:
        return self._state.threads.get(params.thread_id(notification.params))

    def _turn_started(self, notification: Notification) -> None:
        found = params.turn_of(notification.params)
        thread = self._state.threads.get(found[0]) if found else None
        seq = self._pass_on(notification)
        if found is not None and thread is not None:
            self._turns.begins(thread, found[1], seq)
            thread.durable = not thread.ephemeral
            thread.usage_to = None

    def _turn_completed(self, notification: Notification) -> None:
        found = params.turn_of(notification.params)
        thread = self._state.threads.get(found[0]) if found else None
        if found is not None:
            if self._state.missing_ends.is_told(found[1].id):
                return
            self._state.server_requests.end_turn(found[0], found[1].id)
        if found is not None and thread is not None:
            self._turns.ends(thread, found[1].id)
        self._pass_on(notification)
        if thread is not None:
            self._dispatch.interrupts.turn_ended(thread)
            self._dispatch.unloading.was_used(thread)

    def _status_changed(self, notification: Notification) -> None:
        found = params.status_of(notification.params)
        thread = self._state.threads.get(found[0]) if found else None
        if found is not None and thread is not None:
            thread.at_rest = found[1] != "active"
            if thread.at_rest:
                self._turns.rests(thread)
        self._pass_on(notification)

    def _login_changed(self, notification: Notification) -> None:
        """Codex itself has changed which login lies in its home."""
        self._state.logins.taken_up()
        self._pass_on(notification)

    def _thread_ended(self, notification: Notification) -> None:
        thread_id = params.thread_id(notification.params)
        if thread_id is not None and notification.method == "thread/deleted":
            self._state.quarantine.lift(thread_id)
            self._state.want(ForgetThread(thread_id))
        self._pass_on(notification)
        if thread_id is not None:
            self._state.server_requests.end_thread(thread_id)
            self._state.threads.take_held(thread_id)
            thread = self._state.threads.get(thread_id)
            if thread is not None:
                self._dispatch.unloading.forget(thread)
            self._dispatch.unloading.released(thread_id, "released")
            self.adopt()

    def _usage(self, notification: Notification) -> None:
        """Between a resume's answer and the goal snapshot it is the replay, and the asker's alone."""
        thread = self._thread_of(notification)
        if thread is None or thread.usage_to is None:
            self._pass_on(notification)
        elif thread.usage_to in self._state.clients:
            self._state.notify((thread.usage_to,), notification.method, notification.line)

    def _goal(self, notification: Notification) -> None:
        """Goes to everybody after each resume; nobody asked for codexd's own."""
        thread = self._thread_of(notification)
        resumed_by = thread.usage_to if thread is not None else None
        if thread is not None:
            thread.usage_to = None
        if resumed_by != NOBODY:
            self._pass_on(notification)

    def _of_handle(self, notification: Notification) -> None:
        addressed = self._state.handles.address(notification)
        if addressed is not None and addressed[0] in self._state.clients:
            client, line = addressed
            self._state.notify((client,), notification.method, line)

    def _to_asker(self, method: str, client: ClientId | None, line: bytes) -> None:
        """Of a request that it names: for who asked that, if that client is there."""
        if client is not None and client in self._state.clients:
            self._state.notify((client,), method, line)

    def _caused(self, notification: Notification) -> None:
        """Names neither client nor request: the oldest request under way that could have caused it did."""
        state = self._state
        if notification.method == "configWarning" and not state.startup_is_complete:
            self._startup(notification)
            return
        cause = state.requests.oldest(CAUSED_BY[notification.method])
        if cause is not None:
            assert cause.owner is not None, "only clients' calls are looked at"
            clients = () if cause.abandoned else (cause.owner,)
            state.notify(clients, notification.method, notification.line)
            return
        state.notify(state.clients.initialized(), notification.method, notification.line)

    def _gateway_changed(self, notification: Notification) -> None:
        """Everybody hears of it; where to log in is for the client that asked."""
        state = self._state
        clients = state.clients.wanting(notification.method, state.clients.initialized())
        if not messages.gives(notification.params, AUTH_URL):
            state.tell(clients, notification.line)
            return
        asker = tuple(client for client in clients if client == state.origins.gateway_login)
        state.tell(asker, notification.line)
        others = tuple(client for client in clients if client not in asker)
        state.tell(others, messages.rewritten(notification, {AUTH_URL: None}))

    def _windows_setup_done(self, notification: Notification) -> None:
        client = self._state.origins.take_windows_setup()
        if client is not None and client in self._state.clients:
            self._state.notify((client,), notification.method, notification.line)

    def _startup(self, notification: Notification) -> None:
        """What follows on `initialize`: each client gets it behind its own, and not again from a later Codex."""
        state = self._state
        state.startup.append(notification)
        greeted = state.clients.greeted_by(state.life.incarnation)
        state.notify(greeted, notification.method, notification.line)

    def _remote_status(self, notification: Notification) -> None:
        """The last of the start-up notifications, and one that changes later: a newcomer gets the newest."""
        state = self._state
        if state.startup_is_complete:
            state.startup[-1] = notification
            self._pass_on(notification)
        else:
            self._startup(notification)
            state.startup_is_complete = True
