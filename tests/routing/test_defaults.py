"""What a client's own process would give to a Codex of its own."""

import json
from typing import Any

import pytest
from msgspec import Raw

from codexd.protocol import messages
from codexd.protocol.errors import InvalidMessage
from codexd.protocol.messages import Request
from codexd.routing.defaults import Process, names_no_directory, with_defaults
from tests.routing.driver import request

HOME = "/home/me/.codex"
SAID = Process(cwd="/w", config={"model": Raw(b'"x"'), "a.b": Raw(b"1")})


def given(method: str, params: Any, said: Process = SAID) -> Any:
    """The params that Codex gets."""
    return json.loads(messages.encode(with_defaults(request(1, method, params), said, HOME, {}).params))


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("command/exec", {"command": ["ls"]}, {"command": ["ls"], "cwd": "/w"}),
        ("command/exec", {"cwd": None}, {"cwd": "/w"}),
        ("command/exec", {"cwd": "/else"}, {"cwd": "/else"}),
        ("skills/list", {}, {"cwds": ["/w"]}),
        ("skills/list", {"cwds": []}, {"cwds": ["/w"]}),
        ("skills/list", {"cwds": ["/else"]}, {"cwds": ["/else"]}),
        ("hooks/list", {"threadId": "T"}, {"threadId": "T"}),
        ("thread/start", {}, {"cwd": "/w", "config": {"model": "x", "a.b": 1}}),
        ("thread/resume", {"threadId": "T"}, {"threadId": "T", "config": {"model": "x", "a.b": 1}}),
        ("thread/fork", {"config": {"model": "y", "c": 2}}, {"config": {"model": "y", "a.b": 1, "c": 2}}),
        (
            "thread/start",
            {"cwd": "/p", "config": {"a": {"c": 2}}},
            {"cwd": "/p", "config": {"model": "x", "a": {"c": 2}}},
        ),
        (
            "thread/start",
            {"cwd": "/p", "config": {"a.b.c": 2}},
            {"cwd": "/p", "config": {"model": "x", "a.b": 1, "a.b.c": 2}},
        ),
        ("thread/fork", {"config": None}, {"config": {"model": "x", "a.b": 1}}),
        ("thread/fork", {"config": 5}, {"config": 5}),
        ("thread/list", {}, {}),
        ("turn/start", {"threadId": "T"}, {"threadId": "T"}),
        ("command/exec", {"cwd": ""}, {"cwd": "/w"}),
        ("command/exec", {"cwd": "sub"}, {"cwd": "/w/sub"}),
        ("turn/start", {"cwd": ".", "threadId": "T"}, {"cwd": "/w/.", "threadId": "T"}),
        ("turn/start", {"cwd": "~/x"}, {"cwd": "~/x"}),
        ("turn/start", {"cwd": 5}, {"cwd": 5}),
        ("thread/list", {"cwd": ["/a", "b", None]}, {"cwd": ["/a", "/w/b", None]}),
        ("process/spawn", {"cwd": "sub"}, {"cwd": "sub"}),
        ("config/read", {"cwd": "sub"}, {"cwd": "/w/sub"}),
        ("permissionProfile/list", {"cwd": None}, {"cwd": None}),
        ("skills/list", {"cwds": ["sub", "/x"]}, {"cwds": ["/w/sub", "/x"]}),
        ("fuzzyFileSearch", {"query": "q", "roots": ["."]}, {"query": "q", "roots": ["/w/."]}),
        ("command/exec", [], []),
        ("command/exec", "text", "text"),
    ],
)
def test_it_goes_where_the_request_leaves_it_out(method: str, params: Any, expected: Any) -> None:
    """What the request says itself counts more, and what it can't be said in stays as it is."""
    assert given(method, params) == expected


@pytest.mark.parametrize("method", ["thread/start", "thread/resume", "turn/start", "model/list"])
def test_who_names_its_directory_changes_nothing(method: str) -> None:
    """Its line stays the same to the byte."""
    asked = request(1, method, {"cwd": "/p"})
    assert with_defaults(asked, Process("/w"), HOME, {}) is asked
    assert with_defaults(asked, Process(config={}), HOME, {}) is asked


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("thread/start", {}),
        ("thread/start", {"cwd": None}),
        ("command/exec", {"command": ["x"]}),
        ("turn/start", {"threadId": "T", "cwd": "sub"}),
        ("thread/list", {"cwd": ["/p", "sub"]}),
    ],
)
def test_without_a_directory_a_request_that_needs_one_is_refused(method: str, params: Any) -> None:
    """In Codex's own words, and never done in codexd's directory."""
    with pytest.raises(InvalidMessage, match=r"No such file or directory \(os error 2\); codexd cannot tell"):
        given(method, params, Process())


def test_without_a_directory_lists_are_codex_homes() -> None:
    """As Codex does in a directory that was removed (0.163, 0.171)."""
    for method in ("skills/list", "hooks/list"):
        assert given(method, {}, Process()) == {"cwds": [HOME]}


def test_only_a_new_thread_that_names_no_directory_is_told_apart() -> None:
    """It is the only request that makes Codex trust one."""
    assert names_no_directory(request(1, "thread/start", {}))
    assert names_no_directory(request(1, "thread/start", {"cwd": None}))
    assert not names_no_directory(request(1, "thread/start", {"cwd": "/p"}))
    assert not names_no_directory(request(1, "thread/start", []))
    assert not names_no_directory(request(1, "command/exec", {}))


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":1,"method":"command/exec","trace":null} ',
        b'{"id":1,"method":"command/exec","params":null,"trace":null}',
    ],
)
def test_params_that_are_missing_or_null_stay_so(text: bytes) -> None:
    """Codex refuses them, in its own words."""
    asked = messages.parse(text)
    assert isinstance(asked, Request)
    assert with_defaults(asked, SAID, HOME, {}) is asked


@pytest.mark.parametrize("method", ["turn/start", "turn/steer", "thread/queue/add", "thread/queue/update"])
def test_the_files_of_a_prompt_are_those_that_the_client_sees(method: str) -> None:
    """Codex takes them from its own directory on, which is nobody's; all else stays as it is."""
    text = (
        b'{"input":[{"type":"localImage","path":"a.png","detail":1.50},{"type":"localAudio","path":"/a.wav"},'
        b'{"type":"localImage","path":5},{"type":"text","text":"localImage"},7]}'
    )
    asked = Request(b"1", method, Raw(text), b'{"id":1,"method":"x","params":' + text + b"}", (6, 7))
    changed = with_defaults(asked, Process("/w"), HOME, {})
    assert isinstance(changed.params, Raw)
    assert bytes(changed.params) == text.replace(b'"a.png"', b'"/w/a.png"')
    with pytest.raises(InvalidMessage):
        with_defaults(asked, Process(), HOME, {})


@pytest.mark.parametrize(
    "params",
    [
        b'{"input":[{"type":"localImage","path":"/a.png"}]}',
        b'{"input":"localImage"}',
        b'{"input":{"a":"localImage"}}',
        b'{"input":[{"type":"text","text":"a"}]}',
        b'{"threadId":"localImage"}',
        b'{"input":[{"type":"localImage","path":"a.png"},"%b"]}' % (b"x" * (1 << 20)),
    ],
)
def test_a_prompt_without_such_files_stays_to_the_byte(params: bytes) -> None:
    """A very long one is not looked through."""
    line = b'{"id":1,"method":"turn/start","params":' + params + b"}"
    asked = messages.parse(line)
    assert isinstance(asked, Request)
    assert with_defaults(asked, Process("/w"), HOME, {}) is asked


def test_every_other_member_travels_along() -> None:
    """As it was."""
    asked = messages.parse(b'{"id":1,"method":"command/exec","params":{},"trace":null}')
    assert isinstance(asked, Request)
    changed = json.loads(with_defaults(asked, SAID, HOME, {}).line)
    assert changed == {"id": 1, "method": "command/exec", "params": {"cwd": "/w"}, "trace": None}


@pytest.mark.parametrize("cwd", [b"1e999", b"[1e999]", b'{"a":1e999}', b"true", b'["/a",5]'])
def test_a_directory_that_is_no_path_is_left_to_codex(cwd: bytes) -> None:
    """However odd."""
    asked = messages.parse(b'{"id":1,"method":"turn/start","params":{"cwd":%b}}' % cwd)
    assert isinstance(asked, Request)
    assert with_defaults(asked, SAID, HOME, {}) is asked


OURS = {"mcp_servers.x.env.A": "s", "b": {"c.d": 1}}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (None, OURS),
        ({"model": "y", "mcp_servers.xy.env": 1}, {**OURS, "model": "y", "mcp_servers.xy.env": 1}),
        ({"mcp_servers.x.env.A": "t"}, {"mcp_servers.x.env.A": "t", "b": {"c.d": 1}}),
        ({"mcp_servers": {"y": {}}, "b.c": 5}, {"mcp_servers": {"y": {}}, "b.c": 5}),
    ],
)
def test_codexds_own_settings_come_last(own: Any, expected: Any) -> None:
    """No two members of a `config` say something of the same place: Codex keeps no order among them."""
    asked = request(1, "thread/resume", {"threadId": "T", "config": own, "cwd": "/p"})
    changed = with_defaults(asked, Process(), HOME, OURS)
    assert json.loads(messages.encode(changed.params))["config"] == expected
    other = request(1, "turn/start", {"threadId": "T", "cwd": "/p"})
    assert with_defaults(other, Process(), HOME, OURS) is other
