"""The archive that keeps nothing, and where numbers begin."""

import time

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codexd.runtime.archive import ArchiveFailed, NoArchive, Size, Status, number_of_now
from codexd.runtime.timeline import Timeline
from tests.runtime.events import event


def test_numbers_begin_with_the_clock() -> None:
    """Microseconds: no codexd uses numbers up faster than they come, and they fit where JavaScript counts."""
    before = time.time()
    assert before * 1e6 - 1 <= number_of_now() <= time.time() * 1e6 + 1
    assert number_of_now() * 4 < 2**53


async def test_nothing_is_kept() -> None:
    """It takes nothing, says that it is off, and names the setting to who asks for more."""
    archive = NoArchive(5)
    assert (archive.first_seq, archive.status, archive.size()) == (5, Status("off"), Size(0, 0))
    assert archive.put(event(5)) is False
    archive.use(5)
    archive.delete_thread("t")
    with pytest.raises(
        ArchiveFailed, match=r'^with timeline = "off" only the newest events are kept, in memory$'
    ):
        await archive.read(1, 2, None, 1, 1)


async def test_it_runs_until_it_is_closed(autojump_clock) -> None:
    """As every other one does."""
    archive = NoArchive()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(archive.run, Timeline(archive))
        await wait_all_tasks_blocked()
        assert nursery.child_tasks
        archive.close()
