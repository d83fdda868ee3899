"""The broker at its end: how long it waits for running turns, and what cuts that short."""

import json

import pytest
import trio

from tests.fakes import PATIENCE_SECONDS
from tests.runtime.place import notification, request

pytestmark = pytest.mark.usefixtures("subreaper")

TURN = {"id": "u", "status": "inProgress", "items": []}


@pytest.fixture
async def working(serve):
    """A broker, and a client on whose thread a turn runs."""
    place = await serve()
    client = await place.client()
    # The fake Codex answers with the params.
    await client.request(1, "thread/resume", {"threadId": "T", "thread": {"id": "T"}})
    started = notification("turn/started", threadId="T", turn=TURN)
    await client.send(request(2, "fake/write", {"pieces": [started]}))
    await message(client, "turn/started")
    return place, client


async def message(client, method):
    """The next message of this method."""
    while (found := json.loads(await client.line())).get("method") != method:
        pass
    return found


async def draining(place):
    """Until the broker says that it waits."""
    while (await place.status())["codexd"]["drainingUntil"] is None:
        await trio.lowlevel.checkpoint()


async def test_a_running_turn_comes_to_its_own_end(working):
    """codexd is told to stop and serves on until the turn has ended, as Codex says that it has."""
    place, client = working
    place.broker.stop(PATIENCE_SECONDS)
    await draining(place)
    completed = notification("turn/completed", threadId="T", turn=TURN | {"status": "completed"})
    await client.send(request(3, "fake/write", {"pieces": [completed]}))
    assert (await message(client, "turn/completed"))["params"]["turn"]["status"] == "completed"
    await client.rest()


@pytest.mark.parametrize("first", [0.0, 0.001, PATIENCE_SECONDS])
async def test_a_turn_that_lasts_too_long_fails(working, first):
    """At once where nothing is to be waited for; when the time is up; and when somebody asks again with no wait."""
    place, client = working
    place.broker.stop(first)
    if first == PATIENCE_SECONDS:
        await draining(place)
        place.broker.stop()
    ended = await message(client, "turn/completed")
    assert ended["params"]["turn"]["status"] == "failed"
    await client.rest()


async def test_a_later_stop_does_not_lengthen_the_wait(working):
    """Who asks again may be less patient, never more."""
    place, client = working
    place.broker.stop(0.001)
    place.broker.stop(PATIENCE_SECONDS)
    assert (await message(client, "turn/completed"))["params"]["turn"]["status"] == "failed"


async def test_without_a_turn_nothing_is_waited_for(serve):
    """However long the wait may be."""
    place = await serve()
    client = await place.client()
    place.broker.stop(PATIENCE_SECONDS)
    await client.rest()


async def test_a_client_may_ask_for_the_end(working):
    """`codexd/stop` does what the signal does; its answer comes first."""
    _, client = working
    answer = await client.request(3, "codexd/stop", {})
    assert answer["result"] == {"turns": [{"threadId": "T", "turnId": "u"}]}
    assert (await message(client, "turn/completed"))["params"]["turn"]["status"] == "failed"
    await client.rest()
