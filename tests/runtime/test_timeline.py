"""The timeline: what was appended can be read, or is said to be missing, wherever it is."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import wait_all_tasks_blocked

from codexd.routing.events import Event, Gap, TimelineStatistics
from codexd.runtime.archive import History, NoArchive, Page, Span, Status
from codexd.runtime.ring import cost
from codexd.runtime.timeline import HistoryLost, Timeline
from tests.runtime.archives import ListArchive
from tests.runtime.events import event, events

SIZE = cost(event(1))
BROKEN = Status("degraded", "the disk is on fire")


def make(archive: ListArchive, ring: int = 3, backlog: int = 3) -> Timeline:
    """A timeline that keeps so many short events in memory, and so many more that are not committed yet."""
    return Timeline(archive, ring * SIZE, backlog * SIZE)


def append(timeline: Timeline, *given: Event) -> None:
    """Appends them in order."""
    for each in given:
        timeline.append(each)


async def everything(timeline: Timeline, first: int, last: int, **how: Any) -> list[Event]:
    """Page after page."""
    found: list[Event] = []
    while first <= last:
        page = await timeline.read(first, last, **({"max_bytes": 10**9, "max_events": 10**9} | how))
        assert page.next > first
        found += page.events
        first = page.next
    return found


async def test_memory_answers_without_a_wait() -> None:
    """What is in memory costs no checkpoint and no disk."""
    archive = ListArchive()
    timeline = make(archive)
    append(timeline, *events(1, 3))
    assert timeline.next_seq == 1
    with trio.CancelScope() as scope:
        scope.cancel()
        page = await timeline.read(1, 3, max_bytes=1000, max_events=1000)
    assert page == Page(events(1, 3), 4)
    assert archive.reads == []


async def test_what_has_left_the_memory_comes_from_the_archive() -> None:
    """One read is answered by one of the two; the next goes on in the other."""
    archive = ListArchive()
    timeline = make(archive)
    append(timeline, *events(1, 5))
    archive.commit(timeline)
    assert await timeline.read(1, 5, max_bytes=10**6, max_events=10) == Page(events(1, 2), 3)
    assert await timeline.read(3, 5, max_bytes=10**6, max_events=10) == Page(events(3, 5), 6)
    assert archive.reads == [(1, 2)]


async def test_a_page_has_one_event_at_least() -> None:
    """However long it is; and no more than is asked for, in bytes and in number."""
    timeline = make(ListArchive(), ring=100)
    append(timeline, *events(1, 9))
    length = len(event(1).line)
    assert await timeline.read(1, 9, max_bytes=1, max_events=9) == Page(events(1, 1), 2)
    assert await timeline.read(1, 9, max_bytes=length * 3, max_events=9) == Page(events(1, 3), 4)
    assert await timeline.read(1, 9, max_bytes=10**6, max_events=2) == Page(events(1, 2), 3)
    assert await timeline.read(1, 9, max_bytes=10**6, max_events=9) == Page(events(1, 9), 10)


async def test_one_thread() -> None:
    """Only its events are read, and only they are counted."""
    archive = ListArchive()
    timeline = make(archive, ring=2)
    append(timeline, *(event(seq, "ab"[seq % 2]) for seq in range(1, 9)))
    archive.commit(timeline)
    assert [each.seq for each in await everything(timeline, 1, 8, thread="b", max_events=1)] == [1, 3, 5, 7]
    assert [each.seq for each in await everything(timeline, 1, 8, thread="a")] == [2, 4, 6, 8]


async def test_nothing_leaves_the_memory_before_it_is_committed() -> None:
    """Until there is far too much: then the oldest goes, which is said until the archive has it after all."""
    archive = ListArchive()
    timeline = make(archive, ring=3, backlog=3)
    append(timeline, *events(1, 6))
    assert timeline.gap(0, 6) is None
    assert await everything(timeline, 1, 6) == events(1, 6)
    append(timeline, *events(7, 8))
    assert timeline.gap(0, 8) == Gap(1, 2)
    with pytest.raises(HistoryLost, match=r"^events from 1 on can't be read any more: "):
        await everything(timeline, 1, 8)
    assert await everything(timeline, 1, 8, lenient=True) == events(3, 8)
    archive.commit(timeline)
    assert timeline.gap(0, 8) is None
    assert await everything(timeline, 1, 8) == events(1, 8)
    assert timeline.statistics().memory_bytes == 3 * SIZE


async def test_what_the_archive_did_not_take() -> None:
    """It is there as long as it is in memory, then it is a gap."""
    archive = ListArchive()
    timeline = make(archive, ring=2)
    append(timeline, event(1))
    archive.takes = False
    append(timeline, *events(2, 4))
    archive.takes = True
    append(timeline, event(5))
    assert timeline.gap(0, 5) is None
    append(timeline, *events(6, 7))
    archive.commit(timeline)
    assert timeline.gap(0, 7) == Gap(2, 4)
    assert timeline.gap(2, 3) == Gap(3, 3)
    assert timeline.gap(4, 7) is None
    assert await everything(timeline, 5, 7) == events(5, 7)
    with pytest.raises(HistoryLost, match="events from 2 on"):
        await everything(timeline, 1, 7)


async def test_spans_that_were_lost_are_bounded(monkeypatch) -> None:
    """Where there are too many the oldest become one: more is said to be lost than was."""
    monkeypatch.setattr("codexd.runtime.timeline._MAX_LOST", 2)
    archive = ListArchive()
    timeline = make(archive, ring=1)
    for seq in range(1, 9):
        archive.takes = seq % 2 == 0
        timeline.append(event(seq))
    archive.commit(timeline)
    assert timeline._lost == [Span(1, 5), Span(7, 7)]
    assert timeline.gap(5, 6) is None


async def test_earlier_lives() -> None:
    """What retention deleted before, and what a killed codexd lost, is a gap for whoever asks for it."""
    history = History(born=100, floor=200, lost=(Span(300, 310), Span(400, 500)))
    timeline = make(ListArchive(1000, Status("on", None, history)))
    assert timeline.gap(0, 2000) == Gap(100, 500)
    assert timeline.gap(50, 150) == Gap(51, 150)
    assert timeline.gap(199, 299) is None
    assert timeline.gap(250, 305) == Gap(300, 305)
    assert timeline.gap(305, 400) == Gap(306, 400)
    assert timeline.gap(500, 2000) is None
    with pytest.raises(
        HistoryLost, match="can't be read any more: retention has deleted them, the disk did not"
    ):
        await everything(timeline, 190, 210)
    with pytest.raises(HistoryLost, match="events from 300 on"):
        await everything(timeline, 200, 310)
    assert await everything(timeline, 311, 399) == []


def test_a_new_archive() -> None:
    """To begin at the beginning leaves nothing out; a number of an archive that was there before does."""
    timeline = make(ListArchive(100))
    assert timeline.gap(0, 100) is None
    assert timeline.gap(50, 100) == Gap(51, 99)


async def test_retention_goes_no_further_than_somebody_reads() -> None:
    """Unless it has to: then the reader is told. What may go is gone from the moment in which that is said."""
    archive = ListArchive()
    timeline = make(archive, ring=1)
    append(timeline, *events(1, 9))
    archive.commit(timeline)
    timeline.in_use = lambda: 4
    assert timeline.trim(6, False) == 4
    assert timeline.gap(0, 9) == Gap(1, 3)
    assert await everything(timeline, 4, 9) == events(4, 9)
    assert timeline.trim(6, True) == 6
    assert timeline.trim(5, True) == 6
    with pytest.raises(HistoryLost, match="events from 4 on"):
        await everything(timeline, 4, 9)
    timeline.in_use = lambda: None
    assert timeline.trim(8, False) == 8
    assert timeline.trim(20, False) == 20
    assert timeline.gap(0, 9) == Gap(1, 8)
    assert await everything(timeline, 9, 9) == events(9, 9)


async def test_retention_that_overtakes_a_reader_on_its_way() -> None:
    """The archive may have answered with the part that was left: that is no answer."""
    archive = ListArchive()
    timeline = make(archive, ring=1)
    append(timeline, *events(1, 9))
    archive.commit(timeline)
    with pytest.RaisesGroup(HistoryLost):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(everything, timeline, 3, 5)
            nursery.start_soon(trim_later, timeline)


async def trim_later(timeline: Timeline) -> None:
    """When the reader has begun."""
    timeline.trim(5, True)


async def test_ephemeral_threads_never_reach_the_archive() -> None:
    """They are read in their place among the others, from memory."""
    archive = ListArchive()
    timeline = make(archive, ring=2)
    put = [event(seq, "e" if seq == 2 else "t", ephemeral=seq == 2) for seq in range(1, 8)]
    append(timeline, *put)
    archive.commit(timeline)
    assert [each.seq for each in archive.kept] == [1, 3, 4, 5, 6, 7]
    assert archive.used == [2]
    assert await everything(timeline, 1, 7) == put
    assert await everything(timeline, 1, 7, max_events=1) == put
    assert await everything(timeline, 1, 7, thread="e") == put[1:2]
    assert timeline.gap(0, 7) is None


async def test_too_many_ephemeral_events() -> None:
    """What has gone is a gap for who wants that thread, or all; nobody's reading fails for it."""
    timeline = make(ListArchive(), ring=4)
    append(timeline, event(5), *(event(seq, "e", ephemeral=True) for seq in range(6, 10)))
    assert timeline.gap(0, 9) == timeline.gap(0, 9, "e") == Gap(6, 7)
    assert timeline.gap(0, 9, "t") is None
    assert [each.seq for each in await everything(timeline, 5, 9)] == [5, 8, 9]


async def test_a_deleted_thread() -> None:
    """Nothing of it is read again, from nowhere."""
    archive = ListArchive()
    timeline = make(archive, ring=2)
    append(timeline, *(event(seq, "ab"[seq % 2]) for seq in range(1, 7)), event(7, "b", ephemeral=True))
    archive.commit(timeline, 4)
    timeline.forget_thread("b")
    archive.commit(timeline)
    assert [each.seq for each in await everything(timeline, 1, 7)] == [2, 4, 6]


async def test_an_archive_that_never_worked() -> None:
    """The newest are in memory; all that was before may have been something, and is a gap."""
    archive = ListArchive(100, BROKEN)
    timeline = make(archive, ring=2)
    archive.takes = False
    append(timeline, *events(100, 104))
    assert timeline.keeps is False
    assert timeline.gap(0, 104) == Gap(1, 102)
    assert await everything(timeline, 103, 104) == events(103, 104)
    assert await everything(timeline, 1, 104, lenient=True) == events(103, 104)
    with pytest.raises(HistoryLost, match=r"^events from 50 on can't be read any more: the disk is on fire$"):
        await everything(timeline, 50, 104)
    assert archive.reads == []


async def test_an_archive_that_works_at_last() -> None:
    """What was before can be read then, and what it has taken in the meantime."""
    archive = ListArchive(100, BROKEN)
    timeline = make(archive, ring=1)
    append(timeline, *events(100, 102))
    archive.takes = False
    append(timeline, event(103))
    archive.takes = True
    append(timeline, *events(104, 105))
    archive.kept = events(10, 12)
    timeline.changed(Status("on", None, History(10, 10, (Span(13, 99),))))
    assert timeline.keeps is True
    assert timeline.gap(0, 105) == Gap(13, 104)
    archive.commit(timeline)
    assert timeline.gap(99, 105) == Gap(103, 103)
    assert await everything(timeline, 10, 12) == events(10, 12)
    assert await everything(timeline, 100, 102) == events(100, 102)


async def test_an_archive_that_can_be_read_but_not_written() -> None:
    """A full disk: nothing is promised any more, and what is committed is still there."""
    archive = ListArchive()
    timeline = make(archive, ring=2)
    append(timeline, *events(1, 5))
    archive.commit(timeline)
    history = archive.status.history
    timeline.changed(Status("degraded", "full", history))
    assert timeline.keeps is False
    assert await everything(timeline, 1, 5) == events(1, 5)
    timeline.changed(Status("on", None, history))
    assert (timeline.keeps, timeline.gap(0, 5)) == (True, None)


def test_who_cares_is_told_once_when_an_archive_fails() -> None:
    """Not again for other failures meanwhile, nor of one that was there from the beginning; again after a recovery."""
    told: list[str] = []
    archive = ListArchive()
    timeline = make(archive)
    timeline.on_degraded = told.append
    well, full = archive.status, Status("degraded", "the disk is full", archive.status.history)
    timeline.changed(full)
    timeline.changed(BROKEN)
    assert told == ["the disk is full"]
    timeline.changed(well)
    timeline.changed(BROKEN)
    assert told == ["the disk is full", "the disk is on fire"]
    timeline = make(ListArchive(100, BROKEN))
    timeline.on_degraded = told.append
    timeline.changed(full)
    assert len(told) == 2


async def test_an_archive_that_is_gone() -> None:
    """The memory is all there is from then on, and does not grow for what will never be committed."""
    archive = ListArchive()
    timeline = make(archive, ring=2, backlog=9)
    append(timeline, *events(1, 5))
    timeline.changed(BROKEN)
    assert timeline.statistics() == TimelineStatistics(5, 7, 0, 2 * SIZE, "degraded", "the disk is on fire")
    assert timeline.gap(0, 5) == Gap(1, 3)


async def test_an_archive_that_fails_to_read() -> None:
    """What should be there is never left out without a word; when nothing is read any more, that is a gap."""
    archive = ListArchive()
    timeline = make(archive, ring=2)
    append(timeline, *events(1, 5))
    archive.commit(timeline)
    archive.failure = "a bad sector"
    for lenient in (False, True):
        with pytest.raises(HistoryLost, match=r"^a bad sector$"):
            await everything(timeline, 1, 5, lenient=lenient)
    assert await timeline.collect(1, 5, None, 1000) == "a bad sector"
    assert timeline.gap(0, 5) is None
    archive.on_read = lambda: timeline.changed(BROKEN)
    assert await everything(timeline, 1, 5, lenient=True) == events(4, 5)
    assert timeline.gap(0, 5) == Gap(1, 3)


@pytest.mark.parametrize("lenient", [False, True])
async def test_what_is_committed_while_it_is_read(lenient: bool) -> None:
    """It was missing when the reading began and is not when it ends: it is not left out without a word."""
    archive = ListArchive()
    timeline = make(archive, ring=2, backlog=0)
    append(timeline, *events(1, 5))
    assert timeline.gap(0, 5) == Gap(1, 3)
    archive.after_read = lambda: archive.commit(timeline)
    assert await everything(timeline, 1, 5, lenient=lenient) == events(1, 5)
    assert timeline.gap(0, 5) is None


async def test_without_an_archive() -> None:
    """Memory only: nothing is wrong, and what has left it is a gap."""
    timeline = Timeline(NoArchive(10), 2 * SIZE)
    append(timeline, *events(10, 11))
    assert (timeline.gap(0, 11), timeline.gap(5, 11)) == (None, Gap(6, 9))
    append(timeline, *events(12, 13))
    assert (timeline.gap(0, 13), timeline.keeps) == (Gap(10, 11), False)
    assert timeline.statistics() == TimelineStatistics(13, 0, 0, 2 * SIZE, "off", None)
    assert await everything(timeline, 12, 13) == events(12, 13)


async def test_one_event_larger_than_the_memory() -> None:
    """The newest is always there."""
    timeline = Timeline(NoArchive(1), 100)
    append(timeline, event(1), event(2, text=b"x" * 1000))
    assert [each.seq for each in await everything(timeline, 2, 2)] == [2]


async def test_it_runs_until_it_is_closed() -> None:
    """As long as its archive does."""
    timeline = make(ListArchive())
    async with trio.open_nursery() as nursery:
        await nursery.start(timeline.run)
        await wait_all_tasks_blocked()
        assert nursery.child_tasks
        timeline.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("abE"), st.integers(0, 5)),  # an event of this thread, this long
        st.sampled_from(["commit", "commit one", "forget a"]),
    ),
    max_size=40,
)


@given(
    STEPS, st.integers(1, 4), st.integers(0, 45), st.integers(0, 45), st.sampled_from([None, "a", "b", "E"])
)
def test_reading_is_what_was_appended(
    steps: Sequence[Any], ring: int, first: int, last: int, thread: str | None
) -> None:
    """Whatever is committed, queued, in memory, or of an ephemeral thread: a read gives it all, once, in order."""
    archive = ListArchive()
    timeline = Timeline(archive, ring * SIZE, 10**6)
    appended: list[Event] = []
    for step in steps:
        if step == "commit":
            archive.commit(timeline)
        elif step == "commit one":
            archive.commit(timeline, 1)
        elif step == "forget a":
            timeline.forget_thread("a")
            appended = [each for each in appended if each.thread != "a"]
        else:
            name, length = step
            seq = timeline.statistics().last_seq + 1 + length % 2
            new = event(seq, name, b"x" * (length + 1), ephemeral=name == "E")
            timeline.append(new)
            appended.append(new)
    wanted = [each for each in appended if first <= each.seq <= last and thread in (None, each.thread)]
    how = {"thread": thread, "max_events": 2, "max_bytes": 8, "lenient": True}
    found = trio.run(lambda: everything(timeline, first, last, **how))
    gone = timeline._ephemeral._gone
    assert found == [each for each in wanted if each.thread not in gone or each.seq > gone[each.thread].last]
    assert timeline.gap(0, 99, "a") is None
