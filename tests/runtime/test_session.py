"""One client's connection: its lines arrive whole, and its end is seen, whichever way it comes."""

import json

import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from websockets.frames import Close, Frame, Opcode
from websockets.server import ServerProtocol

from codexd.protocol.framing import HEAD_BYTES, TooLong
from codexd.protocol.long_lines import Parts
from codexd.protocol.reducer import Reducer
from codexd.routing.rights import Peer
from codexd.runtime import session as session_module
from codexd.runtime.archive import NoArchive
from codexd.runtime.budget import FREE_BYTES, LineBudget, OutboxBudget
from codexd.runtime.lag import Lag
from codexd.runtime.limits import Limits
from codexd.runtime.lines import Lines
from codexd.runtime.memory import HEADROOM_BYTES
from codexd.runtime.outbox import STALLED_SECONDS
from codexd.runtime.session import FAREWELL_SECONDS, LINES_PER_TURN, LOOK_SECONDS, Session
from codexd.runtime.timeline import Timeline
from tests.fakes import PATIENCE_SECONDS, FarWebSocket, RecordingDesk
from tests.protocol.long_lines import message, whole
from tests.runtime.shortage import limited_memory

MEGABYTE = 1024 * 1024
OUTBOX_LIMIT = 256 * 1024


class WithoutMemory:
    """A connection whose first reads get no memory."""

    def __init__(self, connection, failures):
        self._connection, self._failures = connection, failures

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def recv(self, count):
        """Fails, or reads."""
        self._failures -= 1
        if self._failures >= 0:
            raise MemoryError
        return self._connection.recv(count)


@pytest.fixture
def desk():
    """Where sessions hand in what they receive."""
    return RecordingDesk()


@pytest.fixture
def join(connect, nursery, desk):
    """Makes a client with a running session; returns the session and the client's end."""

    def make(client=1, max_message_bytes=128 * MEGABYTE, budget=None, stalled=STALLED_SECONDS):
        ours, far = connect()
        session = Session(
            client,
            ours,
            Peer(77),
            limits=Limits(
                max_message_bytes=max_message_bytes, max_outbox_bytes=OUTBOX_LIMIT, stalled_seconds=stalled
            ),
            lag=Lag(Timeline(NoArchive())),
            budget=budget or LineBudget(),
            outbox_budget=OutboxBudget(),
            on_load=lambda is_loaded: None,
        )
        nursery.start_soon(session.run, desk)
        return session, far

    return make


async def test_client_joins_speaks_and_leaves(join, desk):
    """Joined once, first; every line once, in order; left once, last."""
    _, far = join()
    await far.send(b'{"id":1}\n\n{"id":2}\n')
    await wait_all_tasks_blocked()
    await far.close()
    await wait_all_tasks_blocked()
    assert desk.log == [
        ("join", 1, 77),
        ("receive", 1, [b'{"id":1}', b'{"id":2}']),
        ("leave", 1, pytest.approx(trio.current_time())),
    ]


async def test_pipelined_requests_in_odd_chunks(join, desk):
    """Eight requests cut anywhere, characters included, arrive as eight lines.

    Regression T2 and T14: the broker of codex-plugin-cc lost requests that came in one chunk or in halves, and
    codex-manager and codex-acp broke characters that were split between two reads.
    """
    expected = [json.dumps({"id": n, "params": "höflich 🙂"}, ensure_ascii=False).encode() for n in range(8)]
    stream = b"\n".join([*expected, b""])
    for size in (1, 3, 7, len(stream)):
        desk.log.clear()
        _, far = join()
        for at in range(0, len(stream), size):
            await far.send(stream[at : at + size])
            await wait_all_tasks_blocked()
        assert desk.lines(1) == expected


@pytest.mark.parametrize("size", [70_000, MEGABYTE, 100 * MEGABYTE])
async def test_large_lines_in_both_ways(join, desk, size):
    """A line of any size passes, to codexd and from it.

    Regression T7: Python's readers stop at 64 KiB by default, and agm, codex-a2a and acodex hung or died there.
    """
    session, far = join()
    line = message(b'"%b"' % (b"x" * size))
    await far.send(line + b"\n")
    await wait_all_tasks_blocked()
    assert [whole(received) for received in desk.lines(1)] == [line]
    session.outbox.put(line + b"\n")
    assert await far.line() == line


async def test_half_a_line_and_then_nothing_costs_nobody_anything(join, desk):
    """What stands there without an end of line is nobody's message."""
    _, far = join()
    await far.send(b'{"id":1}\n{"id":')
    await wait_all_tasks_blocked()
    await far.close()
    await wait_all_tasks_blocked()
    assert desk.lines(1) == [b'{"id":1}']
    assert [kind for kind, *_ in desk.log] == ["join", "receive", "leave"]


async def test_line_that_is_too_long_is_reported_once_and_skipped(join, desk):
    """The desk learns of it while it still comes; the connection goes on behind it."""
    _, far = join(max_message_bytes=MEGABYTE)
    await far.send(b"x" * (3 * MEGABYTE))
    await wait_all_tasks_blocked()
    assert desk.lines(1) == [TooLong(b"x" * HEAD_BYTES)]
    await far.send(b"\nnext\n")
    await wait_all_tasks_blocked()
    assert desk.lines(1) == [TooLong(b"x" * HEAD_BYTES), b"next"]


async def test_without_memory_a_client_waits(join, desk, autojump_clock):
    """Nothing is read until there is some again."""
    with limited_memory(HEADROOM_BYTES - 1) as limited:
        _, far = join()
        await far.send(b"first\n")
        await trio.sleep(10)
        assert desk.lines(1) == []
        limited.free += 1
        await trio.sleep(1)
        assert desk.lines(1) == [b"first"]


async def test_a_line_for_which_there_is_no_memory_is_given_up(join, desk, autojump_clock):
    """While it still comes, and when the memory goes to others while nothing comes; what comes after it is heard."""
    with limited_memory(HEADROOM_BYTES + 20 * MEGABYTE) as limited:
        _, far = join()
        await far.send(b"x" * (5 * MEGABYTE))
        assert desk.lines(1) == [TooLong(b"x" * HEAD_BYTES)]
        await far.send(b"\nnext\n" + b"y" * (2 * FREE_BYTES))
        await trio.sleep(1)
        assert desk.lines(1)[1:] == [b"next"]
        limited.free = 0
        await far.send(b"y")
        await trio.sleep(1)
        assert desk.lines(1)[2:] == [TooLong(b"y" * HEAD_BYTES)]
        limited.free = HEADROOM_BYTES
        await far.send(b"\nlast\n")
        await trio.sleep(1)
        assert desk.lines(1)[3:] == [b"last"]


async def test_a_read_that_gets_no_memory_is_tried_again(join, desk, autojump_clock):
    """Nothing has been taken from the socket."""

    session, far = join()
    session._connection = WithoutMemory(session._connection, 3)
    await far.send(b"first\n")
    await trio.sleep(1)
    assert desk.lines(1) == [b"first"]


async def test_who_would_go_over_the_shared_limit_has_its_line_given_up(join, desk):
    """The one whose line is too much is told; who held its share before is served, and what is held is given back."""
    budget = LineBudget(4 * FREE_BYTES)
    _, first = join(1, budget=budget)
    _, second = join(2, budget=budget)
    await first.send(b"a" * (3 * FREE_BYTES))
    await wait_all_tasks_blocked()
    await second.send(b"b" * (3 * FREE_BYTES))
    await wait_all_tasks_blocked()
    assert desk.lines(2) == [TooLong(b"b" * HEAD_BYTES)]
    await first.send(b"\n")
    await second.send(b"\nsecond\n")
    await wait_all_tasks_blocked()
    assert desk.lines(1) == [b"a" * (3 * FREE_BYTES)]
    assert desk.lines(2) == [TooLong(b"b" * HEAD_BYTES), b"second"]
    await second.send(b"b" * (2 * FREE_BYTES))
    await wait_all_tasks_blocked()
    assert budget.held_bytes == 2 * FREE_BYTES
    await second.close()
    await wait_all_tasks_blocked()
    assert budget.held_bytes == 0


async def test_client_that_floods_takes_turns_with_the_others(join, desk, nursery):
    """Who speaks while a burst of thousands of lines is handed in waits for a part of it, not for all."""
    _, flooding = join(1)
    _, quiet = join(2)

    def speak_once():
        desk.when_receiving = lambda: None
        quiet.send_now(b"hello\n")

    desk.when_receiving = speak_once
    await flooding.send(b"flood\n" * 10_000)
    await wait_all_tasks_blocked()
    bursts = [(who, len(lines)) for kind, who, lines in desk.log if kind == "receive"]
    assert 1 <= bursts.index((2, 1)) <= 4
    assert len(desk.lines(1)) == 10_000
    assert max(length for _, length in bursts) == LINES_PER_TURN


async def test_paused_client_is_not_read_and_resumed_loses_nothing(join, desk):
    """While it is paused its bytes stay in the kernel; then all of them come, in order."""
    session, far = join()
    await far.send(b"1\n")
    await wait_all_tasks_blocked()
    session.pause()
    await far.send(b"2\n")
    await wait_all_tasks_blocked()
    assert desk.lines(1) == [b"1"]
    session.outbox.put(b"sent all the same\n")
    assert await far.line() == b"sent all the same"
    session.resume()
    await wait_all_tasks_blocked()
    assert desk.lines(1) == [b"1", b"2"]


async def test_pause_holds_in_the_middle_of_a_burst(join, desk):
    """A client whose queue is full is not heard further, even of what has been read from it already."""
    session, far = join()
    desk.when_receiving = session.pause
    expected = [b"%d" % number for number in range(3 * LINES_PER_TURN)]
    await far.send(b"\n".join([*expected, b""]))
    await wait_all_tasks_blocked()
    assert desk.lines(1) == expected[:LINES_PER_TURN]
    session.resume()
    await wait_all_tasks_blocked()
    assert desk.lines(1) == expected[: 2 * LINES_PER_TURN]
    session.resume()
    await wait_all_tasks_blocked()
    assert desk.lines(1) == expected


async def test_half_closed_client_gets_its_answers(autojump_clock, join, desk):
    """`printf ... | nc -U` closes its sending side at once: it stays until its answers are there, and no longer."""
    session, far = join()
    desk.in_flight = 1
    await far.send(b"request\n")
    await far.finish_sending()
    await trio.sleep(3)
    assert [kind for kind, *_ in desk.log] == ["join", "receive"]
    session.outbox.put(b"answer\n")
    desk.answer_all()
    assert await far.rest() == b"answer\n"
    assert desk.log[-1] == ("leave", 1, 3.0)


async def test_half_closed_client_gets_an_answer_that_takes_an_hour(autojump_clock, join, desk):
    """A long turn or command takes as long as it takes: five seconds were too short for `printf ... | nc -U`."""
    session, far = join()
    desk.in_flight = 1
    await far.send(b"request\n")
    await far.finish_sending()
    await trio.sleep(3600)
    session.outbox.put(b"answer\n")
    desk.answer_all()
    assert await far.rest() == b"answer\n"
    assert desk.log[-1] == ("leave", 1, 3600.0)


async def test_half_closed_client_that_goes_meanwhile_is_not_waited_for(autojump_clock, join, desk):
    """Nobody is there any more to whom the answer could go."""
    _, far = join()
    desk.in_flight = 1
    await far.send(b"request\n")
    await far.finish_sending()
    await trio.sleep(10.5)
    assert desk.log[-1][0] == "receive"
    await far.close()
    await trio.sleep(LOOK_SECONDS)
    assert desk.log[-1][0] == "leave"


async def test_half_closed_client_that_reads_slowly_gets_everything(autojump_clock, join, desk):
    """However long it takes."""
    session, far = join()
    line = b"x" * (OUTBOX_LIMIT * 4) + b"\n"
    session.outbox.put(line)
    await far.finish_sending()
    got = b""
    while len(got) < len(line):
        await trio.sleep(STALLED_SECONDS - 5)
        some = await far.some(100_000)
        assert some
        got += some
    assert got == line


async def test_half_closed_client_that_does_not_read_is_let_go_after_its_time(autojump_clock, join, desk):
    """Who takes nothing of the answers that it has is not waited for longer than anybody else."""
    session, far = join()
    session.outbox.put(bytes(OUTBOX_LIMIT * 4) + b"\n")
    await far.finish_sending()
    await trio.sleep(STALLED_SECONDS + 1)
    assert desk.log[-1] == ("leave", 1, STALLED_SECONDS)


async def test_client_that_is_gone_is_not_waited_for(autojump_clock, join, desk):
    """Nothing is held for who has closed both sides, whatever was under way for it."""
    _, far = join()
    desk.in_flight = 1
    await far.send(b"request\n")
    await far.close()
    await trio.sleep(1)
    assert desk.log[-1] == ("leave", 1, 0.0)


async def test_client_that_leaves_without_reading_what_it_was_sent(autojump_clock, join, desk):
    """Its connection is reset rather than ended; it has left all the same."""
    session, far = join()
    await wait_all_tasks_blocked()
    session.outbox.put(b"never read\n")
    await far.close()
    await trio.sleep(1)
    assert desk.log[-1] == ("leave", 1, 0.0)


async def test_client_that_does_not_read_is_out_at_once_and_told_why(autojump_clock, join, desk):
    """When it is cut it has left as far as the others are concerned; it may still read what is left for it."""
    session, far = join(stalled=0)
    await wait_all_tasks_blocked()
    line = b"x" * 1000 + b"\n"
    while not session.outbox.statistics().is_cut:
        session.outbox.put(line)
    await trio.sleep(10)
    assert desk.log[-1] == ("leave", 1, 0.0)
    *lines, last = (await far.rest()).splitlines(keepends=True)
    assert set(lines) == {line}
    assert json.loads(last)["error"]["code"] == -32052
    assert trio.current_time() == 10


async def test_end_of_codexd_takes_every_client_off(connect, desk):
    """A session that is cancelled reports its client's leaving all the same, and closes the connection."""
    ours, far = connect()
    session = Session(
        1,
        ours,
        Peer(),
        limits=Limits(),
        lag=Lag(Timeline(NoArchive())),
        budget=LineBudget(),
        outbox_budget=OutboxBudget(),
        on_load=lambda is_loaded: None,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run, desk)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [kind for kind, *_ in desk.log] == ["join", "leave"]
    assert await far.rest() == b""


@pytest.fixture
def join_on_frames(join):
    """Makes a client with a running session that speaks WebSocket; returns the session and the client's end."""

    async def make(*args, **how):
        session, far = join(*args, **how)
        client = FarWebSocket(far)
        answer = await client.shake_hands()
        assert answer.status_code == 101
        return session, client

    return make


def what(desk):
    """The kinds of what the desk was handed, in order."""
    return [kind for kind, *_ in desk.log]


async def test_websocket_client_is_known_by_its_first_bytes(join, desk):
    """Byte by byte or at once: it is upgraded, said to speak frames before it is heard, and heard as lines."""
    session, far = join()
    for byte in b"GET ":
        assert what(desk)[1:] == []
        await far.send(bytes([byte]))
        await wait_all_tasks_blocked()
    assert what(desk) == ["join", "frames"]
    assert session.outbox.framing.chunk([b"x"]) == b"\x81\x01x"


async def test_websocket_client_joins_speaks_and_leaves(join_on_frames, desk):
    """Every message once, in order; its close is answered, and it has left."""
    session, client = await join_on_frames()
    await client.send(b'{"id":1}', b'{"id":2}')
    await wait_all_tasks_blocked()
    session.outbox.put(session.outbox.framing.chunk([b"answer"]))
    await client.send_frames(Frame(Opcode.PING, b"p"), Frame(Opcode.CLOSE, b""))
    assert await client.text() == b"answer"
    assert await client.frame() == Frame(Opcode.PONG, b"p")
    assert await client.closed() == Close(1005, "")
    assert [entry[:2] for entry in desk.log] == [("join", 1), ("frames", 1), ("receive", 1), ("leave", 1)]
    assert desk.lines(1) == [b'{"id":1}', b'{"id":2}']


async def test_large_websocket_messages_in_both_ways(join_on_frames, desk):
    """One frame beyond the announced length is taken; what is sent keeps to it, in fragments."""
    session, client = await join_on_frames()
    line = message(b'"%b"' % (b"x" * (40 * MEGABYTE)))
    await client.send(line)
    await wait_all_tasks_blocked()
    assert [whole(received) for received in desk.lines(1)] == [line]
    session.outbox.put(session.outbox.framing.chunk([line]))
    assert await client.text() == line


async def test_others_have_their_turns_while_a_large_websocket_message_is_read(
    join_on_frames, desk, monkeypatch, nursery
):
    """It has come at once, and is read in slices."""
    _, client = await join_on_frames()
    turns, complete_at = 0, []

    async def take_turns():
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    def complete(parts):
        complete_at.append(turns)
        return take(parts)

    take = Parts.take
    monkeypatch.setattr(Parts, "take", complete)
    desk.when_receiving = lambda: complete_at.append(turns)
    nursery.start_soon(take_turns)
    await client.send(message(b'"%b"' % (b"x" * (4 * MEGABYTE))))
    while not desk.lines(1):
        await trio.lowlevel.checkpoint()
    begun, read = complete_at
    assert read - begun >= 16
    nursery.cancel_scope.cancel()


async def test_mistake_in_reducing_a_message_ends_its_client_alone(join_on_frames, desk, monkeypatch):
    """As one in reading any other."""
    _, client = await join_on_frames()
    monkeypatch.setattr(Reducer, "feed", None)
    await client.send(message(b'"%b"' % (b"x" * (2 * MEGABYTE))))
    assert (await client.closed()).code == 1011
    assert desk.lines(1) == []


async def test_websocket_client_that_is_gone_with_its_close_is_not_waited_for(
    autojump_clock, join_on_frames, desk
):
    """The native TUI closes and does not wait for an answer."""
    session, client = await join_on_frames()
    session.outbox.put(session.outbox.framing.chunk([bytes(OUTBOX_LIMIT)] * 4))
    await client.send_frames(Frame(Opcode.CLOSE, b""))
    await client.far.close()
    await trio.sleep(1)
    assert desk.log[-1] == ("leave", 1, 0.0)
    assert session._connection.fileno() == -1


async def test_websocket_client_that_only_closes_its_sending_side_has_left(
    autojump_clock, join_on_frames, desk
):
    """There is a close for it: without one nobody waits for answers."""
    _, client = await join_on_frames()
    desk.in_flight = 1
    await client.far.finish_sending()
    assert await client.far.rest() == b""
    assert desk.log[-1] == ("leave", 1, 0.0)


@pytest.mark.parametrize("origin", [None, "https://example.org"])
async def test_what_is_no_websocket_request_is_answered_and_closed(join, desk, origin):
    """A browser, and whoever takes the socket for an HTTP server, get an HTTP error and the end."""
    _, far = join()
    await far.send(
        b"GET /healthz HTTP/1.1\r\n" + (b"Origin: %s\r\n\r\n" % origin.encode() if origin else b"\r\n")
    )
    assert (await far.rest()).startswith(b"HTTP/1.1 4")
    assert what(desk) == ["join", "frames", "leave"]


async def test_websocket_message_that_is_too_long_is_answered_before_the_close(join_on_frames, desk):
    """The desk learns of it first, and what it answers is sent before the end is said."""
    session, client = await join_on_frames(max_message_bytes=1000)
    desk.when_receiving = lambda: session.outbox.put(session.outbox.framing.chunk([b"too long"]))
    await client.send(b"x" * 1001)
    assert await client.text() == b"too long"
    assert (await client.closed()).code == 1009
    assert desk.lines(1) == [TooLong(b"")]
    assert what(desk)[-1] == "leave"


async def test_websocket_messages_count_in_the_shared_limit(join_on_frames, desk):
    """Fragments and half a frame weigh as much as half a line; who goes over the limit is told and closed."""
    budget = LineBudget(4 * FREE_BYTES)
    _, first = await join_on_frames(1, budget=budget)
    _, second = await join_on_frames(2, budget=budget)
    await first.send_frames(Frame(Opcode.TEXT, b"a" * (2 * FREE_BYTES), fin=False))
    await wait_all_tasks_blocked()
    assert budget.held_bytes == 2 * FREE_BYTES
    await second.send_frames(Frame(Opcode.TEXT, b"b" * (3 * FREE_BYTES), fin=False))
    assert (await second.closed()).code == 1009
    assert desk.lines(2) == [TooLong(b"")]
    assert budget.held_bytes == 2 * FREE_BYTES
    await first.send_frames(Frame(Opcode.CONT, b"a"))
    await wait_all_tasks_blocked()
    assert desk.lines(1) == [b"a" * (2 * FREE_BYTES + 1)]
    assert budget.held_bytes == 0


async def test_websocket_client_that_does_not_read_is_closed_with_the_reason(
    autojump_clock, join_on_frames, desk
):
    """It has left at once; it may still read whole messages, and a close that says why."""
    session, client = await join_on_frames(stalled=0)
    message = b"x" * 1000
    while not session.outbox.statistics().is_cut:
        session.outbox.put(session.outbox.framing.chunk([message, message]))
    await trio.sleep(10)
    assert desk.log[-1] == ("leave", 1, 0.0)
    frame = await client.frame()
    while frame.opcode is Opcode.TEXT:
        assert frame.data == message
        frame = await client.frame()
    close = Close.parse(bytes(frame.data))
    assert close.code == 1013
    assert close.reason.endswith("connect again and resume the threads")
    assert await client.far.rest() == b""


async def test_end_of_codexd_is_said_to_websocket_clients_alone(join, join_on_frames):
    """In a close behind what is queued; to who speaks lines, the end of the stream says it."""
    session, client = await join_on_frames(1)
    session.outbox.put(session.outbox.framing.chunk([b"queued"]))
    session.say_goodbye()
    session.outbox.put(session.outbox.framing.chunk([b"too late"]))
    assert await client.text() == b"queued"
    assert Close.parse(bytes((await client.frame()).data)) == Close(1001, "codexd is stopping")
    other, far = join(2)
    other.say_goodbye()
    other.outbox.put(b"line\n")
    assert await far.line() == b"line"


async def test_who_is_in_the_middle_of_sending_hears_why_it_is_ended(join_on_frames, desk, nursery):
    """A client that sends on and on is read to its end, so that it gets to the close; what it sends is nobody's."""
    _, client = await join_on_frames(max_message_bytes=1000)
    nursery.start_soon(client.send, bytes(10 * MEGABYTE))
    with trio.fail_after(PATIENCE_SECONDS):
        assert (await client.closed()).code == 1009
    assert desk.lines(1) == [TooLong(b"")]


async def test_who_does_not_end_though_it_was_told_is_let_go_after_its_time(
    autojump_clock, join_on_frames, desk
):
    """It is off at once and sees the end; its connection is closed five seconds later."""
    session, client = await join_on_frames()
    await client.send_frames(Frame(Opcode.CLOSE, b""))
    assert await client.closed() == Close(1005, "")
    assert trio.current_time() == 0
    await trio.sleep(FAREWELL_SECONDS - 0.5)
    assert session._connection.fileno() != -1
    await trio.sleep(1)
    assert session._connection.fileno() == -1
    assert desk.log[-1] == ("leave", 1, 0.0)


# A mistake of ours, or of the library, or too little memory


async def test_what_is_thrown_away_at_the_end_may_get_no_memory(join, desk, monkeypatch, autojump_clock):
    """The client has its time to read why it is let go of, and reads it."""
    monkeypatch.setattr(session_module, "Lines", Mistaken)
    session, far = join()
    await far.send(b"unheard-of\n")
    session._connection = WithoutMemory(session._connection, 3)
    await wait_all_tasks_blocked()
    await far.send(b"more\n")
    await trio.sleep(1)
    assert json.loads(await far.line())["error"]["code"] == -32603
    await far.close()


async def test_who_fails_in_the_handshake_is_told_so_in_http(join, desk, monkeypatch):
    """A frame before the upgrade would be no answer to a request."""
    _, far = join()

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(ServerProtocol, "receive_data", fail)
    await far.send(b"GET /rpc HTTP/1.1\r\n\r\n")
    assert (await far.line()).startswith(b"HTTP/1.1 500 ")
    await far.close()
    await wait_all_tasks_blocked()
    assert what(desk)[-1] == "leave"


class Mistaken(Lines):
    """A transport with a mistake in it, which one message meets."""

    def feed(self, chunk):
        if b"unheard-of" in chunk:
            raise ZeroDivisionError("a mistake")
        return super().feed(chunk)


async def test_a_mistake_in_a_transport_ends_that_client_alone(join, desk, monkeypatch, caplog):
    """It is told why, the log has the traceback, and who speaks the same is served on."""
    monkeypatch.setattr(session_module, "Lines", Mistaken)
    _, far = join(1)
    _, other = join(2)
    desk.in_flight = 1
    await far.send(b'{"id":1}\nunheard-of\n')
    error = json.loads(await far.line())
    assert (error["id"], error["error"]["code"]) == (None, -32603)
    assert "codexd logs" in error["error"]["message"]
    await far.close()
    await other.send(b'{"id":2}\n')
    await wait_all_tasks_blocked()
    assert desk.lines(2) == [b'{"id":2}']
    assert [client for kind, client, _ in desk.log if kind == "leave"] == [1]
    assert "client 1 is let go of, for reading what it sends failed" in caplog.text
    assert "ZeroDivisionError: a mistake" in caplog.text


async def test_a_mistake_in_the_websocket_library_ends_that_client_alone(join_on_frames, desk, monkeypatch):
    """It is told with a close that says "internal error"."""
    _, client = await join_on_frames()

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(ServerProtocol, "receive_data", fail)
    await client.send(b'{"id":1}')
    frame = await client.frame()
    assert (frame.opcode, Close.parse(bytes(frame.data)).code) == (Opcode.CLOSE, 1011)
    await client.far.close()
    await wait_all_tasks_blocked()
    assert what(desk)[-1] == "leave"


async def test_a_websocket_library_that_cannot_be_had_ends_that_client_alone(join, desk, monkeypatch):
    """It is imported with the first client that needs it: no descriptor may be left to read it with."""
    _, far = join()

    def fail(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("codexd.runtime.websocket.WebSocket", fail)
    await far.send(b"GET /rpc HTTP/1.1\r\n\r\n")
    assert (await far.line()).startswith(b"HTTP/1.1 500 ")
    await far.close()
    await wait_all_tasks_blocked()
    assert what(desk)[-1] == "leave"


async def test_a_mistake_in_a_decision_is_not_the_client_s(connect, desk):
    """It may have left the tables wrong for everybody, so it goes on and ends codexd."""

    def fail():
        raise ZeroDivisionError

    desk.when_receiving = fail
    ours, far = connect()
    session = Session(
        1,
        ours,
        Peer(),
        limits=Limits(),
        lag=Lag(Timeline(NoArchive())),
        budget=LineBudget(),
        outbox_budget=OutboxBudget(),
        on_load=lambda is_loaded: None,
    )
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(far.send, b"{}\n")
            await session.run(desk)
