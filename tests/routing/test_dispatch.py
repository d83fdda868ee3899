"""From the queues to Codex: what is decided when a request's turn comes."""

import logging
from typing import Any

import pytest

from codexd.routing.effects import Log, PauseReading, ResumeReading
from codexd.routing.requests import Purpose, own_call
from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, LEARNT, OVERLOADED, Driver, codex, line, to

T = {"threadId": "T"}
UNSUBSCRIBED = {"status": "unsubscribed"}
NOT_SUBSCRIBED = {"status": "notSubscribed"}
UNKNOWN = "01a22d79-4f36-7202-b6e2-72ca4762086e"
LET_GO = {"method": "thread/unsubscribe", "params": T}


def following(*, subscribers: int = 1, others: int = 0, turn: str | None = None) -> tuple[Driver, int]:
    """Clients on one thread, and the number of the next request to Codex."""
    driver = Driver().ready()
    clients = driver.clients(subscribers + others)
    driver.thread(*clients[:subscribers], turn=turn)
    return driver, subscribers + 2


def finish(driver: Driver, thread: str = "T", turn: str = "u") -> list[Any]:
    """The turn ends."""
    return driver.says(method="turn/completed", params={"threadId": thread, "turn": {"id": turn}})


def test_codexds_own_requests_are_requests() -> None:
    """With an object for params, which Codex wants even where it takes none."""
    own = own_call(Purpose.MARKER, "thread/loaded/list", {"limit": 1}, "T")
    assert (own.owner, own.purpose, own.thread, own.request.line) == (
        None, Purpose.MARKER, "T", line(id=0, method="thread/loaded/list", params={"limit": 1}),
    )  # fmt: skip


def test_the_window_is_kept_and_opened_by_a_marker() -> None:
    """95 requests, the marker, and then nothing until Codex answers; its answer is nobody's."""
    driver = Driver().ready()
    clients = driver.clients(4)
    effects = [
        e for client in clients for n in range(30) for e in driver.sends(client, id=n, method="x", params={})
    ]
    asked = driver.asked(effects)
    assert len(asked) == 96
    assert asked[-1] == (97, "thread/loaded/list", {"limit": 1})
    opened = driver.says(id=97, result={"data": []})
    assert [number for number, _, _ in driver.asked(opened)] == list(range(98, 98 + 25))
    assert len(opened) == 25


def test_a_marker_is_sent_once() -> None:
    """Until it is answered, or Codex had no room for it."""
    driver = Driver().ready()
    client = driver.client()
    for n in range(32):
        driver.sends(client, id=n, method="x", params={})
    marker = codex(id=34, method="thread/loaded/list", params={"limit": 1})
    assert driver.sends(client, id="waits", method="x", params={}) == [marker]
    assert driver.sends(client, id="too", method="x", params={}) == []


def test_leaving_a_thread_is_answered_by_codexd() -> None:
    """For Codex there is one subscriber, and it stays while there is another follower."""
    driver, number = following(subscribers=2)
    assert driver.sends(1, id="u", method="thread/unsubscribe", params=T) == [
        to(1, id="u", result=UNSUBSCRIBED)
    ]
    assert driver.sends(1, id="v", method="thread/unsubscribe", params=T) == [
        to(1, id="v", result=NOT_SUBSCRIBED)
    ]
    assert driver.says(method="item/started", params=T) == [to(2, method="item/started", params=T)]
    assert driver.sends(2, id="u", method="thread/unsubscribe", params=T) == [
        to(2, id="u", result=UNSUBSCRIBED),
        codex(id=number, **LET_GO),
    ]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"error": {"code": -32600, "message": f"thread not loaded: {UNKNOWN}"}}, "notLoaded"),
        ({"result": {"thread": {"id": UNKNOWN, "status": {"type": "notLoaded"}}}}, "notLoaded"),
        ({"result": {"thread": {"id": UNKNOWN, "status": {"type": "idle"}}}}, "notSubscribed"),
        ({"result": {}}, "notLoaded"),
    ],
)
def test_an_unsubscribe_from_an_unknown_thread_does_not_reach_codex(
    answer: dict[str, Any], status: str
) -> None:
    """Codex is asked whether it has the thread instead: an unsubscribe might end a subscription of codexd's own."""
    driver, number = following()
    assert driver.sends(1, id="u", method="thread/unsubscribe", params={"threadId": UNKNOWN}) == [
        codex(id=number, method="thread/read", params={"threadId": UNKNOWN})
    ]
    assert driver.says(**answer, id=number) == [to(1, id="u", result={"status": status})]


def test_an_unsubscribe_that_codex_had_no_room_for_is_decided_anew() -> None:
    """It is asked for the same thing again, or answered here if somebody has attached to the thread since."""
    driver, number = following()
    driver.sends(1, id="u", method="thread/unsubscribe", params={"threadId": UNKNOWN})
    driver.says(error=OVERLOADED, id=number)
    assert driver.wait(1) == [codex(id=number + 1, method="thread/read", params={"threadId": UNKNOWN})]
    driver.says(error=OVERLOADED, id=number + 1)
    driver.sends(1, id="r", method="thread/resume", params={"threadId": UNKNOWN})
    driver.says(id=number + 2, result={"thread": {"id": UNKNOWN}})
    assert driver.wait(1) == [
        to(1, id="u", result=UNSUBSCRIBED),
        codex(id=number + 3, method="thread/unsubscribe", params={"threadId": UNKNOWN}),
    ]


def test_nobody_is_told_of_a_thread_that_it_left_before_it_left_itself() -> None:
    """The asker of an unsubscribe is gone when Codex answers."""
    driver, number = following()
    driver.sends(1, id="u", method="thread/unsubscribe", params={"threadId": UNKNOWN})
    driver.leaves(1)
    assert driver.says(id=number, result={}) == []


@pytest.mark.parametrize("params", [5, None, "x", True])
def test_an_unsubscribe_with_params_that_are_no_object_is_codexs_to_refuse(params: Any) -> None:
    """It is from no thread, and a read would be refused in other words (0.163 and 0.171)."""
    driver, number = following()
    refused = {"id": number, "method": "thread/unsubscribe", "params": params}
    assert driver.sends(1, id="u", method="thread/unsubscribe", params=params) == [codex(**refused)]


@pytest.mark.parametrize("params", [{}, {"threadId": 5}, {"threadId": "nonsense"}])
def test_an_unsubscribe_from_no_thread_is_refused_by_codex(params: Any) -> None:
    """In its own words, which are the same for a read; the unsubscribe itself does not reach it."""
    driver, number = following()
    assert driver.sends(1, id="u", method="thread/unsubscribe", params=params) == [
        codex(id=number, method="thread/read", params=params)
    ]
    error = {"code": -32600, "message": "Invalid request: missing field `threadId`"}
    assert driver.says(error=error, id=number) == [to(1, error=error, id="u")]


def test_leaving_waits_for_the_own_attaching() -> None:
    """A client that pipelines both has left in the end; one that attaches meanwhile does not keep it waiting."""
    driver, number = following(subscribers=2)
    driver.sends(1, id="r", method="thread/resume", params=T)
    assert driver.sends(1, id="u", method="thread/unsubscribe", params=T) == []
    assert driver.sends(2, id="u", method="thread/unsubscribe", params=T) == [
        to(2, id="u", result=UNSUBSCRIBED)
    ]
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=number, result=attached) == [
        to(1, id="r", result=attached),
        to(1, id="u", result=UNSUBSCRIBED),
        codex(id=number + 1, **LET_GO),
    ]


def test_leaving_waits_for_an_attaching_that_fails_too() -> None:
    """The request is not forgotten with it."""
    driver, number = following(subscribers=0, others=1)
    driver.sends(1, id="r", method="thread/resume", params=T)
    assert driver.sends(1, id="u", method="thread/unsubscribe", params=T) == []
    failed = {"code": -32600, "message": "no rollout found for thread id T"}
    assert driver.says(error=failed, id=number) == [
        to(1, error=failed, id="r"),
        codex(id=number + 1, method="thread/read", params=T),
    ]


@pytest.mark.parametrize("kind", ["a turn", "a request", "an attaching"])
def test_a_deserted_thread_is_kept_while_something_happens_in_it(kind: str) -> None:
    """Its turn goes on, its request waits for somebody, its next follower is on the way."""
    driver, number = following(others=1, turn="u" if kind == "a turn" else None)
    if kind == "a request":
        driver.says(id=0, method="item/tool/call", params=T)
    elif kind == "an attaching":
        driver.sends(2, id="r", method="thread/resume", params=T)
    assert driver.leaves(1) == []
    if kind == "a turn":
        assert finish(driver) == [codex(id=number, **LET_GO)]
    elif kind == "a request":
        answer = {"id": FIRST, "result": {}}
        effects = driver.sends(2, id=1, method="codexd/approvals/answer", params=answer)
        assert effects[-1] == codex(id=number, **LET_GO)
    else:
        attached = {"thread": {"id": "T"}}
        assert driver.says(id=number, result=attached) == [to(2, id="r", result=attached)]
        assert driver.leaves(2) == [codex(id=number + 1, **LET_GO)]


@pytest.mark.parametrize("method", ["turn/start", "review/start", "thread/queue/start"])
def test_a_turn_that_was_asked_for_goes_on_without_its_asker(method: str) -> None:
    """`codexctl send --detach` leaves behind the answer, before `turn/started`: what the turn asks must find codexd."""
    driver, number = following(others=1)
    driver.sends(1, id="t", method=method, params=T)
    assert driver.leaves(1) == []
    assert driver.says(id=number, result={"turn": {"id": "u", "status": "inProgress"}}) == []
    driver.says(method="turn/started", params=T | {"turn": {"id": "u"}})
    driver.says(id=0, method="item/tool/call", params=T)
    assert driver.status()["pendingApprovals"] == 1
    driver.says(method="serverRequest/resolved", params=T | {"requestId": 0})
    assert finish(driver) == [codex(id=number + 1, **LET_GO)]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": -32600, "message": "thread not found"}},
        {"result": {"turn": {"id": "u", "status": "completed"}}},
        {"result": {"turn": 5}},
    ],
)
def test_a_turn_that_does_not_begin_keeps_no_thread(answer: dict[str, Any]) -> None:
    """Nothing happens in it."""
    driver, number = following()
    driver.sends(1, id="t", method="turn/start", params=T)
    assert driver.leaves(1) == []
    assert driver.says(id=number, **answer) == [codex(id=number + 1, **LET_GO)]


def test_a_turn_that_ended_before_its_answer_keeps_no_thread() -> None:
    """Under load Codex itself swaps an answer and a notification now and then (measured)."""
    driver, number = following()
    driver.sends(1, id="t", method="turn/start", params=T)
    finish(driver)
    driver.leaves(1)
    running = {"turn": {"id": "u", "status": "inProgress"}}
    assert driver.says(id=number, result=running) == [codex(id=number + 1, **LET_GO)]


def test_any_request_for_a_thread_keeps_it_until_it_is_answered() -> None:
    """Somebody has to do with it."""
    driver, number = following(others=1)
    driver.sends(2, id="r", method="thread/read", params=T)
    assert driver.leaves(1) == []
    assert driver.says(id=number, result={}) == [
        to(2, id="r", result={}),
        codex(id=number + 1, **LET_GO),
    ]


@pytest.mark.parametrize("method", ["thread/resume", "thread/fork"])
def test_a_deserted_thread_goes_when_the_attaching_fails(method: str) -> None:
    """Nobody follows it, and nobody is on the way any more."""
    driver, number = following(others=1)
    driver.sends(2, id="r", method=method, params=T)
    driver.leaves(1)
    failed = {"code": -32603, "message": "disk full"}
    assert driver.says(error=failed, id=number) == [
        to(2, error=failed, id="r"),
        codex(id=number + 1, **LET_GO),
    ]


def test_the_source_of_a_fork_goes_when_its_follower_has_left() -> None:
    """Also when the follower was the one who forked it, and left before the answer."""
    driver, number = following()
    driver.sends(1, id="f", method="thread/fork", params=T)
    assert driver.leaves(1) == []
    assert driver.asked(driver.says(id=number, result={"thread": {"id": "F"}})) == [
        (number + 1, "thread/unsubscribe", {"threadId": "F"}),
        (number + 2, "thread/unsubscribe", T),
    ]


def test_a_thread_goes_with_its_sub_agents() -> None:
    """All at once, and none while something happens in one of them: its parent may have to do with it yet."""
    driver, number = following()
    for child in ("C", "D"):
        driver.says(method="item/started", params={"threadId": child})
        driver.says(id=number, result={"thread": {"id": child, "parentThreadId": "T"}})
        number += 1
    driver.says(method="turn/started", params={"threadId": "C", "turn": {"id": "v"}})
    assert driver.leaves(1) == []
    assert driver.asked(finish(driver, "C", "v")) == [
        (number, "thread/unsubscribe", T),
        (number + 1, "thread/unsubscribe", {"threadId": "C"}),
        (number + 2, "thread/unsubscribe", {"threadId": "D"}),
    ]
    assert [driver.says(id=number + n, result=UNSUBSCRIBED) for n in range(3)] == [[], [], []]
    assert driver.status()["threads"] == 0


def test_a_sub_agent_that_somebody_follows_stays() -> None:
    """Its parent may go, and it goes with its own last follower."""
    driver, number = following(others=1)
    driver.says(method="item/started", params={"threadId": "C"})
    driver.says(id=number, result={"thread": {"id": "C", "parentThreadId": "T"}})
    driver.sends(2, id="r", method="thread/resume", params={"threadId": "C"})
    driver.says(id=number + 1, result={"thread": {"id": "C"}})
    assert driver.leaves(1) == [codex(id=number + 2, **LET_GO)]
    driver.says(id=number + 2, result=UNSUBSCRIBED)
    about_c = {"threadId": "C"}
    assert driver.says(method="item/started", params=about_c) == [
        to(2, method="item/started", params=about_c)
    ]
    assert driver.leaves(2) == [codex(id=number + 3, method="thread/unsubscribe", params=about_c)]


def test_a_thread_is_let_go_of_once() -> None:
    """However many reasons there are, as long as the first is on its way."""
    driver, number = following(turn="u")
    driver.leaves(1)
    assert driver.asked(finish(driver)) == [(number, "thread/unsubscribe", T)]
    assert finish(driver) == []


def full() -> tuple[Driver, int, int]:
    """A follower of T whose leaving will wait in the queue: the window is full. Also another client."""
    driver, _ = following(others=1)
    for _ in range(3):
        busy = driver.client()
        for n in range(32):
            driver.sends(busy, id=n, method="x", params={})
    return driver, 1, 2


def open_window(driver: Driver) -> list[tuple[int, str, Any]]:
    """Codex answers what it was asked last; what it is asked thereupon."""
    last = driver.router._state.requests._next
    return driver.asked(driver.says(id=last, result={}))


def test_it_does_not_happen_when_somebody_came() -> None:
    """The newcomer's attaching was sent first."""
    driver, leaving, coming = full()
    driver.sends(coming, id="r", method="thread/resume", params=T)
    assert driver.leaves(leaving) == []
    sent = [asked[1] for asked in open_window(driver)]
    assert (sent.count("thread/resume"), sent.count("thread/unsubscribe")) == (1, 0)
    thread = driver.router._state.threads.get("T")
    assert thread is not None
    assert not thread.releasing


def test_it_does_not_happen_when_the_thread_has_ended() -> None:
    """There is nothing to let go of."""
    driver, leaving, _ = full()
    assert driver.leaves(leaving) == []
    assert driver.router._state.flow.waiting(None) == 1
    driver.says(method="thread/closed", params=T)
    assert "thread/unsubscribe" not in [asked[1] for asked in open_window(driver)]


def test_it_happens_when_nothing_has_changed() -> None:
    """As soon as there is room."""
    driver, leaving, _ = full()
    driver.leaves(leaving)
    assert "thread/unsubscribe" in [asked[1] for asked in open_window(driver)]


def test_somebody_who_comes_while_it_is_let_go_of_has_it_afterwards() -> None:
    """The attaching is sent when the thread is closed, or was not there at all."""
    driver, number = following(others=1)
    driver.leaves(1)
    assert driver.sends(2, id="r", method="thread/resume", params=T) == []
    assert driver.says(id=number, result={"status": "notLoaded"}) == [
        codex(id=number + 1, method="thread/resume", params=T)
    ]
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=number + 1, result=attached) == [to(2, id="r", result=attached)]
    assert driver.says(method="item/started", params=T) == [to(2, method="item/started", params=T)]


def test_who_comes_back_meanwhile_may_leave_again() -> None:
    """He came by the thread's file, and was answered first; the thread is let go of each time."""
    driver, number = following()
    driver.thread(driver.client(), thread="Other")
    driver.leaves(1)
    driver.sends(2, id="r", method="thread/resume", params={"threadId": "", "path": "/rollout-T.jsonl"})
    driver.says(id=number + 2, result={"thread": {"id": "T"}})
    assert driver.says(id=number + 1, result=UNSUBSCRIBED) == []
    assert driver.says(method="item/started", params=T) == [to(2, method="item/started", params=T)]
    assert driver.sends(2, id="u", method="thread/unsubscribe", params=T) == [
        to(2, id="u", result=UNSUBSCRIBED),
        codex(id=number + 3, **LET_GO),
    ]


def test_a_thread_that_is_let_go_of_and_ends_meanwhile() -> None:
    """Its answer finds nothing to do."""
    driver, number = following()
    driver.leaves(1)
    driver.says(method="thread/closed", params=T)
    assert driver.says(id=number, result={"status": "notLoaded"}) == []


def test_requests_for_a_lost_thread_are_refused_in_codexs_words() -> None:
    """Programs look for them and begin a new thread; why it is so comes behind."""
    driver, number = following(subscribers=0, others=1)
    driver.sends(1, id="s", method="thread/start", params={"cwd": "/p"})
    driver.says(id=number, result={"thread": {"id": "T"}})
    driver.died_and_back()
    why = ": it was lost when Codex died, because it was ephemeral or had no turn yet; start a new one"
    data = {"reason": "threadLost", "safeToRetry": False}
    words = {"turn/start": "thread not found: T", "thread/resume": "no rollout found for thread id T"}
    for method, said in words.items():
        number = driver.asked(driver.sends(1, id=1, method=method, params=T))[0][0]
        assert driver.says(error={"code": -32600, "message": said}, id=number) == [
            to(1, error={"code": -32600, "message": said + why, "data": data}, id=1)
        ]
    number = driver.asked(driver.sends(1, id=1, method="turn/start", params=T))[0][0]
    other = {"code": -32600, "message": "Invalid request: missing field `input`"}
    assert driver.says(error=other, id=number) == [to(1, error=other, id=1)]


def test_a_lost_thread_that_codex_has_after_all_is_lost_no_more() -> None:
    """A name, a goal, or injected items are enough for a rollout: codexd had refused the resume itself."""
    driver, number = following(subscribers=0, others=1)
    driver.sends(1, id="s", method="thread/start", params={})
    driver.says(id=number, result={"thread": {"id": "T"}})
    driver.died_and_back()
    number = driver.asked(driver.sends(1, id=1, method="thread/resume", params=T))[0][0]
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=number, result=attached) == [to(1, id=1, result=attached)]
    number = driver.asked(driver.sends(1, id=1, method="turn/start", params=T))[0][0]
    other = {"code": -32600, "message": "thread not found: T"}
    assert driver.says(error=other, id=number) == [to(1, error=other, id=1)]


def test_requests_for_a_thread_that_comes_back_wait_for_it() -> None:
    """Not merely for Codex to be ready: they would find no thread. Others go on meanwhile; then all in their order."""
    driver, number = following(turn="u")
    driver.dies()
    driver.sends(1, id="a", method="turn/start", params=T)
    driver.wait(0)
    driver.spawned()
    resume = codex(id=number + 1, method="thread/resume", params=T | {"excludeTurns": True})
    assert driver.greets(number) == [resume]
    assert driver.sends(1, id="b", method="turn/steer", params=T) == []
    assert driver.sends(1, id="c", method="x", params={}) == [codex(id=number + 2, method="x", params={})]
    assert driver.says(id=number + 1, result={"thread": {"id": "T"}}) == [
        codex(id=number + 3, method="turn/start", params=T),
        codex(id=number + 4, method="turn/steer", params=T),
    ]


def test_leaving_a_thread_that_another_resumes_takes_it_from_nobody() -> None:
    """Codex would unsubscribe codexd behind the other's resume, and the other would never hear of the thread again."""
    driver = Driver().ready()
    one, two = driver.clients(2)
    driver.sends(one, id="r", method="thread/resume", params=T)
    assert driver.sends(two, id="u", method="thread/unsubscribe", params=T) == [
        to(two, id="u", result=NOT_SUBSCRIBED)
    ]


def test_leaving_a_sub_agent_that_is_not_known_yet_takes_it_from_nobody() -> None:
    """Whoever follows its parent is to have its events, as soon as codexd knows whose they are."""
    driver = Driver().ready()
    client = driver.client()
    driver.says(method="item/started", params={"threadId": "C"})
    driver.says(id=0, method="item/tool/call", params={"threadId": "D"})
    for child in ("C", "D"):
        assert driver.sends(client, id=1, method="thread/unsubscribe", params={"threadId": child}) == [
            to(client, id=1, result=NOT_SUBSCRIBED)
        ]


def test_what_comes_behind_a_leaving_that_waits_waits_too() -> None:
    """Resume, leave and resume again is to end with following."""
    driver, number = following(subscribers=0, others=1)
    for raw_id, method in (("a", "thread/resume"), ("b", "thread/unsubscribe"), ("c", "thread/resume")):
        effects = driver.sends(1, id=raw_id, method=method, params=T)
    assert effects == []
    attached = {"thread": {"id": "T"}}
    (answer, left, again) = driver.says(id=number, result=attached)
    assert (answer, left) == (to(1, id="a", result=attached), to(1, id="b", result=UNSUBSCRIBED))
    assert again == codex(id=number + 1, method="thread/resume", params=T)


def test_a_resume_that_is_made_again_does_not_wait_for_what_waits_for_it() -> None:
    """Codex had no room for it; the leaving behind it is parked."""
    driver, number = following(subscribers=0, others=1)
    driver.sends(1, id="a", method="thread/resume", params=T)
    driver.sends(1, id="b", method="thread/unsubscribe", params=T)
    driver.says(error=OVERLOADED, id=number)
    assert driver.wait(1) == [codex(id=number + 1, method="thread/resume", params=T)]


def test_leaving_a_thread_is_leaving_its_sub_agents() -> None:
    """What they ask is offered to whoever follows the thread next, the one who left included."""
    driver, number = following()
    driver.says(method="item/started", params={"threadId": "C"})
    driver.says(id=number, result={"thread": {"id": "C", "parentThreadId": "T"}})
    driver.says(id=0, method="item/tool/call", params={"threadId": "C"})
    driver.sends(1, id="u", method="thread/unsubscribe", params=T)
    assert driver.sends(1, id=FIRST, result={}) == []
    ((number, _, _),) = driver.asked(driver.sends(1, id="r", method="thread/resume", params=T))
    offered = driver.says(id=number, result={"thread": {"id": "T"}})[-1]
    assert offered == to(1, id=FIRST, method="item/tool/call", params={"threadId": "C"})


def test_who_still_follows_the_parent_is_still_asked() -> None:
    """Leaving a sub-agent's thread that one has also resumed changes nothing about that."""
    driver, number = following()
    driver.says(method="item/started", params={"threadId": "C"})
    driver.says(id=number, result={"thread": {"id": "C", "parentThreadId": "T"}})
    driver.thread(1, thread="C")
    driver.says(id=0, method="item/tool/call", params={"threadId": "C"})
    driver.sends(1, id="u", method="thread/unsubscribe", params={"threadId": "C"})
    assert driver.sends(1, id=FIRST, result={}) == [codex(id=0, result={})]


def test_parked_requests_fill_a_queue_too() -> None:
    """Of a thread that does not come back, no more is taken than of a Codex that does not answer."""
    driver = Driver().ready()
    (client,) = driver.clients(1)
    driver.thread(client, turn="u")
    ((number, _, _),) = driver.asked(driver.died_and_back())
    effects = [driver.sends(client, id=n, method="thread/read", params=T) for n in range(256)]
    assert [effect for batch in effects for effect in batch] == [PauseReading(client)]
    assert ResumeReading(client) not in driver.says(id=number, result={"thread": {"id": "T"}})


def test_a_watch_that_is_being_ended_is_not_made_again() -> None:
    """Not even when codexd's turn to make it comes after the client's."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id="w", method="fs/watch", params={"watchId": "w", "path": "/"})
    driver.says(id=2, result={})
    driver.dies()
    driver.sends(client, id="u", method="fs/unwatch", params={"watchId": "w"})
    driver.wait(0)
    ((number, _, _),) = driver.asked(driver.spawned())
    assert driver.greets(number) == [codex(id=number + 1, method="fs/unwatch", params={"watchId": "1:w"})]


PLAIN: dict[str, Any] = {"experimentalApi": False}


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("process/spawn", {"command": ["x"], "processHandle": "h"}, "process/spawn"),
        ("thread/start", {"cwd": "/p", "dynamicTools": []}, "thread/start.dynamicTools"),
        ("turn/start", {"threadId": "T", "approvalPolicy": {"granular": {}}}, "askForApproval.granular"),
    ],
)
def test_what_is_experimental_needs_the_capability(method: str, params: Any, reason: str) -> None:
    """Refused in Codex's words, for this client alone."""
    driver = Driver().ready()
    plain, other = driver.client(**PLAIN), driver.client()
    refused = {"code": -32600, "message": f"{reason} requires experimentalApi capability"}
    assert driver.sends(plain, id="a", method=method, params=params) == [to(plain, error=refused, id="a")]
    assert len(driver.asked(driver.sends(other, id="a", method=method, params=params))) == 1


def test_without_a_schema_nothing_is_held_back() -> None:
    """Codex itself can't tell the clients apart; `codexd/status` says so."""
    driver = Driver()
    driver.start()
    driver.keep(driver.router.codex_spawned(driver.incarnation, 1, driver.now))
    driver.learnt("the schema of Codex 0.1 can't be had: x")
    assert driver.logged[-1] == Log(
        logging.WARNING, "the schema of Codex 0.1 can't be had: x; experimental methods are not held back"
    )
    driver.greets(1)
    plain = driver.client(**PLAIN)
    assert driver.sends(plain, id=1, method="process/spawn", params={"processHandle": "h"}) != []
    assert driver.status()["codex"]["schemaProblem"] == "the schema of Codex 0.1 can't be had: x"


def test_requests_wait_until_it_is_known_what_is_experimental() -> None:
    """The handshake does not; and what is learnt of an earlier Codex says nothing of this one."""
    driver = Driver()
    driver.start()
    driver.keep(driver.router.codex_spawned(driver.incarnation, 1, driver.now))
    driver.greets(1)
    client = driver.connect()
    assert (
        driver.sends(client, id=0, method="initialize", params={"clientInfo": {"name": "x", "version": "1"}})
        != []
    )
    assert driver.sends(client, id=1, method="process/spawn", params={}) == []
    assert driver.sends(client, id=2, method="x", params={}) == []
    driver.incarnation -= 1
    assert driver.learnt(LEARNT) == []
    driver.incarnation += 1
    refused = {"code": -32600, "message": "process/spawn requires experimentalApi capability"}
    assert driver.learnt(LEARNT) == [to(client, error=refused, id=1), codex(id=2, method="x", params={})]


def test_a_notification_of_a_client_is_not_held_back() -> None:
    """There is nothing to answer it with."""
    driver = Driver().ready()
    plain = driver.client(**PLAIN)
    assert driver.sends(plain, method="process/spawn", params={}) == [
        codex(method="process/spawn", params={})
    ]


@pytest.mark.parametrize("raw_id", ["a", 1, -5])
def test_the_id_of_a_request_in_params_is_the_one_that_codex_knows(raw_id: Any) -> None:
    """The newest of that name under way of the same client; of the same type."""
    driver = Driver().ready()
    one, two = driver.clients(2)
    for client in (one, one, two):
        driver.sends(client, id=raw_id, method="thread/sample", params={"threadId": "T"})
    driver.sends(one, id=raw_id, method="x", params={})
    assert driver.sends(one, id=9, method="thread/sample/cancel", params={"requestId": raw_id}) == [
        codex(id=6, method="thread/sample/cancel", params={"requestId": 3})
    ]


@pytest.mark.parametrize("named", ["1", 2])
def test_an_unknown_id_in_params_becomes_one_that_codex_never_saw(named: Any) -> None:
    """Codex does nothing then, and says so to nobody (measured)."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="thread/sample", params={})
    assert driver.sends(client, id=9, method="thread/sample/cancel", params={"requestId": named}) == [
        codex(id=4, method="thread/sample/cancel", params={"requestId": 3})
    ]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"requestId": None},
        {"requestId": 1.5},
        {"requestId": {}},
        {"requestId": [1]},
        {"requestId": 2**63},
    ],
)
def test_a_cancelling_request_without_an_id_is_codexs_to_refuse(params: Any) -> None:
    """As it is."""
    driver = Driver().ready()
    client = driver.client()
    assert driver.sends(client, id=9, method="thread/sample/cancel", params=params) == [
        codex(id=2, method="thread/sample/cancel", params=params)
    ]


def test_an_id_in_params_is_exchanged_with_every_try() -> None:
    """Another try of the same request names the same one."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="thread/sample", params={})
    driver.sends(client, id=9, method="thread/sample/cancel", params={"requestId": 1})
    driver.says(error=OVERLOADED, id=3)
    assert driver.wait(1) == [codex(id=4, method="thread/sample/cancel", params={"requestId": 2})]


def test_a_cancelling_request_that_is_made_again_means_the_same_one() -> None:
    """Codex had room for neither; the request that it is to end has another number now, and its successor is not meant."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="thread/sample", params={})
    cancel = {"id": 9, "method": "thread/sample/cancel", "params": {"requestId": 1}}
    assert driver.sends(client, **cancel) == [codex(**cancel | {"id": 3, "params": {"requestId": 2}})]
    for number in (2, 3):
        driver.says(error=OVERLOADED, id=number)
    driver.sends(client, id=1, method="thread/sample", params={})
    assert driver.wait(1) == [
        codex(id=5, method="thread/sample", params={}),
        codex(**cancel | {"id": 6, "params": {"requestId": 5}}),
    ]
    driver.says(error=OVERLOADED, id=6)
    driver.says(id=5, result={})
    assert driver.wait(1) == [codex(**cancel | {"id": 8, "params": {"requestId": 7}})]


def test_a_notification_that_looks_like_a_cancelling_request_is_passed_on() -> None:
    """It wants no answer, and Codex only logs it; it names nobody else's request either."""
    driver = Driver().ready()
    one, two = driver.clients(2)
    driver.sends(one, id=1, method="thread/sample", params={})
    driver.sends(two, id=1, method="thread/sample", params={})
    assert driver.sends(two, method="thread/sample/cancel", params={"requestId": 1}) == [
        codex(method="thread/sample/cancel", params={"requestId": 3})
    ]
