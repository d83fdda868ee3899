"""The ring: the newest events, in order, and what they cost."""

from hypothesis import given, strategies as st

from codexd.routing.events import Event
from codexd.runtime import ring
from codexd.runtime.ring import OVERHEAD_BYTES, Ring
from tests.runtime.events import event, events


def filled(*given: Event) -> Ring:
    """A ring with these events."""
    made = Ring(given[0].seq)
    for each in given:
        made.append(each)
    return made


def test_it_is_read_by_numbers() -> None:
    """Numbers may be missing: what is between two of them is what is there."""
    put = [event(seq) for seq in (10, 12, 15, 16)]
    assert list(filled(*put).between(11, 15)) == put[1:3]
    assert list(filled(*put).between(0, 99)) == put
    assert list(filled(*put).between(13, 14)) == []
    assert list(Ring(5).between(0, 9)) == []


def test_it_counts_lines_and_what_is_around_them() -> None:
    """A thousand short events are no less memory than they are."""
    short, long = event(1, text=b"x" * 10), event(2, text=b"x" * 20)
    made = filled(short, long)
    sizes = len(short.line), len(long.line)
    assert (made.bytes, len(made), made.floor) == (sum(sizes) + 2 * OVERHEAD_BYTES, 2, 1)
    assert made.oldest() == made.pop() == short
    assert (made.bytes, len(made), made.floor) == (sizes[1] + OVERHEAD_BYTES, 1, 2)


def test_what_was_let_go_is_freed() -> None:
    """Not at once, but when it is a thousand events or a megabyte."""
    many = filled(*events(1, 2010))
    for _ in range(2000):
        many.pop()
    assert (len(many), list(many.between(0, 9999))) == (10, events(2001, 2010))
    assert len(many._events) < 10 + ring._DEAD_EVENTS
    heavy = filled(event(1, text=b"x" * ring._DEAD_BYTES), event(2))
    heavy.pop()
    assert heavy._events == [event(2)]


def test_a_thread_is_forgotten() -> None:
    """Nothing of it is left, the rest stays in order, and where it begins is as before."""
    made = filled(event(1, "a"), event(2, "b"), event(3, "a"), event(4, "b"))
    made.pop()
    made.forget("a")
    assert list(made.between(0, 9)) == [event(2, "b"), event(4, "b")]
    assert (made.bytes, made.floor) == (len(event(2, "b").line) * 2 + 2 * OVERHEAD_BYTES, 2)
    made.pop()
    assert made.floor == 3


@given(
    st.lists(st.sampled_from(["append", "pop", "forget"]), max_size=60),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_it_is_a_list(steps: list[str], first: int, last: int) -> None:
    """Whatever is put and let go, it has what a list would have."""
    model: list[Event] = []
    made = Ring(0)
    for number, step in enumerate(steps):
        if step == "append":
            new = event(number, "ab"[number % 2])
            made.append(new)
            model.append(new)
        elif step == "forget":
            made.forget("a")
            model = [each for each in model if each.thread != "a"]
        elif model:
            assert made.pop() == model.pop(0)
    assert list(made.between(first, last)) == [each for each in model if first <= each.seq <= last]
    assert made.bytes == sum(map(ring.cost, model))
