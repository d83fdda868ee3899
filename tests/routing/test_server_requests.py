"""What Codex asks: ids, who was asked, which answer counts."""

import pytest
from hypothesis import given, strategies as st

from codexd.routing.server_requests import Pending, ServerRequests
from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, START, request


def asked(table: ServerRequests, raw_id: int | str = 0, thread: str | None = "T", *clients: int) -> Pending:
    """A request of Codex that these clients were asked."""
    pending = table.add(request(raw_id), thread, None, START)
    assert pending is not None
    table.ask(pending, clients)
    return pending


def tool_call(table: ServerRequests, raw_id: int, turn: str | None) -> Pending:
    """A request whose end Codex never announces."""
    pending = table.add(request(raw_id, "item/tool/call"), "T", turn, START)
    assert pending is not None
    return pending


def test_ids_count_from_the_microsecond_of_the_start() -> None:
    """So that no restart of codexd, and none of Codex, gives one out twice; all of them fit into a double."""
    table = ServerRequests(START)
    assert [asked(table, raw_id).id for raw_id in (0, 1)] == [FIRST, FIRST + 1]
    assert ServerRequests(START + 1)._last_id - table._last_id == 999_998
    assert 1_000_000 * 9_000_000_000 < 2**53


@given(st.floats(0, 2**33), st.floats(0.001, 1e6), st.integers(0, 900))
def test_a_later_daemon_never_repeats_an_id(start: float, later: float, count: int) -> None:
    """As long as Codex asks less than once in a microsecond over the life of the first one."""
    first, second = ServerRequests(start), ServerRequests(start + later)
    used = [asked(first, n).id for n in range(min(count, int(later * 1_000_000)))]
    assert asked(second).id not in used


def test_what_codex_repeats_is_known() -> None:
    """After each resume Codex sends what is pending again; nobody is asked twice by that."""
    table = ServerRequests(START)
    pending = asked(table, 5)
    assert table.add(request(5), "T", None, START) is None
    assert table.add(request("5"), "T", None, START) is not None
    table.decide(pending)
    assert table.add(request(5), "T", None, START) is None
    table.resolve(b"5")
    assert table.add(request(5), "T", None, START) is not None


def test_each_client_is_asked_once() -> None:
    """Whoever comes later is asked alone."""
    table = ServerRequests(START)
    pending = asked(table, 0, "T", 1, 2)
    assert table.ask(pending, (2, 3)) == (3,)
    assert table.ask(pending, (1, 2, 3)) == ()
    assert list(pending.asked) == [1, 2, 3]


@pytest.mark.parametrize(
    ("raw_id", "client", "found"),
    [
        (b"%d" % FIRST, 1, True),
        (b"%d" % FIRST, 2, False),
        (b"%d" % (FIRST + 1), 1, False),
        (b'"%d"' % FIRST, 1, False),
        (b"0", 1, False),
        (b"-%d" % FIRST, 1, False),
        (b"%d.0" % FIRST, 1, False),
    ],
)
def test_only_who_was_asked_may_answer(raw_id: bytes, client: int, found: bool) -> None:
    """Under codexd's id and in its type; Codex itself takes an answer from anybody who guesses a small number."""
    table = ServerRequests(START)
    pending = asked(table, 0, "T", 1)
    assert table.find(raw_id, client) is (pending if found else None)


def test_the_first_decision_counts() -> None:
    """After it nobody finds anything to answer."""
    table = ServerRequests(START)
    pending = asked(table, 0, "T", 1, 2)
    table.decide(pending)
    assert table.find(b"%d" % pending.id, 2) is None
    assert (table.get(pending.id), table.undecided()) == (None, [])


def test_an_error_is_an_abstention_until_it_is_the_last() -> None:
    """A client that does not know the method must not decide for one that does."""
    table = ServerRequests(START)
    pending = asked(table, 0, "T", 1, 2, 3)
    assert [table.abstain(pending, client) for client in (1, 1, 3)] == [False, False, False]
    assert table.abstain(pending, 2) is True


def test_an_abstention_goes_with_its_client() -> None:
    """Of those that are still there, the last one to speak decides."""
    table = ServerRequests(START)
    pending = asked(table, 0, "T", 1, 2)
    table.abstain(pending, 1)
    assert table.leave(1) == []
    assert (list(pending.asked), pending.abstained) == ([2], set())
    table.ask(pending, (3,))
    assert (table.abstain(pending, 2), table.abstain(pending, 3)) == (False, True)


def test_a_request_of_a_thread_outlives_those_who_were_asked() -> None:
    """It waits for the next who attaches."""
    table = ServerRequests(START)
    pending = asked(table, 0, "T", 1)
    assert table.leave(1) == []
    assert table.undecided("T") == [pending]
    assert table.ask(pending, (1,)) == (1,)


def test_a_request_without_a_thread_cannot_wait_for_nobody() -> None:
    """Its last client left, or the last that had not abstained: it has to be answered."""
    table = ServerRequests(START)
    alone, shared, kept = asked(table, 0, None, 1), asked(table, 1, None, 1, 2), asked(table, 2, None, 1, 2)
    table.abstain(shared, 2)
    assert table.leave(1) == [alone, shared]
    assert list(kept.asked) == [2]


def test_unsubscribing_concerns_one_thread() -> None:
    """The client is still asked of others."""
    table = ServerRequests(START)
    here, there, everywhere = asked(table, 0, "T", 1), asked(table, 1, "U", 1), asked(table, 2, None, 1)
    assert table.leave(1, "T") == []
    assert [list(pending.asked) for pending in (here, there, everywhere)] == [[], [1], [1]]


def test_resolved_is_over() -> None:
    """Decided or not; what was never asked can't be resolved."""
    table = ServerRequests(START)
    undecided, decided = asked(table, 0), asked(table, "a")
    table.decide(decided)
    assert table.resolve(b"0") is undecided
    assert table.resolve(b'"a"') is decided
    assert (table.resolve(b"0"), table.resolve(b"7"), table.undecided()) == (None, None, [])


def test_without_a_thread_decided_is_over() -> None:
    """Codex never resolves such a request, so its id may come again."""
    table = ServerRequests(START)
    table.decide(asked(table, 0, None, 1))
    assert table.resolve(b"0") is None
    assert table.add(request(0), None, None, START) is not None


def test_a_turns_end_ends_what_codex_never_resolves() -> None:
    """Decided or not: Codex says nothing more of it (measured). What it resolves is over when it says so."""
    table = ServerRequests(START)
    made = [tool_call(table, n, turn) for n, turn in enumerate(("u", "u", None, "later"))]
    approval = asked(table, 4)
    table.decide(made[0])
    table.decide(approval)
    table.end_turn("T", "u")
    assert [table.resolve(b"%d" % n) for n in range(5)] == [None, None, None, made[3], approval]


def test_a_threads_end_ends_all_that_was_asked_for_it() -> None:
    """What clients still wait to hear the end of is named, oldest first; others stay."""
    table = ServerRequests(START)
    first, decided, second = (asked(table, n) for n in range(3))
    called, other = tool_call(table, 3, "u"), asked(table, 4, "U")
    table.decide(decided)
    table.decide(called)
    assert table.end_thread("T") == [first, decided, second]
    assert (table.end_thread("T"), table.undecided()) == ([], [other])
    assert table.resolve(b"1") is None


def test_codexs_end_ends_everything() -> None:
    """The next Codex counts from 0 again, and none of its requests is taken for an old one (T13)."""
    table = ServerRequests(START)
    first, decided, second = asked(table, 0), asked(table, 1), asked(table, 2, None, 1)
    table.decide(decided)
    assert table.end_all() == [first, decided, second]
    assert asked(table, 0).id == FIRST + 3
