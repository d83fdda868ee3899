"""Worker threads where the system gives no more of them: those in reserve serve, and then it is said by name."""

import errno
import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from codexd.runtime import memory, threads
from codexd.runtime.threads import NoThread, in_thread, reserve
from tests.fakes import PATIENCE_SECONDS
from tests.runtime.shortage import fresh_threads, limited_memory, no_more_threads, no_new_thread


class Job:
    """Blocks its thread until it may end. `run` has started when the thread is at it, not when one was asked for."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Takes a thread, which goes on when nobody waits any more."""
        token = trio.lowlevel.current_trio_token()

        def work() -> None:
            token.run_sync_soon(task_status.started)
            self.may_end.wait()

        await in_thread(work, abandon_on_cancel=True)


async def test_without_a_thread_the_failure_has_a_name() -> None:
    """It is an error of the system like others, which those who expect one handle; nothing has been called."""
    called: list[int] = []
    with no_more_threads(), pytest.raises(NoThread) as caught:
        await in_thread(called.append, 1)
    assert isinstance(caught.value, OSError)
    assert (caught.value.errno, called) == (errno.EAGAIN, [])
    await in_thread(called.append, 2)
    assert called == [2]


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, NoThread])
async def test_what_the_function_itself_raises_is_passed_on(error: type[Exception]) -> None:
    """A mistake in it is no shortage of threads."""

    def fail() -> None:
        raise error

    with pytest.raises(error):
        await in_thread(fail)


async def test_a_thread_in_reserve_serves_as_often_as_it_is_needed() -> None:
    """Job after job, long after the limit was reached: what a job has used is kept again when it ends."""
    with no_more_threads(1):
        for number in range(5):
            assert await in_thread(lambda value: value, number) == number


async def test_only_so_many_at_once_as_are_in_reserve() -> None:
    """One too many is told so at once, and has its turn when one is free."""
    job = Job()
    with trio.fail_after(PATIENCE_SECONDS), no_more_threads(2):
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                await nursery.start(job.run)
            with pytest.raises(NoThread):
                await in_thread(int)
            job.may_end.set()
        assert await in_thread(int) == 0


async def test_many_that_want_one_at_the_same_time_all_end() -> None:
    """They take it from each other, and each either has it or is told; nobody waits for ever."""
    outcomes: list[bool] = []

    async def ask() -> None:
        try:
            await in_thread(int)
        except NoThread:
            outcomes.append(False)
        else:
            outcomes.append(True)

    with trio.fail_after(PATIENCE_SECONDS), no_more_threads(3):
        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(ask)
        assert len(outcomes) == 30
        assert outcomes.count(True) >= 3
        assert await in_thread(int) == 0


async def test_a_thread_that_hangs_is_made_up_for_when_there_are_threads_again() -> None:
    """A disk that hangs keeps its thread, which costs the others one for the time of the shortage alone."""
    job = Job()
    with trio.fail_after(PATIENCE_SECONDS), fresh_threads(), reserve(1):
        with no_new_thread():
            async with trio.open_nursery() as nursery:
                await nursery.start(job.run)
                nursery.cancel_scope.cancel()
            with pytest.raises(NoThread):
                await in_thread(int)
        await in_thread(int)
        with no_new_thread():
            assert await in_thread(int) == 0
        job.may_end.set()


async def test_who_no_longer_waits_for_a_thread_of_the_reserve_leaves_it_there() -> None:
    """Cancelled while the thread wakes up, a job has not begun; the thread is kept again and not left to end idle."""
    woken: list[threads._Sleeper] = []

    async def ask() -> None:
        await in_thread(int)

    with trio.fail_after(PATIENCE_SECONDS), no_more_threads(1):
        wake = threads._Sleeper.let_go
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threads._Sleeper, "let_go", lambda sleeper: woken.append(sleeper))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await wait_all_tasks_blocked()
                wake(*woken)
        assert len(threads._kept.get()._sleeping) == 1
        assert await in_thread(int) == 0


async def test_without_memory_the_reserve_serves_and_no_thread_is_started() -> None:
    """One that is started and gets no memory never says that it runs, and its starter, codexd's loop, waits for ever."""
    with fresh_threads(), limited_memory(memory.HEADROOM_BYTES) as limited, reserve(1):
        limited.free = 0
        with no_new_thread():
            assert await in_thread(int) == 0
        with pytest.raises(NoThread):
            await in_thread(int)
        limited.free = memory.HEADROOM_BYTES
        assert await in_thread(int) == 0
        with no_new_thread():
            assert await in_thread(int) == 0


async def test_a_reserve_that_cannot_be_had_is_said() -> None:
    """codexd does not start and then die of the first request."""
    with no_more_threads(), pytest.raises(NoThread), reserve(1):
        raise AssertionError("it has begun")


def test_a_thread_of_our_own_that_cannot_be_started_is_said() -> None:
    """The log of what Codex sends has one."""
    with no_more_threads(), pytest.raises(NoThread):
        threads.start(threading.Thread(target=int))
