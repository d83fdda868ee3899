"""What goes to the same clients is joined; events keep their numbers together, and order is kept for each client."""

from typing import Any

from codexd.routing.effects import Numbered, ToClients
from codexd.routing.events import Event
from codexd.runtime.archive import NoArchive
from codexd.runtime.delivery import Delivery
from codexd.runtime.lag import Lag
from codexd.runtime.timeline import Timeline
from tests.runtime.archives import ListArchive


class Recorder:
    """An outbox that notes what is put."""

    def __init__(self):
        self.put_in = []

    def put(self, chunk):
        """Notes it."""
        self.put_in.append(chunk)

    def put_events(self, chunk, first):
        """Notes it."""
        self.put_in.append((chunk, first))


def event(seq, *, ephemeral=False):
    """A short one."""
    return Event(seq, 0.0, "T", "m", b'{"n":%d}' % seq, ephemeral)


async def read(wanted):
    """Nothing is to be read here."""


def delivered(*effects, on_frames=()):
    """What three clients are given."""
    outboxes: Any = {client: Recorder() for client in (1, 2, 3)}
    delivery = Delivery(outboxes, set(on_frames), Lag(Timeline(NoArchive())), read)
    for effect in effects:
        (delivery.publish if isinstance(effect, Numbered) else delivery.tell)(effect)
    delivery.flush()
    delivery.flush()
    return [outboxes[client].put_in for client in (1, 2, 3)]


def test_events_for_the_same_clients_are_one_chunk_with_its_first_number():
    """Those with numbers in another one, under the same number; the chunk is shared."""
    one, two, three = delivered(Numbered(event(4), (1, 2), (3,)), Numbered(event(6), (1, 2), (3,)))
    assert one == two == [(b'{"n":4}\n{"n":6}\n', 4)]
    assert one[0][0] is two[0][0]
    assert three == [(b'{"n":4,"seq":4}\n{"n":6,"seq":6}\n', 4)]


def test_lines_and_events_are_never_joined():
    """What has no number can't be read back; other clients, or other clients with numbers, begin a new chunk."""
    one, two, three = delivered(
        ToClients((1, 2), b"a"),
        Numbered(event(1), (1, 2), ()),
        Numbered(event(2), (1,), ()),
        Numbered(event(3), (1,), (2,)),
        ToClients((1,), b"b"),
        ToClients((1,), b"c"),
        Numbered(event(4), (), ()),
        Numbered(event(5), (), (3,)),
        ToClients((3,), b"d"),
    )
    assert one == [b"a\n", (b'{"n":1}\n', 1), (b'{"n":2}\n', 2), (b'{"n":3}\n', 3), b"b\nc\n"]
    assert two == [b"a\n", (b'{"n":1}\n', 1), (b'{"n":3,"seq":3}\n', 3)]
    assert three == [(b'{"n":5,"seq":5}\n', 5), b"d\n"]


def test_events_of_an_ephemeral_thread_are_queued_as_bytes():
    """They are on no disk, so they can't be read back when the memory has forgotten them."""
    one, two, three = delivered(
        Numbered(event(1, ephemeral=True), (1, 2), (3,)), Numbered(event(2, ephemeral=True), (1, 2), ())
    )
    assert one == two == [b'{"n":1}\n', b'{"n":2}\n']
    assert three == [b'{"n":1,"seq":1}\n']
    one, two, three = delivered(*(Numbered(event(n, ephemeral=True), (1, 2), ()) for n in (1, 2)))
    assert one == two == [b'{"n":1}\n{"n":2}\n']
    assert three == []


def test_who_lags_is_not_given_events_but_everything_else():
    """Unless nothing is kept, where it would not get them later either. How far events have come is known by then."""
    timeline = Timeline(ListArchive())
    lag = Lag(timeline)
    outboxes: Any = {client: Recorder() for client in (1, 2, 3)}
    delivery = Delivery(outboxes, {3}, lag, read)

    def take(seq):
        delivery.publish(Numbered(event(seq), (1, 2), (3,)))
        delivery.flush()

    lag.begin(2)
    lag.begin(3)
    take(1)
    delivery.tell(ToClients((1, 2), b"a"))
    delivery.flush()
    assert lag.newest == 1
    timeline.keeps = False
    take(2)
    timeline.keeps = True
    assert lag.newest == 1
    lag.end(2)
    take(3)
    one, two, three = (outboxes[client].put_in for client in (1, 2, 3))
    assert one == [(b'{"n":1}\n', 1), b"a\n", (b'{"n":2}\n', 2), (b'{"n":3}\n', 3)]
    assert two == [b"a\n", (b'{"n":2}\n', 2), (b'{"n":3}\n', 3)]
    assert three == [(b'\x81\x0f{"n":2,"seq":2}', 2)]


def test_who_speaks_websocket_gets_frames_of_the_same():
    """Framed once for all of them."""
    one, two, three = delivered(Numbered(event(1), (1, 2), (3,)), on_frames=(2, 3))
    assert one == [(b'{"n":1}\n', 1)]
    assert two == [(b'\x81\x07{"n":1}', 1)]
    assert three == [(b'\x81\x0f{"n":1,"seq":1}', 1)]
