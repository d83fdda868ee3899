"""Effects are values."""

import pytest

from codexd.routing import effects
from codexd.routing.effects import (
    Effect,
    ForgetThread,
    Log,
    Numbered,
    Observed,
    PauseReading,
    ReadEvents,
    Replay,
    ResumeReading,
    StartCodex,
    StopCodex,
    ToClients,
    ToCodex,
    ViewChanged,
)
from codexd.routing.events import Event, History, View

EVENT = Event(1, 2.5, "T", "x", b"{}")


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (ToClients((1, 2), b"x"), ToClients((1, 2), b"x"), ToClients((2, 1), b"x")),
        (Numbered(EVENT, (1,), ()), Numbered(EVENT, (1,), ()), Numbered(EVENT, (), (1,))),
        (ViewChanged(1, View()), ViewChanged(1, View()), ViewChanged(1, View(hears_all=True))),
        (Replay(1, 2, 3, History("T")), Replay(1, 2, 3, History("T")), Replay(1, 2, 3, History(None))),
        (ReadEvents(1, 2, None, 3, 4, 5), ReadEvents(1, 2, None, 3, 4, 5), ReadEvents(1, 2, "T", 3, 4, 5)),
        (ForgetThread("T"), ForgetThread("T"), ForgetThread("U")),
        (Observed(b"x", 1.0, 2), Observed(b"x", 1.0, 2), Observed(b"x", 1.0)),
        (ToCodex(b"x"), ToCodex(b"x"), ToCodex(b"y")),
        (PauseReading(1), PauseReading(1), PauseReading(2)),
        (ResumeReading(1), ResumeReading(1), PauseReading(1)),
        (StartCodex(1), StartCodex(1), StopCodex(1)),
        (StopCodex(1), StopCodex(1), StopCodex(2)),
        (Log(20, "x"), Log(20, "x"), Log(30, "x")),
    ],
)
def test_an_effect_is_compared_as_a_whole_and_never_changes(one: Effect, same: Effect, other: Effect) -> None:
    """Who decided something and who carries it out share it."""
    assert one == same
    assert one != other
    with pytest.raises(AttributeError):
        setattr(one, one.__struct_fields__[0], None)


def test_there_are_no_others() -> None:
    """What the broker must be able to do is this list."""
    structs = {name for name, value in vars(effects).items() if isinstance(value, type)} - {
        "Struct",
        "Bulk",
        "ClientId",
        "Event",
        "Gap",
        "View",
    }
    assert structs == {kind.__name__ for kind in Effect.__args__}
