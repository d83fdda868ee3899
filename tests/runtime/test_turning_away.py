"""Who is not served is told why in what it speaks, and costs nothing for long."""

import json

import trio

from codexd.protocol.errors import Code
from codexd.runtime import turning_away
from codexd.runtime.turning_away import PATIENCE_SECONDS, turn_away


async def told(connect, nursery, *said):
    """What a client hears that says this and is not served."""
    ours, far = connect()
    nursery.start_soon(turn_away, ours, "because")
    for part in said:
        await far.send(part)
        await trio.testing.wait_all_tasks_blocked()
    return far


async def test_a_client_of_lines_gets_one_error_without_an_id(connect, nursery):
    """Before its first message is read: even an unfinished one is enough to know what it speaks."""
    far = await told(connect, nursery, b'{"id"')
    answer = await far.rest()
    assert answer.count(b"\n") == 1
    assert json.loads(answer) == {
        "id": None,
        "error": {"code": int(Code.NOT_PERMITTED), "message": "because"},
    }


async def test_a_client_of_websocket_gets_a_403(connect, nursery):
    """Also when its first four bytes come one by one."""
    far = await told(connect, nursery, b"G", b"E", b"T", b" / HTTP/1.1\r\n\r\n")
    head, _, body = (await far.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert body == b"because\n"


async def test_a_client_that_says_nothing_is_told_all_the_same(connect, nursery, autojump_clock):
    """After some seconds, as a client of lines."""
    far = await told(connect, nursery)
    assert b"because" in await far.rest()
    assert trio.current_time() == PATIENCE_SECONDS


async def test_a_client_that_stays_is_hung_up_on(connect, autojump_clock):
    """Its descriptor is wanted for others."""
    ours, far = connect()
    await far.send(b"{")
    await turn_away(ours, "because")
    assert trio.current_time() == PATIENCE_SECONDS
    assert ours.fileno() == -1


async def test_a_client_that_has_gone_is_let_go(connect):
    """Before it was told."""
    ours, far = connect()
    await far.close()
    await turn_away(ours, "because")
    assert ours.fileno() == -1


async def test_a_client_that_there_is_no_memory_for_is_hung_up_on(connect, monkeypatch):
    """And nobody else minds."""

    def fail(*_):
        raise MemoryError

    ours, far = connect()
    monkeypatch.setattr(turning_away, "refusal", fail)
    await far.send(b"{}")
    await turning_away.turn_away(ours, "because")
    assert await far.rest() == b""
