"""What the core knows, and the list of what it wants done."""

import logging

from codexd.routing.effects import Log, PauseReading
from codexd.routing.state import State
from tests.routing.driver import IDENTITY, START, Kept, codex, line, request, to


def test_effects_come_out_once_in_the_order_in_which_they_were_wanted() -> None:
    """The broker carries them out one after the other."""
    state = State(IDENTITY, Kept())
    state.tell((1, 2), line(method="a"))
    state.tell_codex(line(method="b"))
    state.want(PauseReading(1))
    state.log("c")
    state.log("d", logging.WARNING)
    state.refuse(3, request("7"), -32050, "no", {"reason": "why"})
    assert state.take_effects() == [
        to(1, 2, method="a"),
        codex(method="b"),
        PauseReading(1),
        Log(logging.INFO, "c"),
        Log(logging.WARNING, "d"),
        to(3, error={"code": -32050, "message": "no", "data": {"reason": "why"}}, id="7"),
    ]
    assert state.take_effects() == []


def test_a_message_for_nobody_is_no_effect() -> None:
    """Nobody has to be told nothing."""
    state = State(IDENTITY, Kept())
    state.tell((), line(method="a"))
    assert state.take_effects() == []


def test_time_begins_with_the_daemon() -> None:
    """Before the first call of the router it is the time at which codexd started."""
    assert State(IDENTITY, Kept()).now == START
