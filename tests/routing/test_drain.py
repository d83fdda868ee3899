"""codexd is to end while turns run: it waits for them and begins no other."""

from typing import Any

import pytest

from codexd.routing.effects import Stop
from tests.routing.driver import START, Driver, codex, to

STEERED = {"threadId": "T", "expectedTurnId": "u", "input": []}


def draining(turn: str | None = "u") -> tuple[Driver, int]:
    """A codexd that is to end in ten seconds, with a client that follows a thread."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn=turn)
    assert driver.keep(driver.router.drain(driver.now + 10, driver.now)) == []
    return driver, client


def refusal(client: int, request: int, turns: str) -> Any:
    """What a client is told whose request would begin a turn."""
    sentence = (
        f"codexd is stopping: it waits for {turns} and begins no other; start it again with `codexd start`"
    )
    data = {"reason": "stopping", "safeToRetry": True}
    return to(client, error={"code": -32050, "message": sentence, "data": data}, id=request)


@pytest.mark.parametrize(
    "method", ["turn/start", "review/start", "thread/start", "thread/compact/start", "thread/shellCommand"]
)
def test_no_other_turn_begins(method: str) -> None:
    """The asker is told why at once; a request that codexd ended with would fail without having been done."""
    driver, client = draining()
    effects = driver.sends(client, id=7, method=method, params={"threadId": "T", "cwd": "/p"})
    assert effects == [refusal(client, 7, "1 running turn")]


def test_what_concerns_the_running_turns_goes_on() -> None:
    """They are waited for so that they end well: they can be steered, interrupted and read."""
    driver, client = draining()
    ((number, method, _),) = driver.asked(driver.sends(client, id=1, method="turn/steer", params=STEERED))
    assert method == "turn/steer"
    assert driver.says(id=number, result={"turnId": "u"}) == [to(client, id=1, result={"turnId": "u"})]


def test_the_wait_is_over_when_the_last_turn_has_ended() -> None:
    """That is the moment in which codexd goes on to end."""
    driver, _ = draining()
    assert not driver.router.is_drained()
    assert driver.router.running_turns() == 1
    driver.says(method="turn/completed", params={"threadId": "T", "turn": {"id": "u", "status": "completed"}})
    assert driver.router.is_drained()
    assert driver.router.running_turns() == 0


def test_a_turn_that_codex_was_asked_for_is_waited_for() -> None:
    """Between the request and its answer nobody knows of the turn, and Codex may have begun it."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    driver.sends(client, id=1, method="turn/start", params={"threadId": "T"})
    driver.keep(driver.router.drain(driver.now + 10, driver.now))
    assert not driver.router.is_drained()
    effects = driver.sends(client, id=2, method="turn/start", params={"threadId": "T"})
    assert effects == [refusal(client, 2, "1 running turn")]
    driver.says(method="turn/started", params={"threadId": "T", "turn": {"id": "u"}})
    assert driver.router.running_turns() == 1


def test_one_that_was_queued_is_refused() -> None:
    """It was never handed to Codex; after a death its thread was being resumed, say."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    ((resume, _, _),) = driver.asked(driver.died_and_back())
    driver.sends(client, id=1, method="turn/start", params={"threadId": "T"})
    driver.keep(driver.router.drain(driver.now + 10, driver.now))
    effects = driver.says(id=resume, result={"thread": {"id": "T"}})
    assert refusal(client, 1, "0 running turns") in effects
    assert not [sent for sent in driver.asked(effects) if sent[1] == "turn/start"]


def test_codexds_own_requests_still_go() -> None:
    """Only clients begin turns."""
    driver, client = draining(turn=None)
    assert driver.leaves(client) == [codex(id=3, method="thread/unsubscribe", params={"threadId": "T"})]


def test_a_client_asks_codexd_to_stop() -> None:
    """It is told at once which turns are waited for; the waiting is the runtime's."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    effects = driver.router.receive(
        client, b'{"id":1,"method":"codexd/stop","params":{"drainSeconds":2.5}}', driver.now
    )
    assert effects == [Stop(2.5), to(client, id=1, result={"turns": [{"threadId": "T", "turnId": "u"}]})]
    assert driver.status()["codexd"]["drainingUntil"] is None
    driver.router.drain(driver.now + 2.5, driver.now)
    assert driver.status()["codexd"]["drainingUntil"] == START + 2.5


@pytest.mark.parametrize("params", [{"drainSeconds": -1}, {"drainSeconds": 1e9}, {"drainSeconds": "soon"}])
def test_a_wait_that_is_none(params: dict[str, object]) -> None:
    """It is refused, with the shape that is right; codexd goes on."""
    driver = Driver().ready()
    client = driver.connect()
    (answer,) = driver.sends(client, id=1, method="codexd/stop", params=params)
    assert b'"code":-32602,"message":"codexd/stop takes {drainSeconds?}: ' in answer.line  # type: ignore[union-attr]
