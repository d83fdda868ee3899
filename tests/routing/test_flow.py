"""The window, the turns, the second tries: each rule by example, and all of them against a Codex that drops."""

import math
import random
from collections import Counter, deque

import pytest
from hypothesis import given, settings, strategies as st

from codexd.routing.flow import (
    LEAST_IN_SERVICE,
    QUEUE_BYTES,
    QUEUE_REQUESTS,
    RETRY_SECONDS,
    SHARE,
    WINDOW,
    Flow,
)
from codexd.routing.requests import Call, Purpose
from codexd.routing.service_times import PATIENCE_SECONDS
from tests.routing.driver import call, request


class Numbers:
    """Sends what may be sent, as the dispatcher does, and counts."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.now = 0.0
        self.last = 0
        self.sent: list[Call] = []

    def pump(self) -> list[int]:
        """Takes all that may be taken; returns its numbers, a marker's included."""
        first = self.last + 1
        while (taken := self.flow.take()) is not None:
            self.last += 1
            taken.tries += 1
            self.sent.append(taken)
            self.flow.sent(self.last, taken, self.now)
        if self.flow.wants_marker(self.now):
            self.last += 1
            self.sent.append(call(None, purpose=Purpose.MARKER))
            self.flow.marker_sent(self.last, self.sent[-1], self.now)
        return list(range(first, self.last + 1))

    def answered(self, number: int, now: float | None = None) -> None:
        """Codex answers this request."""
        self.now = self.now if now is None else now
        self.flow.answered(number, self.sent[number - 1], self.now)

    def owners(self) -> list[int | None]:
        """Whose requests were sent, in order."""
        return [sent.owner for sent in self.sent]


def offered(*owners: int) -> tuple[Flow, Numbers]:
    """A flow in which these clients have offered one request each, in this order."""
    flow = Flow(in_service=math.inf)
    for owner in owners:
        flow.offer(call(owner))
    return flow, Numbers(flow)


def crowd() -> tuple[Flow, Numbers]:
    """A flow of ten clients of twenty requests each."""
    return offered(*(owner for owner in range(1, 11) for _ in range(20)))


def test_the_window_is_full_with_a_marker() -> None:
    """Rule 1 and rule 4: 95 requests, and the last place is the marker's."""
    flow, numbers = crowd()
    assert numbers.pump() == list(range(1, 97))
    assert (flow.under_way, WINDOW, numbers.owners()[95]) == (96, 96, None)
    assert numbers.pump() == []
    assert not flow.wants_marker(numbers.now)


def test_an_answer_proves_all_that_was_sent_before_it() -> None:
    """Rule 1: however long those take, or whether they are ever answered."""
    flow, numbers = crowd()
    numbers.pump()
    numbers.answered(50)
    assert flow.under_way == 46
    assert numbers.pump() == list(range(97, 97 + 49))
    numbers.answered(3)
    assert flow.under_way == 95
    numbers.answered(96)
    assert numbers.pump() == [*range(146, 146 + 47)]


def test_a_marker_follows_on_a_marker_as_long_as_something_waits() -> None:
    """Rule 4: one at a time, and none when nothing waits."""
    flow, numbers = crowd()
    numbers.pump()
    numbers.answered(96)
    assert numbers.pump()[-1:] == [192]
    assert numbers.owners()[191] is None
    numbers.answered(192)
    assert numbers.pump() == [*range(193, 193 + 10)]
    assert not flow.wants_marker(numbers.now)
    flow.offer(call(1))
    assert numbers.pump() == [203]


def test_no_marker_is_needed_when_nothing_is_under_way() -> None:
    """What waits then does not wait for Codex."""
    flow, numbers = offered(1)
    assert not flow.wants_marker(numbers.now)


def test_one_client_has_a_third_of_the_window() -> None:
    """Rule 2: the rest stays free for a newcomer."""
    flow, numbers = offered(*[1] * 100)
    assert numbers.pump() == list(range(1, SHARE + 2))
    assert numbers.owners() == [*[1] * 32, None]
    flow.offer(call(2))
    assert numbers.pump() == [34]
    assert numbers.owners()[-1] == 2
    numbers.answered(1)
    assert numbers.pump() == [35]
    assert numbers.owners()[-1] == 1


def test_clients_take_turns() -> None:
    """Rule 3: one request each, in the order in which they came; each client's own in its order."""
    flow = Flow(in_service=math.inf)
    calls = [
        call(owner, raw_id) for owner, raw_id in [(1, "a"), (1, "b"), (1, "c"), (2, "d"), (3, "e"), (2, "f")]
    ]
    for one in calls:
        flow.offer(one)
    flow.offer(own := call(None, "g"))
    numbers = Numbers(flow)
    numbers.pump()
    a, b, c, d, e, f = calls
    assert numbers.sent == [a, d, e, own, b, f, c]


def test_a_newcomers_request_has_a_handful_before_it() -> None:
    """A burst of 3,000 requests of one client, and one of another: it waits for what is under way, not for the burst."""
    flow, numbers = offered(*[1] * 3000)
    numbers.pump()
    flow.offer(call(2))
    numbers.pump()
    assert numbers.owners().index(2) == SHARE + 1


def test_a_refused_request_gives_its_place_back_and_proves_nothing() -> None:
    """Rule 5."""
    flow, numbers = offered(1, 2, 3)
    numbers.pump()
    flow.refused(2)
    assert flow.under_way == 2
    flow.refused(2)
    assert flow.under_way == 2
    numbers.answered(1)
    assert flow.under_way == 1


def test_a_refused_request_that_was_proven_meanwhile_has_no_place_to_give_back() -> None:
    """The answer to a later one was faster than its refusal."""
    flow, numbers = offered(1, 2)
    numbers.pump()
    numbers.answered(2)
    flow.refused(1)
    assert flow.under_way == 0


def test_the_pauses_grow_with_the_tries() -> None:
    """And stay what they are in the end."""
    flow, again = Flow(), call()
    for pause in [*RETRY_SECONDS, 0.5, 0.5]:
        again.tries += 1
        flow.retry_later(again, 100)
        assert flow.deadline == 100 + pause
        flow.retry_due(100 + pause - 0.001)
        assert flow.take() is None
        flow.retry_due(100 + pause)
        assert flow.take() is again
        assert flow.deadline is None


def test_refused_requests_come_before_what_came_after_them() -> None:
    """Rule 5: in the order in which they were refused, in front of the queue."""
    flow, numbers = offered()
    first, second, third, fourth = (call(1, raw_id, tries=1) for raw_id in "abcd")
    flow.offer(fourth)
    flow.retry_later(first, 100)
    flow.retry_later(second, 100)
    flow.retry_later(third, 100.001)
    assert flow.deadline == 100.02
    flow.retry_due(101)
    numbers.pump()
    assert numbers.sent == [first, second, third, fourth]


def test_what_was_parked_comes_first_again() -> None:
    """Parked requests take their place before what came later."""
    flow, numbers = offered()
    later, parked = call(1, "later"), call(1, "parked")
    flow.offer(later)
    flow.offer(parked, first=True)
    numbers.pump()
    assert numbers.sent == [parked, later]


@pytest.mark.parametrize(("count", "size"), [(QUEUE_REQUESTS, 0), (8, QUEUE_BYTES // 8)])
def test_a_queue_is_full_by_number_or_by_bytes_and_low_at_half(count: int, size: int) -> None:
    """Whoever offers more is not read until half of it has gone."""
    flow = Flow()
    big = request(params={"text": "x" * size})
    for _ in range(count - 1):
        flow.offer(Call(1, big))
    assert not flow.is_full(1)
    flow.offer(Call(1, big))
    assert (flow.is_full(1), flow.is_full(2), flow.is_low(1), flow.is_low(2)) == (True, False, False, True)
    while not flow.is_low(1):
        flow.take()
    assert flow.waiting(1) == (128 if count == 256 else 3)
    assert not flow.is_full(1)


def test_a_new_codex_has_taken_nothing_yet() -> None:
    """The window is empty, what waits goes on waiting, and a marker of the old one is forgotten."""
    flow, numbers = crowd()
    numbers.pump()
    flow.forget_window()
    assert flow.under_way == 0
    assert sum(flow.waiting(owner) for owner in range(1, 11)) == 105
    assert len(numbers.pump()) == 96


def test_who_leaves_takes_along_what_waits() -> None:
    """In order: second tries first, then the queue; the turns of the others go on."""
    flow = Flow()
    again, queued, other = call(1, "a", tries=1), call(1, "b"), call(2, "c")
    for one in (queued, other):
        flow.offer(one)
    flow.retry_later(again, 100)
    flow.retry_later(elsewhere := call(2, "d", tries=1), 100)
    assert flow.owners() == [1, 2]
    assert (flow.waiting(1), flow.waiting(2), flow.waiting(3)) == (2, 2, 0)
    assert flow.drop(1) == [again, queued]
    assert (flow.owners(), flow.waiting(1), flow.drop(1), flow.drop(3)) == ([2], 0, [], [])
    assert flow.take() is other
    flow.retry_due(200)
    assert flow.take() is elsewhere
    assert (flow.take(), flow.owners()) == (None, [])


def test_what_somebody_had_under_way_counts_after_it_left() -> None:
    """Codex still has it to take."""
    flow, numbers = offered(1, 1)
    numbers.pump()
    flow.drop(1)
    assert flow.under_way == 2
    numbers.answered(2)
    assert flow.under_way == 0


class Codex:
    """Takes lines in order into a queue, refuses or drops without a word what does not fit, and is slow or silent.

    `random` decides when it reads, which requests it answers at once, later, or never.
    """

    def __init__(self, room: int, chance: random.Random) -> None:
        self.room = room
        self.chance = chance
        self.queue: deque[int] = deque()
        self.working: list[int] = []
        self.lost: list[int] = []
        self.fullest = 0

    def write(self, number: int) -> bool:
        """Whether there is room for it."""
        if len(self.queue) >= self.room:
            self.lost.append(number)
            return False
        self.queue.append(number)
        self.fullest = max(self.fullest, len(self.queue))
        return True

    def work(self, is_marker: dict[int, bool]) -> list[int]:
        """Takes some from the queue; returns the numbers that it answers now, in any order."""
        for _ in range(self.chance.randint(0, len(self.queue))):
            self.working.append(self.queue.popleft())
        answered = [n for n in self.working if is_marker[n] or self.chance.random() < 0.3]
        self.working = [n for n in self.working if n not in answered]
        self.chance.shuffle(answered)
        return answered


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=5),
    st.integers(0, 2**32),
    st.sets(st.integers(1, 1500)),
)
def test_nothing_is_ever_written_that_codex_has_no_room_for(
    bursts: list[int], seed: int, never: set[int]
) -> None:
    """Whatever is slow and whatever is never answered: all is sent, none is dropped, all but the silent are answered."""
    flow, chance = Flow(in_service=math.inf), random.Random(seed)
    for owner, burst in enumerate(bursts, 1):
        for _ in range(burst):
            flow.offer(call(owner))
    numbers, codex = Numbers(flow), Codex(128, chance)
    is_marker: dict[int, bool] = {}
    for _ in range(40 * sum(bursts) + 40):
        for number in numbers.pump():
            is_marker[number] = numbers.sent[number - 1].owner is None
            codex.write(number)
        if not flow.owners() and not codex.queue and all(n in never for n in codex.working):
            break
        for number in codex.work(is_marker):
            if is_marker[number] or number not in never:
                numbers.answered(number)
            else:
                codex.working.append(number)
    else:
        pytest.fail("something waits for ever")
    assert (codex.lost, codex.fullest <= WINDOW) == ([], True)
    sent = [owner for owner in numbers.owners() if owner is not None]
    assert [sent.count(owner) for owner in range(1, len(bursts) + 1)] == bursts


@settings(max_examples=60)
@given(st.lists(st.integers(0, 300), min_size=2, max_size=6), st.integers(0, 2**32))
def test_nobody_gets_two_turns_while_another_waits_for_one(bursts: list[int], seed: int) -> None:
    """Nobody is sent a request while another who is within its share has had less."""
    flow, chance = Flow(in_service=math.inf), random.Random(seed)
    numbers, proven = Numbers(flow), 1
    flow.offer(call(99))
    numbers.pump()
    numbers.answered(1)  # now it is known what they take
    for owner, burst in enumerate(bursts, 1):
        for _ in range(burst):
            flow.offer(call(owner))
    while flow.owners():
        before = len(numbers.sent)
        numbers.pump()
        total, unproven = Counter(numbers.owners()), Counter(numbers.owners()[proven:])
        for owner in range(1, len(bursts) + 1):
            if flow.waiting(owner) and unproven[owner] < SHARE:
                others = set(numbers.owners()[before:]) - {None}
                assert all(total[other] <= total[owner] + 1 for other in others)
        proven = chance.randint(proven + 1, numbers.last)
        numbers.answered(proven)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(1, 40), st.integers(0, 2**32))
def test_an_overloaded_codex_executes_everything_once_in_the_end(
    bursts: list[int], room: int, seed: int
) -> None:
    """With less room than codexd believes, and a refusal for each that does not fit: nothing is lost or done twice."""
    flow, chance, now = Flow(in_service=math.inf), random.Random(seed), 0.0
    wanted = [call(owner, f"{owner} {n}") for owner, burst in enumerate(bursts, 1) for n in range(burst)]
    for one in wanted:
        flow.offer(one)
    numbers, codex = Numbers(flow), Codex(room, chance)
    is_marker: dict[int, bool] = {}
    done: list[Call] = []
    for _ in range(5000):
        for number in numbers.pump():
            sent = numbers.sent[number - 1]
            is_marker[number] = sent.owner is None
            if not codex.write(number):
                flow.refused(number)
                if sent.owner is not None:
                    flow.retry_later(sent, now)
        for number in codex.work(is_marker):
            numbers.answered(number)
            done.append(numbers.sent[number - 1])
        now += 0.01
        flow.retry_due(now)
        if not flow.owners() and not codex.queue and not codex.working:
            break
    executed = [one for one in done if one.owner is not None]
    assert sorted(one.request.id for one in executed) == sorted(one.request.id for one in wanted)
    assert flow.deadline is None


def flooded(flow: Flow, numbers: Numbers, *, seconds: float, clients: int = 20) -> None:
    """So many clients have asked for the same forty times, and Codex has answered some, one every so many `seconds`."""
    for owner in range(1, clients + 1):
        for _ in range(40):
            flow.offer(call(owner, method="model/list"))
    numbers.pump()
    for number in range(1, 101):
        numbers.answered(number, numbers.now + seconds)
        numbers.pump()


def in_service(numbers: Numbers) -> int:
    """How many requests Codex has and has not answered, in `flooded`."""
    return numbers.last - 100


@pytest.mark.parametrize(("seconds", "many"), [(0.0001, 10), (0.00025, 4), (0.01, LEAST_IN_SERVICE)])
def test_what_is_in_service_is_bounded_by_the_time_that_it_takes(seconds: float, many: int) -> None:
    """Rule 3. Three flooders filled the window of 96, and everybody else waited for all of it."""
    flow = Flow()
    numbers = Numbers(flow)
    flooded(flow, numbers, seconds=seconds)
    assert abs(in_service(numbers) - many) <= 1


def test_a_newcomer_is_sent_at_once() -> None:
    """Rule 3: whatever is in service, it waits for nobody's turn; its second request while the first is served does."""
    flow = Flow()
    numbers = Numbers(flow)
    flooded(flow, numbers, seconds=0.01)
    flow.offer(call(50))
    assert numbers.pump() == [numbers.last]
    assert numbers.owners()[-1] == 50
    flow.offer(call(50))
    assert numbers.pump() == []
    before, answered = len(numbers.sent), 101
    while numbers.sent[-1].owner != 50 or len(numbers.sent) == before:
        numbers.answered(answered, numbers.now + 0.01)
        numbers.pump()
        answered += 1
    assert max(Counter(numbers.owners()[before:]).values()) == 1


def test_what_takes_long_and_keeps_nobody_waiting_is_set_aside() -> None:
    """A thousand `command/exec` at once: Codex answers what comes later, so they keep nobody waiting, and all are sent."""
    flow = Flow()
    numbers = Numbers(flow)
    for _ in range(20):
        flow.offer(call(1, method="command/exec"))
    assert len(numbers.pump()) == LEAST_IN_SERVICE
    assert flow.marker_due == PATIENCE_SECONDS
    numbers.now = PATIENCE_SECONDS
    assert numbers.pump() == [LEAST_IN_SERVICE + 1]
    assert flow.has_marker
    assert flow.marker_due is None
    numbers.answered(LEAST_IN_SERVICE + 1)
    assert len(numbers.pump()) == 20 - LEAST_IN_SERVICE
    assert (flow.marker_due, flow.wants_marker(numbers.now)) == (None, False)


def test_a_codex_that_answers_nothing_sets_nothing_aside() -> None:
    """It is slow, or halted, and what is in service is to be waited for: nothing more is poured into it."""
    flow = Flow()
    numbers = Numbers(flow)
    for _ in range(20):
        flow.offer(call(1, method="model/list"))
    numbers.pump()
    numbers.now = 10.0
    assert len(numbers.pump()) == 1
    numbers.now = 20.0
    assert numbers.pump() == []


def test_time_counts_and_bytes_do() -> None:
    """Rule 4: who asks for what takes longer, or sends more, has fewer turns; not the same number of them."""
    flow = Flow(in_service=math.inf)
    large = request(params={"text": "x" * 1_000_000})
    for _ in range(20):
        flow.offer(Call(1, large))
        flow.offer(call(2))
    numbers = Numbers(flow)
    numbers.pump()
    owners = [owner for owner in numbers.owners() if owner is not None]
    assert owners[:12].count(2) >= 10


def test_who_was_idle_has_saved_nothing_up() -> None:
    """Rule 4: an hour in which a client asked for nothing gives it no hour in which it has every turn."""
    flow = Flow(in_service=math.inf)
    for _ in range(200):
        flow.offer(call(1))
    numbers = Numbers(flow)
    numbers.pump()
    numbers.answered(numbers.last, 3600.0)
    for _ in range(30):
        flow.offer(call(2))
    numbers.pump()
    owners = [owner for owner in numbers.owners()[34:] if owner is not None]
    assert abs(owners[:20].count(1) - owners[:20].count(2)) <= 2


def test_who_has_large_answers_waiting_is_sent_nothing_more() -> None:
    """Rule 7: but what ends something, if it is first; and the others are served, without a marker for the one who waits."""
    flow = Flow()
    flow.hold(1)
    for one in (kill := call(1, method="process/kill"), held := call(1), other := call(2)):
        flow.offer(one)
    numbers = Numbers(flow)
    numbers.pump()
    assert numbers.sent == [kill, other]
    assert (flow.marker_due, flow.wants_marker(10.0)) == (None, False)
    flow.let_go_on(1)
    assert flow.marker_due == PATIENCE_SECONDS
    numbers.pump()
    assert numbers.sent[-1] is held


def test_what_ends_something_waits_for_nothing_that_is_in_service() -> None:
    """It may be what it is to end."""
    flow = Flow()
    for _ in range(LEAST_IN_SERVICE + 5):
        flow.offer(call(1, method="thread/sample"))
        flow.offer(call(2, method="thread/sample"))
    for _ in range(2 * LEAST_IN_SERVICE):
        flow.offer(call(3, method="thread/sample"))
    numbers = Numbers(flow)
    numbers.pump()
    flow.drop(3)
    flow.offer(cancel := call(3, method="thread/sample/cancel"))
    numbers.pump()
    assert numbers.sent[-1] is cancel


def test_a_newcomer_waits_while_the_window_is_full_of_what_it_sent_before() -> None:
    """Its own share bounds it, too: what is set aside may not be proven to be taken."""
    flow = Flow()
    numbers = Numbers(flow)
    for _ in range(SHARE):
        flow.offer(call(1))
        numbers.pump()
        flow._times.drop(numbers.last)
    flow.offer(call(1))
    assert numbers.pump() == [SHARE + 1]
    assert numbers.owners()[-1] is None
