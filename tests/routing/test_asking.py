"""Who is asked what Codex asks: the kinds that concern one client."""

from typing import Any

import pytest

from codexd.routing.effects import Effect
from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, Driver, codex, to

ABOUT = {"threadId": "T", "turnId": "u", "itemId": "i"}
APPROVAL = "item/commandExecution/requestApproval"
HUMAN: dict[str, Any] = {"experimentalApi": True, "requiredHumanApproval": True}
NOBODY_CAN = {"code": -32050, "data": {"reason": "noClient"}}


def house(*capabilities: dict[str, Any]) -> Driver:
    """Clients that follow a thread in whose turn Codex asks; their numbers count from 1."""
    driver = Driver().ready()
    driver.thread(*(driver.client(**each) for each in capabilities), turn="u")
    return driver


def asks(driver: Driver, method: str, number: int = 0, **params: Any) -> list[Effect]:
    return driver.says(id=number, method=method, params=ABOUT | params)


def declares(driver: Driver, client: int, number: int, thread: str, tools: Any) -> None:
    """A client starts a thread, with tools of its own."""
    driver.sends(client, id="s", method="thread/start", params={"cwd": "/p", "dynamicTools": tools})
    driver.says(id=number, result={"thread": {"id": thread}})


def test_a_dynamic_tool_is_for_who_declared_it() -> None:
    """Another follower of the thread does not have it."""
    driver = Driver().ready()
    driver.clients(2)
    declares(driver, 2, 2, "T", [{"name": "x"}])
    driver.thread(1)
    assert asks(driver, "item/tool/call") == [to(2, id=FIRST, method="item/tool/call", params=ABOUT)]
    assert driver.sends(1, id=FIRST, result={}) == []
    assert driver.sends(2, id=FIRST, result={}) == [codex(id=0, result={})]


def test_a_sub_agents_tool_is_for_who_declared_it_for_the_parent() -> None:
    """A child has its parent's tools."""
    driver = Driver().ready()
    driver.clients(2)
    declares(driver, 2, 2, "T", [{"name": "x"}])
    driver.thread(1)
    driver.says(method="turn/started", params={"threadId": "C", "turn": {"id": "c"}})
    driver.says(id=4, result={"thread": {"id": "C", "parentThreadId": "T"}})
    params = ABOUT | {"threadId": "C"}
    assert driver.says(id=0, method="item/tool/call", params=params) == [
        to(2, id=FIRST, method="item/tool/call", params=params)
    ]


@pytest.mark.parametrize("tools", [None, [{"name": "x"}]])
def test_without_its_declarer_a_dynamic_tool_is_for_all_followers(tools: Any) -> None:
    """Nobody declared it here, or who did has left: one of them may know it."""
    driver = Driver().ready()
    driver.clients(3)
    declares(driver, 3, 2, "T", tools)
    driver.thread(1, 2)
    call = {"id": FIRST, "method": "item/tool/call", "params": ABOUT}
    if tools is None:
        assert asks(driver, "item/tool/call") == [to(3, 1, 2, **call)]
    else:
        assert asks(driver, "item/tool/call") == [to(3, **call)]
        assert driver.leaves(3) == [to(1, 2, **call)]


NO_TOOLS = {"code": -32601, "message": "no such method"}


def deserted_by_its_owner() -> Driver:
    """Client 2 has declared a tool and left; client 1, who follows, is asked in its stead. The turn is `u`."""
    driver = Driver().ready()
    driver.client()
    driver.client("owner")
    declares(driver, 2, 2, "T", [{"name": "x"}])
    driver.thread(1, turn="u")
    asks(driver, "item/tool/call")
    assert driver.leaves(2) == [to(1, id=FIRST, method="item/tool/call", params=ABOUT)]
    return driver


def resumes(driver: Driver, client: int) -> None:
    ((number, _, _),) = driver.asked(
        driver.sends(client, id="r", method="thread/resume", params={"threadId": "T"})
    )
    driver.says(id=number, result={"thread": {"id": "T"}})


def test_a_tool_call_is_held_for_the_owner_of_the_tool() -> None:
    """An observer that knows no tools does not end it; the owner, back under its name, has the say."""
    driver = deserted_by_its_owner()
    assert driver.sends(1, id=FIRST, error=NO_TOOLS) == []
    back = driver.client("owner")
    resumes(driver, back)
    again = {"id": FIRST, "method": "item/tool/call", "params": ABOUT}
    assert driver.says(**again | {"id": 0}) == [to(back, **again)]
    assert driver.sends(back, id=FIRST, error=NO_TOOLS) == [codex(id=0, error=NO_TOOLS)]


def test_somebody_elses_error_is_no_answer_for_the_owner() -> None:
    """A newcomer of another name is asked, and may answer; that it can't says nothing."""
    driver = deserted_by_its_owner()
    other = driver.client("other")
    resumes(driver, other)
    again = {"id": FIRST, "method": "item/tool/call", "params": ABOUT}
    assert driver.says(**again | {"id": 0}) == [to(other, **again)]
    assert driver.sends(1, id=FIRST, error={"code": 5, "message": ""}) == []
    assert driver.sends(other, id=FIRST, error=NO_TOOLS) == []
    assert driver.sends(other, id=FIRST, result={"success": True}) == [codex(id=0, result={"success": True})]


def test_a_held_tool_call_ends_with_its_turn() -> None:
    """As long as Codex waits, and no longer: nobody is offered it afterwards."""
    driver = deserted_by_its_owner()
    driver.sends(1, id=FIRST, error=NO_TOOLS)
    driver.says(
        method="turn/completed", params={"threadId": "T", "turn": {"id": "u", "status": "interrupted"}}
    )
    assert driver.sends(1, id=FIRST, result={}) == []
    assert driver.status()["pendingApprovals"] == 0


@pytest.mark.parametrize(("code", "is_held"), [(-32601, True), (-32602, False)])
def test_of_a_tool_whose_owner_is_not_known_only_who_has_none_has_no_say(code: int, is_held: bool) -> None:
    """An earlier codexd may have known it; who fails to run it has it."""
    driver = house({})
    asks(driver, "item/tool/call")
    error = {"code": code, "message": ""}
    assert driver.sends(1, id=FIRST, error=error) == ([] if is_held else [codex(id=0, error=error)])


@pytest.mark.parametrize("method", ["currentTime/read"])
def test_one_is_asked_what_one_can_tell(method: str) -> None:
    """The first follower; when it leaves, or follows the thread no more, the next."""
    driver = house({}, {}, {})
    call = {"id": FIRST, "method": method, "params": ABOUT}
    assert asks(driver, method) == [to(1, **call)]
    driver.thread(driver.client())
    assert driver.leaves(1) == [to(2, **call)]
    effects = driver.sends(2, id="u", method="thread/unsubscribe", params={"threadId": "T"})
    assert effects == [to(2, id="u", result={"status": "unsubscribed"}), to(3, **call)]
    assert driver.sends(2, id=FIRST, result={}) == []
    assert driver.sends(3, id=FIRST, result={}) == [codex(id=0, result={})]


def test_what_codex_asks_once_is_for_who_resumed_meanwhile() -> None:
    """Codex repeats the clock's question for nobody, so that the one who was asked is followed by who came then."""
    driver = house({})
    call = {"id": FIRST, "method": "currentTime/read", "params": ABOUT}
    assert asks(driver, "currentTime/read") == [to(1, **call)]
    driver.thread(driver.client())
    assert to(2, **call) in driver.leaves(1)


def test_a_user_is_verified_at_one_client() -> None:
    """Any other elicitation is for all."""
    driver = house({}, {})
    method = "mcpServer/elicitation/request"
    verification: dict[str, Any] = {"mode": "openai/userVerification", "challenge": "c"}
    assert asks(driver, method, 0, **verification) == [
        to(1, id=FIRST, method=method, params=ABOUT | verification)
    ]
    assert asks(driver, method, 1, mode="form") == [
        to(1, 2, id=FIRST + 1, method=method, params=ABOUT | {"mode": "form"})
    ]


def test_what_a_human_must_approve_is_asked_where_a_human_is() -> None:
    """It waits until such a client follows the thread."""
    driver = house({"requiredHumanApproval": True, "experimentalApi": False}, {})
    assert asks(driver, APPROVAL, kind="humanCommand") == []
    human = driver.client(**HUMAN)
    driver.sends(human, id=1, method="thread/resume", params={"threadId": "T"})
    driver.says(id=4, result={"thread": {"id": "T"}})
    (asked,) = asks(driver, APPROVAL, kind="humanCommand")
    assert asked == to(human, id=FIRST, method=APPROVAL, params=ABOUT | {"kind": "humanCommand"})
    assert driver.sends(1, id=FIRST, result={}) == []
    assert driver.sends(human, id=FIRST, result={"decision": "accept"}) == [
        codex(id=0, result={"decision": "accept"})
    ]


def test_additional_permissions_are_shown_to_who_knows_them() -> None:
    """As Codex strips them for the others; whoever decides, decides."""
    driver = house({"experimentalApi": False}, {}, {"experimentalApi": False})
    params: dict[str, Any] = {"additionalPermissions": {"network": True}, "reason": "r"}
    assert asks(driver, APPROVAL, **params) == [
        to(2, id=FIRST, method=APPROVAL, params=ABOUT | params),
        to(1, 3, id=FIRST, method=APPROVAL, params=ABOUT | {"reason": "r"}),
    ]


def test_an_attestation_is_for_one_that_can_attest() -> None:
    """Without a thread; Codex waits 100 ms, then it is over."""
    driver = house({}, {"requestAttestation": True}, {"requestAttestation": True})
    method = "attestation/generate"
    assert driver.says(id=0, method=method, params={}) == [to(2, id=FIRST, method=method, params={})]
    assert driver.wait(0.09) == []
    refused = {
        "code": -32050,
        "message": f"no client of codexd can answer {method}",
        "data": {"reason": "noClient"},
    }
    assert driver.wait(0.02) == [codex(error=refused, id=0)]
    assert driver.sends(2, id=FIRST, result={"token": "t"}) == []
    driver.says(id=1, method=method, params={})
    assert driver.sends(2, id=FIRST + 1, result={"token": "t"}) == [codex(id=1, result={"token": "t"})]
    driver.says(id=2, method=method, params={})
    assert driver.leaves(2) == [to(3, id=FIRST + 2, method=method, params={})]
    assert driver.leaves(3) == [codex(error=refused, id=2)]
    assert driver.says(id=3, method=method, params={}) == [codex(error=refused, id=3)]


def test_tokens_are_refreshed_by_who_logged_in_with_them() -> None:
    """By anybody when that client has left."""
    driver = house({}, {}, {})
    method = "account/chatgptAuthTokens/refresh"
    driver.sends(2, id=1, method="account/login/start", params={"type": "chatgptAuthTokens"})
    driver.says(id=5, result={"type": "chatgptAuthTokens"})
    assert driver.says(id=0, method=method, params={}) == [to(2, id=FIRST, method=method, params={})]
    assert driver.sends(2, id=FIRST, result={"accessToken": "t"}) == [
        codex(id=0, result={"accessToken": "t"})
    ]
    driver.says(id=1, method=method, params={})
    assert driver.leaves(2) == [to(1, 3, id=FIRST + 1, method=method, params={})]
    driver.wait(10.0)
    assert driver.sends(1, id=FIRST + 1, result={}) == []
