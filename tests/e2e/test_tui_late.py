"""Codex's own terminal program that joins in the middle of a turn shows all of it, and nothing twice."""

from collections.abc import Iterator

import pytest

from tests.e2e.harness_tmux import Screen
from tests.e2e.harness_tui import ASKED, NativeClients, native_clients

pytestmark = pytest.mark.e2e


@pytest.fixture(params=[("codex", False), ("codex_npm", True)], ids=["remote", "plain-npm"])
def native(request: pytest.FixtureRequest) -> Iterator[NativeClients]:
    """codexd and its TUIs: attached by `--remote`, and by plain `codex`."""
    fixture, control_socket = request.param
    with native_clients(request.getfixturevalue(fixture), control_socket) as clients:
        yield clients


def shown(tui: Screen, prompt: str) -> str:
    """What stands between a prompt and the end of its turn."""
    return tui.text.partition(prompt)[2].partition("Worked for")[0]


def test_a_turn_that_is_joined_stands_there_once(native: NativeClients) -> None:
    """An approval that is decided is not asked; an open command's output, a finished command, a message: each once."""
    world = native.world
    client = world.client()
    thread = client.start_thread(cwd=str(world.project))
    client.wait_turn(client.start_turn(thread, "hello"))
    command = "while [ ! -e go ]; do echo one; sleep 0.1; done; echo two"
    turn = client.start_turn(thread, f"run {command}")
    client.answer(client.wait_server_request("item/commandExecution/requestApproval"), {"decision": "accept"})
    client.wait_notification("item/commandExecution/outputDelta", turnId=turn)
    first = native.open("resume", thread)
    assert ASKED not in first.wait(f"run {command}", "esc to interrupt")
    (world.project / "go").touch()
    assert client.wait_turn(turn)["status"] == "completed"
    native.reply(first, "The output was:")
    text = shown(first, f"run {command}")
    assert text.count("• Ran ") == 1
    assert "Running" not in text
    assert text.count("two") == 3  # in the command, in its output, and in what the model says of it

    prompt = "together run-free echo finished // hold here"
    turn = client.start_turn(thread, prompt)
    client.wait(
        lambda m: (
            m.get("method") == "item/completed"
            and m["params"]["turnId"] == turn
            and m["params"]["item"]["type"] == "commandExecution"
        )
    )
    second = native.open("resume", thread)
    second.wait("holding here")
    world.model.release("here")
    native.reply(second, "holding here, released here")
    text = shown(second, prompt)
    assert text.count("• Ran echo finished") == text.count("└ finished") == 1
    assert text.count("holding here") == 1
    assert ASKED not in second.text
