"""`codexd/threads/release`: a thread is let go of at once, and whoever asked hears when it is free."""

from typing import Any

import msgspec
import pytest

from codexd.routing.effects import PauseReading, ResumeReading
from codexd.routing.flow import QUEUE_REQUESTS
from codexd.routing.releases import Releases
from tests.routing.driver import IDENTITY, OVERLOADED, Driver, codex, request, to

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
    releases.closes("a", 0)
    releases.closes("b", 1)
    assert releases.is_closing("a")
    releases.end("a")
    assert not releases.is_closing("a")
    releases.clear()
    assert not releases.is_closing("b")


def test_a_resume_waits_for_the_end_but_not_for_ever() -> None:
    """Each thread has its time; that it is closing is known longer."""
    releases = Releases()
    for thread, now in (("a", 0), ("b", 1), ("c", 2), ("d", 3)):
        releases.closes(thread, now)
    releases.end("a")
    assert (releases.holds("a"), releases.holds("b"), releases.deadline) == (False, True, 6)
    assert (releases.take_overdue(5.9), releases.take_overdue(7)) == ([], ["b", "c"])
    assert (releases.holds("b"), releases.is_closing("b"), releases.deadline) == (False, True, 8)
    releases.clear()
    assert (releases.holds("d"), releases.deadline) == (False, None)


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
    assert driver.says(method="thread/closed", params=T) == [
        to(2, method="thread/closed", params=T),
        answer(2, status="released"),
    ]
    assert driver.router.deadline() is None
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


def test_who_comes_before_it_is_gone_gets_it_when_it_is() -> None:
    """Codex may never answer a resume that comes while it unloads the thread (measured)."""
    driver, number = deserted(others=2)
    wants(driver)
    assert driver.sends(3, id="r", method="thread/resume", params=T) == []
    assert driver.says(id=number, result=UNSUBSCRIBED) == []
    assert driver.sends(2, id="s", method="thread/resume", params=T) == []
    assert driver.says(method="thread/closed", params=T) == [
        to(2, 3, method="thread/closed", params=T),
        answer(2, status="released"),
        codex(id=number + 1, method="thread/resume", params=T),
        codex(id=number + 2, method="thread/resume", params=T),
    ]


def test_a_codex_that_keeps_the_thread_gives_it_back() -> None:
    """It has a delay of its own; whoever waits for the end hears that there is none."""
    driver, number = deserted(others=2)
    wants(driver)
    driver.says(id=number, result=UNSUBSCRIBED)
    assert driver.sends(3, id="r", method="thread/resume", params=T) == []
    assert driver.wait(4.9) == []
    assert driver.wait(0.1) == [codex(id=number + 1, method="thread/resume", params=T)]
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=number + 1, result=attached) == [in_use(2, 1), to(3, id="r", result=attached)]


def test_a_release_that_codex_had_no_room_for_gives_way_to_a_follower() -> None:
    """Who came meanwhile has waited for its end."""
    driver, number = deserted(others=2)
    wants(driver)
    assert driver.sends(3, id="r", method="thread/resume", params=T) == []
    assert driver.says(error=OVERLOADED, id=number) == []
    assert driver.wait(1) == [in_use(2), codex(id=number + 1, method="thread/resume", params=T)]


def by_path(driver: Driver, client: int) -> None:
    """Attaches to T by its file; Codex ignores the other name."""
    params = {"threadId": "ignored", "path": "/rollout-T.jsonl"}
    driver.sends(client, id="p", method="thread/resume", params=params)


def test_who_comes_by_another_name_keeps_it() -> None:
    """Before Codex has answered, and before it has closed it."""
    for is_answered in (False, True):
        driver, number = deserted(others=2)
        wants(driver)
        by_path(driver, 3)
        if is_answered:
            driver.says(id=number, result=UNSUBSCRIBED)
        attached = {"thread": {"id": "T"}}
        assert driver.says(id=number + 1, result=attached) == [
            in_use(2, 1),
            to(3, id="p", result=attached),
        ]
        if not is_answered:
            assert wants(driver, 2, "again") == []
            assert driver.says(id=number, result=UNSUBSCRIBED) == [
                answer(2, "again", followers=1, turnRuns=False, pendingApprovals=0, status="inUse")
            ]
        assert wants(driver) == [in_use(2, 1)]


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


def test_who_asks_much_while_codex_takes_its_time_is_not_read_any_more() -> None:
    """Its questions would fill the memory; it is read again when they are answered."""
    driver, number = deserted()
    assert wants(driver, 2, 0) == [codex(id=number, **LET_GO)]
    effects = [wants(driver, 2, n) for n in range(1, QUEUE_REQUESTS)]
    assert effects == [[]] * (QUEUE_REQUESTS - 2) + [[PauseReading(2)]]
    driver.says(id=number, result=UNSUBSCRIBED)
    answers = [answer(2, n, status="released") for n in range(QUEUE_REQUESTS)]
    assert driver.says(method="thread/closed", params=T)[1:] == [*answers, ResumeReading(2)]
