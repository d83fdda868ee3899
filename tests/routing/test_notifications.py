"""Notifications of Codex: who gets each of them, and what they tell codexd itself."""

from typing import Any

import pytest

from codexd.protocol.catalogue import EVERYONE_ALTHOUGH_OF_A_THREAD, HANDLE_OF_NOTIFICATION
from codexd.routing.effects import ToClients, ViewChanged
from tests.routing.driver import (
    FIRST_SERVER_REQUEST,
    OVERLOADED,
    REMOTE_STATUS,
    Driver,
    codex,
    line,
    to,
    user_agent,
)

T = {"threadId": "T"}
USAGE = {"method": "thread/tokenUsage/updated", "params": T | {"tokenUsage": {}}}
GOAL = {"method": "thread/goal/cleared", "params": T}
WARNING = {"method": "configWarning", "params": {"summary": "odd"}}
NOTICE = {"method": "deprecationNotice", "params": {"summary": "old"}}


def house() -> Driver:
    """Clients 1 and 2 follow T, client 3 does not, client 4 has not initialized; the next request is 4."""
    driver = Driver().ready()
    driver.thread(*driver.clients(3)[:2])
    driver.connect()
    return driver


@pytest.mark.parametrize(
    "method", ["item/agentMessage/delta", "turn/diff/updated", "error", "warning", "new/one"]
)
def test_a_threads_events_go_to_its_followers(method: str) -> None:
    """The same bytes to all of them, unknown members included, and to nobody else."""
    driver = house()
    text = b'{"method":"%b","params":{"threadId":"T", "x":1.50},"emittedAtMs":17}' % method.encode()
    assert driver.says_bytes(text) == [ToClients((1, 2), text)]


@pytest.mark.parametrize("method", sorted(EVERYONE_ALTHOUGH_OF_A_THREAD))
def test_some_events_of_a_thread_go_to_everybody(method: str) -> None:
    """To every initialized client, followers or not."""
    driver = house()
    assert driver.says(method=method, params=T) == [to(1, 2, 3, method=method, params=T)]


def test_what_goes_to_everybody_is_that_codexs() -> None:
    """Since 0.171 everybody hears that a thread was read, a follower or not; but no client without `experimentalApi`."""
    driver = house()
    driver.client(experimentalApi=False)
    said = {"method": "thread/readState/changed", "params": T | {"readState": {"revision": "r"}}}
    assert driver.says(**said) == [to(1, 2, **said)]
    driver.version = "0.171.0"
    driver.died_and_back()
    assert driver.says(**said) == [to(1, 2, 3, **said)]


def test_who_is_behind_is_sent_later_what_that_codex_sends_to_everybody() -> None:
    """Its view changes with the Codex, before the next event."""
    driver = house()
    driver.version = "0.171.0"
    driver.died_and_back()
    driver.timeline.clear()
    driver.says(method="thread/readState/changed", params=T)
    views = {effect.client: effect.view for effect in driver.timeline if isinstance(effect, ViewChanged)}
    (event,) = driver.events[-1:]
    assert views[3].line(event) == event.line


@pytest.mark.parametrize(
    "method", ["account/updated", "account/rateLimits/updated", "skills/changed", "warning", "new/one"]
)
@pytest.mark.parametrize("params", [{}, None, {"threadId": None}])
def test_what_names_no_thread_goes_to_everybody(method: str, params: Any) -> None:
    """To every initialized client."""
    driver = house()
    assert driver.says(method=method, params=params) == [to(1, 2, 3, method=method, params=params)]


def test_a_notification_without_params_goes_to_everybody() -> None:
    """They may be left out."""
    driver = house()
    assert driver.says(method="skills/changed") == [to(1, 2, 3, method="skills/changed")]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("item/started", T),
        ("account/updated", {}),
        ("turn/started", T | {"turn": {"id": "u"}}),
        ("turn/completed", T | {"turn": {"id": "u"}}),
        ("thread/closed", T),
        ("remoteControl/status/changed", {}),
    ],
)
def test_who_opted_out_gets_none_of_it(method: str, params: Any) -> None:
    """Whatever else the notification does."""
    driver = Driver().ready()
    unwilling = driver.client(optOutNotificationMethods=[method])
    willing = driver.client()
    driver.thread(unwilling, willing)
    assert driver.says(method=method, params=params)[0] == to(willing, method=method, params=params)


def test_a_thread_that_nobody_follows_is_nobodys() -> None:
    """Its events go nowhere, and Codex is asked once whose it is."""
    driver = house()
    about = {"threadId": "X"}
    assert driver.says(method="item/started", params=about) == [
        codex(id=4, method="thread/read", params=about | {"includeTurns": False})
    ]
    assert driver.says(method="item/started", params=about) == []
    assert driver.says(error={"code": -32600, "message": "thread not found"}, id=4) == []
    driver.thread(3, thread="Y")
    assert driver.says(method="thread/name/updated", params=about) == [
        to(1, 2, 3, method="thread/name/updated", params=about)
    ]


@pytest.mark.parametrize("method", ["thread/closed", "thread/archived", "thread/deleted"])
def test_a_threads_end_is_the_end_of_following_it(method: str) -> None:
    """Everybody hears of it; a later event of it is nobody's (measured)."""
    driver = house()
    assert driver.says(method=method, params=T) == [to(1, 2, 3, method=method, params=T)]
    assert driver.status()["threads"] == 0
    assert driver.sends(1, id="u", method="thread/unsubscribe", params=T) == [
        codex(id=4, method="thread/read", params=T)
    ]


@pytest.mark.parametrize("params", [{"threadId": "unknown"}, {}])
def test_the_end_of_another_thread_ends_nothing_here(params: Any) -> None:
    """Codex unloads threads that codexd never knew."""
    driver = house()
    assert driver.says(method="thread/closed", params=params) == [
        to(1, 2, 3, method="thread/closed", params=params)
    ]
    assert driver.status()["threads"] == 1


def test_a_turn_begins_and_ends() -> None:
    """Its followers hear both; codexd knows which one is under way."""
    driver = house()
    thread = driver.router._state.threads.get("T")
    assert thread is not None
    started = {"method": "turn/started", "params": T | {"turn": {"id": "u", "status": "inProgress"}}}
    completed = {"method": "turn/completed", "params": T | {"turn": {"id": "u", "status": "completed"}}}
    assert driver.says(**started) == [to(1, 2, **started)]
    assert thread.turn == "u"
    assert driver.says(**completed) == [to(1, 2, **completed)]
    assert thread.turn is None


def test_a_turns_end_ends_what_was_decided_in_it() -> None:
    """Codex never resolves a tool's call, so its end is that of its turn."""
    driver = house()
    driver.says(id=0, method="item/tool/call", params=T)
    driver.sends(1, id=FIRST_SERVER_REQUEST, result={})
    driver.says(method="turn/completed", params=T | {"turn": {"id": "u"}})
    assert driver.says(method="serverRequest/resolved", params=T | {"requestId": 0}) == []


@pytest.mark.parametrize("method", ["turn/started", "turn/completed"])
@pytest.mark.parametrize("params", [T, {"turn": {"id": "u"}}, {"threadId": "T", "turn": 5}])
def test_a_turn_that_cannot_be_read_is_passed_on(method: str, params: dict[str, Any]) -> None:
    """To whom it is meant for; nothing is learnt from it."""
    driver = house()
    everybody = (1, 2) if "threadId" in params else (1, 2, 3)
    assert driver.says(method=method, params=params) == [to(*everybody, method=method, params=params)]


def test_usage_replayed_after_a_resume_is_the_askers() -> None:
    """Between the answer and the goal snapshot; before and after it, it is live and everybody's who follows."""
    driver = house()
    assert driver.says(**USAGE) == [to(1, 2, **USAGE)]
    driver.sends(2, id="r", method="thread/resume", params=T)
    assert driver.says(**USAGE) == [to(1, 2, **USAGE)]
    driver.says(id=4, result={"thread": {"id": "T"}})
    assert driver.says(**USAGE) == [to(2, **USAGE)]
    assert driver.says(**GOAL) == [to(1, 2, 3, **GOAL)]
    assert driver.says(**USAGE) == [to(1, 2, **USAGE)]


def test_a_turn_ends_the_replay_too() -> None:
    """A Codex that sent no goal snapshot must not keep the usage from the other followers."""
    driver = house()
    driver.sends(2, id="r", method="thread/resume", params=T)
    driver.says(id=4, result={"thread": {"id": "T"}})
    driver.says(method="turn/started", params=T | {"turn": {"id": "u"}})
    assert driver.says(**USAGE) == [to(1, 2, **USAGE)]


def test_a_replay_for_somebody_who_left_is_nobodys() -> None:
    """The others have it already."""
    driver = house()
    driver.sends(2, id="r", method="thread/resume", params=T)
    driver.says(id=4, result={"thread": {"id": "T"}})
    driver.leaves(2)
    assert driver.says(**USAGE) == []


def test_a_replay_respects_what_its_asker_opted_out_of() -> None:
    """It is a notification like others."""
    driver = Driver().ready()
    client = driver.client(optOutNotificationMethods=[USAGE["method"]])
    driver.sends(client, id="r", method="thread/resume", params=T)
    driver.says(id=2, result={"thread": {"id": "T"}})
    assert driver.says(**USAGE) == []


def test_usage_of_an_unknown_thread_is_held_like_anything() -> None:
    """After a fork it comes before the answer that reveals the thread."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id="f", method="thread/fork", params={"threadId": "S"})
    driver.says(**USAGE)
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=2, result=attached) == [to(client, **USAGE), to(client, id="f", result=attached)]


def test_a_goal_of_an_unknown_thread_is_everybodys() -> None:
    """It is a broadcast, whoever knows the thread."""
    driver = house()
    goal = {"method": "thread/goal/updated", "params": {"threadId": "X", "goal": {}}}
    assert driver.says(**goal) == [to(1, 2, 3, **goal)]


@pytest.mark.parametrize(("method", "member"), HANDLE_OF_NOTIFICATION.items())
def test_what_names_a_handle_goes_to_its_owner(method: str, member: str) -> None:
    """Under the owner's own word for it; to nobody, when the owner has left or opted out."""
    driver = Driver().ready()
    first, second = driver.client(), driver.client()
    unwilling = driver.client(optOutNotificationMethods=[method])
    assert driver.says(method=method, params={member: "2:h", "x": 1}) == [
        to(second, method=method, params={member: "h", "x": 1})
    ]
    assert driver.says(method=method, params={member: f"{unwilling}:h"}) == []
    assert driver.says(method=method, params={member: "9:h"}) == []
    assert driver.says(method=method, params={member: "h"}) == []
    driver.leaves(first)
    assert driver.says(method=method, params={member: f"{first}:h"}) == []


@pytest.mark.parametrize(
    ("notification", "request_method"),
    [
        (NOTICE, "thread/resume"),
        (NOTICE, "thread/fork"),
        (NOTICE, "thread/read"),
        (WARNING, "thread/start"),
    ],
)
def test_what_has_no_address_goes_to_who_caused_it(notification: Any, request_method: str) -> None:
    """The oldest who is waiting for such an answer, nobody if that one has left; when nobody has asked, everybody
    (measured)."""
    driver = house()
    driver.sends(1, id=0, method="x", params={})
    driver.sends(3, id=1, method=request_method, params={"cwd": "/p"})
    driver.sends(2, id=1, method=request_method, params={"cwd": "/p"})
    assert driver.says(**notification) == [to(3, **notification)]
    driver.says(error={"code": 1, "message": ""}, id=5)
    assert driver.says(**notification) == [to(2, **notification)]
    driver.leaves(2)
    assert driver.says(**notification) == []
    driver.says(error={"code": 1, "message": ""}, id=6)
    assert driver.says(**notification) == [to(1, 3, **notification)]


def test_a_set_up_that_is_complete_is_told_to_who_began_it() -> None:
    """It comes after the answer and names nobody: the first that began is the first that ends."""
    driver = house()
    done = {"method": "windowsSandbox/setupCompleted", "params": {"mode": "x"}}
    for number, client in ((5, 3), (6, 2), (7, 1)):
        driver.sends(client, id=1, method="windowsSandbox/setupStart", params={"mode": "x"})
        driver.says(id=number - 1, result={"started": True})
    assert driver.says(**done) == [to(3, **done)]
    driver.leaves(2)
    assert driver.says(**done) == []
    assert driver.says(**done) == [to(1, **done)]
    assert driver.says(**done) == []


def test_where_to_log_in_is_told_to_who_asked() -> None:
    """The others hear that a login is under way, and not where."""
    driver = house()
    method = "account/gatewayOAuth/changed"
    driver.sends(2, id=1, method="account/gatewayOAuth/login", params={"providerId": "p"})
    changed = {"providerId": "p", "authUrl": "https://x", "status": "s"}
    assert driver.says(method=method, params=changed) == [
        to(2, method=method, params=changed),
        to(1, 3, method=method, params=changed | {"authUrl": None}),
    ]
    plain = {"providerId": "p", "authUrl": None, "status": "s"}
    assert driver.says(method=method, params=plain) == [to(1, 2, 3, method=method, params=plain)]


def test_a_cause_that_opted_out_gets_nothing() -> None:
    """And nobody else in its place."""
    driver = Driver().ready()
    client = driver.client(optOutNotificationMethods=["deprecationNotice"])
    driver.client()
    driver.sends(client, id=1, method="thread/resume", params=T)
    assert driver.says(**NOTICE) == []


def test_a_request_that_waits_for_another_try_causes_nothing() -> None:
    """Codex has refused it."""
    driver = house()
    driver.sends(3, id=1, method="thread/read", params={})
    driver.says(error=OVERLOADED, id=4)
    assert driver.says(**NOTICE) == [to(1, 2, 3, **NOTICE)]


def hello(driver: Driver) -> list[Any]:
    """What a newcomer gets behind its greeting."""
    client = driver.connect()
    params = {"clientInfo": {"name": "test", "version": "1"}}
    answer, *behind = driver.sends(client, id=0, method="initialize", params=params)
    assert answer == to(client, id=0, result=user_agent("test"))
    return [effect.line for effect in behind if isinstance(effect, ToClients) and effect.clients == (client,)]


def starting() -> Driver:
    """A Codex that has been greeted and has not said yet what it says at its start."""
    driver = Driver()
    driver.start()
    driver.spawned()
    driver.greets(1)
    return driver


def test_what_codex_says_at_its_start_is_for_every_newcomer() -> None:
    """Its warnings and its status, behind each client's own handshake, as with a Codex of its own."""
    driver = starting()
    early = driver.client()
    other = WARNING | {"params": {"summary": "odder"}}
    assert driver.says(**WARNING) == [to(early, **WARNING)]
    assert driver.says(**other) == [to(early, **other)]
    assert driver.says(**REMOTE_STATUS) == [to(early, **REMOTE_STATUS)]
    assert hello(driver) == [line(**WARNING), line(**other), line(**REMOTE_STATUS)]


def test_a_newcomer_gets_the_newest_status() -> None:
    """Not the one of the start."""
    driver = starting()
    driver.says(**WARNING)
    driver.says(**REMOTE_STATUS)
    changed = REMOTE_STATUS | {"params": {"status": "connected"}}
    assert driver.says(**changed) == []
    assert hello(driver) == [line(**WARNING), line(**changed)]
    assert driver.says(**REMOTE_STATUS) == [to(1, **REMOTE_STATUS)]


def test_a_warning_after_the_start_is_not_kept() -> None:
    """It belongs to a request, or to the moment."""
    driver = starting()
    driver.says(**REMOTE_STATUS)
    driver.says(**WARNING)
    assert hello(driver) == [line(**REMOTE_STATUS)]


def test_a_newcomer_gets_nothing_it_opted_out_of() -> None:
    """Also of what is kept for it."""
    driver = starting()
    driver.says(**WARNING)
    driver.says(**REMOTE_STATUS)
    client = driver.connect()
    info = {"clientInfo": {"name": "test", "version": "1"}}
    opted = {"capabilities": {"optOutNotificationMethods": ["configWarning"]}}
    assert driver.sends(client, id=0, method="initialize", params=info | opted)[1:] == [
        to(client, **REMOTE_STATUS)
    ]


def test_the_next_codex_warns_newcomers_alone() -> None:
    """Who was greeted by an earlier one has heard it."""
    driver = starting()
    driver.says(**WARNING)
    driver.says(**REMOTE_STATUS)
    old = driver.client()
    driver.died_and_back()
    new = driver.client()
    assert driver.says(**WARNING) == [to(new, **WARNING)]
    assert driver.says(**REMOTE_STATUS) == [to(new, **REMOTE_STATUS)]
    assert hello(driver) == [line(**WARNING), line(**REMOTE_STATUS)]
    assert old == 1


def test_what_is_held_ends_with_its_thread() -> None:
    """The next one who follows its parent does not hear of a sub-agent that is gone."""
    driver = house()
    about = {"threadId": "C"}
    driver.sends(3, id="r", method="thread/resume", params={"threadId": "P"})
    driver.says(method="item/started", params=about)
    driver.says(method="thread/deleted", params=about)
    driver.says(id=5, result={"thread": {"id": "C", "parentThreadId": "P"}})
    attached = {"thread": {"id": "P"}}
    assert driver.says(id=4, result=attached) == [to(3, id="r", result=attached)]


def test_sub_agents_are_let_go_of_when_their_parent_is_gone() -> None:
    """They stay loaded without it, and nobody follows them any more."""
    driver = house()
    about = {"threadId": "C"}
    driver.says(method="item/started", params=about)
    driver.says(id=4, result={"thread": {"id": "C", "parentThreadId": "T"}})
    closed = {"method": "thread/closed", "params": T}
    assert driver.says(**closed) == [
        to(1, 2, 3, **closed),
        codex(id=5, method="thread/unsubscribe", params=about),
    ]


def test_sub_agents_are_let_go_of_when_their_parent_does_not_come_back() -> None:
    """Whoever followed the parent followed them by that; this one had been resumed by a client that left."""
    driver = house()
    driver.says(method="turn/started", params=T | {"turn": {"id": "u"}})
    driver.says(method="item/started", params={"threadId": "C"})
    driver.says(id=4, result={"thread": {"id": "C", "parentThreadId": "T"}})
    driver.thread(3, thread="C")
    driver.says(method="turn/started", params={"threadId": "C", "turn": {"id": "v"}})
    ((parent, _, _), (child, _, _)) = driver.asked(driver.died_and_back())
    driver.says(id=child, result={"thread": {"id": "C"}})
    driver.leaves(3)
    failed = {"code": -32600, "message": "thread T already has an active writer"}
    assert driver.asked(driver.says(error=failed, id=parent)) == [
        (child + 1, "thread/unsubscribe", {"threadId": "C"})
    ]
