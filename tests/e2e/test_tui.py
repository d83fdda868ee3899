"""Codex's own terminal program works through codexd as if codexd were Codex, and shares its threads with all."""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.harness_tui import ASKED, NativeClients, native_clients

pytestmark = pytest.mark.e2e


@pytest.fixture(
    params=[("codex", False), ("codex_npm", False), ("codex_npm", True)],
    ids=["remote", "remote-npm", "plain-npm"],
)
def native(request: pytest.FixtureRequest) -> Iterator[NativeClients]:
    """codexd and its TUIs: attached by `--remote` with either Codex, and by plain `codex` with the newer one."""
    fixture, control_socket = request.param
    with native_clients(request.getfixturevalue(fixture), control_socket) as clients:
        yield clients


def test_a_prompt_and_its_reply_as_it_streams(native: NativeClients) -> None:
    """What the model has said so far is on the screen while the turn goes on, and the rest when it comes."""
    tui = native.open()
    native.prompt(tui, "hold here")
    assert "released" not in tui.wait("holding here")
    native.world.model.release("here")
    native.reply(tui, "holding here, released here")
    native.prompt(tui, "and again")
    native.reply(tui, "You said: and again")


def test_an_approval_is_answered_in_the_tui(native: NativeClients) -> None:
    """The dialog is codexd's question with another id; its answer lets the command run."""
    tui = native.open()
    made = native.world.project / "made"
    native.prompt(tui, f"run touch {made}")
    tui.wait(ASKED, f"$ touch {made}")
    assert not made.exists()
    native.accept(tui)
    native.reply(tui, "The output was:")
    assert made.exists()


def test_an_approval_is_answered_elsewhere_while_the_tui_watches(native: NativeClients) -> None:
    """`codexctl approvals accept` decides, and the dialog goes away by itself."""
    tui = native.open()
    made = native.world.project / "made"
    native.prompt(tui, f"run touch {made}")
    tui.wait(ASKED)
    [asked] = json.loads(native.world.codexctl("approvals", "--json").stdout)["approvals"]
    assert asked["threadId"] == native.thread_of(tui)
    assert native.world.codexctl("approvals", "accept", str(asked["id"])).returncode == 0
    tui.wait_gone(ASKED)
    native.reply(tui, "The output was:")
    assert made.exists()


def test_a_tui_joins_a_thread_that_has_had_no_turn(native: NativeClients) -> None:
    """With bare Codex it leaves. Here it says the first thing, and whoever started the thread hears it."""
    starter = native.world.client("starter")
    thread = starter.start_thread(cwd=str(native.world.project))
    tui = native.open("resume", thread)

    def follow() -> list[str]:
        clients = starter.call("codexd/clients/list")["clients"]
        return [each["name"] for each in clients if each["threads"] == [thread]]

    native.world.until(lambda: follow() == ["starter", "codex-tui"])
    native.prompt(tui, "hello")
    tui.wait("You said: hello")
    starter.wait_notification("turn/completed", threadId=thread)
    starter.start_turn(thread, "and from me")
    tui.wait("You said: and from me")


def test_one_thread_lives_in_two_tuis(native: NativeClients) -> None:
    """The second sees what was said, both see what is being said and asked, and either may say and answer."""
    first = native.open()
    native.prompt(first, "hello")
    native.reply(first, "You said: hello")
    thread = native.thread_of(first)
    second = native.open("resume", thread)
    native.reply(second, "You said: hello")
    assert native.thread_of(second) == thread
    native.prompt(second, "hold here")
    for tui in (first, second):
        assert "released" not in tui.wait("holding here")
    native.world.model.release("here")
    for tui in (first, second):
        native.reply(tui, "holding here, released here")
    native.prompt(first, f"run touch {native.world.project / 'made'}")
    for tui in (first, second):
        tui.wait(ASKED)
    native.accept(second)
    for tui in (first, second):
        tui.wait_gone(ASKED)
        native.reply(tui, "The output was:")


def test_a_tui_outlives_codex_and_codexd(native: NativeClients) -> None:
    """A crash of Codex in a turn is a line on the screen; a codexd that went away is connected to again."""
    tui = native.open()
    native.prompt(tui, "hello")
    native.reply(tui, "You said: hello")
    native.prompt(tui, "hold here")
    tui.wait("holding here")
    client = native.world.connect()
    os.kill(client.call("codexd/status")["codex"]["pid"], signal.SIGKILL)
    tui.wait("Codex was killed by SIGKILL")
    native.prompt(tui, "go on")
    native.reply(tui, "You said: go on")
    native.world.stop(native.daemon)
    tui.wait("Reconnecting to server")
    native.start_codexd_again()
    tui.wait_gone("Reconnecting to server")
    tui.wait("Conversation interrupted", "You said: go on")
    native.prompt(tui, "and on")
    native.reply(tui, "You said: and on")
