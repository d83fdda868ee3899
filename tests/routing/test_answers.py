"""Answers of Codex: whose they are, and what follows from them."""

import logging
from typing import Any

import pytest

from codexd.routing.effects import Log
from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, OVERLOADED, Driver, codex, to

T = {"threadId": "T"}
CLOSING = {"code": -32600, "message": "thread T is closing; retry thread/resume after the thread is closed"}


def asked_once(method: str = "x", **params: Any) -> Driver:
    """Client 1 has asked something as its `a`, which is request 2; client 2 looks on."""
    driver = Driver().ready()
    client, _ = driver.clients(2)
    where = {"cwd": "/p"} if method == "thread/start" else {}
    driver.sends(client, id="a", method=method, params=where | params)
    return driver


def test_an_error_goes_to_the_asker() -> None:
    """As Codex wrote it, data and all."""
    driver = asked_once()
    failed = {"code": -32601, "message": "list_turns is not supported yet", "data": {"x": [1]}}
    assert driver.says(error=failed, id=2) == [to(1, error=failed, id="a")]


@pytest.mark.parametrize("raw_id", [3, 0, -2, "2", 2.5, None, 10**30])
def test_an_answer_to_nothing_goes_to_nobody(raw_id: Any) -> None:
    """It is logged, and the request it is not for goes on waiting."""
    driver = asked_once()
    assert driver.says(id=raw_id, result={}) == []
    assert driver.logged[-1] == Log(logging.INFO, "Codex answered a request that is not under way")
    assert driver.says(id=2, result={}) == [to(1, id="a", result={})]
    assert driver.says(id=2, result={}) == []


def test_an_answer_to_somebody_who_left_goes_to_nobody() -> None:
    """A result or an error."""
    driver = asked_once()
    driver.sends(1, id="b", method="x", params={})
    driver.leaves(1)
    assert driver.says(id=2, result={}) == []
    assert driver.says(error={"code": 1, "message": ""}, id=3) == []


def test_an_overloaded_codex_is_asked_again() -> None:
    """After a while that grows, under a new number; the client never hears of it."""
    driver = asked_once()
    for number, pause in [(2, 0.02), (3, 0.05), (4, 0.1)]:
        assert driver.says(error=OVERLOADED, id=number) == []
        assert driver.wait(pause - 0.001) == []
        assert driver.wait(0.002) == [codex(id=number + 1, method="x", params={})]
    assert driver.says(id=5, result={}) == [to(1, id="a", result={})]


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32001, "message": "too many event streams"},
        {"code": -32600, "message": "Server overloaded; retry later."},
        {"code": -32001, "message": "Server overloaded; retry later. Please."},
    ],
)
def test_other_errors_are_answers(error: dict[str, Any]) -> None:
    """Also those that look like it."""
    driver = asked_once()
    assert driver.says(error=error, id=2) == [to(1, error=error, id="a")]


def test_nobody_is_asked_for_somebody_who_left() -> None:
    """A refused request of a client that is gone is over."""
    driver = asked_once()
    driver.leaves(1)
    assert driver.says(error=OVERLOADED, id=2) == []
    assert driver.wait(10) == []


def test_a_refused_marker_is_not_kept_for_later() -> None:
    """If one is still needed, a new one is sent."""
    driver = Driver().ready()
    client = driver.client()
    for n in range(33):
        driver.sends(client, id=n, method="x", params={})
    assert driver.says(error=OVERLOADED, id=34) == [
        codex(id=35, method="thread/loaded/list", params={"limit": 1})
    ]
    assert driver.router.deadline() is None


def test_a_resume_while_the_thread_is_unloaded_is_made_again() -> None:
    """Codex says so itself; a client would show an error for what is over in a moment."""
    driver = asked_once("thread/resume", **T)
    assert driver.says(error=CLOSING, id=2) == []
    assert driver.wait(0.02) == [codex(id=3, method="thread/resume", params=T)]
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=3, result=attached) == [to(1, id="a", result=attached)]


def test_only_a_resume_is() -> None:
    """Another method with the same words in its error means something else."""
    driver = asked_once("turn/start", **T)
    assert driver.says(error=CLOSING, id=2) == [to(1, error=CLOSING, id="a")]


@pytest.mark.parametrize("method", ["thread/start", "thread/resume", "thread/fork"])
def test_the_answer_attaches_the_asker(method: str) -> None:
    """To the thread that it names, which may be another one than was asked for."""
    driver = asked_once(method, **({} if method == "thread/start" else T))
    attached = {"thread": {"id": "N"}}
    assert driver.says(id=2, result=attached) == [to(1, id="a", result=attached)]
    about = {"threadId": "N"}
    assert driver.says(method="item/started", params=about) == [to(1, method="item/started", params=about)]


def test_a_turn_does_not_attach() -> None:
    """As in Codex (measured): only start, resume and fork do."""
    driver = asked_once("turn/start", **T)
    driver.says(id=2, result={"turn": {"id": "u"}})
    assert driver.asked(driver.says(method="item/started", params=T)) == [
        (3, "thread/read", T | {"includeTurns": False})
    ]


def test_a_turn_of_a_thread_that_codexd_does_not_know_is_none_of_its_business() -> None:
    """The answer is passed on."""
    driver = asked_once("turn/start", **T)
    running = {"turn": {"id": "u", "status": "inProgress"}}
    assert driver.says(id=2, result=running) == [to(1, id="a", result=running)]


def test_an_error_attaches_nobody() -> None:
    """There is nothing to follow."""
    driver = asked_once("thread/resume", **T)
    driver.says(error={"code": -32600, "message": "no rollout found"}, id=2)
    assert driver.status()["threads"] == 0


def test_an_answer_that_names_no_thread_is_passed_on() -> None:
    """A Codex that changed this much is for the client to understand; the log says what is wrong."""
    driver = asked_once("thread/start")
    assert driver.says(id=2, result={"threadId": "T"}) == [to(1, id="a", result={"threadId": "T"})]
    assert driver.logged[-1] == Log(logging.WARNING, "the answer to thread/start names no thread")
    driver.sends(1, id="b", method="thread/start", params={"cwd": "/p"})
    driver.leaves(1)
    assert driver.says(id=3, result={}) == []


def test_what_came_before_the_answer_comes_in_front_of_it() -> None:
    """A fork's first notifications come before the answer that reveals its id; so they do here, for the asker alone."""
    driver = asked_once("thread/fork", **T)
    about = {"threadId": "F"}
    started = {"method": "mcpServer/startupStatus/updated", "params": about | {"status": "starting"}}
    find = {"threadId": "F", "includeTurns": False}
    assert driver.says(**started) == [codex(id=3, method="thread/read", params=find)]
    assert driver.says(method="warning", params=about) == []
    assert driver.says(id=1, method="item/tool/call", params=about) == []
    attached = {"thread": {"id": "F"}}
    (first, second, answer, request) = driver.says(id=2, result=attached)
    assert (first, second, answer) == (
        to(1, **started),
        to(1, method="warning", params=about),
        to(1, id="a", result=attached),
    )
    assert b'"method":"item/tool/call"' in request.line  # type: ignore[union-attr]


def test_what_nobody_claims_is_let_go() -> None:
    """When no answer can come any more that would name an owner, and Codex knows no parent."""
    driver = asked_once("thread/start")
    about = {"threadId": "X"}
    driver.says(method="item/started", params=about)
    driver.says(method="item/completed", params=about)
    driver.says(id=3, result={"thread": {"id": "X"}})
    assert driver.router._state.threads.held_threads() == ["X"]
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=2, result=attached) == [to(1, id="a", result=attached)]
    assert driver.router._state.threads.held_threads() == []
    message = "dropped 2 messages of thread X, which nobody follows"
    assert driver.logged[-1] == Log(logging.DEBUG, message)


@pytest.mark.parametrize(
    "answer", [{"id": 2, "result": {}}, {"error": {"code": 1, "message": "no"}, "id": 2}]
)
def test_it_is_kept_while_codex_is_asked_about_it(answer: dict[str, Any]) -> None:
    """The parent may turn out to be somebody's; any kind of answer will end the waiting."""
    driver = Driver().ready()
    driver.client()
    driver.says(method="item/started", params={"threadId": "X"})
    assert driver.router._state.threads.held_threads() == ["X"]
    assert driver.says(**answer) == []
    assert driver.router._state.threads.held_threads() == []


def test_a_sub_agents_first_events_go_to_its_parents_followers() -> None:
    """They come before anything says whose they are; nobody else gets them, and the order stays."""
    driver = Driver().ready()
    a, b, c = driver.clients(3)
    driver.thread(a, b)
    about = {"threadId": "C"}
    assert driver.asked(driver.says(method="turn/started", params=about | {"turn": {"id": "v"}})) == [
        (4, "thread/read", about | {"includeTurns": False})
    ]
    assert driver.says(method="warning", params=about) == []
    assert driver.says(id=4, result={"thread": {"id": "C", "parentThreadId": "T"}}) == [
        to(a, b, method="turn/started", params=about | {"turn": {"id": "v"}}),
        to(a, b, method="warning", params=about),
    ]
    assert driver.says(method="item/started", params=about) == [to(a, b, method="item/started", params=about)]
    assert c not in driver.router._state.threads.recipients("C")


def test_a_grandchild_waits_for_its_parents_parent() -> None:
    """Whichever of the two is asked about first."""
    driver = Driver().ready()
    a = driver.client()
    driver.thread(a)
    driver.says(method="item/started", params={"threadId": "C"})
    driver.says(method="item/started", params={"threadId": "G"})
    assert driver.says(id=4, result={"thread": {"id": "G", "parentThreadId": "C"}}) == []
    assert driver.says(id=3, result={"thread": {"id": "C", "parentThreadId": "T"}}) == [
        to(a, method="item/started", params={"threadId": "C"}),
        to(a, method="item/started", params={"threadId": "G"}),
    ]


def test_sub_agents_of_a_thread_that_is_revealed_come_with_it() -> None:
    """Their parent's own answer may come last of all."""
    driver = asked_once("thread/resume", **T)
    driver.says(method="item/started", params={"threadId": "C"})
    assert driver.says(id=3, result={"thread": {"id": "C", "parentThreadId": "T"}}) == []
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=2, result=attached) == [
        to(1, method="item/started", params={"threadId": "C"}),
        to(1, id="a", result=attached),
    ]


def test_an_answer_to_somebody_who_left_reveals_a_thread_to_nobody() -> None:
    """It is let go of at once, with what came for it."""
    driver = asked_once("thread/start")
    driver.leaves(1)
    driver.says(method="warning", params=T)
    assert driver.says(id=2, result={"thread": {"id": "T"}}) == [
        codex(id=4, method="thread/unsubscribe", params=T)
    ]
    driver.says(id=3, result={})
    assert driver.says(id=4, result={"status": "unsubscribed"}) == []
    assert driver.status()["threads"] == 0


@pytest.mark.parametrize(
    ("turns", "turn"),
    [
        ([], None),
        ([{"id": "u", "status": "completed"}], None),
        ([{"id": "u", "status": "completed"}, {"id": "v", "status": "inProgress"}], "v"),
    ],
)
def test_a_turn_that_is_under_way_is_known_from_the_answer(turns: list[Any], turn: str | None) -> None:
    """A thread resumed in mid-turn ends its turn when Codex dies, like any other."""
    driver = asked_once("thread/resume", **T)
    driver.says(id=2, result={"thread": {"id": "T", "turns": turns}})
    thread = driver.router._state.threads.get("T")
    assert thread is not None
    assert thread.turn == turn


@pytest.mark.parametrize(
    ("method", "ephemeral", "durable"),
    [
        ("thread/start", False, False),
        ("thread/start", True, False),
        ("thread/resume", False, True),
        ("thread/fork", False, True),
        ("thread/fork", True, False),
    ],
)
def test_what_a_later_codex_could_resume(method: str, ephemeral: bool, durable: bool) -> None:
    """What has a turn behind it and is not ephemeral (measured)."""
    driver = asked_once(method)
    driver.says(id=2, result={"thread": {"id": "N", "ephemeral": ephemeral}})
    thread = driver.router._state.threads.get("N")
    assert thread is not None
    assert (thread.durable, thread.ephemeral) == (durable, ephemeral)
    driver.says(method="turn/started", params={"threadId": "N", "turn": {"id": "u"}})
    assert thread.durable is not ephemeral


def test_the_replay_for_an_asker_who_left_is_nobodys() -> None:
    """The other followers have the usage already."""
    driver = asked_once("thread/resume", **T)
    driver.thread(2)
    driver.leaves(1)
    driver.says(id=2, result={"thread": {"id": "T"}})
    assert driver.says(method="thread/tokenUsage/updated", params=T) == []


def test_a_sub_agent_that_somebody_reveals_is_its_parents_followers_too() -> None:
    """With what it has said and asked, whoever the answer is for, and were it somebody who left."""
    driver = asked_once("thread/resume", threadId="C")
    driver.thread(2, thread="P")
    about = {"threadId": "C"}
    driver.says(method="item/started", params=about)
    driver.says(id=0, method="item/tool/call", params=about)
    driver.leaves(1)
    assert driver.says(id=2, result={"thread": {"id": "C", "parentThreadId": "P"}}) == [
        to(2, method="item/started", params=about),
        to(2, id=FIRST, method="item/tool/call", params=about),
    ]
    assert driver.says(method="item/completed", params=about) == [
        to(2, method="item/completed", params=about)
    ]


def test_what_is_held_is_kept_while_codex_has_yet_to_be_asked_about_it() -> None:
    """The question may wait for its turn, or for another try."""
    driver = asked_once("thread/start")
    driver.thread(2, thread="P")
    about = {"threadId": "C"}
    driver.says(method="item/started", params=about)
    driver.says(error=OVERLOADED, id=4)
    driver.says(id=2, result={"thread": {"id": "T"}})
    ((number, method, _),) = driver.asked(driver.wait(1))
    assert method == "thread/read"
    assert driver.says(id=number, result={"thread": {"id": "C", "parentThreadId": "P"}}) == [
        to(2, method="item/started", params=about)
    ]


def test_a_refused_request_of_somebody_who_left_keeps_no_thread() -> None:
    """It is not made again, so nothing is to come of it."""
    driver = asked_once("thread/resume", **T)
    driver.thread(2)
    driver.leaves(1)
    assert driver.leaves(2) == []
    assert driver.says(error=OVERLOADED, id=2) == [codex(id=4, method="thread/unsubscribe", params=T)]


def test_a_thread_that_is_gone_before_its_release_is_answered_keeps_no_resume_back() -> None:
    """Somebody has archived it meanwhile: who wants to resume it waits for the answer alone."""
    driver = Driver().ready()
    one, two = driver.clients(2)
    driver.thread(one)
    assert driver.asked(driver.leaves(one)) == [(3, "thread/unsubscribe", T)]
    driver.says(method="thread/archived", params=T)
    assert driver.sends(two, id="r", method="thread/resume", params=T) == []
    assert driver.says(id=3, result={"status": "notLoaded"}) == [
        codex(id=4, method="thread/resume", params=T)
    ]
