"""`codexd restart` as a command of the very Codex that it ends."""

from pathlib import Path

import psutil
import pytest

from codexd.protocol.sandbox import MARK_VARIABLE
from tests.e2e.harness import World, a_world
from tests.e2e.harness_children import recorded, start_command, start_job
from tests.e2e.harness_client import JsonLinesClient

pytestmark = pytest.mark.e2e


def restart(world: World, client: JsonLinesClient, *options: str) -> str:
    """What a command of the model that restarts codexd prints."""
    thread = client.start_thread(cwd=str(world.project), sandbox="danger-full-access", approvalPolicy="never")
    turn = client.start_turn(
        thread, f"run-free {' '.join(world.command('codexd'))} restart {' '.join(options)}; echo exit $?"
    )
    assert client.wait_turn(turn)["status"] == "completed"
    return client.said_in(turn)


def test_a_restart_by_an_agent_is_finished_without_it(newest_codex: Path) -> None:
    """Regression: the command ended with its Codex, between the stop and the start, and nobody served any more.

    Its turn ends well and says what happens. Then another codexd serves, as the first one was, and nothing of that one is left.
    """
    with a_world(newest_codex) as world:
        settings = ["model_verbosity=low", 'notify=["true", "planted"]']
        options = [f"--codex-config={setting}" for setting in settings]
        assert world.codexd("start", *options).returncode == 0
        client = world.client("agent")
        start_command(client, "slow")
        start_job(world, client)
        before = client.call("codexd/status")
        old = psutil.Process(before["codexd"]["pid"])
        own = set(recorded(world))
        said = restart(world, client)
        assert "codexd restarts in the background" in said
        assert "exit 0" in said
        world.until(lambda: old not in world.living())
        world.until(lambda: " started (pid " in world.codexd("logs").stdout)
        after = world.client("next").call("codexd/status")
        new = psutil.Process(after["codexd"]["pid"])
        assert new.pid != old.pid
        assert after["codex"]["state"] == "ready"
        assert own & {process.pid for process in world.living()} == set()
        assert "model_verbosity=low" in psutil.Process(after["codex"]["pid"]).cmdline()
        assert "planted" not in "".join(word for line in world.command_lines() for word in line)
        assert MARK_VARIABLE not in new.environ()
        assert "CODEX_THREAD_ID" not in new.environ(), "what Codex gives its commands"


def test_a_restart_by_an_agent_does_not_give_up_while_a_turn_runs(world: World) -> None:
    """The wait for turns by a signal is as long as codexd's own. Regression: it was given up before, and nobody started codexd."""
    assert world.codexd("start").returncode == 0
    client = world.client("agent")
    busy = client.start_turn(client.start_thread(cwd=str(world.project)), "hold on")
    client.wait_notification("item/agentMessage/delta", turnId=busy)
    old = psutil.Process(client.call("codexd/status")["codexd"]["pid"])
    assert "exit 0" in restart(world, client)
    world.until(lambda: old not in world.living())
    world.until(lambda: " started (pid " in world.codexd("logs").stdout)
    assert world.client("next").call("codexd/status")["codex"]["state"] == "ready"


def test_an_agent_is_told_that_it_cannot_choose_the_wait(world: World) -> None:
    """Nothing is stopped then."""
    assert world.codexd("start").returncode == 0
    client = world.client("agent")
    said = restart(world, client, "--now")
    assert "leave out --drain and --now, or do it from a shell of your own" in said
    assert "exit 2" in said
    assert client.call("codexd/status")["codex"]["state"] == "ready"
