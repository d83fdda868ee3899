"""A codexd that is stopped or stuck is said within seconds; one that is just starting is waited for."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codexctl import patience
from codexctl.patience import Patience
from codexd.protocol.errors import Unavailable
from codexd.protocol.running import Holder, socket_lock
from tests.codexctl.standin import SILENCE


@contextmanager
def serving(path: Path) -> Iterator[None]:
    """Holds the lock beside the socket, as a codexd does that listens there."""
    with open(socket_lock(str(path)), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps(Holder(4711, str(path), "/h").members()))
        lock.flush()
        yield


def test_one_that_serves_and_says_nothing_is_given_up(place, monkeypatch):
    """With what can be done about it."""
    path = place / "run" / "s"
    waited = Patience(str(path))
    assert 4 < waited.left() <= patience.ANSWER_SECONDS
    with (
        serving(path),
        pytest.raises(Unavailable, match=r"^codexd \(pid 4711\) at .* has not answered within 5 s"),
    ):
        waited.check()


def test_one_that_is_just_starting_has_more_time(place, monkeypatch):
    """Nobody holds the socket's lock yet, as when systemd has the socket and starts codexd; not for ever, though."""
    waited = Patience(str(place / "run" / "s"))
    first = waited.until
    waited.check()
    assert waited.until != first
    monkeypatch.setattr(patience, "START_SECONDS", 0.0)
    waited = Patience(str(place / "run" / "s"))
    with pytest.raises(Unavailable, match=r"what listens at .* has not answered within 0 s"):
        waited.check()


VERBS = (
    ("threads",), ("threads", "show", "T"), ("threads", "archive", "T"), ("threads", "release", "T"), ("status",),
    ("clients",), ("approvals",), ("approvals", "accept", "1"), ("interrupt", "T"), ("send", "hello"),
    ("send", "-c", "hello"), ("attach",), ("events",), ("events", "-f"), ("rpc", "codexd/status"),
    ("rpc", "model/list"), ("app-server",),
)  # fmt: skip


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_verb_waits_for_a_codexd_that_is_mute(codexd, codexctl, capfd, monkeypatch, verb):
    """Every one of them ends with exit code 3 and one sentence."""
    monkeypatch.setattr(patience, "ANSWER_SECONDS", 0.1)
    codexd.is_mute = True
    codexd.answers = dict.fromkeys(codexd.answers, SILENCE)
    with serving(codexd.path):
        assert codexctl(*verb) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"codexctl: codexd (pid 4711) at {codexd.path} has not answered within 0 s: ")
    assert err.count("\n") == 1
