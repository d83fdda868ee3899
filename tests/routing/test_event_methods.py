"""The timeline for clients: read by number, followed by number, and what is missing is said."""

import pytest

from codexd.routing.effects import Numbered, PauseReading, ReadEvents, Replay, ResumeReading, ViewChanged
from codexd.routing.events import Event, Gap, History, View
from codexd.routing.flow import QUEUE_REQUESTS
from codexd.routing.following import MAX_FOLLOWED
from tests.routing.driver import START, Driver, to

DELTA = "item/agentMessage/delta"


def house() -> Driver:
    """Client 1 follows T, client 2 has not initialized; three events have been."""
    driver = Driver().ready()
    driver.client()
    driver.connect()
    driver.thread(1)
    for n in range(2):
        driver.says(method=DELTA, params={"threadId": "T", "n": n})
    driver.timeline.clear()
    return driver


def test_events_are_read_and_answered_with_number_time_method_and_params() -> None:
    """The broker is asked for them, and brings them; a client need not have initialized."""
    driver = house()
    assert driver.sends(2, id=5, method="codexd/events/read", params={"after": 1, "limit": 2}) == []
    assert driver.timeline == [ReadEvents(2, 1, None, 1, 3, 2)]
    assert driver.router.in_flight(2) == 1
    driver.now += 1
    answer = {
        "events": [
            {"seq": 2, "at": START, "method": DELTA, "params": {"threadId": "T", "n": 0}},
            {"seq": 3, "at": START, "method": DELTA, "params": {"threadId": "T", "n": 1}},
        ],
        "last": 3,
    }
    assert driver.keep(driver.router.events_read(1, driver.events[1:], driver.now)) == [
        to(2, id=5, result=answer)
    ]
    assert driver.router.in_flight(2) == 0


def test_one_threads_events_are_asked_for_by_thread() -> None:
    """A thousand at once, where no limit is given."""
    driver = house()
    driver.sends(1, id=5, method="codexd/events/read", params={"threadId": "T", "after": 0})
    assert driver.timeline == [ReadEvents(1, 1, "T", 0, 3, 1000)]


def test_what_is_missing_is_said_as_far_as_the_answer_goes() -> None:
    """A gap behind the last event of the answer is the next answer's; one in front of what there is, is this one's."""
    driver = house()
    driver.kept.missing += [Gap(1, 1), Gap(3, 3)]
    for after in (0, 1, 2, 7):
        driver.sends(1, id=after, method="codexd/events/read", params={"after": after})
    [first] = driver.keep(driver.router.events_read(1, driver.events[1:2], START))
    assert b'"last":3,"gap":{"from":1,"to":1}' in first.line  # type: ignore[union-attr]
    [second] = driver.keep(driver.router.events_read(2, driver.events[1:2], START))
    assert second.line.endswith(b'"last":3}}')  # type: ignore[union-attr]
    [third] = driver.keep(driver.router.events_read(3, [], START))
    assert third == to(1, id=2, result={"events": [], "last": 3, "gap": {"from": 3, "to": 3}})
    [never_given] = driver.keep(driver.router.events_read(4, [], START))
    assert never_given == to(1, id=7, result={"events": [], "last": 3, "gap": {"from": 4, "to": 7}})


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("codexd/events/read", {}),
        ("codexd/events/read", {"after": -1}),
        ("codexd/events/read", {"after": 0, "limit": 0}),
        ("codexd/events/read", {"after": 0, "limit": 10_001}),
        ("codexd/events/read", {"after": "0"}),
        ("codexd/events/follow", {"after": -1}),
        ("codexd/events/follow", {"after": 0, "threadId": 5}),
        ("codexd/events/follow", {"after": 0, "threadId": "x" * 201}),
        ("codexd/events/read", {"after": 0, "threadId": "x" * 201}),
    ],
)
def test_bad_params_are_refused_with_the_shape(method: str, params: object) -> None:
    """Nothing is read, and nobody follows."""
    driver = house()
    [answer] = driver.sends(1, id=5, method=method, params=params)
    assert b'"code":-32602,"message":"' + method.encode() + b" takes {threadId?, after" in answer.line  # type: ignore[union-attr]
    assert driver.timeline == []


def test_a_cursor_from_the_future_is_told_what_is_missing_however_late_it_is_answered() -> None:
    """What has come meanwhile is not beyond it, and not in the answer either."""
    driver = house()
    last = driver.events[-1].seq
    driver.sends(2, id=5, method="codexd/events/read", params={"after": last + 2})
    for _ in range(3):
        driver.says(method="item/agentMessage/delta", params={"threadId": "T"})
    gap = {"from": last + 1, "to": last + 2}
    assert driver.keep(driver.router.events_read(1, [], START)) == [
        to(2, id=5, result={"events": [], "last": last + 3, "gap": gap})
    ]


def test_who_asks_much_and_takes_no_answer_is_not_read_any_more() -> None:
    """Its questions would fill the memory; it is read again when half of them are answered."""
    driver = house()
    effects = [
        driver.sends(2, id=n, method="codexd/events/read", params={"after": 0}) for n in range(QUEUE_REQUESTS)
    ]
    assert effects == [[]] * (QUEUE_REQUESTS - 1) + [[PauseReading(2)]]
    after = [driver.keep(driver.router.events_read(n + 1, [], START))[1:] for n in range(QUEUE_REQUESTS // 2)]
    assert after == [[]] * (QUEUE_REQUESTS // 2 - 1) + [[ResumeReading(2)]]


def test_who_follows_many_threads_one_by_one_is_told_to_follow_all() -> None:
    """Each of them is copied whenever what the client is sent changes."""
    driver = house()
    for n in range(MAX_FOLLOWED):
        driver.sends(2, id=n, method="codexd/events/follow", params={"threadId": f"{n}", "after": 3})
    [refused] = driver.sends(
        2, id="more", method="codexd/events/follow", params={"threadId": "T", "after": 3}
    )
    message = f"a client follows at most {MAX_FOLLOWED} threads one by one; without threadId it follows all"
    assert refused == to(2, error={"code": -32602, "message": message}, id="more")
    for params in ({"threadId": "5", "after": 3}, {"after": 3}):
        assert driver.sends(2, id=1, method="codexd/events/follow", params=params) == [
            to(2, id=1, result={"last": 3})
        ]


def test_who_has_left_is_not_answered() -> None:
    """What was read for it is nobody's."""
    driver = house()
    driver.sends(2, id=5, method="codexd/events/read", params={"after": 0})
    driver.leaves(2)
    assert driver.router.events_read(1, driver.events, START) == []


def test_history_that_can_not_be_read_just_now_is_no_gap() -> None:
    """The asker is told why, and may ask again; somebody who has left is told nothing."""
    driver = house()
    for _ in range(2):
        driver.sends(2, id=5, method="codexd/events/read", params={"after": 0})
    data = {"reason": "historyUnreadable", "safeToRetry": True}
    error = {"code": -32050, "message": "the history can't be read: a bad sector", "data": data}
    assert driver.router.events_read(1, "a bad sector", START) == [to(2, error=error, id=5)]
    assert driver.router.in_flight(2) == 1
    driver.leaves(2)
    assert driver.router.events_read(2, "a bad sector", START) == []


def test_who_follows_before_codex_has_answered_it_does_not_get_what_it_does_not_want() -> None:
    """What is sent behind an `initialize` counts as sent by an initialized client."""
    driver = house()
    driver.dies()
    capabilities = {"experimentalApi": True, "optOutNotificationMethods": ["warning"]}
    introduction = {"clientInfo": {"name": "test", "version": "1"}, "capabilities": capabilities}
    driver.timeline.clear()
    assert driver.sends(2, id=1, method="initialize", params=introduction) == []
    driver.sends(2, id=2, method="codexd/events/follow", params={"after": 1})
    last = driver.events[-1].seq
    assert driver.timeline == [Replay(2, 2, last, History(None, frozenset({"warning"})))]


def test_when_codexd_ends_who_waits_is_told() -> None:
    """And who asks afterwards, too."""
    driver = house()
    driver.sends(2, id=5, method="codexd/events/read", params={"after": 0})
    assert to(2, **stopping(5)) in driver.stops()
    assert driver.sends(2, id=6, method="codexd/events/read", params={"after": 0}) == [to(2, **stopping(6))]


def stopping(raw_id: int) -> dict[str, object]:
    """The answer of a codexd that ends."""
    data = {"reason": "stopping", "safeToRetry": True}
    message = "codexd is stopping; start it again with `codexd start`"
    return {"error": {"code": -32050, "message": message, "data": data}, "id": raw_id}


def test_a_follower_is_answered_then_sent_the_past_then_what_comes() -> None:
    """In this order, and the seam between past and future is the number in the answer."""
    driver = house()
    assert driver.sends(2, id=5, method="codexd/events/follow", params={"after": 1}) == [
        to(2, id=5, result={"last": 3})
    ]
    assert driver.timeline == [Replay(2, 2, 3, History(None))]
    effects = driver.router.codex_receive(1, b'{"method":"error","params":{"threadId":"T"}}', START)
    event = Event(4, START, "T", "error", b'{"method":"error","params":{"threadId":"T"}}')
    assert effects == [ViewChanged(2, View(follows_all=True)), Numbered(event, (1,), (2,))]


def test_a_follower_of_one_thread_hears_of_no_other() -> None:
    """Subscribed to it or not; and what it has opted out of it does not get here either."""
    driver = house()
    driver.client(optOutNotificationMethods=["warning"])
    driver.sends(3, id=5, method="codexd/events/follow", params={"threadId": "T", "after": 0})
    assert driver.timeline[-1] == Replay(3, 1, 3, History("T", frozenset({"warning"})))
    assert driver.says(method="warning", params={"threadId": "T"}) == [
        to(1, method="warning", params={"threadId": "T"})
    ]
    assert driver.says(method=DELTA, params={"threadId": "T"}) == [
        to(1, method=DELTA, params={"threadId": "T"}),
        to(3, method=DELTA, params={"threadId": "T"}, seq=5),
    ]
    driver.thread(1, thread="U")
    assert driver.says(method=DELTA, params={"threadId": "U"}) == [
        to(1, method=DELTA, params={"threadId": "U"})
    ]


def test_a_cursor_at_the_end_has_no_past() -> None:
    """Only what comes is sent."""
    driver = house()
    driver.sends(2, id=5, method="codexd/events/follow", params={"after": 3})
    assert driver.timeline == []


def test_who_has_no_number_yet_begins_with_the_turn_that_runs() -> None:
    """Or now, where none does, and for all threads."""
    driver = house()
    for at, params in enumerate(({}, {"threadId": "T"}, {"threadId": "unknown"})):
        assert driver.sends(2, id=at, method="codexd/events/follow", params=params) == [
            to(2, id=at, result={"last": 3})
        ]
    assert driver.timeline == []
    driver.says(method="turn/started", params={"threadId": "T", "turn": {"id": "u"}})
    driver.says(method=DELTA, params={"threadId": "T"})
    driver.connect()
    driver.sends(3, id=5, method="codexd/events/follow", params={"threadId": "T"})
    assert driver.timeline[-1] == Replay(3, 4, 5, History("T"))


def test_a_follower_is_told_what_is_missing() -> None:
    """Before it is sent the rest; and a number that was never given is one of a history that is gone."""
    driver = house()
    driver.kept.missing.append(Gap(1, 2))
    assert driver.sends(2, id=5, method="codexd/events/follow", params={"after": 0}) == [
        to(2, id=5, result={"last": 3, "gap": {"from": 1, "to": 2}})
    ]
    assert driver.timeline == [Replay(2, 1, 3, History(None), Gap(1, 2))]
    assert driver.sends(2, id=6, method="codexd/events/follow", params={"after": 9}) == [
        to(2, id=6, result={"last": 3, "gap": {"from": 4, "to": 9}})
    ]
