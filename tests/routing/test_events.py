"""What a client is sent of an event that it gets late is what it would have been sent at once."""

import pytest

from codexd.protocol.extension import SERVER_REQUEST
from codexd.routing.events import Event, History, OpenItems, Selection, View

DELTA = "item/agentMessage/delta"


def event(method: str = DELTA, thread: str = "T", item: str = "i", *, ephemeral: bool = False) -> Event:
    """An event of an item."""
    line = b'{"method":"%b","params":{"threadId":"%b","itemId":"%b"}}'
    text = line % (method.encode(), thread.encode(), item.encode())
    return Event(7, 2.5, thread, method, text, ephemeral)


def plain(of: Event) -> bytes:
    """As Codex has said it."""
    return of.line


def numbered(of: Event) -> bytes:
    """With its number."""
    return of.line[:-1] + b',"seq":7}'


def dated(of: Event) -> bytes:
    """With number and time."""
    return of.line[:-1] + b',"seq":7,"at":2.500}'


SUBSCRIBED = View(threads=frozenset({"T"}), hears_all=True, unwanted=frozenset({"warning"}))
STATUS = "thread/status/changed"


@pytest.mark.parametrize(
    ("selection", "of", "sent"),
    [
        (SUBSCRIBED, event(), plain),
        (SUBSCRIBED, event(thread="U"), None),
        (SUBSCRIBED, event(STATUS, "U"), plain),
        (SUBSCRIBED, event("warning"), None),
        (SUBSCRIBED, event(ephemeral=True), None),
        (SUBSCRIBED, event(SERVER_REQUEST), None),
        (View(threads=frozenset({"T"})), event(STATUS), None),
        (View(threads=frozenset({"T"}), with_numbers=True), event(), numbered),
        (View(followed=frozenset({"T"})), event(), numbered),
        (View(followed=frozenset({"T"})), event(STATUS), numbered),
        (View(followed=frozenset({"T"})), event(thread="U"), None),
        (View(followed=frozenset({"T"}), threads=frozenset({"T"})), event(), numbered),
        (View(followed=frozenset({"T"})), event(SERVER_REQUEST), numbered),
        (View(follows_all=True), event(thread="U"), numbered),
        (View(follows_all=True, unwanted=frozenset({DELTA})), event(), None),
        (History(None), event(), dated),
        (History("T"), event(SERVER_REQUEST), dated),
        (History("T"), event(ephemeral=True), dated),
        (History("U"), event(), None),
        (History(None, frozenset({DELTA})), event(), None),
        (OpenItems("T", frozenset({"i"})), event(), plain),
        (OpenItems("T", frozenset({"i"})), event("item/started"), plain),
        (OpenItems("T", frozenset({"j"})), event(), None),
        (OpenItems("T", frozenset({"j"})), event("turn/started"), plain),
        (OpenItems("T", frozenset({"i"})), event(thread="U"), None),
        (OpenItems("T", frozenset({"i"}), frozenset({DELTA})), event(), None),
    ],
)
def test_what_is_sent_of_an_event(selection: Selection, of: Event, sent: object) -> None:
    """By thread, method and rights alone; with its number where that was asked for, with its time where it is history."""
    assert selection.line(of) == (sent(of) if callable(sent) else None)


def test_a_line_keeps_all_that_it_has() -> None:
    """The number is put behind its last member, whatever stands behind that."""
    assert Event(1, 1795242076.4664, "T", "m", b'{"method":"m","x":{"y":[]}} \r').dated() == (
        b'{"method":"m","x":{"y":[]},"seq":1,"at":1795242076.466}'
    )


def test_only_what_is_of_one_thread_is_read_by_thread() -> None:
    """A view is of any number of threads."""
    assert (View().thread, History("T").thread, OpenItems("T", frozenset()).thread) == (None, "T", "T")
