"""The machine as a supervisor knows it; what it does for a Codex is shown in `test_supervisor`."""

import threading

import pytest
import trio
import trio.lowlevel

from codexd.runtime.codex import CodexUnavailable
from codexd.runtime.machine import ThisMachine
from tests.fakes import PATIENCE_SECONDS
from tests.runtime.shortage import no_more_threads


async def test_looking_for_codex_makes_nobody_wait():
    """It happens in a thread, which is left to itself when nobody wants to know any more."""
    looking, may_end = threading.Event(), threading.Event()

    def find():
        looking.set()
        may_end.wait()
        raise CodexUnavailable("there is none")

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ThisMachine(find).find)
            while not looking.is_set():
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        may_end.set()


async def test_why_there_is_no_codex_is_said():
    """What the search raises reaches whoever asked."""

    def find():
        raise CodexUnavailable("install it")

    with pytest.raises(CodexUnavailable, match="install it"):
        await ThisMachine(find).find()


async def test_without_a_thread_there_is_no_codex_just_now():
    """Who waits for one is told why, and codexd tries again, as after any other failure."""
    with no_more_threads(), pytest.raises(CodexUnavailable, match="no more threads"):
        await ThisMachine(lambda: pytest.fail("it was looked for")).find()


async def test_without_a_thread_processes_are_left_and_that_is_said(caplog):
    """Neither the look at what is Codex's own nor the sweep ends codexd; the log says what was left undone."""
    machine = ThisMachine(lambda: pytest.fail("it was looked for"))
    with no_more_threads(), trio.fail_after(PATIENCE_SECONDS):
        await machine.clear_leftovers()
        await machine.look_last(2**22)
        await machine.sweep(2**22)
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "the system gives codexd no more threads"
    ] * 3


async def test_without_memory_processes_are_left_and_that_is_said(caplog, monkeypatch):
    """The same where there is a thread, and no memory for the table of processes."""

    def refuse(*_, **__):
        raise MemoryError

    machine = ThisMachine(lambda: pytest.fail("it was looked for"))
    monkeypatch.setattr(machine._belongings, "look", refuse)
    monkeypatch.setattr(machine._belongings, "of", refuse)
    await machine.look_last(2**22)
    await machine.sweep(2**22)
    assert [message.partition(": ")[2] for message in caplog.messages] == ["there is not enough memory"] * 2
