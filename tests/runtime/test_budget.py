"""All clients together hold a bounded amount of unfinished lines."""

import trio

from codexd.runtime.budget import FREE_BYTES, LineBudget, OutboxBudget

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


class Queue:
    """What is queued for a client: so many bytes, of which nothing was taken since some time."""

    def __init__(self, held, idle, begun=0):
        self.unnumbered_bytes, self.begun_bytes, self.taken_at = held, begun, trio.current_time() - idle
        self.cuts = 0

    def make_room(self, why):
        """What is left of a message that has begun stays the first time."""
        self.cuts += 1
        self.unnumbered_bytes = self.begun_bytes if self.cuts == 1 else 0


def held(budget, *queues):
    """How often each was cut when all of them hold what they hold."""
    for queue in queues:
        budget.hold(queue, queue.unnumbered_bytes)
    return [queue.cuts for queue in queues]


async def test_who_does_not_read_goes_before_who_reads_slowly():
    """Though that one has more waiting; and who has little waiting is not cut for it."""
    never, slowly, little = Queue(60, 50.0), Queue(90, 0.5), Queue(1, 10_000.0)
    assert held(OutboxBudget(150), never, slowly, little) == [1, 0, 0]


async def test_among_equals_the_largest_goes():
    """At the same instant nobody has waited longer than the others."""
    assert held(OutboxBudget(100), Queue(30, 0.0), Queue(50, 0.0), Queue(40, 0.0)) == [0, 1, 0]


async def test_one_large_answer_that_is_read_is_no_reason_to_cut_anybody():
    """Bare Codex serves it, too. What comes behind it counts."""
    assert held(OutboxBudget(100), Queue(300, 0.1, begun=290), Queue(80, 5.0)) == [0, 0]
    assert held(OutboxBudget(100), Queue(300, 2.0, begun=290), Queue(80, 0.5)) == [2, 0]


async def test_what_is_left_for_the_end_of_one_goes_before_another_is_cut():
    """Its last word is lost rather than somebody else's connection."""
    assert held(OutboxBudget(100), Queue(90, 60.0, begun=80), Queue(50, 60.0)) == [2, 0]


async def test_what_was_taken_meanwhile_does_not_count():
    """Who reads tells of it when something is queued for it again; before anybody is cut all are looked at."""
    budget, one, other = OutboxBudget(100), Queue(80, 0.0), Queue(80, 0.0)
    budget.hold(one, 80)
    one.unnumbered_bytes = 10
    budget.hold(other, 80)
    assert (one.cuts, other.cuts, budget.held_bytes) == (0, 0, 90)
    budget.hold(other, 0)
    assert budget.held_bytes == 10
