"""What belongs to a thread is numbered, kept, and sent to those it is meant for."""

from typing import Any

import pytest

from codexd.protocol.catalogue import NEVER_KEPT
from codexd.protocol.extension import SERVER_REQUEST
from codexd.routing.effects import ForgetThread, Numbered, Replay, ViewChanged
from codexd.routing.events import Event, Gap, OpenItems, View
from tests.routing.driver import FIRST_SERVER_REQUEST, START, Driver, line, to

SEQ: dict[str, Any] = {"codexd": {"seq": True}}
APPROVAL = "item/commandExecution/requestApproval"


def house() -> Driver:
    """Client 1 follows T and wants no numbers, client 2 follows T and wants them, client 3 follows nothing."""
    driver = Driver().ready()
    driver.client()
    driver.client(**SEQ)
    driver.client()
    driver.thread(1, 2)
    driver.timeline.clear()
    driver.events.clear()
    return driver


def said(method: str, **params: object) -> bytes:
    """A line of Codex."""
    return line(method=method, params=params)


def test_an_event_is_numbered_kept_and_sent_to_each_as_it_wants() -> None:
    """With the number for who has asked for numbers; the numbers follow each other."""
    driver = house()
    text = said("item/agentMessage/delta", threadId="T", delta="x")
    last = driver.status()["timeline"]["lastSeq"]
    assert driver.router.codex_receive(1, text, START)[-1] == Numbered(
        Event(3, START, "T", "item/agentMessage/delta", text), (1,), (2,)
    )
    assert driver.router.codex_receive(1, text, START + 1) == [
        Numbered(Event(4, START + 1, "T", "item/agentMessage/delta", text), (1,), (2,))
    ]
    assert last == 0


def test_what_nobody_is_sent_is_kept_all_the_same() -> None:
    """A turn that goes on while everybody is away can be read later."""
    driver = house()
    driver.client("other")
    driver.says(method="turn/started", params={"threadId": "T", "turn": {"id": "u"}})
    driver.leaves(1)
    driver.leaves(2)
    assert driver.says(method="item/agentMessage/delta", params={"threadId": "T"}) == []
    assert driver.events[-1].method == "item/agentMessage/delta"


def test_what_is_of_no_thread_or_of_one_client_has_no_number() -> None:
    """Broadcasts of the account, and usage after a resume."""
    driver = house()
    driver.says(method="account/updated", params={})
    driver.sends(3, id=5, method="thread/resume", params={"threadId": "T"})
    driver.says(id=4, result={"thread": {"id": "T"}})
    driver.says(method="thread/tokenUsage/updated", params={"threadId": "T"})
    assert [e.method for e in driver.events] == []


@pytest.mark.parametrize("method", sorted(NEVER_KEPT))
def test_what_must_not_be_kept_is_only_sent(method: str) -> None:
    """It has no number and stands in no file."""
    driver = house()
    params = {"threadId": "T", "name": "secret"}
    [sent] = driver.says(method=method, params=params)
    assert sent in (to(1, 2, method=method, params=params), to(1, 2, 3, method=method, params=params))
    assert driver.events == []


def test_a_request_of_codex_is_an_event_for_those_who_follow_events() -> None:
    """Under the id that clients know; who is asked gets the request itself. Its end is an event for both."""
    driver = house()
    driver.sends(3, id=1, method="codexd/events/follow", params={"threadId": "T", "after": 0})
    asked = driver.says(id=0, method=APPROVAL, params={"threadId": "T", "n": 1})
    body = {
        "id": FIRST_SERVER_REQUEST,
        "threadId": "T",
        "method": APPROVAL,
        "params": {"threadId": "T", "n": 1},
    }
    assert asked == [
        to(3, method=SERVER_REQUEST, params=body, seq=3),
        to(1, 2, id=FIRST_SERVER_REQUEST, method=APPROVAL, params={"threadId": "T", "n": 1}),
    ]
    resolved = {"threadId": "T", "requestId": FIRST_SERVER_REQUEST}
    assert driver.says(method="serverRequest/resolved", params={"threadId": "T", "requestId": 0}) == [
        to(1, method="serverRequest/resolved", params=resolved),
        to(3, 2, method="serverRequest/resolved", params=resolved, seq=4),
    ]


def test_a_thread_that_begins_is_an_event_of_that_thread() -> None:
    """Although it names itself in a way of its own; one that is malformed is passed on as it is."""
    driver = house()
    driver.says(method="thread/started", params={"thread": {"id": "N"}})
    assert [(e.seq, e.thread, e.ephemeral) for e in driver.events] == [(3, "N", False)]
    assert driver.says(method="thread/started", params={"thread": 5}) == [
        to(1, 2, 3, method="thread/started", params={"thread": 5})
    ]


def test_events_of_an_ephemeral_thread_say_so() -> None:
    """From its very first one on, so that nothing of it comes onto the disk."""
    driver = house()
    driver.sends(1, id=5, method="thread/start", params={"cwd": "/p", "ephemeral": True})
    driver.says(method="thread/started", params={"thread": {"id": "E", "ephemeral": True}})
    driver.says(method="thread/status/changed", params={"threadId": "E"})
    driver.says(id=4, result={"thread": {"id": "E", "ephemeral": True}})
    driver.says(method="turn/started", params={"threadId": "E", "turn": {"id": "u"}})
    driver.says(method="thread/closed", params={"threadId": "E"})
    assert [(e.thread, e.ephemeral) for e in driver.events] == [("E", True)] * 4


def test_a_deleted_threads_events_are_deleted() -> None:
    """All but the one that says that it was."""
    driver = house()
    effects = driver.router.codex_receive(1, said("thread/deleted", threadId="T"), START)
    kinds = [type(effect) for effect in effects if isinstance(effect, ForgetThread | Numbered)]
    assert kinds == [ForgetThread, Numbered]


def test_the_broker_is_told_of_a_view_before_the_next_event() -> None:
    """Once, however much has changed, and not for who has left meanwhile."""
    driver = house()
    driver.says(method="item/agentMessage/delta", params={"threadId": "T"})
    driver.timeline.clear()
    driver.client("leaves")
    driver.leaves(4)
    driver.sends(3, id=1, method="codexd/events/follow", params={"threadId": "T", "after": 3})
    driver.sends(3, id=2, method="codexd/events/follow", params={"threadId": "U", "after": 3})
    assert driver.timeline == []
    driver.says(method="item/agentMessage/delta", params={"threadId": "T"})
    followed = View(followed=frozenset({"T", "U"}), hears_all=True)
    assert driver.timeline == [ViewChanged(3, followed)]
    driver.says(method="item/agentMessage/delta", params={"threadId": "T"})
    assert driver.timeline == [ViewChanged(3, followed)]


def test_a_view_names_threads_of_sub_agents_too() -> None:
    """Whoever follows the parent is sent what the child says."""
    driver = house()
    driver.says(method="item/started", params={"threadId": "C", "item": {"id": "i"}})
    driver.says(id=4, result={"thread": {"id": "C", "parentThreadId": "T"}})
    views = {e.client: e.view for e in driver.timeline if isinstance(e, ViewChanged)}
    assert views[1] == View(threads=frozenset({"T", "C"}), hears_all=True)
    assert views[2] == View(threads=frozenset({"T", "C"}), hears_all=True, with_numbers=True)
    driver.says(method="thread/closed", params={"threadId": "C"})
    driver.says(method="item/agentMessage/delta", params={"threadId": "T"})
    views = {e.client: e.view for e in driver.timeline if isinstance(e, ViewChanged)}
    assert views[1] == View(threads=frozenset({"T"}), hears_all=True)


def test_a_view_says_what_is_not_wanted() -> None:
    """Opted out of, or experimental for who has not asked for that."""
    driver = Driver().ready()
    driver.client(optOutNotificationMethods=["warning"])
    driver.says(method="thread/status/changed", params={"threadId": "T"})
    assert driver.timeline == [ViewChanged(1, View(hears_all=True, unwanted=frozenset({"warning"})))]


def late(driver: Driver, client: int) -> list[Replay]:
    """What a client is sent again that resumes T now; the next request is 4."""
    driver.timeline.clear()
    number = driver.asked(driver.sends(client, id="late", method="thread/resume", params={"threadId": "T"}))
    driver.says(id=number[0][0], result={"thread": {"id": "T"}})
    return [effect for effect in driver.timeline if isinstance(effect, Replay)]


def in_the_middle() -> Driver:
    """A turn in which one item is complete and two are open."""
    driver = house()
    driver.says(method="turn/started", params={"threadId": "T", "turn": {"id": "u"}})
    for item in "abc":
        driver.says(method="item/started", params={"threadId": "T", "item": {"id": item}})
    driver.says(method="item/completed", params={"threadId": "T", "item": {"id": "b"}})
    driver.says(method="item/started", params={"threadId": "T", "item": {}})
    driver.says(method="item/completed", params={"threadId": "T"})
    return driver


def test_who_joins_in_the_middle_of_a_turn_is_sent_what_is_open() -> None:
    """From the turn's beginning on, behind the answer to its resume."""
    driver = in_the_middle()
    assert late(driver, 3) == [Replay(3, 3, 9, OpenItems("T", frozenset({"a", "c"})))]


def test_who_is_there_already_or_has_a_cursor_is_sent_nothing_again() -> None:
    """The one has had it, the other can ask for it."""
    driver = in_the_middle()
    driver.client(**SEQ)
    assert late(driver, 1) == []
    assert late(driver, 4) == []


@pytest.mark.parametrize("thread", ["T", None])
def test_who_follows_the_events_is_sent_nothing_again(thread: str | None) -> None:
    """It has had each of them, with its number."""
    driver = in_the_middle()
    driver.sends(3, id=5, method="codexd/events/follow", params={"threadId": thread, "after": 0})
    assert late(driver, 3) == []


def test_who_hears_a_sub_agent_is_sent_nothing_of_it_again() -> None:
    """It joins the parent's thread, of which alone it has heard nothing."""
    driver = in_the_middle()
    driver.sends(3, id=5, method="thread/resume", params={"threadId": "C"})
    driver.says(id=4, result={"thread": {"id": "C", "parentThreadId": "T"}})
    driver.says(method="turn/started", params={"threadId": "C", "turn": {"id": "v"}})
    assert late(driver, 3) == [Replay(3, 3, 10, OpenItems("T", frozenset({"a", "c"})))]


def test_what_was_held_for_who_joins_is_not_sent_again() -> None:
    """A turn that has begun before it was known whose it is comes in front of the answer that says so."""
    driver = house()
    driver.sends(3, id=5, method="thread/resume", params={"threadId": "C"})
    driver.says(method="turn/started", params={"threadId": "C", "turn": {"id": "v"}})
    driver.says(method="item/started", params={"threadId": "C", "item": {"id": "i"}})
    driver.timeline.clear()
    driver.says(id=4, result={"thread": {"id": "C"}})
    assert [e.method for e in driver.events] == ["turn/started", "item/started"]
    assert [effect for effect in driver.timeline if isinstance(effect, Replay)] == []


def test_nothing_is_sent_again_when_no_turn_runs() -> None:
    """A turn that has ended is in Codex's own history; one whose beginning was not seen can't be told from its middle."""
    driver = in_the_middle()
    driver.says(method="turn/completed", params={"threadId": "T", "turn": {"id": "u"}})
    assert late(driver, 3) == []
    driver.client()
    driver.sends(1, id="t", method="turn/start", params={"threadId": "T"})
    driver.says(id=5, result={"turn": {"id": "v", "status": "inProgress"}})
    assert late(driver, 4) == []


def test_nothing_is_sent_again_of_which_a_part_is_gone() -> None:
    """Half an item is worse than none: the client gets what comes from now on, as natively."""
    driver = in_the_middle()
    driver.kept.missing.append(Gap(1, 4))
    assert late(driver, 3) == []


def test_a_new_turn_and_a_death_close_what_was_open() -> None:
    """What was open then is not sent to who joins later."""
    driver = in_the_middle()
    driver.says(method="turn/started", params={"threadId": "T", "turn": {"id": "v"}})
    assert late(driver, 3) == [Replay(3, 10, 10, OpenItems("T", frozenset()))]
    driver.died_and_back()
    driver.says(id=6, result={"thread": {"id": "T"}})
    driver.client()
    assert late(driver, 4) == []
