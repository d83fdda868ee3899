"""Named gates: released, hung up on, closed."""

import socket
import threading
from collections.abc import Iterator

import pytest

from codexd.demo.holds import Holds


class Waiter:
    """Somebody who waits at a gate in a thread; ``end()`` is how it ended."""

    def __init__(self, holds: Holds, name: str) -> None:
        self.far, self._near = socket.socketpair()
        self._outcome: bool | None = None
        self._thread = threading.Thread(target=self._wait, args=(holds, name), daemon=True)
        self._thread.start()

    def _wait(self, holds: Holds, name: str) -> None:
        self._outcome = holds.wait(name, self._near)

    def end(self) -> bool | None:
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.far.close()
        self._near.close()
        return self._outcome


@pytest.fixture
def holds() -> Iterator[Holds]:
    gates = Holds()
    yield gates
    gates.close()


def test_a_release_lets_all_of_that_name_go_on(holds: Holds) -> None:
    """And nobody else."""
    waiters = [Waiter(holds, "a"), Waiter(holds, "a")]
    other = Waiter(holds, "b")
    holds.wait_held("a", 10)
    holds.wait_held("b", 10)
    holds.release("a")
    assert [waiter.end() for waiter in waiters] == [True, True]
    holds.wait_left("a", 10)
    with pytest.raises(TimeoutError):
        holds.wait_left("b", 0)
    holds.release("b")
    assert other.end() is True


def test_a_released_name_stays_open(holds: Holds) -> None:
    """A release before the hold is no lost release."""
    holds.release("a")
    assert Waiter(holds, "a").end() is True


def test_who_hangs_up_is_not_waited_for(holds: Holds) -> None:
    """The wait ends with False, and the place is free."""
    waiter = Waiter(holds, "a")
    holds.wait_held("a", 10)
    waiter.far.close()
    assert waiter.end() is False
    holds.wait_left("a", 10)


def test_closing_ends_every_wait(holds: Holds) -> None:
    """Those to come included, a released name's too."""
    waiter = Waiter(holds, "a")
    holds.wait_held("a", 10)
    holds.release("b")
    holds.close()
    assert waiter.end() is False
    assert Waiter(holds, "b").end() is False


def test_nobody_holds(holds: Holds) -> None:
    """Waiting for a holder is not for ever."""
    with pytest.raises(TimeoutError, match="nobody holds a"):
        holds.wait_held("a", 0)
