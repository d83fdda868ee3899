"""How long a thread stays loaded that nobody follows."""

from typing import Any

import msgspec

from tests.routing.driver import IDENTITY, OVERLOADED, START, Driver, codex

T = {"threadId": "T"}
LET_GO = {"method": "thread/unsubscribe", "params": T}
UNSUBSCRIBED = {"status": "unsubscribed"}
TURN = {"id": "u"}


def slow(*others: str) -> tuple[Driver, int]:
    """A router that keeps what is deserted for 60 s, a client that follows T, and Codex's next number.

    `others`: sub-agents' threads of T.
    """
    driver = Driver(msgspec.structs.replace(IDENTITY, thread_unload_delay=60)).ready()
    driver.thread(driver.client())
    for at, child in enumerate(others):
        driver.says(method="item/started", params={"threadId": child})
        driver.says(id=3 + at, result={"thread": {"id": child, "parentThreadId": "T"}})
    return driver, 3 + len(others)


def resumes(driver: Driver, client: int, number: int, thread: str = "T") -> None:
    """A client attaches to a thread."""
    driver.sends(client, id="r", method="thread/resume", params={"threadId": thread})
    driver.says(id=number, result={"thread": {"id": thread}})


def test_a_deserted_thread_stays_for_the_delay() -> None:
    """Nothing is due before, once it goes, and then nothing is due any more."""
    driver, number = slow()
    assert driver.router.deadline() is None
    assert driver.leaves(1) == []
    assert driver.router.deadline() == START + 60
    assert driver.wait(59.9) == []
    assert driver.wait(0.1) == [codex(id=number, **LET_GO)]
    assert driver.router.deadline() is None
    assert driver.says(id=number, result=UNSUBSCRIBED) == []
    assert (driver.status()["threads"], driver.wait(1e6)) == (0, [])


def test_unsubscribing_starts_the_clock_too() -> None:
    """The client is still there, and follows nothing."""
    driver, number = slow()
    driver.sends(1, id="u", method="thread/unsubscribe", params=T)
    assert driver.wait(60) == [codex(id=number, **LET_GO)]


def test_a_new_follower_stops_the_clock() -> None:
    """And when it leaves, the delay begins anew."""
    driver, number = slow()
    driver.leaves(1)
    driver.wait(30)
    resumes(driver, driver.client(), number)
    assert driver.router.deadline() is None
    assert driver.wait(100) == []
    driver.leaves(2)
    assert driver.wait(59.9) == []
    assert driver.wait(0.1) == [codex(id=number + 1, **LET_GO)]


def test_a_new_follower_counts_although_codex_was_about_to_be_told() -> None:
    """Codex had no room for the wish to let go of the thread; when it is said again, that is no longer the wish."""
    driver, number = slow()
    driver.leaves(1)
    driver.wait(60)
    driver.says(id=number, error=OVERLOADED)
    resumes(driver, driver.client(), number + 1)
    driver.leaves(2)
    assert driver.wait(59.9) == []
    assert driver.wait(0.1) == [codex(id=number + 2, **LET_GO)]


def test_the_end_of_a_turn_starts_the_clock_anew() -> None:
    """It was begun by somebody who does not follow the thread."""
    driver, number = slow()
    driver.leaves(1)
    driver.wait(30)
    driver.says(method="turn/started", params=T | {"turn": TURN})
    driver.says(method="turn/completed", params=T | {"turn": TURN})
    assert driver.wait(59.9) == []
    assert driver.wait(0.1) == [codex(id=number, **LET_GO)]


def test_a_turn_that_runs_when_the_time_is_over_keeps_the_thread() -> None:
    """Until the delay after its end."""
    driver, number = slow()
    driver.leaves(1)
    driver.says(method="turn/started", params=T | {"turn": TURN})
    assert driver.wait(100) == []
    driver.says(method="turn/completed", params=T | {"turn": TURN})
    assert driver.wait(59.9) == []
    assert driver.wait(0.1) == [codex(id=number, **LET_GO)]


def test_reading_does_not_keep_a_thread() -> None:
    """Whoever looks at it now and then does not start the clock anew."""
    driver, number = slow()
    driver.leaves(1)
    reader = driver.client()
    for n in range(5):
        driver.wait(11)
        driver.sends(reader, id=n, method="thread/read", params=T)
        driver.says(id=number + n, result={})
    assert driver.wait(5) == [codex(id=number + 5, **LET_GO)]


def test_sub_agents_go_with_their_parent() -> None:
    """At the parent's time, whenever their own turns ended; and the clock waits for the last of them."""
    driver, number = slow("C")
    driver.says(method="turn/started", params={"threadId": "C", "turn": TURN})
    driver.leaves(1)
    assert driver.wait(100) == []
    driver.says(method="turn/completed", params={"threadId": "C", "turn": TURN})
    assert driver.wait(59.9) == []
    assert driver.asked(driver.wait(0.1)) == [
        (number, "thread/unsubscribe", T),
        (number + 1, "thread/unsubscribe", {"threadId": "C"}),
    ]
    for n, thread in ((number, "T"), (number + 1, "C")):
        driver.says(id=n, result=UNSUBSCRIBED)
        driver.says(method="thread/closed", params={"threadId": thread})
    assert (driver.router.deadline(), driver.status()["threads"]) == (None, 0)


def test_a_sub_agent_whose_parent_is_found_later_keeps_the_parents_time() -> None:
    """It was followed alone and left; then somebody came to its parent, and left."""
    driver = Driver(msgspec.structs.replace(IDENTITY, thread_unload_delay=60)).ready()
    described = {"id": "C", "parentThreadId": "T"}
    driver.sends(driver.client(), id="r", method="thread/resume", params={"threadId": "C"})
    driver.says(id=2, result={"thread": described})
    driver.leaves(1)
    driver.wait(30)
    resumes(driver, driver.client(), 3)
    driver.leaves(2)
    assert driver.wait(30) == []
    assert [asked[2] for asked in driver.asked(driver.wait(30))] == [T, {"threadId": "C"}]


def test_what_ended_by_itself_is_due_no_more() -> None:
    """Archived, deleted, or closed by Codex."""
    driver, _ = slow()
    driver.leaves(1)
    driver.says(method="thread/archived", params=T)
    assert driver.router.deadline() is None


def test_a_death_ends_all_waiting() -> None:
    """The next Codex has not loaded what nobody follows."""
    driver, _ = slow()
    driver.leaves(1)
    driver.dies()
    effects: list[Any] = driver.wait(10)
    assert driver.asked(effects) == []
    driver.spawned()
    driver.greets(3)
    assert (driver.router.deadline(), driver.status()["threads"]) == (None, 0)


def test_a_follower_of_a_sub_agent_who_leaves_starts_the_clock_anew() -> None:
    """The parent was deserted before, and waits for the same time."""
    driver, number = slow("C")
    resumes(driver, driver.client(), number, "C")
    driver.leaves(1)
    driver.wait(30)
    driver.leaves(2)
    assert driver.wait(59.9) == []
    assert [asked[2] for asked in driver.asked(driver.wait(0.1))] == [T, {"threadId": "C"}]
