import select
import threading

import pytest

from codexctl import coming_back
from codexctl.client import ConnectionLost, RpcError
from codexctl.coming_back import ComingBack
from codexd.protocol.errors import Unavailable


def waited_for(back):
    poll = select.poll()
    poll.register(back, select.POLLIN)
    assert poll.poll(30_000)


def test_it_tries_until_it_succeeds(place):
    """A codexd that is not there yet, one that hangs up at once, and one whose Codex is not there may come."""
    failures = [Unavailable("not there"), ConnectionLost("hung up"), RpcError(-32050, "no Codex")]

    def attempt(start):
        if failures:
            raise failures.pop(0)
        return "connected"

    with ComingBack(attempt, str(place / "none"), start=True) as back:
        waited_for(back)
        assert back.result() == "connected"


@pytest.mark.parametrize(
    ("left", "may", "started"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_it_starts_codexd_only_where_one_was_killed(place, left, may, started):
    """It has left its socket behind. One that was told to end has not, and may not be wanted back."""
    path = place / "s.sock"
    if left:
        path.touch()
    with ComingBack(lambda start: [start], str(path), start=may) as back:
        waited_for(back)
        assert back.result() == [started]


def test_what_no_attempt_will_change_ends_it_at_once(place):
    """Codex does not know the thread, say."""

    def attempt(start):
        raise RpcError(-32600, "no rollout found")

    with ComingBack(attempt, str(place / "none"), start=False) as back:
        waited_for(back)
        with pytest.raises(RpcError, match="no rollout found"):
            back.result()


def test_it_gives_up_after_a_while(place, monkeypatch):
    """And says what the last attempt said, if any has come to an end."""
    monkeypatch.setattr(coming_back, "PATIENCE_SECONDS", 0.0)
    has_failed, may_end = threading.Event(), threading.Event()
    is_second = threading.Event()

    def attempt(start):
        if is_second.is_set():
            has_failed.set()
        is_second.set()
        may_end.wait(30)
        raise Unavailable("no codexd listens")

    with ComingBack(attempt, str(place / "none"), start=False) as back:
        assert back.seconds_left == 0
        with pytest.raises(Unavailable, match=r"^codexd did not come back within 0 s$"):
            back.result()
        may_end.set()
        assert has_failed.wait(30)
        with pytest.raises(Unavailable, match=r"^codexd did not come back within 0 s: no codexd listens$"):
            back.result()


def test_nothing_is_known_while_it_tries(place):
    """The result is None until there is one."""
    may_end = threading.Event()

    with ComingBack(lambda start: may_end.wait(30) and "connected", str(place / "none"), start=False) as back:
        assert back.result() is None
        may_end.set()
        waited_for(back)
        assert back.result() == "connected"


def test_what_a_machine_lacks_for_a_moment_is_tried_again(place):
    """No descriptor, no process, no disk to start codexd with."""
    failures = [OSError(28, "No space left on device")]

    def attempt(start):
        if failures:
            raise failures.pop()
        return "connected"

    with ComingBack(attempt, str(place / "none"), start=True) as back:
        waited_for(back)
        assert back.result() == "connected"
