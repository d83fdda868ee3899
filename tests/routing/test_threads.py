"""Who follows which thread, and what came too early."""

import pytest

from codexd.routing import threads as module
from codexd.routing.threads import Thread, Threads
from tests.routing.driver import notification


def family(**parents: str | None) -> Threads:
    """Threads, each with its parent."""
    threads = Threads()
    for name, parent in parents.items():
        threads.open(name).parent = parent
    return threads


def get(threads: Threads, name: str) -> Thread:
    thread = threads.get(name)
    assert thread is not None
    return thread


def test_a_thread_is_known_until_it_is_forgotten() -> None:
    """Opening it again finds the same one."""
    threads = Threads()
    assert (threads.get("T"), threads.get(None), len(threads)) == (None, None, 0)
    thread = threads.open("T")
    assert threads.open("T") is thread
    assert (threads.get("T"), threads.all(), len(threads)) == (thread, [thread], 1)
    threads.forget(thread)
    assert (threads.get("T"), threads.all()) == (None, [])


def test_who_subscribes_follows() -> None:
    """In the order of coming, until it goes; the tuple is the same in between, because every delta asks for it."""
    threads = Threads()
    thread = threads.open("T")
    assert threads.recipients("T") == ()
    for client in (2, 1, 2):
        threads.subscribe(thread, client)
    followers = threads.recipients("T")
    assert followers == (2, 1)
    assert threads.recipients("T") is followers
    threads.unsubscribe(thread, 2)
    assert threads.recipients("T") == (1,)
    assert threads.recipients("unknown") == ()


def test_a_client_knows_its_threads() -> None:
    """For `codexd/clients/list`, and for when it leaves."""
    threads = Threads()
    for name in ("a", "b", "c"):
        threads.subscribe(threads.open(name), 1)
    threads.subscribe(get(threads, "b"), 2)
    assert (threads.of_client(1), threads.of_client(2), threads.of_client(3)) == (["a", "b", "c"], ["b"], [])
    threads.unsubscribe(get(threads, "a"), 1)
    threads.forget(get(threads, "b"))
    assert (threads.of_client(1), threads.of_client(2)) == (["c"], [])


def test_who_follows_a_thread_follows_its_sub_agents() -> None:
    """All the way down, and also those that come later."""
    threads = family(P=None, C="P", G="C", Other=None)
    threads.subscribe(get(threads, "P"), 1)
    assert threads.recipients("G") == (1,)
    threads.subscribe(get(threads, "P"), 2)
    assert (threads.recipients("C"), threads.recipients("G"), threads.recipients("Other")) == (
        (1, 2),
        (1, 2),
        (),
    )


def test_a_client_may_follow_a_sub_agent_alone() -> None:
    """Whoever resumes it hears of it, whoever else follows its parent; each client once."""
    threads = family(P=None, C="P", G="C")
    threads.subscribe(get(threads, "P"), 1)
    threads.subscribe(get(threads, "C"), 2)
    threads.subscribe(get(threads, "C"), 1)
    assert (threads.recipients("P"), threads.recipients("C"), threads.recipients("G")) == (
        (1,),
        (2, 1),
        (2, 1),
    )


def test_a_sub_agent_outlives_its_parent_for_those_who_follow_it() -> None:
    """The chain ends where nothing more is known."""
    threads = family(P=None, C="P", G="C")
    threads.subscribe(get(threads, "C"), 2)
    threads.forget(get(threads, "P"))
    assert (threads.root("G"), threads.recipients("G")) == (get(threads, "C"), (2,))


def test_the_family_of_a_thread() -> None:
    """Its root, and everybody below it."""
    threads = family(P=None, C="P", G="C", D="P", Other=None)
    p, c, g, d = (get(threads, name) for name in "PCGD")
    assert [threads.root(name) for name in ("P", "C", "G", "unknown")] == [p, p, p, None]
    assert (threads.descendants(p), threads.descendants(c), threads.descendants(g)) == ([c, g, d], [g], [])


def test_a_thread_that_is_said_to_be_its_own_ancestor_hangs_nobody() -> None:
    """Nothing of the kind was ever seen; nothing would ever end if it were."""
    threads = family(A="B", B="A")
    threads.subscribe(get(threads, "B"), 1)
    assert threads.recipients("A") == (1,)


def test_sub_agents_are_adopted_when_their_parent_is_named() -> None:
    """A chain of them at once, whichever was named first; also those whose parent nobody follows."""
    threads = Threads()
    for child in ("G", "C", "X"):
        assert threads.search_parent(child)
    threads.parent_searched("G", "C")
    assert threads.adopt(set()) == []
    threads.subscribe(threads.open("P"), 1)
    threads.parent_searched("C", "P")
    threads.parent_searched("X", "unknown")
    assert threads.recipients("G") == ()
    assert [(thread.id, thread.parent) for thread in threads.adopt(set())] == [
        ("C", "P"), ("X", "unknown"), ("G", "C"),
    ]  # fmt: skip
    assert (threads.recipients("G"), threads.recipients("X")) == ((1,), ())
    assert threads.adopt(set()) == []


def test_a_sub_agent_waits_for_a_parent_that_is_being_resumed() -> None:
    """Whoever resumes it will follow them both."""
    threads = Threads()
    threads.search_parent("C")
    threads.parent_searched("C", "P")
    assert threads.adopt({"P", None}) == []
    threads.open("P")
    assert [thread.id for thread in threads.adopt({"P", None})] == ["C"]


def test_what_came_too_early_is_kept_in_order() -> None:
    """And handed out once."""
    threads = Threads()
    early = [notification("x", {"n": n}) for n in range(3)]
    for one in early:
        threads.hold("T", one)
    threads.hold("U", early[0])
    assert threads.held_threads() == ["T", "U"]
    assert threads.take_held("T") == early
    assert (threads.take_held("T"), threads.held_threads()) == ([], ["U"])


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that nobody ever claims must not fill the memory: the oldest one goes as a whole."""
    monkeypatch.setattr(module, "HELD_MESSAGES", 3)
    threads = Threads()
    for name in ("A", "B", "A", "B"):
        threads.hold(name, notification("x", {}))
    assert threads.held_threads() == ["B"]
    for _ in range(2):
        threads.hold("C", notification("x", {}))
    assert threads.held_threads() == ["C"]
    assert len(threads.take_held("C")) == 2


def test_a_lost_thread_is_known_as_lost_until_it_is_there_again() -> None:
    """Nobody can resume it, and its followers follow nothing."""
    threads = Threads()
    threads.subscribe(thread := threads.open("T"), 1)
    threads.lose(thread)
    assert (threads.get("T"), threads.is_lost("T"), threads.is_lost("U"), threads.of_client(1)) == (
        None, True, False, [],
    )  # fmt: skip
    threads.open("T")
    assert not threads.is_lost("T")


def test_a_parent_is_searched_for_once_at_a_time() -> None:
    """Until Codex has answered that there is none, or is gone with all that was held."""
    threads = Threads()
    assert (threads.search_parent("C"), threads.search_parent("C")) == (True, False)
    threads.parent_searched("C", None)
    assert (threads.is_spoken_for("C"), threads.search_parent("C")) == (False, True)
    threads.parent_searched("C", "P")
    assert (threads.is_spoken_for("C"), threads.search_parent("C")) == (True, False)
    assert [threads.adopt(set())[0].id, threads.is_spoken_for("C")] == ["C", False]
    threads.parent_searched("D", "P")
    threads.hold("D", notification("x", {}))
    threads.drop_held()
    assert (threads.adopt(set()), threads.held_threads(), threads.is_spoken_for("C")) == ([], [], False)


def test_the_answer_may_tell_the_parent() -> None:
    """Whoever follows that follows the thread from then on; an answer that tells none changes nothing."""
    threads = Threads()
    threads.subscribe(threads.open("P"), 1)
    child = threads.open("C")
    assert threads.recipients("C") == ()
    assert threads.open("C", "P") is child
    assert threads.recipients("C") == (1,)
    assert threads.open("C").parent == "P"


def test_what_is_ephemeral_is_known_before_and_after_the_thread_is() -> None:
    """However many others there are: an open one is never forgotten."""
    threads = Threads()
    threads.note_ephemeral("T")
    assert (threads.is_ephemeral("T"), threads.is_ephemeral("U")) == (True, False)
    threads.open("U")
    threads.note_ephemeral("U")
    assert get(threads, "U").ephemeral
    assert threads.open("T").ephemeral
    for number in range(10_001):
        threads.note_ephemeral(f"other {number}")
    assert (threads.is_ephemeral("T"), threads.is_ephemeral("U")) == (True, True)
    threads.forget(get(threads, "T"))
    assert (threads.is_ephemeral("T"), threads.is_ephemeral("other 10000")) == (False, True)
