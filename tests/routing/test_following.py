"""Numbers, and who is sent what with them."""

from codexd.routing.following import Following


def test_numbers_go_on_from_where_they_may_and_only_grow() -> None:
    """The first one is what the timeline says."""
    following = Following(100)
    assert (following.last, following.next(), following.next(), following.last) == (99, 100, 101, 101)


def test_who_has_not_asked_for_numbers_gets_none() -> None:
    """The same tuple comes back as long as nobody asks: every delta comes by here."""
    following = Following(1)
    following.greet(1, with_numbers=False)
    entitled = (1, 2)
    assert following.audience("T", entitled) == ((1, 2), ())
    assert following.audience("T", entitled)[0] is entitled
    assert not following.wants_numbers(1)


def test_who_wants_numbers_gets_them_of_what_it_is_sent_anyhow() -> None:
    """And nothing else."""
    following = Following(1)
    following.greet(2, with_numbers=True)
    assert following.wants_numbers(2)
    assert following.audience("T", (1, 2)) == ((1,), (2,))
    assert following.audience("T", (1,)) == ((1,), ())
    found = following.audience("T", (1, 2))
    assert following.audience("T", (1, 2)) is found
    following.take_changed()
    assert following.audience("T", (1, 2)) == found
    assert following.audience("T", (1, 2)) is not found


def test_a_follower_gets_each_event_once() -> None:
    """Subscribed or not, of one thread, of several or of all."""
    following = Following(1)
    following.follow(3, "T")
    following.follow(3, "U")
    following.follow(4, None)
    following.follow(4, "T")
    assert following.followed(3) == {"T", "U"}
    assert (following.follows_all(3), following.follows_all(4)) == (False, True)
    assert following.audience("T", (1, 3)) == ((1,), (4, 3))
    assert following.audience("X", (1, 3)) == ((1, 3), (4,))
    assert following.audience("U", ()) == ((), (4, 3))


def test_what_changes_is_told_once() -> None:
    """A greeting and a new wish to follow change what a client is sent; who has left is told nothing."""
    following = Following(1)
    following.greet(1, with_numbers=False)
    following.follow(2, None)
    following.greet(3, with_numbers=True)
    following.leave(3)
    assert following.take_changed() == [1, 2]
    assert following.take_changed() == []
    following.leave(2)
    assert following.audience("T", (1,)) == ((1,), ())
    assert following.followed(2) == frozenset()
    assert not following.follows_all(2)
    assert not following.wants_numbers(3)
