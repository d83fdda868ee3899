"""The face of the core: every verb, and what the essay at its top promises."""

from codexd.routing.effects import StartCodex, ToCodex
from codexd.routing.rights import Peer
from codexd.routing.router import Router
from tests.routing.driver import (
    GREETING,
    IDENTITY,
    OVERLOADED,
    START,
    Driver,
    Kept,
    codex,
    line,
    to,
    unlogged,
)


def test_every_verb_takes_the_time_and_returns_what_is_to_be_done() -> None:
    """Nothing else goes in or out; the driver of the other tests is no more than this."""
    router = Router(IDENTITY, lambda client: 0, lambda thread: None, Kept())
    assert router.start(START) == [StartCodex(1)]
    assert router.connect(1, Peer(4711), START) == []
    assert [type(effect) for effect in router.codex_spawned(1, 4001, START)] == [ToCodex]
    assert router.receive_too_long(1, b"", START)[0].clients == (1,)  # type: ignore[union-attr]
    assert router.codex_receive(1, line(id=1, result=GREETING), START)[1:] == []
    assert router.receive(1, line(id=1, method="codexd/codex/start"), START) == [to(1, id=1, result={})]
    assert router.tick(START) == []
    assert router.disconnect(1, START) == []
    assert [type(effect).__name__ for effect in router.stop(START)] == ["StopCodex"]
    assert [type(effect).__name__ for effect in router.codex_exited(1, "ended", START)] == ["Log"]


def test_it_says_whether_codex_takes_requests_and_why_not() -> None:
    """`start` waits for one or the other."""
    driver = Driver()
    driver.start()
    assert (driver.router.ready(), driver.router.down_reason()) == (False, None)
    driver.spawned()
    driver.greets(1)
    assert (driver.router.ready(), driver.router.down_reason()) == (True, None)
    driver.dies("dead")
    assert (driver.router.ready(), driver.router.down_reason()) == (False, "dead")
    driver.wait(0)
    assert (driver.router.ready(), driver.router.down_reason()) == (False, "dead")
    driver.spawned()
    driver.greets(2)
    assert (driver.router.ready(), driver.router.down_reason()) == (True, None)


def test_a_timeline_that_fails_is_told_to_everybody() -> None:
    """To those who listen: who has not initialized and follows nothing is left alone, and so is who has opted out."""
    driver = Driver().ready()
    client, follower = driver.client(), driver.connect()
    driver.connect()
    driver.client(optOutNotificationMethods=["warning"])
    driver.sends(follower, id=1, method="codexd/events/follow", params={})
    message = "events may be missing: the disk is full"
    assert driver.router.timeline_degraded("the disk is full", driver.now) == [
        to(client, follower, method="warning", params={"threadId": None, "message": message})
    ]


def test_it_wants_to_be_called_when_the_first_thing_is_due() -> None:
    """A second try, or the next Codex; with nothing to wait for the daemon sleeps."""
    driver = Driver().ready()
    client = driver.client()
    assert driver.router.deadline() is None
    driver.sends(client, id=1, method="x", params={})
    driver.says(error=OVERLOADED, id=2)
    assert driver.router.deadline() == START + 0.02
    driver.dies()
    assert driver.router.deadline() == START
    driver.wait(0)
    assert driver.router.deadline() == START + 0.02


def test_a_retry_that_is_due_waits_for_codex() -> None:
    """There may be none at that moment."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="x", params={})
    driver.says(error=OVERLOADED, id=2)
    driver.dies()
    assert driver.wait(1) == [StartCodex(2)]
    driver.spawned()
    assert driver.greets(3) == [codex(id=4, method="x", params={})]


def test_who_does_not_read_its_large_answers_is_given_no_more() -> None:
    """Its requests wait until it has read most of them; the others' do not."""
    driver = Driver().ready()
    slow, other = driver.clients(2)
    driver.router.hold(slow)
    assert driver.sends(slow, id=1, method="thread/read", params={}) == []
    assert len(driver.sends(other, id=1, method="thread/read", params={})) == 1
    (written,) = unlogged(driver.router.let_go_on(slow, driver.now))
    assert isinstance(written, ToCodex)
