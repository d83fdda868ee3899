"""What the real Codex drops without a word is answered, to that client alone, and the connection is kept."""

import json
from pathlib import Path

import pytest

from tests.e2e.harness import World, a_world

pytestmark = pytest.mark.e2e

DEEP = b'{"id":7,"method":"thread/loaded/list","params":{"a":' + b"[" * 130 + b"]" * 130 + b"}}"


@pytest.mark.parametrize(
    ("line", "id", "code"),
    [
        (b"nonsense", None, -32700),
        (b'{"id":1,"method":"a"', None, -32700),
        (b'{"id":1,"method":"a","params":{"b":"\xff"}}', None, -32700),
        (b"[]", None, -32600),
        (b'[{"id":1,"method":"thread/loaded/list","params":{}}]', None, -32600),
        (b'{"id":1.5,"method":"thread/loaded/list","params":{}}', None, -32600),
        (b'{"id":null,"method":"thread/loaded/list","params":{}}', None, -32600),
        (b'{"id":9223372036854775808,"method":"thread/loaded/list","params":{}}', None, -32600),
        (b'{"id":7,"method":"thread/loaded/list","params":{},"params":{}}', 7, -32600),
        (b'{"id":7,"method":"thread/loaded/list","params":{},"trace":5}', 7, -32600),
        (DEEP, 7, -32600),
        (rb'{"id":7,"method":"thread/loaded/list","params":{"a":"\ud800"}}', 7, -32600),
    ],
)
def test_a_line_that_codex_would_drop_gets_an_error(world: World, line: bytes, id: object, code: int) -> None:
    """The error has the JSON-RPC code, goes to the sender alone, and the next request is served."""
    world.start_daemon()
    client, other = world.client("client"), world.client("other")
    mark = client.mark()
    client.send_bytes(line + b"\n")
    error = client.wait(lambda m: "error" in m, since=mark)
    assert (error["id"], error["error"]["code"]) == (id, code)
    assert client.call("thread/loaded/list") == {"data": [], "nextCursor": None}
    other.call("thread/loaded/list")
    assert not [message for message in other.messages if "error" in message]


def test_what_is_as_deep_as_codex_takes_gets_there(each_codex: Path) -> None:
    """127 levels in all, in a request and in an answer to Codex; one more, and Codex would say nothing to either."""
    with a_world(each_codex) as world:
        world.start_daemon()
        client = world.client()
        deep = b"[" * 125 + b"]" * 125
        client.send_bytes(b'{"id":"deep","method":"thread/loaded/list","params":{"x":' + deep + b"}}\n")
        assert client.wait_response("deep")["result"] == {"data": [], "nextCursor": None}
        thread = client.start_thread(cwd=str(world.project))
        turn = client.start_turn(thread, "run echo it was accepted")
        asked = client.wait_server_request("item/commandExecution/requestApproval", threadId=thread)
        answer = b'{"id":%d,"result":{"decision":"accept","x":%b}}\n' % (asked["id"], deep)
        client.send_bytes(answer)
        client.wait_turn(turn)
        assert "it was accepted" in client.said_in(turn)


def test_invalid_utf8_does_not_end_codex(world: World) -> None:
    """One such line makes Codex close its input and exit (tried on 0.163 and 0.169), so it must never get there."""
    world.start_daemon()
    client = world.client()
    before = client.call("codexd/status")["codex"]["pid"]
    client.send_bytes(b'{"id":1,"method":"thread/loaded/list","params":{"x":"\xff"}}\n')
    client.wait(lambda m: m.get("error", {}).get("code") == -32700)
    assert client.call("thread/loaded/list") == {"data": [], "nextCursor": None}
    assert client.call("codexd/status")["codex"]["pid"] == before


def test_messages_in_odd_chunks_arrive_whole(world: World) -> None:
    """T2, T14: eight pipelined requests, cut anywhere, inside a character too, are eight requests."""
    world.start_daemon()
    raw = world.connect_raw()
    wanted = [{"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "é", "version": "1"}}}]
    wanted += [{"id": f"ü{n}", "method": "thread/loaded/list", "params": {"x": "日本"}} for n in range(1, 9)]
    data = "".join(json.dumps(m, ensure_ascii=False) + "\n" for m in wanted).encode()
    for start in range(0, len(data), 7):
        raw.sendall(data[start : start + 7])
    lines = raw.makefile("rb")
    ids: list[object] = []
    while len(ids) < 9:
        message = json.loads(lines.readline())
        if "result" in message:
            ids.append(message["id"])
    assert sorted(map(str, ids)) == sorted(str(m["id"]) for m in wanted)
    lines.close()
    raw.close()


def test_half_a_line_and_then_nothing_costs_nobody_anything(world: World) -> None:
    """A client that stops in the middle of a line, or leaves there, is no concern of the others."""
    world.start_daemon()
    raw = world.connect_raw()
    raw.sendall(b'{"id":1,"method":"initi')
    client = world.client()
    assert client.call("thread/loaded/list") == {"data": [], "nextCursor": None}
    raw.close()
    assert client.call("thread/loaded/list") == {"data": [], "nextCursor": None}


def test_errors_of_the_handshake_are_codexs_own(world: World) -> None:
    """Not initialized, already initialized, an unknown method: the same words as bare Codex."""
    world.start_daemon()
    errors = []
    for fresh, client in ((world.connect(), world.client("x")), (None, world.bare_codex("x"))):
        said = [] if fresh is None else [fresh.call_error("thread/loaded/list")["message"]]
        said.append(client.call_error("initialize", {"clientInfo": {"name": "x", "version": "1"}})["message"])
        said.append(client.call_error("no/such/method")["message"])
        errors.append(said)
    assert errors[0][0] == "Not initialized"
    assert errors[0][1:] == errors[1]


def test_unknown_members_and_methods_travel(world: World) -> None:
    """What codexd has never heard of is Codex's business; `userAgent` names this client."""
    world.start_daemon()
    client = world.connect()
    agent = client.initialize("my-editor")["userAgent"]
    assert agent.endswith("(my-editor; 1)")
    client.send(
        {"id": 7, "method": "thread/loaded/list", "params": {"new": {"x": 1}}, "alsoNew": [1], "trace": None}
    )
    assert client.wait_response(7)["result"] == {"data": [], "nextCursor": None}
