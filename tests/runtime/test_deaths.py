"""Every way in which a Codex can end, with a fake one: what clients hear, and what goes on in the next."""

import json
import os
import signal
import uuid
from typing import Any

import pytest
import trio.lowlevel

from codexd.routing.flow import LEAST_IN_SERVICE, SHARE
from codexd.routing.service_times import MOST_SECONDS
from tests.fakes import fake_codex
from tests.runtime.place import request

pytestmark = pytest.mark.usefixtures("subreaper")

T = {"threadId": "T"}
APPROVAL = "item/commandExecution/requestApproval"
DEAF = ["model/list", "turn/steer"]

WAYS = {
    "killed": ("die", {"signal": signal.SIGKILL}, "Codex was killed by SIGKILL"),
    "crashed": ("die", {"signal": signal.SIGSEGV}, "Codex was killed by SIGSEGV"),
    "exited in good order": ("die", {"status": 0}, "Codex exited with status 0"),
    "exited in the middle of a line": (
        "die",
        {"status": 1, "last": b'{"method":"turn/completed","par'.hex()},
        "Codex exited with status 1",
    ),
    "closed its output": ("close", {"stream": 1}, "Codex closed its output while it was running"),
    "hangs": ("halt", {}, "Codex has not answered for 1 s"),
}


def hexadecimal(*messages):
    """The lines of these messages."""
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages).hex()


async def until(far, fits):
    """The messages up to and with the first that fits."""
    messages: list[dict[str, Any]] = []
    while not messages or not fits(messages[-1]):
        messages.append(await far.message())
    return messages


def answer_to(number):
    """Whether a message is the answer to this request."""
    return lambda message: message.get("id") == number and "method" not in message


def is_method(method):
    """Whether a message is such a notification or request."""
    return lambda message: message.get("method") == method


async def busy(place, **capabilities):
    """Two followers of T, in which a turn runs and waits for an approval; the first also watches a file."""
    first, second = await place.client(**capabilities), await place.client()
    for far in (first, second):
        await far.request(1, "thread/resume", T | {"thread": {"id": "T"}})
    await first.request(2, "fs/watch", {"watchId": "w", "path": "/x"})
    started = {"method": "turn/started", "params": T | {"turn": {"id": "u", "status": "inProgress"}}}
    await first.send(request(3, "fake/write", {"pieces": [hexadecimal(started)]}))
    await first.send(request(4, "fake/ask", {"method": APPROVAL, "params": T | {"turnId": "u"}}))
    for far in (first, second):
        await until(far, is_method(APPROVAL))
    return first, second


@pytest.mark.parametrize("way", WAYS)
async def test_however_it_ends_everybody_hears_it_in_order_and_everything_goes_on(serve, way):
    """One answer for each request, the same end of the turn for all followers; the next Codex has threads and watches."""
    action, how, reason = WAYS[way]
    place = await serve(codex_silence=1.0 if way == "hangs" else 30.0, ignore=["EOF", *DEAF])
    first, second = await busy(place)
    await first.send(
        request(5, "model/list") + request(6, "turn/steer", T) + request(7, f"fake/{action}", how)
    )
    heard = await until(first, is_method("turn/completed"))
    errors = [message for message in heard if "error" in message]
    assert [message["id"] for message in errors] == [3, 4, 5, 6, 7]
    for message in errors:
        error, safe = message["error"], message["id"] == 5
        assert (error["code"], error["data"]) == (-32050, {"reason": "codexExited", "safeToRetry": safe})
        assert error["message"].startswith(f"{reason}, while ")
    for messages in (heard, await until(second, is_method("turn/completed"))):
        ends = [message for message in messages if "method" in message]
        assert [end["method"] for end in ends] == [
            "serverRequest/resolved",
            "thread/status/changed",
            "error",
            "turn/completed",
        ]
        assert ends[1]["params"] == T | {"status": {"type": "systemError"}}
        assert ends[3]["params"]["turn"]["error"]["message"] == reason
    assert (await first.request(8, "turn/start", T))["result"] == T
    received = (await first.request(9, "fake/received"))["result"]["methods"]
    assert sorted(received[:3]) == ["fs/watch", "initialize", "thread/resume"]
    assert (await second.request(8, "echo", {"x": 1}))["result"] == {"x": 1}
    assert (await place.status())["codex"]["restarts"] == 1


async def test_an_answer_without_its_line_feed_is_none(serve):
    """What it had said in full counts; of what it had begun to say, the asker hears from codexd, and once."""
    place = await serve(ignore=DEAF)
    client = await place.client()
    await client.send(request(1, "model/list") + request(2, "turn/steer"))
    last = b'{"id":2,"result":{"data":[]}}\n{"id":3,"result":{}}'
    await client.send(request(3, "fake/die", {"signal": signal.SIGKILL, "last": last.hex()}))
    heard = await until(client, answer_to(3))
    assert [message["id"] for message in heard] == [1, 2, 3]
    assert heard[0]["result"] == {"data": []}
    assert heard[1]["error"]["data"] == {"reason": "codexExited", "safeToRetry": False}
    assert await client.request(4, "echo", {"x": 1}) == {"id": 4, "result": {"x": 1}}


@pytest.mark.parametrize("how", [{"status": 3}, {"status": 3, "last": b'{"id":1,"resu'.hex()}, {"signal": 9}])
async def test_a_client_that_waits_for_its_greeting_gets_it_from_the_next(serve, how):
    """One that ended in the handshake: before it said a word, or in the middle of it."""
    lives = []

    def find():
        lives.append(f"test-{uuid.uuid4().hex}")
        return fake_codex(lives[-1], **({"at": {"initialize": ["die", how]}} if len(lives) == 1 else {}))

    place = await serve(find)
    client = await place.client()
    assert await client.request(1, "echo", {"x": 1}) == {"id": 1, "result": {"x": 1}}
    assert ((await place.status())["codex"]["restarts"], len(lives)) == (1, 2)


@pytest.mark.parametrize(("seconds", "handed_over"), [(0.0, SHARE), (MOST_SECONDS, LEAST_IN_SERVICE)])
async def test_what_was_not_handed_over_goes_to_the_next_and_what_was_is_answered_once(
    serve, seconds, handed_over
):
    """A request of which Codex has read half is not sent a second time; one that waited for its turn is.

    How many are handed over depends on how long Codex takes for such a request, which is given here and not measured.
    """
    place = await serve(ignore=DEAF)
    client = await place.client()
    halted = (await place.status())["codex"]["pid"]
    await client.request(0, "echo")
    place.broker._router._state.flow._times._of_method["echo"] = seconds
    os.kill(halted, signal.SIGSTOP)
    await client.send(request(1, "echo", {"large": "x" * 4_000_000}))
    await client.send(b"".join(request(number, "echo", {"n": number}) for number in range(2, 41)))
    while place.broker._router.in_flight(1) < 40:
        await trio.lowlevel.checkpoint()
    os.kill(halted, signal.SIGKILL)
    heard = await until(client, answer_to(40))
    assert sorted(message["id"] for message in heard) == list(range(1, 41))
    failed = [message for message in heard if "error" in message]
    assert [message["id"] for message in failed] == list(range(1, handed_over + 1))
    assert {message["error"]["data"]["reason"] for message in failed} == {"codexExited"}
    assert all(message["result"] == {"n": message["id"]} for message in heard if "result" in message)
    received = (await client.request(41, "fake/received"))["result"]["methods"]
    assert received.count("echo") == 40 - handed_over


async def test_a_turn_whose_end_codex_does_not_tell_ends_once(serve):
    """Its thread is idle, and Codex can't say how the turn ended; what it says later comes too late."""
    place = await serve(ignore=DEAF)
    first, second = await busy(place)
    at_rest = {"method": "thread/status/changed", "params": T | {"status": {"type": "idle"}}}
    late = {"method": "turn/completed", "params": T | {"turn": {"id": "u", "status": "completed"}}}
    after = {"method": "turn/started", "params": T | {"turn": {"id": "v"}}}
    await first.send(request(5, "fake/write", {"pieces": [hexadecimal(at_rest)]}))
    ended = await until(second, is_method("turn/completed"))
    assert (ended[-1]["params"]["turn"]["id"], ended[-1]["params"]["turn"]["status"]) == ("u", "failed")
    await first.send(request(6, "fake/write", {"pieces": [hexadecimal(late, after)]}))
    assert await until(second, is_method("turn/started")) == [after]


async def test_a_thread_whose_resume_kills_codex_is_quarantined_and_everybody_else_goes_on(serve):
    """At the second death its follower is told; a turn on another thread works; release lifts it."""
    lives = []

    def find():
        lives.append(f"test-{uuid.uuid4().hex}")
        return fake_codex(lives[-1], **({"deadly": ["X"]} if 1 < len(lives) < 4 else {}))

    place = await serve(find)
    doomed, other = await place.client(), await place.client()
    for far, thread in ((doomed, "X"), (other, "Y")):
        params = {"threadId": thread, "thread": {"id": thread}}
        await far.request(1, "thread/resume", params)
        begun = {"threadId": thread, "turn": {"id": "u", "status": "inProgress"}}
        ended = {"threadId": thread, "turn": {"id": "u", "status": "completed"}}
        messages = [
            {"method": "turn/started", "params": begun},
            {"method": "turn/completed", "params": ended},
        ]
        await far.send(request(2, "fake/write", {"pieces": [hexadecimal(*messages)]}))
        await until(far, is_method("turn/completed"))
    await other.send(request(3, "fake/die", {"signal": signal.SIGKILL}))
    await until(other, answer_to(3))
    assert (await until(other, is_method("thread/status/changed")))[-1]["params"]["threadId"] == "X"
    told = await until(doomed, is_method("warning"))
    assert "`codexctl threads release X`" in told[-1]["params"]["message"]
    await other.send(request(4, "turn/start", {"threadId": "Y"}))
    assert (await until(other, answer_to(4)))[-1]["result"] == {"threadId": "Y"}
    status = await place.status()
    assert (status["quarantined"], status["codex"]["state"], len(lives)) == (["X"], "ready", 4)
    refused = (await doomed.request(5, "thread/resume", {"threadId": "X"}))["error"]
    assert (refused["code"], refused["data"]["reason"]) == (-32600, "threadQuarantined")
    assert (await doomed.request(6, "thread/read", {"threadId": "X"}))["result"] == {"threadId": "X"}
    lifted = await doomed.request(7, "codexd/threads/release", {"threadId": "X"})
    assert lifted["result"] == {"status": "released"}
    params = {"threadId": "X", "thread": {"id": "X"}}
    assert (await doomed.request(8, "thread/resume", params))["result"] == params
    assert (await place.status())["quarantined"] == []
