"""Ids that clients choose: there and back, and what is open."""

import json
from typing import Any

import pytest
from hypothesis import given

from codexd.protocol import messages
from codexd.protocol.catalogue import HANDLE_OF_NOTIFICATION, HANDLE_OF_REQUEST
from codexd.protocol.messages import ErrorResponse
from codexd.routing.handles import CLOSED_BY, Handles, closing
from codexd.routing.requests import Call
from tests.protocol.strategies import text
from tests.routing.driver import line, notification, request

ODD: list[Any] = [None, 5, "p1", "x:p1", ":p1", "²:p1", {}, []]


def opened(handles: Handles, client: int, method: str, handle: str) -> Call:
    """A call that Codex has answered."""
    sent, known = handles.rewrite(client, request(1, method, {HANDLE_OF_REQUEST[method]: handle}))
    done = Call(client, sent, handle=known)
    handles.answered(done)
    return done


def open_now(handles: Handles, client: int) -> list[tuple[str, str]]:
    """What a client has open, by leaving."""
    return [(opened.opener, opened.handle) for opened in handles.leave(client)]


@pytest.mark.parametrize(("method", "member"), HANDLE_OF_REQUEST.items())
def test_a_handle_goes_to_codex_with_its_owners_number(method: str, member: str) -> None:
    """Two clients' `p1` are two; everything else in the params stays."""
    sent, handle = Handles().rewrite(7, request("i", method, {"a": 1, member: "p1", "b": {"x": []}}))
    assert (sent.line, handle) == (
        line(id="i", method=method, params={"a": 1, member: "7:p1", "b": {"x": []}}),
        "p1",
    )


@pytest.mark.parametrize(("method", "member"), HANDLE_OF_NOTIFICATION.items())
def test_and_comes_back_without_it(method: str, member: str) -> None:
    """It names the recipient, who finds its own word."""
    found = Handles().address(notification(method, {"a": 1, member: "7:p:1", "b": 2}))
    assert found == (7, line(method=method, params={"a": 1, member: "p:1", "b": 2}))


@given(text)
def test_any_handle_comes_back_as_it_was(handle: str) -> None:
    """Whatever the client calls it."""
    handles = Handles()
    sent, known = handles.rewrite(12, request(1, "fs/watch", {"watchId": handle}))
    assert known == handle
    tagged = messages.members_of(sent.params)["watchId"]
    found = handles.address(notification("fs/changed", {"watchId": json.loads(bytes(tagged))}))
    assert found is not None
    assert (found[0], json.loads(found[1])["params"]) == (12, {"watchId": handle})


@pytest.mark.parametrize(
    "sent",
    [
        request(1, "thread/backgroundTerminals/terminate", {"processId": "p1"}),
        request(1, "turn/start", {"watchId": "w"}),
        request(1, "process/spawn", {"processHandle": 5}),
        request(1, "process/spawn", {"processHandle": None}),
        request(1, "process/spawn", {"processHandle": ""}),
        request(1, "fuzzyFileSearch/sessionStart", {"sessionId": "", "roots": []}),
        request(1, "command/exec", {"command": ["x"], "tty": True}),
        request(1, "command/exec", {"command": ["x"], "streamStdin": True}),
        request(1, "command/exec", {"command": ["x"], "streamStdoutStderr": True, "processId": None}),
        request(1, "process/spawn", {}),
        request(1, "process/spawn", []),
        request(1, "command/exec", {}),
        request(1, "command/exec", "x"),
        request(1, "fuzzyFileSearch", {"query": "x"}),
    ],
)
def test_what_has_no_handle_of_the_clients_stays_as_it_is(sent: Any) -> None:
    """Codex's own ids, absent ones, and wrong ones, of which Codex will complain."""
    assert Handles().rewrite(1, sent) == (sent, None)


@pytest.mark.parametrize("params", [{"command": ["ls"]}, {"command": ["ls"], "processId": None}])
def test_a_command_without_a_handle_is_given_one(params: dict[str, Any]) -> None:
    """Without one it could not be ended when its client leaves; each has its own."""
    handles = Handles()
    assert [handles.rewrite(3, request(n, "command/exec", params)) for n in (1, 2)] == [
        (request(n, "command/exec", {"command": ["ls"], "processId": f"3:unnamed-{n}"}), f"unnamed-{n}")
        for n in (1, 2)
    ]


@pytest.mark.parametrize(
    "params",
    [{}, [], *({"processHandle": odd} for odd in ODD)],
)
def test_a_handle_that_is_nobodys_has_no_address(params: Any) -> None:
    """A line of Codex that names none of ours goes to nobody."""
    assert Handles().address(notification("process/exited", params)) is None


@pytest.mark.parametrize("opener", [opener for opener in CLOSED_BY if opener != "command/exec"])
def test_what_was_opened_is_closed_when_its_client_leaves(opener: str) -> None:
    """By the method that closes it, under the handle as Codex knows it."""
    handles = Handles()
    opened(handles, 1, opener, "h")
    opened(handles, 2, opener, "h")
    assert [(one.client, one.opener, one.handle) for one in handles.leave(1)] == [(1, opener, "h")]
    assert open_now(handles, 1) == []
    assert open_now(handles, 2) == [(opener, "h")]
    assert closing(1, opener, "h") == (CLOSED_BY[opener], {HANDLE_OF_REQUEST[CLOSED_BY[opener]]: "1:h"})


def test_a_command_is_open_as_long_as_its_request() -> None:
    """Its answer is its end, so nothing is left to close."""
    handles = Handles()
    opened(handles, 1, "command/exec", "p")
    assert open_now(handles, 1) == []
    assert closing(1, "command/exec", "p") == ("command/exec/terminate", {"processId": "1:p"})


@pytest.mark.parametrize(
    ("opener", "closer"),
    [
        ("fs/watch", "fs/unwatch"),
        ("mcpServer/event/stream/start", "mcpServer/event/stream/stop"),
        ("fuzzyFileSearch/sessionStart", "fuzzyFileSearch/sessionStop"),
    ],
)
def test_what_a_client_closed_itself_is_closed(opener: str, closer: str) -> None:
    """That one, of that client."""
    handles = Handles()
    opened(handles, 1, opener, "a")
    opened(handles, 1, opener, "b")
    opened(handles, 2, opener, "a")
    opened(handles, 1, closer, "a")
    opened(handles, 1, closer, "never opened")
    assert (open_now(handles, 1), open_now(handles, 2)) == ([(opener, "b")], [(opener, "a")])


def test_a_watch_that_is_being_ended_is_not_made_again() -> None:
    """Unless its client has asked for one of that name anew; and nothing is remembered of what is over."""
    handles = Handles()
    for client in (1, 2):
        watching = opened(handles, client, "fs/watch", "w")
        sent, handle = handles.rewrite(client, request(1, "fs/unwatch", {"watchId": "w"}))
        ending = Call(client, sent, handle=handle)
        handles.asked(ending)
        assert handles.watches() == []
        handles.asked(watching)
        assert [watch.client for watch in handles.watches()] == [client]
        handles.asked(ending)
        handles.answered(ending)
        assert handles.watches() == []
        assert (client, "fs/watch", "w") not in handles._closing
        handles.asked(ending)
    handles.leave(1)
    assert handles._closing.keys() == {(2, "fs/watch", "w")}
    handles.codex_died()
    assert handles._closing == {}


def test_a_watch_whose_end_was_refused_goes_on() -> None:
    """Until its end is asked for again; an older refusal does not count for a newer wish."""
    handles = Handles()
    opened(handles, 1, "fs/watch", "w")
    sent, handle = handles.rewrite(1, request(1, "fs/unwatch", {"watchId": "w"}))
    ending, again = Call(1, sent, handle=handle), Call(1, sent, handle=handle)
    for asked, failed, goes_on in [(ending, ending, True), (again, ending, False), (again, again, True)]:
        handles.asked(asked)
        handles.failed(failed)
        assert bool(handles.watches()) == goes_on
    for other in (Call(1, request(1, "model/list")), Call(1, request(1, "fs/watch"), handle="w")):
        handles.failed(other)
    assert [watch.handle for watch in handles.watches()] == ["w"]


def test_a_process_is_closed_when_it_has_ended() -> None:
    """Not when somebody asked for its end: until then there is something to kill."""
    handles = Handles()
    opened(handles, 1, "process/spawn", "a")
    opened(handles, 1, "process/kill", "a")
    opened(handles, 1, "process/spawn", "b")
    handles.address(notification("process/exited", {"processHandle": "1:a", "exitCode": 0}))
    assert open_now(handles, 1) == [("process/spawn", "b")]


def test_an_answer_to_a_call_without_a_handle_opens_nothing() -> None:
    """Nor does one to codexd itself."""
    handles = Handles()
    handles.answered(Call(1, request(1, "fs/watch", {"watchId": 5})))
    handles.answered(Call(None, request(1, "fs/watch", {"watchId": "w"}), handle="w"))
    assert handles.watches() == []


def error(text: str) -> ErrorResponse:
    """An error of Codex to request 9, as Codex writes it."""
    read = messages.parse_codex(line(error={"code": -32600, "message": text}, id=9))
    assert isinstance(read, ErrorResponse)
    return read


@pytest.mark.parametrize(
    ("handle", "message", "expected"),
    [
        (
            "p1",
            'duplicate active command/exec process id: "7:p1"',
            'duplicate active command/exec process id: "p1"',
        ),
        ('a"b', 'no process "7:a\\"b" and 7:a"b', 'no process "a\\"b" and a"b'),
        ("é", "watchId already exists: 7:é", "watchId already exists: é"),
        ("p1", "17 of 27:x", "17 of 27:x"),
    ],
)
def test_an_error_names_the_handle_as_its_owner_does(handle: str, message: str, expected: str) -> None:
    """The owner's number is codexd's affair."""
    sent, known = Handles().rewrite(7, request("i", "command/exec", {"processId": handle}))
    told = Handles().untagged_error(Call(7, sent, handle=known), error(message))
    assert told == line(error={"code": -32600, "message": expected}, id="i")


def test_an_error_keeps_the_askers_id() -> None:
    """Also one that looks like a handle: it was changed once, and its asker waited for ever."""
    sent, known = Handles().rewrite(7, request("7:p1", "command/exec", {"processId": "p1"}))
    told = Handles().untagged_error(Call(7, sent, handle=known), error("7:p1"))
    assert told == line(error={"code": -32600, "message": "p1"}, id="7:p1")


def test_an_error_about_no_handle_stays_as_it_is() -> None:
    """But for the id."""
    told = Handles().untagged_error(Call(7, request("i")), error("7:p1"))
    assert told == line(error={"code": -32600, "message": "7:p1"}, id="i")


def test_when_codex_dies_everything_ends_as_it_would_by_nature() -> None:
    """A process exits, a search completes, a stream just stops; a watch goes on in the next process."""
    handles = Handles()
    opened(handles, 1, "process/spawn", "p")
    watching = opened(handles, 1, "fs/watch", "w")
    opened(handles, 2, "fuzzyFileSearch/sessionStart", "s")
    opened(handles, 2, "mcpServer/event/stream/start", "m")
    exited = {
        "exitCode": -1,
        "stdout": "",
        "stdoutCapReached": False,
        "stderr": "",
        "stderrCapReached": False,
    }
    assert handles.codex_died() == [
        (1, "process/exited", {"processHandle": "p"} | exited),
        (2, "fuzzyFileSearch/sessionCompleted", {"sessionId": "s"}),
    ]
    assert [(watch.client, watch.request) for watch in handles.watches()] == [(1, watching.request)]
    assert handles.codex_died() == []
    assert (open_now(handles, 1), open_now(handles, 2)) == ([("fs/watch", "w")], [])
