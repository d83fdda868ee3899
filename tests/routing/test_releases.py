"""`codexd/threads/release`: a thread is let go of at once, and whoever asked hears when it is free."""

from typing import Any

import msgspec
import pytest

from codexd.routing.releases import Releases
from tests.routing.driver import IDENTITY, Driver, codex, request, to

T = {"threadId": "T"}
LET_GO = {"method": "thread/unsubscribe", "params": T}
UNSUBSCRIBED = {"status": "unsubscribed"}
RELEASE = "codexd/threads/release"


def test_everybody_who_waits_for_a_thread_is_named_once() -> None:
    """In the order of asking; who has left is not among them."""
    releases, asked = Releases(), request()
    for thread, client in (("a", 1), ("a", 2), ("a", 1), ("b", 3)):
        releases.wait(thread, client, asked)
    releases.leave(2)
    releases.leave(9)
    assert releases.end("a") == [(1, asked), (1, asked)]
    assert (releases.end("a"), releases.end("unknown")) == ([], [])
    assert (releases.clear(), releases.clear()) == ([(3, asked)], [])


def test_a_thread_is_closing_until_its_end() -> None:
    """Or until Codex's."""
    releases = Releases()
    assert not releases.is_closing("a")
    releases.closes("a")
    releases.closes("b")
    assert releases.is_closing("a")
    releases.end("a")
    assert not releases.is_closing("a")
    releases.clear()
    assert not releases.is_closing("b")


def deserted(*, others: int = 1) -> tuple[Driver, int]:
    """A router that keeps what is deserted for 60 s, T that nobody follows any more, and Codex's next number."""
    driver = Driver(msgspec.structs.replace(IDENTITY, thread_unload_delay=60)).ready()
    driver.thread(driver.client())
    driver.clients(others)
    driver.leaves(1)
    return driver, 3


def answer(client: int, raw_id: Any = "w", **result: Any) -> Any:
    return to(client, id=raw_id, result=result)


def in_use(client: int, followers: int = 0, *, runs: bool = False, approvals: int = 0) -> Any:
    return answer(client, followers=followers, turnRuns=runs, pendingApprovals=approvals, status="inUse")


def wants(driver: Driver, client: int = 2, raw_id: Any = "w", **params: Any) -> Any:
    return driver.sends(client, id=raw_id, method=RELEASE, params=params or T)


def test_a_deserted_thread_is_released_without_the_delay() -> None:
    """The answer comes when Codex has closed it, behind what Codex says of that; nothing is due any more."""
    driver, number = deserted()
    assert wants(driver) == [codex(id=number, **LET_GO)]
    assert driver.says(id=number, result=UNSUBSCRIBED) == []
    assert driver.router.deadline() is None
    assert driver.says(method="thread/closed", params=T) == [
        to(2, method="thread/closed", params=T),
        answer(2, status="released"),
    ]
    assert wants(driver) == [answer(2, status="notLoaded")]


def test_the_answers_may_come_in_the_other_order() -> None:
    """Then the thread is closed already when Codex answers."""
    driver, number = deserted()
    wants(driver)
    assert driver.says(method="thread/closed", params=T)[1:] == [answer(2, status="released")]
    assert driver.says(id=number, result=UNSUBSCRIBED) == []
    assert wants(driver) == [answer(2, status="notLoaded")]


def test_several_may_wait_for_the_same() -> None:
    """Before and after Codex's answer, each under its own id; who has left is not told."""
    driver, number = deserted(others=3)
    wants(driver)
    assert wants(driver, 3, "x") == []
    driver.says(id=number, result=UNSUBSCRIBED)
    assert wants(driver, 4, 5) == []
    driver.leaves(3)
    assert driver.says(method="thread/closed", params=T)[1:] == [
        answer(2, status="released"),
        answer(4, 5, status="released"),
    ]


def test_what_is_not_loaded_need_not_be_released() -> None:
    """codexd knows nothing of it; or Codex knows it no more."""
    driver, number = deserted()
    assert wants(driver, threadId="unknown") == [answer(2, status="notLoaded")]
    wants(driver)
    assert driver.says(id=number, result={"status": "notLoaded"}) == [answer(2, status="notLoaded")]


@pytest.mark.parametrize("strange", [{"error": {"code": -32603, "message": "?"}}, {"result": 5}])
def test_a_codex_that_answers_something_strange(strange: dict[str, Any]) -> None:
    """An error: it is not Codex's any more. Something unknown: its end is waited for."""
    driver, number = deserted()
    wants(driver)
    known = [answer(2, status="notLoaded")] if "error" in strange else []
    assert driver.says(id=number, **strange) == known


def test_what_others_follow_stays() -> None:
    """A follower of its own, and the asker itself if it is one."""
    driver = Driver().ready()
    driver.thread(*driver.clients(2))
    assert wants(driver, 2) == [in_use(2, 2)]


def test_what_is_busy_stays() -> None:
    """A turn of a sub-agent, and what it asks."""
    driver, number = deserted()
    driver.says(method="item/started", params={"threadId": "C"})
    driver.says(id=number, result={"thread": {"id": "C", "parentThreadId": "T"}})
    driver.says(method="turn/started", params={"threadId": "C", "turn": {"id": "v"}})
    driver.says(id=0, method="item/tool/call", params={"threadId": "C"})
    assert wants(driver) == [in_use(2, runs=True, approvals=1)]
    assert wants(driver, threadId="C") == [in_use(2, runs=True, approvals=1)]


def test_what_somebody_is_about_to_follow_stays() -> None:
    """codexd does not know the thread yet; it is on its way into Codex's memory."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.sends(a, id="r", method="thread/resume", params=T)
    assert wants(driver, b) == [in_use(b)]


def test_a_sub_agent_of_unknown_parents_stays() -> None:
    """It works for somebody."""
    driver, _ = deserted()
    driver.says(method="item/started", params={"threadId": "C"})
    assert wants(driver, threadId="C") == [in_use(2)]


def test_sub_agents_are_released_with_the_thread() -> None:
    """The answer is the thread's own."""
    driver, number = deserted()
    driver.says(method="item/started", params={"threadId": "C"})
    driver.says(id=number, result={"thread": {"id": "C", "parentThreadId": "T"}})
    assert driver.asked(wants(driver)) == [
        (number + 1, "thread/unsubscribe", T),
        (number + 2, "thread/unsubscribe", {"threadId": "C"}),
    ]


def test_who_comes_before_it_is_gone_keeps_it() -> None:
    """The attaching was sent behind it; whether Codex's answers come in this order or the other."""
    for answers_swap in (False, True):
        driver, number = deserted(others=2)
        wants(driver)
        driver.sends(3, id="r", method="thread/resume", params=T)
        left = {"id": number, "result": UNSUBSCRIBED}
        came = {"id": number + 1, "result": {"thread": {"id": "T"}}}
        effects: list[Any] = []
        for said in (came, left) if answers_swap else (left, came):
            effects += driver.says(**said)
        assert in_use(2, 1) in effects
        assert wants(driver) == [in_use(2, 1)]


def test_a_follower_who_comes_during_the_answers_keeps_it() -> None:
    """Somebody asks for its release once more while that is being undone."""
    driver, number = deserted(others=2)
    wants(driver)
    driver.sends(3, id="r", method="thread/resume", params=T)
    driver.says(id=number + 1, result={"thread": {"id": "T"}})
    assert wants(driver, 2, "again") == []
    assert driver.says(id=number, result=UNSUBSCRIBED) == [
        to(
            2,
            id="again",
            result={"followers": 1, "turnRuns": False, "pendingApprovals": 0, "status": "inUse"},
        )
    ]


def test_a_follower_who_comes_before_it_is_sent_keeps_it() -> None:
    """The window is full: what somebody else asks of the thread goes first."""
    driver, _ = deserted(others=2)
    for _ in range(3):
        busy = driver.client()
        for n in range(32):
            driver.sends(busy, id=n, method="x", params={})
    driver.sends(3, id="r", method="thread/resume", params=T)
    assert driver.asked(wants(driver)) == []
    last = driver.router._state.requests._next
    effects = driver.says(id=last, result={})
    assert "thread/unsubscribe" not in [asked[1] for asked in driver.asked(effects)]
    assert in_use(2) in effects


def test_a_death_answers_who_waits() -> None:
    """It may be asked again; then nothing is loaded."""
    driver, _ = deserted()
    wants(driver)
    dead = {
        "code": -32050,
        "message": f"gone, while {RELEASE} was under way",
        "data": {"reason": "codexExited", "safeToRetry": True},
    }
    assert to(2, error=dead, id="w") in driver.dies("gone")
    assert wants(driver) == [answer(2, status="notLoaded")]


def test_when_codexd_stops_it_says_so() -> None:
    """The answer would not be true for a moment."""
    driver, _ = deserted()
    driver.stops()
    stopping = {
        "code": -32050,
        "message": "codexd is stopping; start it again with `codexd start`",
        "data": {"reason": "stopping", "safeToRetry": True},
    }
    assert wants(driver) == [to(2, error=stopping, id="w")]


def test_bad_params_are_said() -> None:
    """What it takes is named."""
    driver, _ = deserted()
    message = f"{RELEASE} takes {{threadId}}: Expected `str`, got `int` - at `$.threadId`"
    assert wants(driver, threadId=5) == [to(2, error={"code": -32602, "message": message}, id="w")]
