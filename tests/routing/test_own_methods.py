"""The methods of codexd itself: in every state, without a handshake."""

from typing import Any

import pytest

from codexd.routing.effects import StartCodex
from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, START, Driver, codex, line, to

APPROVAL = "item/commandExecution/requestApproval"


def nothing(driver: Driver) -> None:
    """No Codex was asked for yet."""


def starting(driver: Driver) -> None:
    """One is coming."""
    driver.start()


def ready(driver: Driver) -> None:
    """One is there."""
    driver.ready()


def waiting(driver: Driver) -> None:
    """One has died, and the next comes soon."""
    driver.ready().dies()


def left_down(driver: Driver) -> None:
    """Five have died within a minute."""
    driver.ready()
    for _ in range(5):
        driver.dies()
        driver.wait(3)


def draining(driver: Driver) -> None:
    """codexd is ending."""
    driver.ready().stops()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (nothing, ("exited", None, None, 0)),
        (starting, ("starting", None, None, 0)),
        (ready, ("ready", 4001, "0.163.0", 0)),
        (waiting, ("waiting", None, "0.163.0", 0)),
        (left_down, ("exited", None, "0.163.0", 4)),
        (draining, ("draining", 4001, "0.163.0", 0)),
    ],
)
def test_they_are_answered_in_every_state_and_without_a_handshake(
    state: Any, expected: tuple[str, int | None, str | None, int]
) -> None:
    """`codexctl status` and `approvals` work whatever Codex does."""
    driver = Driver()
    state(driver)
    client = driver.connect()
    assert driver.sends(client, id="a", method="codexd/approvals/list") == [
        to(client, id="a", result={"approvals": []})
    ]
    assert driver.sends(client, id="s", method="codexd/status", params={}) == [
        to(client, id="s", result=driver.status())
    ]
    codex_now = driver.status()["codex"]
    assert (codex_now["state"], codex_now["pid"], codex_now["version"], codex_now["restarts"]) == expected


def test_status_says_how_everything_is() -> None:
    """What waits and what is under way is counted wherever it is."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.connect()
    driver.thread(a, b)
    driver.says(id=0, method=APPROVAL, params={"threadId": "T"})
    for n in range(40):
        driver.sends(a, id=n, method="x", params={})
    driver.now += 5
    assert driver.status() == {
        "codexd": {
            "pid": 77, "version": "0.1.0", "startedAt": START, "socket": "/run/s", "codexHome": "/home/u/.codex",
            "drainingUntil": None,
        },
        "codex": {
            "pid": 4001, "version": "0.163.0", "state": "ready", "restarts": 0, "startedAt": START, "reason": None, "schemaProblem": None,
            "loginIsStale": False, "environment": [],
            "binary": "/codex", "binaryIdentity": "1-2-3-4",
        },
        "clients": 3, "threads": 1, "pendingApprovals": 1, "inFlight": 33, "queued": 8, "quarantined": [],
        "timeline": {"lastSeq": 0, "bytes": 0, "events": 0, "memoryBytes": 0, "state": "on", "problem": None},
    }  # fmt: skip
    driver.dies("Codex was killed by SIGKILL")
    assert driver.status()["codex"] == {
        "pid": None, "version": "0.163.0", "state": "waiting", "restarts": 0, "startedAt": None,
        "reason": "Codex was killed by SIGKILL",
        "schemaProblem": None,
        "loginIsStale": False,
        "environment": [],
        "binary": None, "binaryIdentity": None,
    }  # fmt: skip


def test_what_waits_for_a_resume_is_counted_as_waiting() -> None:
    """It has no answer yet, and `clients` says so too."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.died_and_back()
    driver.sends(client, id=1, method="turn/start", params={"threadId": "T"})
    assert (driver.status()["queued"], driver.router.in_flight(client)) == (1, 1)


def test_every_client_is_listed() -> None:
    """With what it said of itself, what it follows, and what it has not had yet."""
    driver = Driver().ready()
    editor, silent = driver.client("editor"), driver.connect(pid=4711, cwd="/p")
    driver.outboxes[editor] = 5
    driver.thread(editor, thread="A")
    driver.thread(editor, thread="B")
    driver.sends(editor, id=1, method="x", params={})
    common = {"connectedAt": START}
    assert driver.sends(silent, id=1, method="codexd/clients/list", params={}) == [
        to(silent, id=1, result={"clients": [
            {"id": editor, "name": "editor", "version": "1", "pid": None, "cwd": None} | common
            | {"threads": ["A", "B"], "inFlight": 1, "outboxBytes": 5, "lagging": True},
            {"id": silent, "name": None, "version": None, "pid": 4711, "cwd": "/p"} | common
            | {"threads": [], "inFlight": 0, "outboxBytes": 0, "lagging": False},
        ]})
    ]  # fmt: skip


def test_a_handshake_that_waits_is_a_request_without_an_answer() -> None:
    """Wherever a request is, it is counted."""
    driver = Driver()
    driver.start()
    client = driver.client()
    assert driver.router.in_flight(client) == 1
    driver.sends(client, id=1, method="x", params={})
    assert driver.router.in_flight(client) == 2


def test_approvals_are_listed_with_who_was_asked() -> None:
    """Oldest first, with Codex's own params, also those that nobody could be asked."""
    driver = Driver().ready()
    a, b, looking = driver.client(), driver.client(), driver.connect()
    driver.thread(a, b)
    params = {"threadId": "T", "turnId": "u", "command": "rm"}
    driver.says(id=0, method=APPROVAL, params=params)
    driver.now += 7
    driver.says(id=1, method="item/tool/call", params={"threadId": "unknown"})
    driver.says(id="2", method="account/chatgptAuthTokens/refresh")
    assert driver.sends(looking, id=1, method="codexd/approvals/list") == [
        to(looking, id=1, result={"approvals": [
            {"id": FIRST, "threadId": "T", "turnId": "u", "method": APPROVAL, "params": params,
             "askedAt": START, "askedClients": [a, b]},
            {"id": FIRST + 1, "threadId": "unknown", "turnId": None, "method": "item/tool/call",
             "params": {"threadId": "unknown"}, "askedAt": START + 7, "askedClients": []},
            {"id": FIRST + 2, "threadId": None, "turnId": None, "method": "account/chatgptAuthTokens/refresh",
             "askedAt": START + 7, "askedClients": [a, b]},
        ]})
    ]  # fmt: skip


def test_anybody_may_decide_by_the_id() -> None:
    """Without being attached: the result goes to Codex under its own id, once; who was asked finds it decided."""
    driver = Driver().ready()
    asked, other = driver.client(), driver.connect()
    driver.thread(asked)
    driver.says(id="c", method=APPROVAL, params={"threadId": "T"})
    answer = {"id": FIRST, "result": {"decision": "accept"}}
    assert driver.sends(other, id=1, method="codexd/approvals/answer", params=answer) == [
        codex(id="c", result={"decision": "accept"}),
        to(other, id=1, result={}),
    ]
    assert driver.sends(asked, id=FIRST, result={"decision": "decline"}) == []
    message = f"no request {FIRST} waits for a decision; it was answered or has ended"
    assert driver.sends(other, id=2, method="codexd/approvals/answer", params=answer) == [
        to(other, error={"code": -32602, "message": message}, id=2)
    ]


@pytest.mark.parametrize("params", [{}, {"id": "1", "result": {}}, {"id": 1}, {"result": {}}, [], None])
def test_a_decision_that_is_none_is_refused(params: Any) -> None:
    """The message says what is expected."""
    driver = Driver().ready()
    client = driver.connect()
    ((answer),) = driver.sends(client, id=1, method="codexd/approvals/answer", params=params)
    start = '{"error":{"code":-32602,"message":"codexd/approvals/answer takes {id, result}: '
    assert answer.line.decode().startswith(start)  # type: ignore[union-attr]


def test_a_decision_without_params_is_refused() -> None:
    """As one with the wrong ones."""
    driver = Driver().ready()
    client = driver.connect()
    assert driver.sends(client, id=1, method="codexd/approvals/answer") == [
        to(
            client,
            error={
                "code": -32602,
                "message": "codexd/approvals/answer takes {id, result}: Object missing required field `id`",
            },
            id=1,
        )
    ]


def test_an_unknown_method_of_codexd_is_not_codexs() -> None:
    """It is not sent on; the answer says which there are."""
    driver = Driver().ready()
    client = driver.client()
    known = (
        "codexd/status, codexd/clients/list, codexd/approvals/list, codexd/events/read, codexd/events/follow, "
        "codexd/approvals/answer, codexd/threads/release, codexd/stop, codexd/codex/start"
    )
    assert driver.sends(client, id=1, method="codexd/nope", params={}) == [
        to(
            client,
            error={"code": -32601, "message": f"unknown method codexd/nope; codexd knows {known}"},
            id=1,
        )
    ]


def test_a_codex_that_was_left_down_is_tried_again() -> None:
    """By whoever asks for it; the count of deaths starts anew."""
    driver = Driver()
    left_down(driver)
    client = driver.connect()
    assert driver.sends(client, id=1, method="codexd/codex/start", params={}) == [
        StartCodex(6),
        to(client, id=1, result={}),
    ]
    driver.dies()
    assert driver.status()["codex"]["state"] == "waiting"


@pytest.mark.parametrize("state", [starting, ready, waiting, draining])
def test_in_any_other_state_asking_for_codex_does_nothing(state: Any) -> None:
    """There is one, there will be one, or there is to be none any more."""
    driver = Driver()
    state(driver)
    client = driver.connect()
    assert driver.sends(client, id=1, method="codexd/codex/start", params={}) == [to(client, id=1, result={})]


def test_when_codexd_has_ended_codex_it_is_not_started_again() -> None:
    """Ending and starting would go on for ever."""
    driver = Driver()
    draining(driver)
    driver.dies("it was told to")
    client = driver.connect()
    assert driver.sends(client, id=1, method="codexd/codex/start", params={}) == [to(client, id=1, result={})]


def test_status_is_the_same_for_everybody() -> None:
    """The broker's own look at it and the method's answer are one."""
    driver = Driver().ready()
    client = driver.connect()
    ((answer),) = driver.sends(client, id=1, method="codexd/status", params={})
    assert answer == to(client, id=1, result=driver.status())
    assert line(**driver.status()).startswith(b'{"codexd":{"pid":77,')
