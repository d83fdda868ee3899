"""When things are due that all wait equally long."""

from codexd.routing.delays import Delays


def test_they_are_due_in_the_order_in_which_they_were_added() -> None:
    """Each after the delay, once; one that is added again while it waits keeps its place."""
    delays = Delays(60)
    assert (delays.deadline, delays.take_due(1e12)) == (None, [])
    for now, thread in ((0, "a"), (10, "b"), (20, "a"), (30, "c")):
        delays.add(thread, now)
    assert delays.deadline == 60
    assert (delays.take_due(59), delays.take_due(75)) == ([], ["a", "b"])
    assert (delays.deadline, delays.take_due(90)) == (90, ["c"])
    assert delays.deadline is None


def test_what_is_cancelled_is_not_due() -> None:
    """One of them, or all; one that is not there does no harm."""
    delays = Delays(1)
    for thread in ("a", "b", "c"):
        delays.add(thread, 0)
    delays.cancel("a")
    delays.cancel("unknown")
    assert delays.take_due(1) == ["b", "c"]
    delays.add("a", 1)
    delays.clear()
    assert delays.deadline is None
