"""The six requests of Codex that are one client's affair, each with two clients that could answer and one that could not.

Capable is whoever declared the tool, can attest, logged in with tokens, or has a human; the clock and a user's
verification can be told by any follower. All three follow the thread, the incapable first of all.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from codexd.routing.effects import Effect, ToClients, ToCodex
from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, Driver, codex, to

INCAPABLE, ONE, TWO = 1, 2, 3
CAPABLE: dict[str, Any] = {"experimentalApi": True, "requestAttestation": True, "requiredHumanApproval": True}
ABOUT = {"threadId": "T", "turnId": "u", "itemId": "i"}


def started_with_tools(driver: Driver) -> None:
    """Both capable clients have tools; the thread is the first one's."""
    driver.sends(ONE, id="s", method="thread/start", params={"cwd": "/p", "dynamicTools": [{"name": "x"}]})
    driver.says(id=2, result={"thread": {"id": "T"}})
    driver.sends(TWO, id="s", method="thread/start", params={"cwd": "/p", "dynamicTools": [{"name": "x"}]})
    driver.says(id=3, result={"thread": {"id": "other"}})


def logged_in(driver: Driver) -> None:
    """Both have logged in with tokens of their own; the second's count."""
    for number, client in ((2, TWO), (3, ONE)):
        driver.sends(client, id="l", method="account/login/start", params={"type": "chatgptAuthTokens"})
        driver.says(id=number, result={"type": "chatgptAuthTokens"})


class Special(Struct, frozen=True):
    """One kind: who is asked at first, and who when the first of those has left."""

    method: str
    params: dict[str, Any]
    first: tuple[int, ...]
    then: tuple[int, ...]
    before: Callable[[Driver], None] = lambda _: None


SPECIAL = [
    Special("item/tool/call", ABOUT, (ONE,), (INCAPABLE, TWO), started_with_tools),
    Special("account/chatgptAuthTokens/refresh", {}, (ONE,), (INCAPABLE, TWO), logged_in),
    Special("attestation/generate", {}, (ONE,), (TWO,)),
    Special("item/commandExecution/requestApproval", ABOUT | {"kind": "humanCommand"}, (ONE, TWO), ()),
    Special("currentTime/read", {"threadId": "T"}, (INCAPABLE,), (ONE,)),
    Special(
        "mcpServer/elicitation/request", ABOUT | {"mode": "openai/userVerification"}, (INCAPABLE,), (ONE,)
    ),
]


def asked(effects: list[Effect], method: str) -> list[tuple[int, ...]]:
    """Who is asked this."""
    lines = [effect for effect in effects if isinstance(effect, ToClients)]
    return [effect.clients for effect in lines if json.loads(effect.line).get("method") == method]


@pytest.fixture
def driver() -> Driver:
    """The three clients."""
    driver = Driver().ready()
    driver.client()
    driver.client(**CAPABLE)
    driver.client(**CAPABLE)
    return driver


def asks(driver: Driver, special: Special) -> list[Effect]:
    special.before(driver)
    driver.thread(*(client for client in (INCAPABLE, ONE, TWO)), turn="u")
    return driver.says(id=0, method=special.method, params=special.params)


@pytest.mark.parametrize("special", SPECIAL, ids=lambda special: special.method)
def test_who_is_asked_and_may_answer(driver: Driver, special: Special) -> None:
    """Nobody else's answer counts; the first one's does."""
    assert asks(driver, special) == [
        to(*special.first, id=FIRST, method=special.method, params=special.params)
    ]
    for client in {INCAPABLE, ONE, TWO} - set(special.first):
        assert driver.sends(client, id=FIRST, result={"from": client}) == []
    answer = {"from": special.first[0]}
    assert driver.sends(special.first[0], id=FIRST, result=answer) == [codex(id=0, result=answer)]
    assert driver.sends(special.first[-1], id=FIRST, result=answer) == []


@pytest.mark.parametrize("special", SPECIAL, ids=lambda special: special.method)
def test_who_is_asked_when_the_first_has_left(driver: Driver, special: Special) -> None:
    """The next that can stand in; nobody anew while another who was asked is there."""
    asks(driver, special)
    effects = driver.leaves(special.first[0])
    assert asked(effects, special.method) == ([special.then] if special.then else [])
    assert [effect for effect in effects if isinstance(effect, ToCodex)] == []


def test_an_attestation_is_awaited_no_longer_than_codex_waits(driver: Driver) -> None:
    """100 ms; an answer after that does nothing."""
    asks(driver, SPECIAL[2])
    assert driver.wait(0.0999) == []
    (ended,) = driver.wait(0.001)
    refused = {
        "code": -32050,
        "message": "no client of codexd can answer attestation/generate",
        "data": {"reason": "noClient"},
    }
    assert ended == codex(error=refused, id=0)
    assert driver.sends(ONE, id=FIRST, result={"token": "t"}) == []
