import time

import pytest

from codexctl.client import Client, ConnectionLost, Message
from codexctl.timeline import Event, Following, Gap, Page, read
from tests.codexctl.standin import THREAD, numbered


@pytest.fixture
def client(codexd):
    with Client.open() as client:
        yield client


def test_what_is_kept_comes_page_by_page(client, codexd):
    """Each page begins after the last number of the one before; an empty one is the end, and may have a gap."""
    one = {"seq": 5, "at": 1.5, "method": "m", "params": {"threadId": THREAD}}
    pages = {
        0: {"events": [one, one | {"seq": 6}], "last": 9, "gap": {"from": 1, "to": 4}},
        6: {"events": [], "last": 9, "gap": {"from": 7, "to": 9}},
    }
    codexd.answers["codexd/events/read"] = lambda connection, params: pages[params["after"]]
    event = Event(5, 1.5, "m", {"threadId": THREAD})
    assert [*read(client, after=0, thread=THREAD)] == [
        Page([event, event._replace(seq=6)], 9, Gap(1, 4)),
        Page([], 9, Gap(7, 9)),
    ]
    assert codexd.requests("codexd/events/read") == [
        {"threadId": THREAD, "after": 0},
        {"threadId": THREAD, "after": 6},
    ]


def test_a_follower_gets_each_event_once_with_its_time(client, codexd):
    """What has no number is no event, and given to whoever wants it; what it has seen it is not told again; live events have the time of now."""
    codexd.answers["codexd/events/follow"] = (
        {"last": 6},
        numbered(5, "one", at=1.5),
        {"method": "codexd/codex/ready", "params": {"pid": 1}},
        numbered(5, "one", at=1.5),
        numbered(7, "two"),
    )
    before = time.time()
    others: list[Message] = []
    following = Following(client, after=4, others=others.append)
    assert (following.last, following.gap, following.cursor) == (6, None, 4)
    events = iter(following)
    assert next(events) == Event(5, 1.5, "one", {"threadId": THREAD})
    live = next(events)
    assert (live.seq, live.method, following.cursor) == (7, "two", 7)
    assert before <= live.at <= time.time()
    assert following.receive(0) is None
    assert [other.method for other in others] == ["codexd/codex/ready"]
    codexd.connections[0].hang_up()
    with pytest.raises(ConnectionLost):
        next(events)


def test_a_number_that_was_never_given_is_forgotten(client, codexd):
    """The state directory is another one: its events have lower numbers, and none of them may be passed over."""
    codexd.answers["codexd/events/follow"] = ({"last": 3, "gap": {"from": 4, "to": 9}}, numbered(4, "one"))
    following = Following(client, after=9)
    assert (following.gap, following.cursor) == (Gap(4, 9), 3)
    event = following.receive()
    assert event is not None
    assert event.seq == 4
