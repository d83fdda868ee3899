"""What Codex runs does not drive Codex: who is refused, who may only read, and what reading is."""

from typing import get_args

import msgspec
import pytest

from codexd.protocol.errors import Code
from codexd.protocol.sandbox import Inside
from codexd.routing.rights import OBSERVABLE, Peer, is_observer, why_refused
from codexd.routing.router import Router
from tests.routing.driver import IDENTITY, Driver, Kept, to

INSIDE = Peer(7, "it descends from codexd (pid 1)")
APPROVAL = "item/commandExecution/requestApproval"


def driver_with(setting: str) -> Driver:
    """A driver of a codexd with this setting, and a Codex that is ready."""
    identity = msgspec.structs.replace(IDENTITY, inside=setting)
    return Driver(identity).ready()


def test_only_the_setting_refuse_turns_away_and_only_who_is_inside() -> None:
    """The sentence names why, the setting, and what else it can be."""
    assert [why_refused(Peer(7), setting) for setting in get_args(Inside)] == [None] * 3
    assert why_refused(INSIDE, "observe") is why_refused(INSIDE, "all") is None
    sentence = why_refused(INSIDE, "refuse")
    assert sentence is not None
    assert "it descends from codexd (pid 1)" in sentence
    assert 'inside = "observe"' in sentence
    assert 'inside = "all"' in sentence


def test_refusing_is_the_default() -> None:
    """A codexd whose owner has said nothing about it is the safe one."""
    router = Router(IDENTITY, lambda client: 0, lambda thread: None, Kept())
    assert router.why_refused(INSIDE) is not None
    assert router.why_refused(Peer()) is None


def test_an_observer_is_who_is_inside_where_that_is_the_setting() -> None:
    """Nobody else has fewer rights."""
    assert is_observer(INSIDE, "observe")
    assert not is_observer(INSIDE, "all")
    assert not is_observer(Peer(7), "observe")


def test_an_observer_reads() -> None:
    """codexd's own reports, and what Codex has stored."""
    driver = driver_with("observe")
    observer = driver.client(inside="it does")
    answer = driver.sends(observer, id=1, method="codexd/approvals/list", params={})
    assert answer == [to(observer, id=1, result={"approvals": []})]
    driver.sends(observer, id=2, method="thread/list", params={})
    assert driver.router.in_flight(observer) == 1


@pytest.mark.parametrize(
    "method",
    ["codexd/approvals/answer", "codexd/threads/release", "codexd/codex/start", "turn/start", "thread/start",
     "thread/resume", "thread/unsubscribe", "command/exec", "process/spawn", "fs/readFile", "config/value/write",
     "account/login/start", "account/read", "codexd/unheard-of", "no/such/method"],
)  # fmt: skip
def test_an_observer_does_nothing_else(method: str) -> None:
    """What is not in the table is not permitted, methods that nobody knows yet included."""
    driver = driver_with("observe")
    observer = driver.client(inside="it does")
    (answer,) = driver.sends(observer, id=1, method=method, params={"threadId": "T"})
    said = answer.line  # type: ignore[union-attr]
    assert b'"code":%d' % Code.NOT_PERMITTED in said
    assert method.encode() in said
    assert b'inside = \\"all\\"' in said
    assert driver.router.in_flight(observer) == 0


def test_an_observers_notifications_go_nowhere() -> None:
    """Codex would log them; a later Codex may obey them."""
    driver = driver_with("observe")
    observer, client = driver.client(inside="it does"), driver.client()
    assert driver.sends(observer, method="x/y", params={}) == []
    assert driver.sends(client, method="x/y", params={}) != []


def test_an_observer_is_never_asked_and_its_answer_counts_for_nothing() -> None:
    """What concerns no thread goes to all clients, but not to one that may only read."""
    driver = driver_with("observe")
    observer, client = driver.client(inside="it does"), driver.client()
    effects = driver.says(id=9, method="account/chatgptAuthTokens/refresh", params={"reason": "unauthorized"})
    asked = [effect.clients for effect in effects if hasattr(effect, "clients")]
    assert asked == [(client,)]
    (pending,) = driver.router._state.server_requests.undecided()
    assert driver.sends(observer, id=pending.id, result={}) == []
    assert driver.router._state.server_requests.undecided() == [pending]


def test_with_all_who_is_inside_is_a_client_like_others() -> None:
    """The owner has said so."""
    driver = driver_with("all")
    client = driver.client(inside="it does")
    driver.sends(client, id=1, method="turn/start", params={"threadId": "T"})
    assert driver.router.in_flight(client) == 1


def test_every_right_has_a_reason() -> None:
    """The table is read by whoever wants to know why."""
    assert all(OBSERVABLE.values())
    assert not [method for method in OBSERVABLE if method.endswith(("start", "write", "set", "answer"))]
