"""Who asked what."""

import pytest

from codexd.routing.requests import Purpose, Requests
from tests.routing.driver import call, line


def test_every_call_has_a_number_of_its_own() -> None:
    """The same client with the same id twice, two clients with one id, codexd itself: all are told apart."""
    requests = Requests()
    calls = [call(1, 5), call(1, 5), call(2, 5), call(2, "5"), call(None, 0)]
    assert [requests.send(sent) for sent in calls] == [
        (number, line(id=number, method="x", params={})) for number in (1, 2, 3, 4, 5)
    ]
    assert [requests.take(b"%d" % number) for number in (3, 1, 5, 2, 4)] == [
        (3, calls[2]), (1, calls[0]), (5, calls[4]), (2, calls[1]), (4, calls[3]),
    ]  # fmt: skip


def test_a_call_that_is_sent_again_has_another_number() -> None:
    """So a late answer to the first try belongs to nobody."""
    requests, again = Requests(), call()
    requests.send(again)
    requests.take(b"1")
    assert requests.send(again)[0] == 2
    assert (requests.take(b"1"), again.tries) == (None, 2)


@pytest.mark.parametrize(
    "raw_id", [b"2", b"0", b"-1", b'"1"', b"null", b"1.0", b"+1", b" 1", b"\xd9\xa1", b"1" * 5000]
)
def test_an_answer_to_nothing_belongs_to_nobody(raw_id: bytes) -> None:
    """An id must be the number itself, in the type in which it was sent."""
    requests = Requests()
    requests.send(call())
    assert requests.take(raw_id) is None
    assert len(requests) == 1


def test_one_answer_each() -> None:
    """What is answered is over; a second answer is nobody's."""
    requests = Requests()
    requests.send(call())
    assert requests.take(b"1") is not None
    assert requests.take(b"1") is None


def test_calls_are_counted_by_owner() -> None:
    """For `codexd/clients/list`, at any time."""
    requests = Requests()
    for owner in (1, 1, 2, None):
        requests.send(call(owner))
    assert [requests.count(owner) for owner in (1, 2, 3, None)] == [2, 1, 0, 1]
    requests.take(b"1")
    requests.take(b"3")
    assert [requests.count(owner) for owner in (1, 2, 3, None)] == [1, 0, 0, 1]
    assert len(requests) == 2


def test_when_codex_dies_all_are_over() -> None:
    """They are handed out in the order in which they were sent, and numbers go on."""
    requests = Requests()
    calls = [call(2, "a"), call(1, "b"), call(None)]
    for sent in calls:
        requests.send(sent)
    assert requests.take_all() == calls
    assert (len(requests), requests.count(1), requests.take(b"1")) == (0, 0, None)
    assert requests.send(call())[0] == 4


def test_a_client_that_left_has_its_calls_abandoned() -> None:
    """Codex still works on them; the answer is looked at and goes to nobody."""
    requests = Requests()
    mine, other, own = call(1), call(2), call(None)
    for sent in (mine, other, own):
        requests.send(sent)
    assert requests.abandon(1) == [mine]
    assert [sent.abandoned for sent in (mine, other, own)] == [True, False, False]
    assert requests.take(b"1") == (1, mine)


def test_the_oldest_is_the_first_of_a_client() -> None:
    """Who caused a notice without an address: not codexd itself; it may be somebody who has left."""
    requests = Requests()
    sent = [
        call(None, method="thread/resume", purpose=Purpose.RESUME),
        call(1, method="thread/resume"),
        call(2, method="x"),
        call(2, method="thread/fork"),
        call(3, method="thread/resume"),
    ]
    for one in sent:
        requests.send(one)
    requests.abandon(1)
    wanted = frozenset({"thread/resume", "thread/fork"})
    assert requests.oldest(wanted) is sent[1]
    assert requests.oldest(frozenset({"thread/read"})) is None
    assert list(requests.of_methods(wanted)) == [sent[0], sent[1], sent[3], sent[4]]


def test_a_call_knows_what_it_weighs() -> None:
    """The bytes of its line count in its owner's queue."""
    assert (call().method, call().size) == ("x", len(line(id=1, method="x", params={})))
