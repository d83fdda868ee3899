import io
import json
import os
import sys

import pytest

from codexctl import carried
from codexctl.arguments import parse
from codexctl.exits import Failure
from codexctl.prompt import needs_config, new_thread, overrides, turn_options, user_input
from codexctl.time_limit import TimeLimit


class Terminal(io.StringIO):
    def isatty(self):
        return True


def send(*argv):
    return parse(["send", *argv])


@pytest.fixture
def stdin(monkeypatch):
    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


def texts(arguments):
    return [part["text"] for part in user_input(arguments)]


def test_the_prompt_is_the_words(stdin):
    """stdin is not touched when there are any."""
    stdin(b"not this")
    assert user_input(send("hello", "you")) == [{"type": "text", "text": "hello you"}]
    assert sys.stdin.read() == "not this"


@pytest.mark.parametrize("argv", [["-"], []])
def test_a_pipe_is_the_prompt(stdin, argv):
    """For `-`, and when there are no words; the line feed at its end is not meant."""
    stdin(b"one\ntwo \xff\n\n")
    assert texts(send(*argv)) == ["one\ntwo \ufffd"]


def test_the_time_limit_holds_while_stdin_is_read(monkeypatch):
    """A writer that never ends makes no command that never ends; one that ends in time is read whole."""
    mine, theirs = os.pipe()
    with open(mine) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(theirs, b"half a prom")
        with pytest.raises(TimeoutError):
            user_input(send("-"), TimeLimit(0.0))
        os.write(theirs, b"pt")
        with pytest.raises(TimeoutError):
            user_input(send("-"), TimeLimit(0.01))
        os.write(theirs, b"a prompt\n")
        os.close(theirs)
        assert user_input(send("-"), TimeLimit(60.0)) == [{"type": "text", "text": "a prompt"}]


def test_there_has_to_be_something_to_send(stdin, monkeypatch):
    """An empty pipe, blank words and a terminal are wrong usage, not a turn about nothing."""
    stdin(b"\n")
    for argv in (["-"], ["  "]):
        with pytest.raises(Failure, match="there is no prompt"):
            user_input(send(*argv))
    for nothing in (Terminal(), None):
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(Failure, match="there is no prompt"):
            user_input(send() if nothing else send(""))


def test_words_that_are_no_unicode_are_mended():
    """What the shell hands over raw would make Codex drop the whole request."""
    assert texts(send("a\udcffb")) == ["a\ufffdb"]


def test_images_go_along(place, monkeypatch):
    """By their absolute paths, with words or without; one that is not there is wrong usage."""
    monkeypatch.setattr(sys, "stdin", Terminal())
    (place / "project" / "a.png").write_bytes(b"")
    image = {"type": "localImage", "path": f"{place}/project/a.png"}
    assert user_input(send("-i", "a.png", "look")) == [{"type": "text", "text": "look"}, image]
    assert user_input(send("-i", "a.png")) == [image]
    with pytest.raises(Failure, match=r"there is no image b\.png"):
        user_input(send("-i", "b.png", "look"))


def test_a_schema_comes_out_of_its_file(place):
    """Read before anything is sent."""
    (place / "schema.json").write_text(json.dumps({"type": "object"}))
    (place / "broken.json").write_text("{")
    assert turn_options(send("x")) == {}
    assert turn_options(send("--output-schema", f"{place}/schema.json")) == {
        "outputSchema": {"type": "object"}
    }
    with pytest.raises(Failure, match=r"broken\.json is not JSON"):
        turn_options(send("--output-schema", f"{place}/broken.json"))
    with pytest.raises(Failure, match=r"cannot read none\.json: No such file"):
        turn_options(send("--output-schema", "none.json"))


def test_a_new_thread_is_what_was_asked_for(place, monkeypatch):
    """What was not asked for is left to Codex's configuration."""
    for name in carried.NAMES:
        monkeypatch.delenv(name, raising=False)
    assert new_thread(send("x")) == {"cwd": f"{place}/project"}
    asked = send("x", "-C", "/", "-m", "gpt", "-s", "workspace-write", "-a", "never")
    assert new_thread(asked) == {
        "cwd": "/",
        "model": "gpt",
        "sandbox": "workspace-write",
        "approvalPolicy": "never",
    }


def test_an_old_thread_changes_from_this_turn_on():
    """A turn takes a whole sandbox policy, into which goes what the user configured for the mode."""
    assert overrides(send("x"), None) == {}
    assert overrides(send("x", "-C", "/", "-m", "gpt", "-a", "never", "-s", "read-only"), None) == {
        "cwd": "/",
        "model": "gpt",
        "approvalPolicy": "never",
        "sandboxPolicy": {"type": "readOnly"},
    }
    writing = send("x", "-s", "workspace-write")
    assert needs_config(writing)
    assert not needs_config(send("x", "-s", "danger-full-access"))
    configured = {"writable_roots": ["/srv"], "network_access": True, "exclude_slash_tmp": True}
    assert overrides(writing, {"sandbox_workspace_write": configured}) == {
        "sandboxPolicy": {
            "type": "workspaceWrite",
            "writableRoots": ["/srv"],
            "networkAccess": True,
            "excludeSlashTmp": True,
        }
    }
    assert overrides(writing, {"sandbox_workspace_write": None}) == {
        "sandboxPolicy": {"type": "workspaceWrite"}
    }
