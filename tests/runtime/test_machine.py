"""The machine as a supervisor knows it; what it does for a Codex is shown in `test_supervisor`."""

import threading

import pytest
import trio
import trio.lowlevel

from codexd.runtime.codex import CodexUnavailable
from codexd.runtime.machine import ThisMachine
from tests.fakes import PATIENCE_SECONDS


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
