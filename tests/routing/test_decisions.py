"""The way of one request of Codex: asked, decided, resolved."""

from typing import Any

import pytest

from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, Driver, codex, to

APPROVAL = "item/commandExecution/requestApproval"
REFRESH = "account/chatgptAuthTokens/refresh"
ABOUT = {"threadId": "T", "turnId": "u", "itemId": "i"}
ACCEPT = {"decision": "accept"}
UNKNOWN = {"code": -32601, "message": "no such method"}


def asking(*, subscribers: int = 2, others: int = 1) -> Driver:
    """A thread with some followers, and clients that do not follow it; their numbers count from 1."""
    driver = Driver().ready()
    clients = driver.clients(subscribers + others)
    driver.thread(*clients[:subscribers], turn="u")
    return driver


@pytest.mark.parametrize(
    "method",
    [
        APPROVAL, "item/fileChange/requestApproval", "item/permissions/requestApproval",
        "item/tool/requestUserInput", "mcpServer/elicitation/request", "item/tool/call",
        "something/new",
    ],
)  # fmt: skip
def test_the_followers_of_a_thread_are_asked(method: str) -> None:
    """All of them, nobody else, under one id of codexd's, with Codex's own params; whoever answers first decides."""
    driver = asking()
    assert driver.says(id=0, method=method, params=ABOUT, emittedAtMs=1) == [
        to(1, 2, id=FIRST, method=method, params=ABOUT, emittedAtMs=1)
    ]
    assert driver.sends(2, id=FIRST, result=ACCEPT) == [codex(id=0, result=ACCEPT)]


def test_the_first_decision_wins_and_the_loser_is_told() -> None:
    """By `serverRequest/resolved` under the id that it knows; its own answer does nothing."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    driver.sends(1, id=FIRST, result=ACCEPT)
    assert driver.sends(2, id=FIRST, result={"decision": "decline"}) == []
    assert driver.says(method="serverRequest/resolved", params={"threadId": "T", "requestId": 0}) == [
        to(1, 2, method="serverRequest/resolved", params={"threadId": "T", "requestId": FIRST})
    ]


def test_who_was_not_asked_decides_nothing() -> None:
    """Neither by a result nor by an error; Codex itself takes the answer of anybody (measured)."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    assert driver.sends(3, id=FIRST, result=ACCEPT) == []
    assert driver.sends(3, id=FIRST, error=UNKNOWN) == []
    assert driver.sends(1, id=0, result=ACCEPT) == []
    assert driver.sends(1, id=str(FIRST), result=ACCEPT) == []
    assert driver.sends(1, id=FIRST, result=ACCEPT) == [codex(id=0, result=ACCEPT)]


def test_an_error_of_one_of_several_is_an_abstention() -> None:
    """A client that does not know a method must not decide for all: Codex takes the first error for the answer."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    assert driver.sends(1, id=FIRST, error=UNKNOWN) == []
    assert driver.sends(2, id=FIRST, result=ACCEPT) == [codex(id=0, result=ACCEPT)]


def test_the_last_ones_error_is_the_answer() -> None:
    """When nobody is left who could say something better, Codex hears what the last one said."""
    driver = asking()
    driver.says(id="c", method=APPROVAL, params=ABOUT)
    driver.sends(2, id=FIRST, error=UNKNOWN)
    assert driver.sends(2, id=FIRST, error=UNKNOWN) == []
    last = {"code": -5, "message": "not me either", "data": [1]}
    assert driver.sends(1, id=FIRST, error=last) == [codex(id="c", error=last)]
    assert driver.sends(2, id=FIRST, result=ACCEPT) == []


def test_one_may_think_better_of_its_abstention() -> None:
    """Until the request is decided."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    driver.sends(1, id=FIRST, error=UNKNOWN)
    assert driver.sends(1, id=FIRST, result=ACCEPT) == [codex(id=0, result=ACCEPT)]


def test_what_a_bad_answer_decides() -> None:
    """Nothing: Codex would not have understood it, and would wait for ever."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    refused = driver.sends_bytes(1, b'{"id":%d,"result":{},"result":{}}' % FIRST)
    message = "the member 'result' stands twice in the message"
    assert refused == [to(1, error={"code": -32600, "message": message}, id=None)]
    assert driver.sends(1, id=FIRST, result=ACCEPT) == [codex(id=0, result=ACCEPT)]


def test_a_request_without_followers_waits() -> None:
    """It is offered to whoever attaches when Codex repeats it; and again when that client resumes again, as natively."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a, turn="u")
    driver.leaves(a)
    assert driver.says(id=0, method=APPROVAL, params=ABOUT) == []
    driver.sends(b, id="r", method="thread/resume", params={"threadId": "T"})
    attached = {"thread": {"id": "T"}}
    repeated = to(b, id=FIRST, method=APPROVAL, params=ABOUT)
    for number, name in ((3, "r"), (4, "again")):
        assert driver.says(id=number, result=attached) == [to(b, id=name, result=attached)]
        assert driver.says(id=0, method=APPROVAL, params=ABOUT) == [repeated]
        assert driver.says(id=0, method=APPROVAL, params=ABOUT) == []
        driver.sends(b, id="again", method="thread/resume", params={"threadId": "T"})


def test_what_codex_repeats_is_for_who_asked_for_that() -> None:
    """In the order of the answers; nobody else is asked twice, and who has left in between is not asked at all."""
    driver = asking(subscribers=3, others=0)
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    for number, client in ((5, 3), (6, 1), (7, 2)):
        driver.sends(client, id="r", method="thread/resume", params={"threadId": "T"})
        driver.says(id=number, result={"thread": {"id": "T"}})
    assert driver.says(id=0, method=APPROVAL, params=ABOUT) == [
        to(3, id=FIRST, method=APPROVAL, params=ABOUT)
    ]
    driver.sends(1, id="u", method="thread/unsubscribe", params={"threadId": "T"})
    assert driver.says(id=0, method=APPROVAL, params=ABOUT) == []
    driver.sends(3, id=FIRST, result=ACCEPT)
    assert driver.says(id=0, method=APPROVAL, params=ABOUT) == []


def test_what_was_decided_is_not_offered() -> None:
    """Also while Codex has not resolved it yet."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    driver.sends(1, id=FIRST, result=ACCEPT)
    driver.sends(3, id="r", method="thread/resume", params={"threadId": "T"})
    attached = {"thread": {"id": "T"}}
    assert driver.says(id=4, result=attached) == [to(3, id="r", result=attached)]


def test_unsubscribing_ends_the_right_to_answer() -> None:
    """And attaching again gives it back, with the request."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    driver.sends(1, id="u", method="thread/unsubscribe", params={"threadId": "T"})
    assert driver.sends(1, id=FIRST, result=ACCEPT) == []
    driver.sends(1, id="r", method="thread/resume", params={"threadId": "T"})
    attached = {"thread": {"id": "T"}}
    driver.says(id=4, result=attached)
    assert driver.says(id=0, method=APPROVAL, params=ABOUT) == [
        to(1, id=FIRST, method=APPROVAL, params=ABOUT),
    ]
    assert driver.sends(1, id=FIRST, result=ACCEPT) == [codex(id=0, result=ACCEPT)]


def test_what_concerns_no_thread_is_for_everybody() -> None:
    """As Codex does with its own request for tokens."""
    driver = asking()
    driver.connect()
    assert driver.says(id=0, method=REFRESH, params={"reason": "unauthorized"}) == [
        to(1, 2, 3, id=FIRST, method=REFRESH, params={"reason": "unauthorized"})
    ]
    assert driver.sends(3, id=FIRST, result={"accessToken": "t"}) == [
        codex(id=0, result={"accessToken": "t"})
    ]


def test_what_concerns_no_thread_is_answered_when_nobody_is_there() -> None:
    """It could wait for nobody in particular."""
    driver = Driver().ready()
    driver.connect()
    message = f"no client of codexd can answer {REFRESH}"
    assert driver.says(id=0, method=REFRESH) == [
        codex(error={"code": -32050, "message": message, "data": {"reason": "noClient"}}, id=0)
    ]
    assert driver.status()["pendingApprovals"] == 0


def test_opting_out_suppresses_no_request() -> None:
    """Only notifications can be opted out of, their end among them (measured)."""
    driver = Driver().ready()
    client = driver.client(optOutNotificationMethods=[APPROVAL, "serverRequest/resolved"])
    driver.thread(client, turn="u")
    assert driver.says(id=0, method=APPROVAL, params=ABOUT) == [
        to(client, id=FIRST, method=APPROVAL, params=ABOUT)
    ]
    assert driver.says(method="serverRequest/resolved", params={"threadId": "T", "requestId": 0}) == []


@pytest.mark.parametrize(
    "params",
    [{"threadId": "T", "requestId": 9}, {"threadId": "T", "requestId": "0"}, {"threadId": "T"}, {}, None],
)
def test_what_was_never_asked_is_not_resolved(params: Any) -> None:
    """A client would look in vain for what it was."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    assert driver.says(method="serverRequest/resolved", params=params) == []
    assert driver.logged[-1].message == "Codex resolved a request that it had not made"
    assert driver.status()["pendingApprovals"] == 1


def test_the_end_of_a_thread_ends_what_was_asked_for_it() -> None:
    """Codex resolves nothing then (measured); a later answer does nothing."""
    driver = asking()
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    driver.says(method="thread/archived", params={"threadId": "T"})
    assert driver.status()["pendingApprovals"] == 0
    assert driver.sends(1, id=FIRST, result=ACCEPT) == []


def test_a_sub_agents_request_goes_to_its_parents_followers() -> None:
    """As soon as it is known whose it is; until then it waits, and the parent is asked for once."""
    driver = asking()
    about = {"threadId": "C", "turnId": "v"}
    assert driver.says(id=0, method=APPROVAL, params=about) == [
        codex(id=4, method="thread/read", params={"threadId": "C", "includeTurns": False})
    ]
    assert driver.says(id=4, result={"thread": {"id": "C", "parentThreadId": "T"}}) == [
        to(1, 2, id=FIRST, method=APPROVAL, params=about)
    ]
    assert driver.says(id=1, method=APPROVAL, params=about) == [
        to(1, 2, id=FIRST + 1, method=APPROVAL, params=about)
    ]
    driver.sends(3, id="r", method="thread/resume", params={"threadId": "T"})
    assert driver.says(id=5, result={"thread": {"id": "T"}})[1:] == [
        to(3, id=FIRST, method=APPROVAL, params=about),
        to(3, id=FIRST + 1, method=APPROVAL, params=about),
    ]


def test_a_thread_whose_last_request_is_decided_may_go() -> None:
    """It was kept for the request's sake while nobody followed it."""
    driver = asking(subscribers=1, others=1)
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    driver.says(method="turn/completed", params={"threadId": "T", "turn": {"id": "u"}})
    assert driver.leaves(1) == []
    decided = driver.sends(2, id=1, method="codexd/approvals/answer", params={"id": FIRST, "result": ACCEPT})
    assert decided == [
        codex(id=0, result=ACCEPT),
        to(2, id=1, result={}),
        codex(id=3, method="thread/unsubscribe", params={"threadId": "T"}),
    ]


def test_a_thread_whose_last_request_is_resolved_may_go() -> None:
    """Whoever resolved it."""
    driver = asking(subscribers=1, others=0)
    driver.says(id=0, method=APPROVAL, params=ABOUT)
    driver.says(method="turn/completed", params={"threadId": "T", "turn": {"id": "u"}})
    driver.leaves(1)
    assert driver.says(method="serverRequest/resolved", params={"threadId": "T", "requestId": 0}) == [
        codex(id=3, method="thread/unsubscribe", params={"threadId": "T"})
    ]


def test_who_leaves_last_decides_for_those_who_would_not() -> None:
    """Of a request without a thread: the one who stays has answered with an error, and nobody else is there to ask."""
    driver = asking(subscribers=0, others=2)
    driver.says(id=0, method="future/request", params={})
    assert driver.sends(1, id=FIRST, error=UNKNOWN) == []
    nobody = {"code": -32050, "message": "no client of codexd can answer future/request"}
    assert driver.leaves(2) == [codex(error=nobody | {"data": {"reason": "noClient"}}, id=0)]
