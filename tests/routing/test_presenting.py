"""A mistake in presenting something costs its asker the answer, and nobody else anything."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from codexd.routing.events import Event
from tests.routing.driver import IDENTITY, Driver, line, to


def broken(*_: object) -> Any:
    """What nobody expected."""
    raise ZeroDivisionError("a mistake")


def mistake(client: int, method: str) -> Any:
    """The answer to a client whose answer could not be made."""
    sentence = (
        f"codexd could not answer {method} because of a mistake of its own; its log says more: codexd logs"
    )
    return to(client, error={"code": -32603, "message": sentence}, id=1)


def test_a_socket_path_that_is_no_text_ends_nobody() -> None:
    """It once ended codexd with every turn, at any `codexctl status`: JSON can't hold it."""
    path = os.fsdecode(b"/run/\xff/s")
    driver = Driver(msgspec.structs.replace(IDENTITY, socket=path)).ready()
    client = driver.connect()
    (answer,) = driver.sends(client, id=1, method="codexd/status", params={})
    assert b'"socket":"/run/\\\\xff/s"' in answer.line  # type: ignore[union-attr]


@pytest.mark.parametrize("method", ["codexd/status", "codexd/clients/list", "codexd/approvals/list"])
def test_an_answer_that_cannot_be_made_is_its_askers_alone(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told -32603, the log has the traceback, and codexd goes on."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    monkeypatch.setattr(driver.router._own_methods, "_presented", {method: broken})
    assert driver.sends(client, id=1, method=method, params={}) == [mistake(client, method)]
    last = driver.logged[-1]
    assert (last.level, last.message) == (logging.ERROR, f"codexd could not answer {method}")
    assert isinstance(last.error, ZeroDivisionError)
    assert driver.asked(driver.sends(client, id=2, method="model/list", params={}))


def test_events_that_cannot_be_shown_are_their_readers_affair() -> None:
    """A damaged line in the timeline is no reason to end."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id=1, method="codexd/events/read", params={"after": 0})
    damaged: Sequence[Event] = [Event(1, 2.0, "T", "turn/started", b"no JSON")]
    effects = driver.keep(driver.router.events_read(1, damaged, driver.now))
    assert effects == [mistake(client, "codexd/events/read")]


def test_a_mistake_in_a_decision_ends_codexd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tables may be half changed: to go on could harm everybody, without a word."""
    driver = Driver().ready()
    client = driver.client()
    monkeypatch.setattr(driver.router._own_methods, "_methods", {"codexd/threads/release": broken})
    with pytest.raises(ZeroDivisionError):
        driver.sends_bytes(client, line(id=1, method="codexd/threads/release", params={"threadId": "T"}))
