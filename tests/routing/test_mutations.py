"""The walk is worth something: a router that is broken by hand, in any of these ways, does not get through it."""

import re

import pytest

from tests.planted import run_with_fault

SEEDS = ("46", *map(str, range(1, 12)), "18", "21")
"""The first one meets what is rare."""
STEPS = "20000"

MUTATIONS = {
    "an answer keeps codexd's own id": (
        "answers.py",
        "        line = messages.with_id(answer, call.request.id)\n",
        "        line = answer.line\n",
    ),
    "who was not asked may answer": (
        "server_requests.py",
        "        return pending if pending is not None and client in pending.asked else None\n",
        "        return pending\n",
    ),
    "the first error is the answer": (
        "server_requests.py",
        "        return len(pending.abstained) == len(pending.asked)\n",
        "        return True\n",
    ),
    "a pending request is offered again to who has it": (
        "server_requests.py",
        "        new = tuple(client for client in clients if client not in pending.asked)\n",
        "        new = clients\n",
    ),
    "ids of server requests begin anew with every one": (
        "server_requests.py",
        "        self._last_id += 1\n",
        "        self._last_id = 7\n",
    ),
    "overload counts as proof": (
        "answers.py",
        "            self._state.flow.refused(number)\n",
        "            self._state.flow.answered(number, call, self._state.now)\n",
    ),
    "the window has no end": ("flow.py", "WINDOW = 96\n", "WINDOW = 400\n"),
    "a client may have the window to itself": ("flow.py", "SHARE = 32\n", "SHARE = 96\n"),
    "who does not take its large answers is given more": (
        "flow.py",
        "queue.unproven < SHARE and not self._is_held(owner):\n",
        "queue.unproven < SHARE:\n",
    ),
    "who has taken its large answers is not served again": (
        "flow.py",
        "        self._held.discard(owner)\n\n    def sent(",
        "\n    def sent(",
    ),
    "a newcomer waits for its turn among those that flood": (
        "flow.py",
        "        owner = self._next(self._newcomers) if self._newcomers else None\n",
        "        owner = None\n",
    ),
    "what takes long keeps the others waiting": (
        "flow.py",
        "        if ends is not None and now >= ends:\n",
        "        if False:\n",
    ),
    "a refused request is forgotten": (
        "flow.py",
        "        heapq.heappush(self._retries, (now + pause, next(self._order), call))\n",
        "",
    ),
    "what came before the answer that names its thread is lost": (
        "threads.py",
        "        held = self._held.pop(thread, [])\n",
        "        held = self._held.pop(thread, [])[:0]\n",
    ),
    "whoever unsubscribes goes on hearing": (
        "threads.py",
        "        self._leave(client, thread.id)\n        self._recipients.clear()\n",
        "        self._leave(client, thread.id)\n",
    ),
    "parked requests are never taken up again": (
        "unloading.py",
        "            self._state.flow.offer(call, first=True)\n",
        "            pass\n",
    ),
    "handles are not exchanged": (
        "handles.py",
        '    return f"{client}:{handle}"\n',
        "    return handle\n",
    ),
    "a death answers nobody": (
        "deaths.py",
        "            if owner is not None:\n",
        "            if False:\n",
    ),
    "a Codex that hangs is never given up": (
        "codex_life.py",
        "        elif step is Step.GIVE_UP:\n",
        "        elif False:\n",
    ),
    "a Codex is given up that was not asked for a sign": (
        "silence.py",
        "_STEPS = {2: Step.ASK_FOR_SIGN, _QUARTERS: Step.GIVE_UP}\n",
        "_STEPS = {_QUARTERS: Step.GIVE_UP}\n",
    ),
    "what Codex says is no sign of life": (
        "from_codex.py",
        "        self._state.silence.heard(self._state.now)\n",
        "",
    ),
    "codexd's own sleep is held against Codex": (
        "silence.py",
        "        if now - due > self._quarter:\n",
        "        if False:\n",
    ),
    "an idle Codex is asked for signs of life": (
        "codex_life.py",
        "        state.silence.watch(is_open and state.life.state is LifeState.READY, state.now)\n",
        "        state.silence.watch(state.life.state is LifeState.READY, state.now)\n",
    ),
    "a Codex that was given up is listened to": (
        "from_codex.py",
        "        if not life.is_current(incarnation) or life.state is LifeState.DRAINING:\n",
        "        if not life.is_current(incarnation) or life.stopping:\n",
    ),
    "a turn whose end is lost goes on for ever": (
        "router.py",
        "        self._turn_ends.ask_for_due()\n",
        "",
    ),
    "an end is told twice": (
        "notifications.py",
        "            if self._state.missing_ends.is_told(found[1].id):\n",
        "            if False:\n",
    ),
    "a turn that goes on is taken for one whose end is lost": (
        "turn_ends.py",
        "            if turn not in known and self._is_open(thread, turn):\n",
        "            if False:\n",
    ),
    "the end of one turn is that of the next": (
        "turns.py",
        "        if turn not in (thread.turn, thread.begun_as) and was_missing:\n",
        "        if False:\n",
    ),
    "a review is known by the id of its beginning": (
        "turns.py",
        "        name = thread.name_of(turn.id, root)\n",
        "        name = turn.id\n",
    ),
    "a turn has failed behind which another one runs": (
        "turn_ends.py",
        "        if thread.at_rest:\n",
        "        if thread.at_rest or thread.turn != turn:\n",
    ),
    "a client's own unsubscribe reaches Codex": (
        "dispatch.py",
        '        read = messages.with_method(asked, "thread/read")\n',
        "        read = asked\n",
    ),
    "an id in capitals is another thread": (
        "params.py",
        "        return canonical(named) if named else None\n",
        "        return named or None\n",
    ),
    "what Codex says of a lost end does not count": (
        "turn_ends.py",
        "            ended = known.get(turn) or Raw(",
        "            ended = Raw(",
    ),
    "a thread is let go of in the middle of a turn": (
        "unloading.py",
        "            or thread.turn is not None\n",
        "",
    ),
    "no clock is ever stopped": (
        "delays.py",
        "        self._due.pop(name, None)\n",
        "        pass\n",
    ),
    "a deserted thread is let go of at once": (
        "delays.py",
        "        self._due.setdefault(name, now + self.delay)\n",
        "        self._due.setdefault(name, now)\n",
    ),
    "a resume is not held back from a thread that is being unloaded": (
        "dispatch.py",
        "        if call.method in RESUMING and self.unloading.is_under_way(call.thread):\n",
        "        if False:\n",
    ),
    "a deserted thread is never due": (
        "router.py",
        "        self._dispatch.unloading.release_due()\n",
        "",
    ),
    "a sub-agent is let go of while its family is busy": (
        "unloading.py",
        "            and not any(self._is_busy(relative) for relative in threads.family(root))\n",
        "            and not self._is_busy(thread)\n",
    ),
    "a thread is said to be released before it is": (
        "answers.py",
        "            self._state.releases.closes(thread.id, self._state.now)\n",
        "            self._dispatch.unloading.released(thread.id, 'released')\n",
    ),
    "who waits for a release is never told": (
        "notifications.py",
        '            self._dispatch.unloading.released(thread_id, "released")\n',
        "",
    ),
    "who joins a thread without a turn does not follow it": (
        "sharing.py",
        "        self._dispatch.unloading.follow(thread, client)\n",
        "",
    ),
    "who has started a thread is answered by codexd": (
        "sharing.py",
        "    return client not in thread.subscribers or client in thread.joined\n",
        "    return True\n",
    ),
    "what waits for a decision is not offered to who joins": (
        "sharing.py",
        "            self._asking.repeat(pending, client)\n",
        "            pass\n",
    ),
    "somebody who has left is answered": (
        "answers.py",
        "        if call.abandoned:\n            return\n",
        "",
    ),
    "the gate is not asked": (
        "dispatch.py",
        "        return learnt.gates.reason(call.method, call.request.params)\n",
        "        return None\n",
    ),
    "requests do not wait for the gate": (
        "dispatch.py",
        "        return state.life.state is lifecycle.State.READY and state.learnt is not None\n",
        "        return state.life.state is lifecycle.State.READY\n",
    ),
    "the gate of the Codex before counts": (
        "codex_life.py",
        "        self._state.learnt = None\n",
        "",
    ),
    "a gated notification passes": (
        "clients.py",
        "    return said.opted_out if said.experimental else said.opted_out | GATED_NOTIFICATIONS\n",
        "    return said.opted_out\n",
    ),
    "additional permissions are shown to everybody": (
        "asking.py",
        "        seeing = tuple(client for client in clients if self._said(client).experimental)\n",
        "        seeing = clients\n",
    ),
    "a second client is asked what one can tell": (
        "asking.py",
        "            clients = () if pending.asked else clients[:1]\n",
        "            clients = clients[:2]\n",
    ),
    "anybody is asked what a human must approve": (
        "asking.py",
        "            return tuple(client for client in clients if self._said(client).answers_for_humans)\n",
        "            return clients\n",
    ),
    "anybody is asked for an attestation": (
        "asking.py",
        "            return tuple(client for client in clients if self._said(client).attests)\n",
        "            pass\n",
    ),
    "the expired request is not answered": (
        "router.py",
        "        self._decisions.give_up_due()\n",
        "",
    ),
    "who declared tools is forgotten": (
        "answers.py",
        "            thread.tools_of, thread.tools_of_name = client, name\n",
        "            pass\n",
    ),
    "a sub-agent has not its parent's tools": (
        "threads.py",
        "        line = self._line(thread) if thread is not None else []\n",
        "        line = self._line(thread)[:1] if thread is not None else []\n",
    ),
    "nobody stands in for one that has left what belongs to no thread": (
        "decisions.py",
        "        if not pending.asked:\n            self._asking.ask(pending)\n        if",
        "        if",
    ),
    "who is not initialized hears that it is": (
        "answers.py",
        "        if self._is_codexds_own_affair(call, answer):\n",
        "        if False:\n",
    ),
    "nobody is asked in the place of one that has left": (
        "asking.py",
        "            if not pending.asked and pending.thread is not None:\n",
        "            if False:\n",
    ),
    "an id in params is not translated": (
        "dispatch.py",
        "            state.named.translate(call)\n",
        "",
    ),
    "a cancelling request that is made again names what had the number before": (
        "named_requests.py",
        "            about.append(next(meant) if call.tries else self._meant(call, bytes(named)))\n",
        "            about.append(self._meant(call, bytes(named)))\n",
    ),
    "a notification that names a request is told to everybody": (
        "notifications.py",
        "        elif (addressed := self._state.named.address(notification)) is not None:\n",
        "        elif (addressed := self._state.named.address(notification)) is not None and addressed[0] is None:\n",
    ),
    "a notification names codexd's number for a request": (
        "named_requests.py",
        "            return Raw(asker[1]) if asker is not None and asker[0] == _client(askers[0]) else named\n",
        "            return named\n",
    ),
    "a search outlives its asker": (
        "from_clients.py",
        "            if (cancel := state.named.cancel(call)) is not None:\n",
        "            if (cancel := None) is not None:\n",
    ),
    "one can cancel another's request": (
        "named_requests.py",
        "        return self._requests.newest(call.owner, raw_id, self.ids.cancels.get(call.method))\n",
        "        found = [c for c in self._requests.of_methods(self.ids.cancels[call.method]) if c.request.id == raw_id]\n"
        "        return found[-1] if found else None\n",
    ),
    "a cancel ends a request of another kind": (
        "named_requests.py",
        "raw_id, self.ids.cancels.get(call.method))\n",
        "raw_id, None)\n",
    ),
    "a directory counts more than what the request says": (
        "defaults.py",
        '    if one is not None and bytes(given.get(one, b"")) in _EMPTY:\n',
        "    if one is not None:\n",
    ),
    "a configuration counts more than what the request says": (
        "defaults.py",
        "{**(process.config or {}), **named}",
        "{**named, **(process.config or {})}",
    ),
    "where a client stands does not count": (
        "clients.py",
        "Process(said.cwd or self.peer.cwd, said.config)",
        "Process(said.cwd, said.config)",
    ),
    "who logged in with tokens is forgotten": (
        "origins.py",
        """ if kind == b'"%b"' % TOKEN_LOGIN.encode() else None\n""",
        """ if kind == b"" else None\n""",
    ),
    "everybody hears where one is to log in": (
        "notifications.py",
        "        asker = tuple(client for client in clients if client == state.origins.gateway_login)\n",
        "        asker = clients\n",
    ),
    "a login that was refused takes the place of another": (
        "origins.py",
        "        for begun in (self._gateway_logins, self._windows_setups):\n",
        "        for begun in (self._windows_setups,):\n",
    ),
    "a set-up that was refused is waited for": (
        "answers.py",
        "            self._state.origins.failed(call)\n",
        "            pass\n",
    ),
    "a number is used twice": (
        "following.py",
        "        self.last += 1\n",
        "        self.last += self.last % 50 > 0\n",
    ),
    "a codexd begins with the first number": (
        "following.py",
        "        self.last = next_seq - 1\n",
        "        self.last = 0\n",
    ),
    "what nobody is sent has no number": (
        "publishing.py",
        "        if method in NEVER_KEPT:\n",
        "        if method in NEVER_KEPT or not entitled:\n",
    ),
    "what must not be kept is": (
        "publishing.py",
        "        if method in NEVER_KEPT:\n",
        "        if False:\n",
    ),
    "what an ephemeral thread says is kept on disk": (
        "publishing.py",
        "        is_ephemeral = state.threads.is_ephemeral(thread)\n",
        "        is_ephemeral = False\n",
    ),
    "what an ephemeral thread's sub-agent says is kept on disk": (
        "answers.py",
        "        if described is not None and described.ephemeral:\n",
        "        if False:\n",
    ),
    "the ends of a death have no numbers": (
        "publishing.py",
        '        self.publish(thread, method, messages.notification(method, {"threadId": thread, **about}))\n',
        '        line = messages.notification(method, {"threadId": thread, **about})\n'
        "        self._state.tell(self._entitled(thread, method), line)\n",
    ),
    "subscribers are told what Codex asks, and asked": (
        "publishing.py",
        "            return NOBODY\n",
        "            return self._state.threads.recipients(thread)\n",
    ),
    "who subscribes is sent nothing late": (
        "threads.py",
        "        self._recipients.clear()\n        self._note_change((client,))\n\n    def unsubscribe",
        "        self._recipients.clear()\n\n    def unsubscribe",
    ),
    "who unsubscribes is sent late what comes": (
        "threads.py",
        "        self._note_change((client,))\n\n    def begin_turn",
        "\n    def begin_turn",
    ),
    "a sub-agent is not seen by who is behind": (
        "threads.py",
        "            self._note_change(self.recipients(thread))\n",
        "",
    ),
    "who is behind goes on with a thread that codexd has let go of": (
        "threads.py",
        "        self._note_change(self.recipients(thread.id))\n",
        "",
    ),
    "who follows a parent is sent nothing late of its sub-agents": (
        "threads.py",
        "        return frozenset((*self._of_client.get(client, ()), *below))\n",
        "        return frozenset(self._of_client.get(client, ()))\n",
    ),
    "views are told after the event": (
        "publishing.py",
        "        if state.threads.changed or state.following.changed:\n",
        "        if state.following.changed:\n",
    ),
    "who follows events is sent nothing late": (
        "following.py",
        "{thread}\n        self.change((client,))\n",
        "{thread}\n        self._split.clear()\n",
    ),
    "an opt-out does not count late": (
        "publishing.py",
        "            unwanted=state.clients.unwanted_by(client),\n            with",
        "            with",
    ),
    "an opt-out does not count for history": (
        "event_methods.py",
        "History(wanted.thread_id, state.clients.unwanted_by(client.id))",
        "History(wanted.thread_id)",
    ),
    "an opt-out does not count for what is open": (
        "publishing.py",
        "frozenset(thread.open_items), unwanted)",
        "frozenset(thread.open_items))",
    ),
    "who has not initialized hears late what is for all": (
        "publishing.py",
        "            hears_all=client in state.clients.initialized(),\n",
        "            hears_all=True,\n",
    ),
    "who is behind hears what Codex asks": (
        "events.py",
        "        if event.method == extension.SERVER_REQUEST or not",
        "        if not",
    ),
    "who is behind has no numbers": (
        "events.py",
        "        return event.numbered() if self.with_numbers else event.line\n",
        "        return event.line\n",
    ),
    "a follower who is subscribed is sent everything twice": (
        "following.py",
        "            found = tuple(client for client in entitled if client not in numbered), tuple(numbered)\n",
        "            found = entitled, tuple(numbered)\n",
    ),
    "who follows one thread follows all": (
        "following.py",
        "for c, threads in self._threads.items() if thread in threads and",
        "for c, threads in self._threads.items() if",
    ),
    "who has followed and left is sent events": (
        "following.py",
        "        self._all.pop(client, None)\n",
        "",
    ),
    "history begins one too late": (
        "event_methods.py",
        "after + 1, last, history",
        "after + 2, last, history",
    ),
    "history begins one too early": (
        "event_methods.py",
        "after + 1, last, history",
        "after, last, history",
    ),
    "history ends one too early": ("event_methods.py", "+ 1, last, history", "+ 1, last - 1, history"),
    "a follower hears of no gap": ("event_methods.py", "Following(last, gap)", "Following(last)"),
    "a reader hears of no gap": (
        "event_methods.py",
        "            gap=self._gap(read.after, upto, read.thread, read.last),\n",
        "",
    ),
    "a cursor from the future is no gap": (
        "event_methods.py",
        "        if after > last:\n",
        "        if False:\n",
    ),
    "who asked for events is not told that codexd ends": (
        "router.py",
        "        self._events.refuse_all()\n",
        "",
    ),
    "an item that is done is open": (
        "notifications.py",
        "            thread.open_items.pop(item, None)\n",
        "            pass\n",
    ),
    "who joins is not sent what is open": (
        "answers.py",
        "            self._publisher.catch_up(thread, client, heard)\n",
        "            pass\n",
    ),
    "who joins is sent once more what it has heard": (
        "publishing.py",
        "                if joined.id not in heard.threads:\n",
        "                if True:\n",
    ),
    "who joins is sent once more what was held for it": (
        "publishing.py",
        "self._replay_open(joined, client, heard.last)",
        "self._replay_open(joined, client, self._state.following.last)",
    ),
    "half of what is open is sent": (
        "publishing.py",
        "        if state.kept.gap(first - 1, last, thread.id) is not None:\n",
        "        if False:\n",
    ),
    "a suspect is resumed together with others": (
        "dispatch.py",
        "        if not any(True for _ in state.requests.of_methods(RESUMING)):\n",
        "        if True:\n",
    ),
    "a suspect waits for ever": (
        "answers.py",
        "            self._let_suspects_try()\n",
        "            pass\n",
    ),
    "an answer does not end a suspicion": (
        "answers.py",
        "            self._state.quarantine.answered(call.thread)\n",
        "            pass\n",
    ),
    "followers of a quarantined thread are not told": (
        "codex_life.py",
        "            self._let_go_of_quarantined(thread_id)\n",
        "            pass\n",
    ),
    "the deaths of a quarantined thread count": (
        "codex_life.py",
        "        state.life.excuse(first_deaths)\n",
        "        pass\n",
    ),
    "a quarantined thread is loaded": (
        "quarantine.py",
        "        if call.method not in OF_ROLLOUT or call.thread not in self._quarantined or not call.wants_answer:\n",
        "        if True:\n",
    ),
    "a deleted thread is kept": (
        "notifications.py",
        "            self._state.want(ForgetThread(thread_id))\n",
        "            pass\n",
    ),
    "a thread is deleted with its last word": (
        "notifications.py",
        "            self._state.want(ForgetThread(thread_id))\n        self._pass_on(notification)\n",
        "            self._pass_on(notification)\n            self._state.want(ForgetThread(thread_id))\n"
        "        else:\n            self._pass_on(notification)\n",
    ),
}


MET_BY = {
    "the window has no end": "2",
    "codexd's own sleep is held against Codex": "1",
    "the end of one turn is that of the next": "1",
    "a turn has failed behind which another one runs": "4",
    "what waits for a decision is not offered to who joins": "1",
    "a sub-agent has not its parent's tools": "1",
    "a cancelling request that is made again names what had the number before": "2",
    "who is behind goes on with a thread that codexd has let go of": "2",
    "who has not initialized hears late what is for all": "2",
    "who joins is sent once more what was held for it": "5",
    "followers of a quarantined thread are not told": "2",
    "the deaths of a quarantined thread count": "2",
    "a quarantined thread is loaded": "3",
}
"""The seed whose walk meets it, where that is not the first one: it is tried first, which saves half the time."""


@pytest.mark.parametrize("fault", MUTATIONS)
def test_a_fault_is_caught(fault: str) -> None:
    """It ends a walk of 20,000 steps; the same walks pass without it (`test_walk`)."""
    file, sound, broken = MUTATIONS[fault]
    for seed in sorted(SEEDS, key=lambda seed: seed != MET_BY.get(fault)):
        walk = run_with_fault(f"codexd/routing/{file}", sound, broken, "tests.walk", STEPS, "--seed", seed)
        if walk.returncode != 0:
            noticed = walk.stderr.splitlines()[-1]
            assert not re.match("(Type|Name|Attribute|Syntax|Import)Error", noticed), "any walk would notice"
            assert f"seed {seed}, step " in walk.stderr, walk.stderr
            print(noticed)
            return
    pytest.fail("no walk noticed")
