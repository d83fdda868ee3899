"""The broker with the real core, a fake Codex and real connections: many clients, one Codex, nobody waits."""

import json
import logging
import os
import signal
import uuid

import psutil
import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked
from websockets.frames import Close

from codexd.protocol.bulk import Bulk, Run
from codexd.protocol.errors import Code
from codexd.routing.effects import Log, StartCodex, StopCodex, ToClients, ToCodex
from codexd.routing.rights import Peer
from codexd.routing.router import Identity
from codexd.runtime.archive import DEGRADED, NoArchive, Status
from codexd.runtime.broker import Broker
from codexd.runtime.codex import CodexUnavailable
from codexd.runtime.limits import Limits
from codexd.runtime.machine import ThisMachine
from codexd.runtime.timeline import Timeline
from codexd.runtime.turning_away import MAX_AT_ONCE
from tests.fakes import PATIENCE_SECONDS, FarWebSocket, fake_codex
from tests.runtime.place import INTRODUCTION, Place, notification, request

pytestmark = pytest.mark.usefixtures("subreaper")

MEGABYTE = 1024 * 1024
SLEEPER = "import time; time.sleep(3600)"


async def test_two_clients_share_one_codex(serve):
    """Each gets its own answer under its own id, however alike the ids are."""
    place = await serve()
    assert await place.broker.wait_codex_settled() is None
    first, second = await place.client(), await place.client()
    one = await first.request(7, "echo", {"of": "first"})
    two = await second.request(7, "echo", {"of": "second"})
    assert (one, two) == (
        {"id": 7, "result": {"of": "first"}},
        {"id": 7, "result": {"of": "second"}},
    )
    status = await place.status()
    assert (status["clients"], status["codex"]["state"], status["codex"]["restarts"]) == (3, "ready", 0)


async def test_what_codex_sends_is_observed(serve):
    """Burst by burst, in order, and nobody else's lines."""
    place = await serve()
    client = await place.client()
    pieces = [notification("a") + notification("b"), notification("c")]
    await client.send(request(1, "fake/write", {"pieces": pieces}))
    await client.request(2, "echo", {})
    seen = [observed for burst in place.observed for observed in burst]
    lines = [json.loads(observed.line) for observed in seen]
    assert [line.get("method") for line in lines] == [None, "a", "b", "c", None]
    assert [observed.method for observed in seen] == ["initialize", None, None, None, "echo"]
    assert len(place.observed) < len(seen)


async def test_client_that_leaves_is_forgotten(serve):
    """Its place is free, and the others go on."""
    place = await serve()
    first, second = await place.client(), await place.client()
    await first.close()
    while (await place.status())["clients"] > 2:
        await trio.lowlevel.checkpoint()
    assert (await second.request(1, "echo", {}))["result"] == {}


async def test_death_of_codex_is_an_event(serve):
    """What was under way is answered with an error, clients stay, and the next Codex serves them."""
    place = await serve()
    client = await place.client()
    before = (await place.status())["codex"]["pid"]
    answer = await client.request(1, "fake/die", {"signal": signal.SIGKILL})
    assert answer["error"]["code"] == -32050
    assert "killed by SIGKILL" in answer["error"]["message"]
    assert (await client.request(2, "echo", {"x": 1}))["result"] == {"x": 1}
    after = (await place.status())["codex"]
    assert after["pid"] != before
    assert after["restarts"] == 1


async def test_timeline_that_fails_is_told_to_clients_and_followers(serve):
    """While codexd runs, each of them once."""
    place = await serve()
    client, follower, silent = await place.client(), place.connect(), place.connect()
    await follower.request(1, "codexd/events/follow")
    place.timeline.changed(Status(DEGRADED, "the disk is full"))
    warning = {"threadId": None, "message": "events may be missing: the disk is full"}
    for far in (client, follower):
        assert await far.message() == {"method": "warning", "params": warning}
        await far.send(request(2, "codexd/status"))
        assert (await far.message())["id"] == 2
    assert (await silent.request(1, "codexd/status"))["result"]["timeline"]["state"] == "degraded"


async def test_codex_that_cannot_be_had_is_said_and_tried_again(serve):
    """Who waits for Codex learns why there is none; the broker looks again when the core's time has come."""
    looked = []

    def find():
        looked.append(trio.from_thread.run_sync(trio.current_time))
        if len(looked) < 3:
            raise CodexUnavailable("no Codex found: install it")
        return fake_codex(f"test-{uuid.uuid4().hex}")

    place = await serve(find)
    assert await place.broker.wait_codex_settled() == "no Codex found: install it"
    assert (await place.client()) is not None
    assert len(looked) == 3
    assert await place.broker.wait_codex_settled() is None


async def test_order_holds_between_messages_to_different_clients(serve):
    """Each client has what is meant for it in Codex's order, though the recipients change with every message."""
    place = await serve()
    everything = await place.client()
    part = await place.client(optOutNotificationMethods=["skills/changed"])
    methods = ["skills/changed", "account/updated", "account/updated", "skills/changed", "project/odd"] * 40
    pieces = [notification(method, number=n) for n, method in enumerate(methods)]
    await everything.send(
        json.dumps({"id": 1, "method": "fake/write", "params": {"pieces": ["".join(pieces)]}}).encode()
        + b"\n"
    )
    expected = list(enumerate(methods))
    seen = [await everything.message() for _ in expected]
    assert [(m["params"]["number"], m["method"]) for m in seen] == expected
    wanted = [(n, method) for n, method in expected if method != "skills/changed"]
    seen = [await part.message() for _ in wanted]
    assert [(m["params"]["number"], m["method"]) for m in seen] == wanted


class RecordingOutbox:
    """Takes chunks."""

    def __init__(self):
        self.chunks = []

    def put(self, chunk):
        """Writes it down."""
        self.chunks.append(chunk)

    def put_events(self, chunk, first):
        """Writes it down."""
        self.chunks.append((chunk, first))


class RecordingSupervisor:
    """Takes what is to happen to Codex."""

    def __init__(self):
        self.log = []

    def write(self, lines):
        """Writes it down."""
        self.log.append(lines)

    def start(self, incarnation):
        """Writes it down."""
        self.log.append(f"start {incarnation}")

    def stop(self, incarnation, *, at_once):
        """Writes it down."""
        self.log.append(f"stop {incarnation}{' at once' * at_once}")


class TickingRouter:
    """A core that wants to be ticked at each of these times, and notices when it is too early."""

    def __init__(self, times):
        self.times = list(times)
        self.early = 0

    def deadline(self):
        """The next time."""
        return self.times[0] if self.times else None

    def tick(self, now):
        """Does what is due."""
        if now < self.times[0]:
            self.early += 1
        else:
            self.times.pop(0)
        return []


async def test_burst_is_one_chunk_for_each_client_and_one_write_to_codex():
    """Lines with the same recipients are joined once, and all recipients share the very same bytes."""
    identity = Identity(pid=1, version="0", socket="/s", codex_home="/home", started_at=1e9)
    broker = Broker(identity, ThisMachine(fake_codex), Timeline(NoArchive()), Limits())
    codex = RecordingSupervisor()
    clients = {1: RecordingOutbox(), 2: RecordingOutbox()}
    vars(broker).update(_supervisor=codex)
    vars(broker)["_outboxes"].update(clients)
    both, equal = tuple(clients), tuple(clients)
    broker._carry_out(
        [
            ToClients(both, b"a"),
            ToCodex(b"x"),
            ToClients(both, b"b"),
            ToClients(equal, b"c"),
            ToClients((2,), b"d"),
            ToCodex(b"y"),
            ToClients(both, b"e"),
        ]
    )
    assert clients[1].chunks == [b"a\nb\nc\n", b"e\n"]
    assert clients[2].chunks == [b"a\nb\nc\n", b"d\n", b"e\n"]
    assert clients[1].chunks[0] is clients[2].chunks[0]
    assert codex.log == [b"x\ny\n"]


async def test_long_line_is_written_in_its_pieces():
    """It is whole again in Codex's pipe, in its place among the others, and no byte of it was copied."""
    identity = Identity(pid=1, version="0", socket="/s", codex_home="/home", started_at=1e9)
    broker = Broker(identity, ThisMachine(fake_codex), Timeline(NoArchive()), Limits())
    codex = RecordingSupervisor()
    vars(broker).update(_supervisor=codex)
    piece = b"long text"
    bulk = Bulk(b"m", (Run(b"m0.", (piece, b"!")),))
    broker._carry_out([ToCodex(b"a"), ToCodex(b'{"x":"m0."}', bulk), ToCodex(b"b"), ToCodex(b"c")])
    assert codex.log == [b'a\n{"x":"', piece, b"!", b'"}\n', b"b\nc\n"]
    assert codex.log[1] is piece


async def test_burst_is_framed_once_for_all_who_speak_websocket():
    """They share their bytes as the others share theirs, and each has its messages in their order."""
    identity = Identity(pid=1, version="0", socket="/s", codex_home="/home", started_at=1e9)
    broker = Broker(identity, ThisMachine(fake_codex), Timeline(NoArchive()), Limits())
    clients = {number: RecordingOutbox() for number in range(1, 5)}
    vars(broker)["_outboxes"].update(clients)
    broker.speaks_frames(2)
    broker.speaks_frames(4)
    broker._carry_out([ToClients((1, 2, 3, 4), b"a"), ToClients((1, 2, 3, 4), b"b"), ToClients((1, 3), b"c")])
    broker._carry_out([ToClients((2,), b"d")])
    for number in (1, 3):
        assert clients[number].chunks == [b"a\nb\n", b"c\n"]
    for number in (2, 4):
        assert clients[number].chunks[0] == b"\x81\x01a\x81\x01b"
    assert clients[2].chunks[1:] == [b"\x81\x01d"]
    for first, second in ((1, 3), (2, 4)):
        assert clients[first].chunks[0] is clients[second].chunks[0]


async def test_clients_of_both_transports_share_one_codex(serve):
    """Each is answered in what it speaks; both hear of what concerns both; both are told of the end in their way."""
    place = await serve()
    lines, frames = await place.client(), FarWebSocket(place.connect())
    assert (await frames.shake_hands()).status_code == 101
    assert "result" in await frames.request(0, "initialize", INTRODUCTION)
    assert await frames.request(7, "echo", {"of": "frames"}) == {"id": 7, "result": {"of": "frames"}}
    assert await lines.request(7, "echo", {"of": "lines"}) == {"id": 7, "result": {"of": "lines"}}
    told = notification("account/updated", number=1)
    await lines.send(request(8, "fake/write", {"pieces": [told]}))
    while (message := await frames.message()) != json.loads(bytes.fromhex(told)):
        assert message["method"] != "account/updated"
    await frames.send(b'{"id":9,"method":"a\nb"}')
    assert (await frames.message())["error"]["code"] == -32700
    other = FarWebSocket(place.connect())
    await other.shake_hands()
    await other.far.close()
    while (await place.status())["clients"] > 3:
        await trio.lowlevel.checkpoint()
    assert len(place.broker._on_frames) == 1
    place.broker.stop()
    assert await frames.closed() == Close(1001, "codexd is stopping")
    while await lines.receive():
        pass


async def test_codex_is_written_to_before_it_is_ended_or_replaced():
    """What the core wrote first reaches the Codex that it was meant for."""
    identity = Identity(pid=1, version="0", socket="/s", codex_home="/home", started_at=1e9)
    broker = Broker(identity, ThisMachine(fake_codex), Timeline(NoArchive()), Limits())
    codex = RecordingSupervisor()
    vars(broker).update(_supervisor=codex)
    broker._carry_out(
        [ToCodex(b"a"), ToCodex(b"b"), StopCodex(1), ToCodex(b"c"), Log(logging.DEBUG, "x"), StartCodex(2)]
    )
    broker._carry_out([StopCodex(2, at_once=True)])
    assert codex.log == [b"a\nb\n", "stop 1", b"c\n", "start 2", "stop 2 at once"]


async def test_core_is_ticked_when_it_wants_and_not_before(autojump_clock, nursery):
    """Once for each time, never too early by a rounding error, and not at all when it wants nothing."""
    identity = Identity(pid=1, version="0", socket="/s", codex_home="/home", started_at=1e9)
    broker = Broker(identity, ThisMachine(fake_codex), Timeline(NoArchive()), Limits())
    router = TickingRouter(broker._clock.now() + 0.1 * n for n in range(1, 200))
    vars(broker).update(_router=router)
    nursery.start_soon(broker._keep_time)
    await trio.sleep(10.05)
    assert len(router.times) == 99
    await trio.sleep(3600)
    assert (router.times, router.early) == ([], 0)
    nursery.cancel_scope.cancel()


async def test_bad_lines_of_codex_harm_nobody(serve, caplog):
    """They are logged, without their content, and skipped.

    Regression T21: one bad line from Codex ended the reader of codex-broker and of the SDK, and everybody's turns.
    """
    place = await serve()
    client = await place.client()
    garbage = b'not json\n[]\n{"id":\n\xff\xfe\n{"neither":1}\n'
    await client.send(request(1, "fake/write", {"pieces": [garbage.hex()]}))
    assert (await client.request(2, "echo", {"still": "here"}))["result"] == {"still": "here"}
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 5
    assert not any("not json" in text for text in warnings)


@pytest.mark.parametrize("size", [70_000, MEGABYTE, 100 * MEGABYTE])
async def test_large_messages_pass_in_both_ways(serve, size):
    """From a client to Codex and back, whole.

    Regression T7: agm, codex-a2a and acodex read lines with Python's limit of 64 KiB, and hung or died of the first
    large file or diff.
    """
    place = await serve()
    client = await place.client()
    text = "x" * size
    assert (await client.request(1, "echo", {"text": text}))["result"] == {"text": text}


async def test_line_that_is_too_long_is_refused_to_its_sender_alone(serve):
    """It is answered under its own id, skipped, and the connection goes on."""
    place = await serve(limits=Limits(max_message_bytes=10_000))
    client = await place.client()
    answer = await client.request(5, "echo", {"text": "x" * 20_000})
    assert answer["error"]["code"] == -32053
    assert (await client.request(6, "echo", {}))["result"] == {}


async def test_burst_of_one_client_is_answered_completely(serve):
    """3,000 requests at once: the client is paused and read again as the core wants, and none is lost."""
    place = await serve()
    client = await place.client()
    lines = [request(number, "echo") for number in range(3000)]
    answered: set[int] = set()

    async def read():
        while len(answered) < len(lines):
            answered.add((await client.message())["id"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, b"".join(lines))
        nursery.start_soon(read)
    assert answered == set(range(3000))


async def test_client_that_never_reads_delays_nobody(serve):
    """While 45,000 notifications pass, the others get all of them, and who does not read is cut off.

    Regression T10: in lspmux and in Codex on stdio one client that stops reading stops everybody.
    """
    place = await serve(limits=Limits(max_outbox_bytes=MEGABYTE, stalled_seconds=0))
    stuck, reading = await place.client(), await place.client()
    message = {"method": "skills/changed", "params": {"filler": "x" * 100}}
    expected = json.dumps(message).encode()
    for number in range(9):
        await reading.send(request(number, "fake/flood", {"count": 5_000, "message": message}))
        assert {await reading.line() for _ in range(5_000)} == {expected}
    assert (await reading.request(10, "echo", {"x": 1}))["result"] == {"x": 1}
    *whole, last = (await stuck.rest()).splitlines()
    assert 0 < len(whole) < 45_000
    assert set(whole) == {expected}
    assert json.loads(last)["error"]["code"] == -32052


async def test_half_closed_client_gets_its_answers(serve):
    """`printf ... | nc -U socket` works: the answers come, then the connection ends."""
    place = await serve()
    client = place.connect()
    await client.send(request(0, "initialize", INTRODUCTION) + request("q", "echo"))
    await client.finish_sending()
    answers = [json.loads(line) for line in (await client.rest()).splitlines()]
    assert [answer["id"] for answer in answers if "id" in answer] == [0, "q"]


async def test_stop_with_clients_connected_leaves_nothing(tmp_path):
    """Told to stop, it ends: whoever is connected, reads or does not, and whatever Codex does about it.

    Regression T5: the broker of codex-plugin-cc and sandbox-agent waited for their clients, for ever.
    """
    mark = f"test-{uuid.uuid4().hex}"
    manners = {"ignore": ["EOF", "SIGTERM"]}
    place = Place(tmp_path / "s", lambda: fake_codex(mark, **manners), Limits(flush_seconds=0.1))
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            await nursery.start(place.run)
            reading, stuck = await place.client(), await place.client()
            left = (await reading.request(1, "fake/spawn", {"program": SLEEPER, "setsid": True}))["result"][
                "pid"
            ]
            codex = (await place.status())["codex"]["pid"]
            await stuck.send(request(1, "echo", {"text": "x" * MEGABYTE}))
            await reading.send(request(2, "fake/silence"))
            await reading.request(3, "echo", {})
            place.broker.stop()
        answer, *_ = [json.loads(line) for line in (await reading.rest()).splitlines()]
        assert (answer["id"], answer["error"]["code"]) == (2, -32050)
    place.close()
    assert not psutil.pid_exists(codex)
    assert not psutil.pid_exists(left)


async def test_client_has_a_moment_to_read_the_rest(serve):
    """What is queued for a client when codexd stops is sent to the end."""

    def find():
        raise CodexUnavailable("no Codex found: install it")

    place = await serve(find, Limits(flush_seconds=PATIENCE_SECONDS))
    await place.broker.wait_codex_settled()
    client = place.connect()
    await client.request(1, "codexd/status")
    rest = b"x" * (3 * MEGABYTE) + b"\n"
    place.broker._sessions[1].outbox.put(rest)
    place.broker.stop()
    assert await client.rest() == rest


async def test_what_is_queued_while_another_client_still_reads_is_sent_too(serve):
    """Who had nothing to read when codexd began to end may have something by the end."""

    def find():
        raise CodexUnavailable("no Codex found: install it")

    place = await serve(find, Limits(flush_seconds=PATIENCE_SECONDS))
    await place.broker.wait_codex_settled()
    clients = [place.connect(), place.connect()]
    for client in clients:
        await client.request(1, "codexd/status")
    rest = b"x" * (3 * MEGABYTE) + b"\n"
    place.broker._sessions[2].outbox.put(rest)
    place.broker.stop()
    await wait_all_tasks_blocked()
    place.broker._sessions[1].outbox.put(rest)
    assert await clients[1].line() + b"\n" == rest
    assert await clients[0].rest() == rest


async def test_stopped_broker_takes_nobody_from_the_socket(serve):
    """Who is there is let go; who comes later is left for the next codexd that has the socket."""
    place = await serve()
    client = await place.client()
    place.broker.stop()
    await client.rest()
    place.connect()
    connection, _ = place.listener.accept()
    connection.close()


async def test_broker_that_is_cut_off_leaves_nothing(tmp_path):
    """Cancelled instead of stopped, it takes Codex along all the same."""
    mark = f"test-{uuid.uuid4().hex}"
    place = Place(tmp_path / "s", lambda: fake_codex(mark, ignore=["EOF", "SIGTERM"]), Limits())
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            await nursery.start(place.run)
            client = await place.client()
            await client.send(request(2, "fake/silence"))
            codex = (await place.status())["codex"]["pid"]
            nursery.cancel_scope.cancel()
    place.close()
    assert not psutil.pid_exists(codex)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
async def test_another_users_process_gets_not_a_word(serve, connect, nursery, caplog):
    """Whoever else gets as far as to connect is refused before a byte of it is read."""
    place = await serve()
    os.seteuid(65534)
    try:
        ours, stranger = connect()
    finally:
        os.seteuid(0)
    await stranger.send(request(1, "codexd/status"))
    place.broker._welcome(nursery, ours)
    with pytest.raises(trio.BrokenResourceError):
        await stranger.rest()
    assert "refused a client of user 65534" in caplog.text
    assert (await place.status())["clients"] == 1


async def test_what_codex_runs_is_turned_away(serve, monkeypatch, caplog):
    """It is told why, is no client, and is in the log once however often it tries."""
    place = await serve()
    inside = Peer(77, "it descends from codexd (pid 1)")
    monkeypatch.setattr("codexd.runtime.broker.met", lambda *_: inside)
    for _ in range(3):
        refused = place.connect()
        await refused.send(request(1, "codexd/status"))
        said = json.loads(await refused.rest())
        assert said["error"]["code"] == Code.NOT_PERMITTED
        assert inside.inside in said["error"]["message"]
        await refused.close()
    monkeypatch.setattr("codexd.runtime.broker.met", lambda *_: Peer(78))
    assert (await place.status())["clients"] == 1
    refusals = [line for line in caplog.messages if line.startswith("refused")]
    assert refusals == ["refused a client that Codex runs, pid 77: it descends from codexd (pid 1)"]


async def test_many_refused_clients_hold_few_descriptors(serve, monkeypatch):
    """A command that connects again and again and never hangs up takes no place from others."""
    place = await serve()
    monkeypatch.setattr("codexd.runtime.broker.met", lambda *_: Peer(77, "it does"))
    held = [place.connect() for _ in range(MAX_AT_ONCE + 1)]
    assert await held[-1].rest() == b""
    monkeypatch.setattr("codexd.runtime.broker.met", lambda *_: Peer(78))
    assert (await place.status())["clients"] == 1
