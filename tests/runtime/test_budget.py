"""All clients together hold a bounded amount of unfinished lines."""

from codexd.runtime.budget import FREE_BYTES, LineBudget

LIMIT = 10 * FREE_BYTES


def test_short_lines_are_free():
    """Half a line that is short is nobody's concern, however many clients send one."""
    budget = LineBudget(LIMIT)
    assert all(budget.hold(client, FREE_BYTES) for client in range(1000))
    assert budget.held_bytes == 0


def test_who_would_go_over_the_limit_is_refused_and_the_others_are_not():
    """The one that asks for too much loses its line; what the others hold stays theirs."""
    budget = LineBudget(LIMIT)
    assert budget.hold(1, 6 * FREE_BYTES)
    assert budget.hold(2, 4 * FREE_BYTES)
    assert not budget.hold(2, 4 * FREE_BYTES + 1)
    assert budget.held_bytes == 6 * FREE_BYTES
    assert budget.hold(3, 4 * FREE_BYTES)


def test_a_share_grows_shrinks_and_is_given_back():
    """Only the present length of a line counts."""
    budget = LineBudget(LIMIT)
    for length in (2 * FREE_BYTES, 9 * FREE_BYTES, 3 * FREE_BYTES):
        assert budget.hold(1, length)
        assert budget.held_bytes == length
    assert budget.hold(1, 0)
    assert budget.held_bytes == 0
    assert budget.hold(1, 0)
