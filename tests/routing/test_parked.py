"""What is kept back for a thread comes back in order, by thread and by client."""

from codexd.routing.parked import Parked
from tests.routing.driver import call


def test_parked_requests_come_back_in_order() -> None:
    """By thread; who leaves takes its own along."""
    parked = Parked()
    a, b, c, d = (call(owner, raw_id) for owner, raw_id in [(1, "a"), (2, "b"), (1, "c"), (1, "d")])
    for one in (a, b, c):
        parked.add("T", one)
    parked.add("U", d)
    assert (parked.count(), parked.count(1), parked.count(3)) == (4, 3, 0)
    assert parked.threads() == ["T", "U"]
    assert parked.take("T") == [a, b, c]
    assert (parked.take("T"), parked.threads()) == ([], ["U"])
    for one in (a, b):
        parked.add("T", one)
    parked.drop(1)
    assert parked.threads() == ["T"]
    assert parked.take("T") == [b]
    assert parked.count() == 0


def test_a_client_has_something_parked_for_a_thread() -> None:
    """Only its own counts."""
    parked = Parked()
    parked.add("T", call(1))
    assert [parked.has("T", 1), parked.has("T", 2), parked.has("U", 1)] == [True, False, False]
    assert (parked.has_any("T"), parked.has_any("U")) == (True, False)
