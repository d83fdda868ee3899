"""`codexctl events`, through codexd to the real Codex."""

import json
import signal

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_terminal import CTRL_C

pytestmark = pytest.mark.e2e


def test_a_follower_survives_codexd(world: World) -> None:
    """Killed in the middle of a turn: it is started again, nothing is told twice, and nothing that is kept is left out."""
    daemon = world.start_daemon()
    terminal = world.terminal("codexctl", "events", "-f", "--after", "0", "--json")
    editor = world.client("editor")
    thread = editor.start_thread(cwd=str(world.project))
    editor.start_turn(thread, "stream 100000 1")
    terminal.wait_text("item/agentMessage/delta")
    world.stop(daemon, signal.SIGKILL)
    terminal.wait_text("codexctl: connected again, going on after ")
    editor = world.client("editor")
    editor.call("thread/resume", {"threadId": thread})
    editor.wait_turn(editor.start_turn(thread, "hello"))
    last = editor.call("codexd/status")["timeline"]["lastSeq"]
    terminal.wait_text(f'"seq": {last}')
    terminal.type(CTRL_C)
    assert terminal.wait_exit() == 130
    lines = [line for line in terminal.text.splitlines() if line.startswith("{")]
    printed = [json.loads(line)["seq"] for line in lines]
    assert printed == sorted(set(printed))
    read = world.codexctl("events", "--json")
    kept = [json.loads(line)["seq"] for line in read.stdout.splitlines()]
    assert set(kept) <= set(printed)


def test_events_are_told_to_people(world: World) -> None:
    """Of one thread by the beginning of its id that they show; who reads only the first lines ends it."""
    world.start_daemon()
    assert world.codexctl("send", "stream 3").stdout == "1 2 3 \n"
    told = world.codexctl("events")
    assert (told.returncode, told.stderr) == (0, "")
    (said,) = [line for line in told.stdout.splitlines() if line.endswith("  1 2 3 ")]
    short = said.split()[2]
    world.codexctl("send", "hello")
    of_one = world.codexctl("events", short)
    assert of_one.stdout == told.stdout
    program = " ".join(world.command("codexctl"))
    head = world.spawn(["bash", "-c", f"{program} events | head -1"], stdout=-1, stderr=-1)
    out, err = head.communicate()
    assert (out.decode(), err) == (told.stdout.partition("\n")[0] + "\n", b"")
