"""What becomes of each line of each client."""

import json
from typing import Any

import pytest

from codexd.protocol import messages
from codexd.routing import untrusted
from codexd.routing.effects import Effect, PauseReading, ResumeReading, ToClients, ToCodex
from tests.routing.driver import GREETING, OVERLOADED, REMOTE_STATUS, Driver, codex, line, to, user_agent

HELLO = {"clientInfo": {"name": "editor", "version": "1"}}


def error(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def test_a_request_goes_to_codex_and_its_answer_comes_back() -> None:
    """Under codexd's number there, under the client's own id here; all else is the same to the byte."""
    driver = Driver().ready()
    client = driver.client()
    sent = b'{ "trace":{}, "id":"a", "method":"thread/list", "params": {"limit": 1.0}, "new":[ ] }'
    assert driver.sends_bytes(client, sent) == [ToCodex(sent.replace(b'"a"', b"2"))]
    answer = b'{"id":2,"result":{"data": [ ]},"emittedAtMs":17.50}'
    assert driver.says_bytes(answer) == [ToClients((client,), answer.replace(b"2", b'"a"', 1))]


@pytest.mark.parametrize(
    "raw_id",
    [b"0", b"-0", b"-5", b"9223372036854775807", b'""', b'"0"', b'"\\u00e9 \\ud83d\\ude00"', '"é"'.encode()],
)
def test_every_id_comes_back_in_its_type_and_spelling(raw_id: bytes) -> None:
    """A client may look it up as the bytes it wrote."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends_bytes(client, b'{"id":%b,"method":"x"}' % raw_id)
    assert driver.says(id=2, result={}) == [ToClients((client,), b'{"id":%b,"result":{}}' % raw_id)]


def test_one_id_may_be_under_way_many_times() -> None:
    """Two clients count alike, and one may repeat itself: each request has its own answer."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    for client, raw_id in [(a, 1), (b, 1), (a, 1), (a, "1")]:
        driver.sends(client, id=raw_id, method="x")
    assert [driver.says(id=number, result={"n": number}) for number in (4, 3, 2, 5)] == [
        [to(a, id=1, result={"n": 4})],
        [to(b, id=1, result={"n": 3})],
        [to(a, id=1, result={"n": 2})],
        [to(a, id="1", result={"n": 5})],
    ]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (b'{"id":7,"method":"\xff"}', line(error=error(-32700, "the line is not valid UTF-8"), id=None)),
        (b"[]", line(error=error(-32600, "a message is one JSON object; batches and bare values are not supported"), id=None)),
        (b'{"id":1.5,"method":"x"}', line(error=error(-32600, "`id` must be a string or a 64-bit integer"), id=None)),
        (b'{"id":"7","method":"x","method":"y"}', line(error=error(-32600, "the member 'method' stands twice in the message"), id="7")),
    ],
)  # fmt: skip
def test_a_bad_line_is_answered_to_its_sender_alone(text: bytes, answer: bytes) -> None:
    """And the connection goes on; nobody else hears of it."""
    driver = Driver().ready()
    client, _ = driver.clients(2)
    assert driver.sends_bytes(client, text) == [ToClients((client,), answer)]
    assert driver.sends(client, id=1, method="x", params={}) == [codex(id=2, method="x", params={})]


@pytest.mark.parametrize(
    ("head", "raw_id"), [(b'{"id":"big","method":"x","params":"aaa', "big"), (b"aaa", None)]
)
def test_a_line_that_was_too_long_is_answered(head: bytes, raw_id: str | None) -> None:
    """Under its id where the beginning has it."""
    driver = Driver().ready()
    client = driver.client()
    effects = driver.router.receive_too_long(client, head, driver.now)
    message = (
        "the message is longer than `max_message_bytes`, than the space left for all clients together, or "
        "than the free memory"
    )
    assert effects == [to(client, error=error(-32053, message), id=raw_id)]


def test_a_client_must_introduce_itself() -> None:
    """In Codex's words, and under the request's id."""
    driver = Driver().ready()
    client = driver.connect()
    assert driver.sends(client, id="a", method="thread/list", params={}) == [
        to(client, error=error(-32600, "Not initialized"), id="a")
    ]


def test_a_client_gets_the_handshake_of_a_codex_of_its_own() -> None:
    """Codex's answer with the client's name in it, and what Codex says behind it; Codex itself hears nothing."""
    driver = Driver().ready()
    client = driver.connect()
    assert driver.sends(client, id="i", method="initialize", params=HELLO) == [
        to(client, id="i", result=user_agent("editor")),
        to(client, **REMOTE_STATUS),
    ]
    assert driver.sends(client, method="initialized") == []


def test_a_second_initialize_is_codexs_to_refuse() -> None:
    """It was initialized by codexd, and says so; or, first, what is wrong with the params."""
    driver = Driver().ready()
    client = driver.client()
    assert driver.sends(client, id="again", method="initialize", params=HELLO) == [
        codex(id=2, method="initialize", params=HELLO)
    ]
    refused = error(-32600, "Already initialized")
    assert driver.says(error=refused, id=2) == [to(client, error=refused, id="again")]


def test_an_initialize_that_cannot_be_read_is_codexs_to_refuse() -> None:
    """In its own words; the client may try again."""
    driver = Driver().ready()
    client = driver.connect()
    assert driver.sends(client, id="i", method="initialize", params={}) == [
        codex(id=2, method="initialize", params={})
    ]
    refused = error(-32600, "Invalid request: missing field `clientInfo`")
    assert driver.says(error=refused, id=2) == [to(client, error=refused, id="i")]
    assert driver.sends(client, id="i", method="initialize", params=HELLO) == [
        to(client, id="i", result=user_agent("editor")),
        to(client, **REMOTE_STATUS),
    ]


def test_an_initialize_that_only_codexd_cannot_read_is_codexds_to_refuse() -> None:
    """That Codex is initialized is no news for a client that is not."""
    driver = Driver().ready()
    client = driver.connect()
    params = HELLO | {"capabilities": {"codexd": {"cwd": 5}}}
    driver.sends(client, id="i", method="initialize", params=params)
    (effect,) = driver.says(error=error(-32600, "Already initialized"), id=2)
    assert isinstance(effect, ToClients)
    assert json.loads(effect.line) == {
        "error": error(
            -32600, "Invalid request: Expected `str | null`, got `int` - at `$.capabilities.codexd.cwd`"
        ),
        "id": "i",
    }


def test_a_name_that_is_no_header_is_refused() -> None:
    """In Codex's words, without Codex, which would look at its own initialize first."""
    driver = Driver().ready()
    client = driver.connect()
    params = {"clientInfo": {"name": "a\nb", "version": "1"}}
    message = "Invalid clientInfo.name: 'a\nb'. Must be a valid HTTP header value."
    assert driver.sends(client, id="i", method="initialize", params=params) == [
        to(client, error=error(-32600, message), id="i")
    ]


def test_where_a_client_names_no_directory_its_own_counts() -> None:
    """What a stand-in says of it, else where the process stands that connected: never codexd's own."""
    driver = Driver().ready()
    stand_in = driver.client(cwd="/peer", codexd={"cwd": "/w"})
    other = driver.client(cwd="/peer")
    for number, (client, cwd) in enumerate(((stand_in, "/w"), (other, "/peer")), 2):
        assert driver.sends(client, id=1, method="thread/start", params={"cwd": None}) == [
            codex(id=number, method="thread/start", params={"cwd": cwd})
        ]


@pytest.mark.parametrize("method", ["thread/start", "command/exec"])
def test_where_no_directory_can_be_told_the_request_is_refused(method: str) -> None:
    """Its directory was removed: Codex's own words, and what to do. It would have worked in codexd's, the home directory."""
    driver = Driver().ready()
    client = driver.client()
    (refused,) = driver.sends(client, id=1, method=method, params={"command": ["x"]})
    said = json.loads(refused.line)["error"]  # type: ignore[union-attr]
    assert said["code"] == -32600
    assert said["message"].startswith(
        "failed to load configuration: No such file or directory (os error 2); "
    )
    assert driver.router.in_flight(client) == 0


def test_a_directory_that_is_not_named_is_not_trusted_by_that() -> None:
    """Codex would write so, and run what the directory brings along; its client is told what that means."""
    asked = []

    def would_trust(directory: str, may_write: bool | None) -> bool:
        asked.append((directory, may_write))
        return directory == "/clone"

    driver = Driver(would_trust=would_trust).ready()
    client, other = driver.client(cwd="/clone"), driver.client(cwd="/trusted")
    effects = driver.sends(client, id=1, method="thread/start", params={"sandbox": "workspace-write"})
    params = {
        "sandbox": "workspace-write",
        "cwd": "/clone",
        "config": {"projects": {"/clone": {"trust_level": "untrusted"}}},
    }
    assert effects == [codex(id=2, method="thread/start", params=params)]
    attached = {"thread": {"id": "N"}}
    assert driver.says(id=2, result=attached) == [
        to(client, method="warning", params=json.loads(untrusted.warning("/clone"))["params"]),
        to(client, id=1, result=attached),
    ]
    assert driver.sends(client, id=2, method="thread/start", params={"cwd": "/clone"}) == [
        codex(id=3, method="thread/start", params={"cwd": "/clone"})
    ]
    assert driver.sends(other, id=2, method="thread/start", params={}) == [
        codex(id=4, method="thread/start", params={"cwd": "/trusted"})
    ]
    assert driver.sends(other, id=2, method="thread/start", params={"cwd": 5}) == [
        codex(id=5, method="thread/start", params={"cwd": 5})
    ]
    assert asked == [("/clone", True), ("/trusted", None)]


def test_nobody_is_warned_of_a_thread_that_did_not_begin_or_has_no_client() -> None:
    """The request was refused, or its client has left."""
    driver = Driver(would_trust=lambda *_: True).ready()
    client = driver.client(cwd="/clone")
    driver.sends(client, id=1, method="thread/start", params={})
    driver.sends(client, id=2, method="thread/start", params={})
    assert driver.says(id=2, error=error(-32600, "no")) == [to(client, id=1, error=error(-32600, "no"))]
    driver.leaves(client)
    assert driver.asked(driver.says(id=3, result={"thread": {"id": "N"}})) == [
        (4, "thread/unsubscribe", {"threadId": "N"})
    ]


def test_who_connects_before_codex_is_ready_waits_for_it() -> None:
    """What it sends behind its handshake waits too, and is sent in order when there is a Codex."""
    driver = Driver()
    driver.start()
    client, silent = driver.connect(), driver.connect()
    assert driver.sends(client, id=0, method="initialize", params=HELLO) == []
    assert driver.sends(client, method="initialized") == []
    assert driver.sends(client, id=1, method="a", params={}) == []
    assert driver.sends(client, id=2, method="b", params={}) == []
    driver.spawned()
    assert driver.greets(1) == [
        to(client, id=0, result=user_agent("editor")),
        codex(id=2, method="a", params={}),
        codex(id=3, method="b", params={}),
    ]
    assert silent not in driver.router._state.clients.initialized()


def test_a_notification_of_a_client_travels() -> None:
    """`initialized` is the only one there is and is for the connection; a newer one would be for Codex."""
    driver = Driver().ready()
    client, stranger = driver.client(), driver.connect()
    assert driver.sends(client, method="initialized") == []
    assert driver.sends(client, method="new", params={"a": 1}) == [codex(method="new", params={"a": 1})]
    assert driver.sends(stranger, method="new", params={}) == []
    driver.dies()
    assert driver.sends(client, method="new", params={}) == []


def test_handles_are_rewritten_on_the_way() -> None:
    """To Codex with the owner's number, back without it."""
    driver = Driver().ready()
    _, client = driver.clients(2)
    assert driver.sends(client, id=1, method="fs/watch", params={"watchId": "w", "path": "/"}) == [
        codex(id=2, method="fs/watch", params={"watchId": "2:w", "path": "/"})
    ]
    assert driver.says(error=error(-32600, "watchId already exists: 2:w"), id=2) == [
        to(client, error=error(-32600, "watchId already exists: w"), id=1)
    ]


def test_a_client_that_floods_is_not_read_until_half_of_it_has_gone() -> None:
    """It is told to wait by not being read; others are read as ever."""
    driver = Driver().ready()
    flooding, other = driver.clients(2)
    effects = [
        effect for n in range(32 + 256) for effect in driver.sends(flooding, id=n, method="x", params={})
    ]
    assert [effect for effect in effects if not isinstance(effect, ToCodex)] == [PauseReading(flooding)]
    assert driver.sends(flooding, id=-1, method="x", params={}) == []
    assert isinstance(driver.sends(other, id=1, method="y", params={})[0], ToCodex)
    number, effects = 2, list[Effect]()
    while ResumeReading(flooding) not in effects:
        effects = driver.says(id=number, result={})
        number += 1
    waiting = driver.router._state.flow.waiting(flooding)
    assert (waiting, driver.router._state.paused) == (128, set())


def test_a_paused_client_is_read_again_when_codex_is_left_down() -> None:
    """Its requests were answered with the reason, and `codexd/status` must be answered in every state."""
    driver = Driver().ready()
    client = driver.client()
    for n in range(32 + 256):
        driver.sends(client, id=n, method="x", params={})
    assert driver.router._state.paused == {client}
    effects = []
    for _ in range(5):
        effects = driver.dies()
        driver.wait(3)
    assert effects[-1] == ResumeReading(client)


def test_a_paused_client_that_leaves_is_forgotten() -> None:
    """Nobody is told to read from somebody who is gone."""
    driver = Driver().ready()
    client = driver.client()
    for n in range(32 + 256):
        driver.sends(client, id=n, method="x", params={})
    assert driver.leaves(client) == []
    assert driver.says(id=2, result={}) == []


def test_what_waits_of_a_client_that_leaves_is_never_sent() -> None:
    """Queued, waiting for another try, or parked; answers to what was under way go to nobody."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a, b, turn="u")
    driver.sends(a, id=1, method="x", params={})
    driver.says(error=OVERLOADED, id=4)
    driver.died_and_back()
    assert driver.sends(a, id=2, method="y", params={"threadId": "T"}) == []
    assert driver.status()["queued"] == 2
    driver.leaves(a)
    assert driver.status()["queued"] == 0
    assert driver.wait(10) == []
    assert driver.says(id=6, result={"thread": {"id": "T"}}) == []


def test_what_a_client_has_opened_is_closed_when_it_leaves() -> None:
    """Commands at once, everything that Codex has answered too; what is answered later is closed then."""
    driver = Driver().ready()
    client, _ = driver.clients(2)
    driver.sends(client, id=1, method="command/exec", params={"command": ["sleep"], "cwd": "/p"})
    driver.sends(client, id=2, method="fs/watch", params={"watchId": "w"})
    driver.says(id=3, result={})
    driver.sends(client, id=3, method="process/spawn", params={"processHandle": "p"})
    driver.sends(client, id=4, method="fs/watch", params={"watchId": "failing"})
    assert driver.asked(driver.leaves(client)) == [
        (6, "command/exec/terminate", {"processId": "1:unnamed-1"}),
        (7, "fs/unwatch", {"watchId": "1:w"}),
    ]
    assert driver.asked(driver.says(id=4, result={})) == [(8, "process/kill", {"processHandle": "1:p"})]
    assert driver.says(error=error(-32600, "no"), id=5) == []
    assert [driver.says(id=number, result={}) for number in (2, 6, 7, 8)] == [[], [], [], []]


def test_its_turns_and_its_approvals_go_on() -> None:
    """The work belongs to the thread, not to who asked for it."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client, turn="u")
    driver.says(id=0, method="item/fileChange/requestApproval", params={"threadId": "T", "turnId": "u"})
    assert driver.leaves(client) == []
    assert driver.status()["pendingApprovals"] == 1


def test_what_nobody_is_left_to_answer_is_answered() -> None:
    """A request without a thread can't wait for the next client: Codex would wait for ever."""
    driver = Driver().ready()
    client = driver.client()
    driver.says(id=0, method="account/chatgptAuthTokens/refresh", params={"reason": "unauthorized"})
    message = "no client of codexd can answer account/chatgptAuthTokens/refresh"
    assert driver.leaves(client) == [
        codex(error=error(-32050, message) | {"data": {"reason": "noClient"}}, id=0)
    ]


def test_a_thread_that_its_last_follower_left_is_let_go_of() -> None:
    """Else its lock, its MCP servers and its memory would live as long as codexd."""
    driver = Driver().ready()
    a, b = driver.clients(2)
    driver.thread(a, b)
    assert driver.leaves(a) == []
    assert driver.leaves(b) == [codex(id=4, method="thread/unsubscribe", params={"threadId": "T"})]
    assert driver.says(id=4, result={"status": "unsubscribed"}) == []
    assert driver.status()["threads"] == 0


def test_the_greeting_is_not_changed_for_the_next() -> None:
    """Each client's name stands in its own answer only."""
    driver = Driver().ready()
    for name in ("one", "two"):
        client = driver.connect()
        params = {"clientInfo": {"name": name, "version": "9"}}
        answer = driver.sends(client, id=0, method="initialize", params=params)[0]
        assert answer == to(client, id=0, result=user_agent(name, "9"))
    assert messages.encode(GREETING) == bytes(driver.router._state.codex_answer or b"")


def test_an_initialize_by_position_is_codexs_to_refuse() -> None:
    """It names no thread, so codexd needs to read nothing of it; Codex has the better words."""
    driver = Driver().ready()
    client = driver.connect()
    asked = driver.asked(driver.sends(client, id=1, method="initialize", params=[]))
    assert [(method, params) for _, method, params in asked] == [("initialize", [])]
