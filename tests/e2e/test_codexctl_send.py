"""`codexctl send` through codexd to the real Codex: the reply, every exit code, and a daemon that starts itself."""

import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from codexd.demo import scripted_model
from codexd.demo.script import Cut, Message
from tests.e2e.harness import World, a_world
from tests.e2e.harness_client import PATIENCE_S

pytestmark = pytest.mark.e2e

THREAD = re.compile(r"^thread (\S+)$", re.MULTILINE)


def thread_of(done: subprocess.CompletedProcess[str]) -> str:
    found = THREAD.search(done.stderr)
    assert found, done.stderr
    return found[1]


def running(world: World, *arguments: str) -> subprocess.Popen[bytes]:
    """A `codexctl` under way."""
    pipes: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    return world.spawn([*world.command("codexctl"), *arguments], **pipes)


def holding(world: World) -> subprocess.Popen[bytes]:
    """A `send` whose turn has begun to speak and waits for `release("here")`."""
    sending = running(world, "send", "hold here")
    world.model.wait_held("here")
    return sending


def status(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.codexctl("status", "--json").stdout)
    return found


def test_a_prompt_is_all_it_takes(world: World) -> None:
    """From nothing: codexd starts itself, the reply alone is on stdout; the next one goes on in the same Codex."""
    done = world.codexctl("send", "hello", "you")
    assert (done.returncode, done.stdout) == (0, "You said: hello you\n")
    first = status(world)
    again = world.codexctl("send", "-c", "and", "now")
    assert (again.returncode, again.stdout) == (0, "You said: and now\n")
    assert thread_of(again) == thread_of(done)
    now = status(world)
    assert (now["codexd"]["pid"], now["codex"]["pid"]) == (first["codexd"]["pid"], first["codex"]["pid"])


def test_twenty_at_once_from_nothing_start_one_codexd_and_one_codex(world: World) -> None:
    """Each gets its own reply."""
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda number: world.codexctl("send", f"number {number}"), range(20)))
    assert [(one.returncode, one.stdout) for one in done] == [
        (0, f"You said: number {number}\n") for number in range(20)
    ]
    now = status(world)
    assert now["codexd"]["pid"] in {one.pid for one in world.living()}
    assert world.codexes() == [now["codex"]["pid"]]


def test_where_the_prompt_comes_from_and_where_it_goes(world: World) -> None:
    """Words, a pipe, `-`; the latest thread of the directory, a named one, the beginning of its id; events as lines."""
    world.start_daemon()
    first = thread_of(world.codexctl("send", "one"))
    piped = world.codexctl("send", input="from a pipe\n")
    assert piped.stdout == "You said: from a pipe\n"
    assert world.codexctl("send", "-t", first, "-", input="from stdin").stdout == "You said: from stdin\n"
    assert thread_of(world.codexctl("send", "-c", "more")) == first
    second = thread_of(piped)
    enough = next(at for at in range(36) if first[at] != second[at]) + 1
    assert thread_of(world.codexctl("send", "-t", second[:enough], "by its beginning")) == second
    elsewhere = world.root / "elsewhere"
    elsewhere.mkdir()
    none = world.codexctl("send", "-c", "-C", str(elsewhere), "hello")
    assert (none.returncode, none.stdout) == (1, "")
    assert f"there is no thread of {elsewhere} yet" in none.stderr
    lines = world.codexctl("send", "--json", "-C", str(elsewhere), "in JSON").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert events[-1]["method"] == "turn/completed"
    deltas = [event["params"]["delta"] for event in events if event["method"] == "item/agentMessage/delta"]
    assert "".join(deltas) == "You said: in JSON"


def test_options_reach_the_turn(world: World) -> None:
    """Model, schema and sandbox, on a new thread and on an old one."""
    world.start_daemon()
    schema = world.root / "schema.json"
    schema.write_text('{"type": "object", "properties": {}, "additionalProperties": false}')
    done = world.codexctl(
        "send", "-m", "gpt-other", "--output-schema", str(schema), "-s", "workspace-write", "--no-trust", "hi"
    )
    body = world.model.requests[-1].body
    assert body["model"] == "gpt-other"
    assert body["text"]["format"]["schema"]["type"] == "object"
    target = world.project / "written"
    sent = world.codexctl("send", "-t", thread_of(done), "-a", "never", f"run-free touch {target}")
    assert (sent.returncode, target.exists()) == (0, True)
    target.unlink()
    sent = world.codexctl("send", "-c", "-s", "read-only", f"run-free touch {target}")
    assert (sent.returncode, target.exists()) == (0, False)
    sent = world.codexctl("send", "-c", "-s", "workspace-write", f"run-free touch {target}")
    assert (sent.returncode, target.exists()) == (0, True)


def test_a_turn_that_fails_is_exit_1(world: World) -> None:
    """With the reason on stderr; so is one that somebody else interrupts."""
    world.start_daemon()
    failed = world.codexctl("send", "fail 400 no such luck")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "the turn failed: " in failed.stderr
    sending = running(world, "send", "hold here")
    world.model.wait_held("here")
    assert world.codexctl("interrupt").returncode == 0
    out, err = sending.communicate()
    assert (sending.returncode, out) == (1, b"holding here\n")
    assert b"the turn was interrupted" in err


def test_a_reply_whose_stream_was_cut_is_on_stdout_once(
    each_codex: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Codex tries again: a pipe has the attempt that came through alone, which is then JSON by its schema; a terminal
    has both and is told where the second begins."""
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {}, "additionalProperties": false}')
    with a_world(each_codex) as world:
        config = world.codex_home / "config.toml"
        config.write_text(config.read_text().replace("stream_max_retries = 0", "stream_max_retries = 2"))
        attempts: list[tuple[Message, ...]] = []

        def stumble(conversation: object) -> tuple[Message, ...]:
            return attempts.pop(0)

        monkeypatch.setattr(scripted_model, "reply_to", stumble)
        cut, whole = (Message(('{"a": ', Cut())),), (Message(('{"a": ', "1}")),)
        attempts += [cut, cut, whole]
        done = world.codexctl("send", "--output-schema", str(schema), "x")
        assert (done.returncode, json.loads(done.stdout)) == (0, {"a": 1})
        assert "Reconnecting... 2/2 (the reply begins anew)" in done.stderr
        attempts += [cut, whole]
        terminal = world.terminal("codexctl", "send", "x")
        terminal.wait_text("Reconnecting... 1/2 (the reply begins anew)")
        terminal.wait_text('{"a": 1}')
        assert terminal.wait_exit() == 0


def test_the_time_limit_holds_while_stdin_is_read(world: World) -> None:
    """Exit 124, and nothing is started."""
    mine, theirs = os.pipe()
    with open(mine, "rb") as stdin, open(theirs, "wb"):
        sending = world.spawn([*world.command("codexctl"), "send", "--timeout", "0.1", "-"], stdin=stdin)
        assert sending.wait(PATIENCE_S) == 124
    assert world.living() == []


def test_wrong_usage_is_exit_2(world: World) -> None:
    """And starts nothing."""
    assert world.codexctl("send", "--modle", "x", "hello").returncode == 2
    assert world.codexctl("send").returncode == 2
    assert world.living() == []


def test_no_codexd_or_no_codex_is_exit_3(world: World) -> None:
    """One sentence with the way out."""
    forbidden = world.codexctl("send", "--no-start", "hello")
    assert (forbidden.returncode, forbidden.stdout) == (3, "")
    assert "`codexd start` starts one" in forbidden.stderr
    without = world.codexctl("send", "hello", env={"CODEX_PATH": "/nowhere/codex"})
    assert (without.returncode, without.stdout) == (3, "")
    assert "/nowhere/codex" in without.stderr
    assert "Traceback" not in without.stderr


def test_a_codex_that_is_not_signed_in_is_exit_4(world: World) -> None:
    """At once, instead of trying for minutes."""
    (world.codex_home / "config.toml").write_text(
        "[features]\nplugins = false\n[analytics]\nenabled = false\n"
    )
    done = world.codexctl("send", "hello")
    assert (done.returncode, done.stdout) == (4, "")
    assert (
        done.stderr
        == "codexctl: Codex is not signed in; `codex login` does that, and so does `codexd-codex login`\n"
    )


def test_a_configuration_that_codex_cannot_read_is_exit_1(each_codex: Path) -> None:
    """With Codex's own sentence, which names the file and the line, before Codex has started and after; mended, it works."""
    with a_world(each_codex) as world:
        config = world.codex_home / "config.toml"
        good = config.read_text()
        for _ in range(2):
            config.write_text('model = "x\n' + good)
            done = world.codexctl("send", "hello")
            assert (done.returncode, done.stdout) == (1, "")
            assert f"{config}:1:11: " in done.stderr
            assert "signed in" not in done.stderr
            doctor = world.codexd("doctor")
            assert "broken  Codex's configuration" in doctor.stdout
            assert "not signed in" not in doctor.stdout
            config.write_text(good)
            assert world.codexctl("send", "hello").stdout == "You said: hello\n"


def test_a_thread_goes_by_the_beginning_of_its_id_and_by_its_name(each_codex: Path) -> None:
    """In Codex's database the one is found by its time, the other by Codex's own search."""
    with a_world(each_codex) as world:
        first = thread_of(world.codexctl("send", "one"))
        assert thread_of(world.codexctl("send", "-t", first[:-1], "by its beginning")) == first
        assert world.codexctl("threads", "rename", first, "the first one").returncode == 0
        second = thread_of(world.codexctl("send", "the first one"))
        assert thread_of(world.codexctl("send", "-t", "the first one", "by its name")) == first
        assert world.codexctl("threads", "archive", second).returncode == 0
        shown = world.codexctl("threads", "show", "--json", second[:-1])
        assert json.loads(shown.stdout)["thread"]["id"] == second
        listed = json.loads(world.codexctl("threads", "--all", "--json").stdout)["threads"]
        assert [thread["id"] for thread in listed] == [first]


def approvals(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(world.codexctl("approvals", "--json").stdout)["approvals"]
    return found


@pytest.mark.parametrize(("verb", "code"), [("accept", 0), ("decline", 5)])
def test_an_approval_can_be_given_from_elsewhere(world: World, verb: str, code: int) -> None:
    """The waiting command says how; a decline is exit 5, though the turn itself completes."""
    world.start_daemon()
    target = world.project / "made"
    sending = running(world, "send", f"run touch {target}")
    world.until(lambda: len(approvals(world)) == 1)
    (approval,) = approvals(world)
    assert world.codexctl("approvals", verb, str(approval["id"])).returncode == 0
    out, err = sending.communicate()
    assert (sending.returncode, target.exists()) == (code, verb == "accept")
    assert f"codexctl approvals accept {approval['id']}".encode() in err
    assert out.startswith(b"The output was")


def test_an_approval_on_a_terminal_is_asked_for(world: World) -> None:
    """With a key; `c` ends the turn, which is exit 5 too."""
    world.start_daemon()
    for key, code in (("y", 0), ("c", 5)):
        target = world.project / key
        terminal = world.terminal("codexctl", "send", f"run touch {target}")
        shown = terminal.wait_text("[y/p/n/c] ")
        assert "Codex wants to run a command" in shown
        assert f"touch {target}" in shown
        terminal.type(key)
        assert terminal.wait_exit() == code
        assert target.exists() == (key == "y")


def test_the_time_limit_is_exit_124(world: World) -> None:
    """The turn is interrupted, not left running. What it has said by then is on stdout; on a slow machine that takes more."""
    world.start_daemon()
    for seconds in ("1", "4", "16", "50"):
        done = world.codexctl("send", "--timeout", seconds, "hold here")
        assert done.returncode == 124
        if done.stdout:
            break
    assert done.stdout == "holding here\n"
    show = json.loads(world.codexctl("threads", "show", thread_of(done), "--json").stdout)
    assert show["turns"][-1]["status"] == "interrupted"


def test_ctrl_c_is_exit_130(world: World) -> None:
    """The first one interrupts the turn and waits for its end."""
    world.start_daemon()
    sending = holding(world)
    sending.send_signal(signal.SIGINT)
    _, err = sending.communicate()
    assert sending.returncode == 130
    assert b"the turn was interrupted" in err


def test_a_busy_thread_takes_the_prompt_into_its_turn(world: World) -> None:
    """That is said, and the reply is what is said to it alone."""
    world.start_daemon()
    first = running(world, "send", "hold here")
    world.model.wait_held("here")
    second = running(world, "send", "-c", "me too")
    assert second.stderr
    while b"takes the prompt in" not in second.stderr.readline():
        assert second.poll() is None
    world.model.release("here")
    out, _ = second.communicate()
    assert (second.returncode, out) == (0, b"You said: me too\n")
    assert first.wait() == 0


def test_the_callers_environment_goes_with_its_thread_and_nowhere_else(each_codex: Path) -> None:
    """Its virtualenv, and what `--env` names, reach its commands; another client's thread has neither.

    The value is in no file of Codex's or codexd's, on no command line, and in no answer to another client.
    """
    with a_world(each_codex) as world:
        world.start_daemon()
        secret = os.urandom(16).hex()
        gate = world.project / "gate"
        os.mkfifo(gate)
        prompt = "run-free cat gate; echo ${#CARRIED}:$VIRTUAL_ENV"
        argv = [
            *world.command("codexctl"),
            "send",
            "-s",
            "workspace-write",
            "--trust",
            "--env",
            "CARRIED",
            prompt,
        ]
        own = {"CARRIED": secret, "VIRTUAL_ENV": "/my/venv"}
        sender = world.spawn(argv, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        other = world.client("other")
        with gate.open("w"):  # waits until the command runs
            found = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
            commands = [" ".join(command or ()) for command in found]
            assert any("cat gate" in command for command in commands)
            thread = other.call("thread/list")["data"][0]["id"]
            answers = [
                other.call("codexd/status"),
                other.call("thread/resume", {"threadId": thread}),
                other.call("config/read", {"cwd": str(world.project)}),
                other.call("codexd/events/read", {"after": 0}),
            ]
        assert "32:/my/venv" in sender.communicate()[0].decode()
        assert secret not in str(answers) + str(commands)
        search = subprocess.run(
            ["grep", "-rlaF", secret, world.codex_home, world.state_home], capture_output=True
        )
        assert (search.returncode, search.stdout) == (1, b"")
        mine = world.codexctl(
            "send", "run-free echo =${CARRIED-none}=$VIRTUAL_ENV=", env={"VIRTUAL_ENV": "/other"}
        )
        assert "=none=/other=" in mine.stdout


def test_detaching_leaves_the_turn_running(world: World) -> None:
    """Its thread's id is all there is on stdout."""
    world.start_daemon()
    thread = world.codexctl("send", "--detach", "hold here").stdout.strip()
    world.model.wait_held("here")
    world.model.release("here")

    def has_ended() -> bool:
        shown = json.loads(world.codexctl("threads", "show", thread, "--json").stdout)
        return [turn["status"] for turn in shown["turns"]] == ["completed"]

    world.until(has_ended)


def test_codexd_goes_in_the_middle_of_a_turn(world: World) -> None:
    """Exit 3 when it is killed; when it is stopped it ends the turn first, and says why."""
    daemon = world.start_daemon()
    sending = holding(world)
    world.stop(daemon, signal.SIGKILL)
    _, err = sending.communicate()
    assert sending.returncode == 3
    assert b"codexctl: codexd closed the connection" in err
    daemon = world.start_daemon()  # which ends what its predecessor left behind
    sending = holding(world)
    world.stop(daemon)
    _, err = sending.communicate()
    assert sending.returncode == 1
    assert b"the turn failed: " in err


def test_codex_dies_in_the_middle_of_a_turn(world: World) -> None:
    """Exit 1 with the reason; the next prompt finds the next Codex."""
    world.start_daemon()
    sending = running(world, "send", "hold here")
    world.model.wait_held("here")
    psutil.Process(status(world)["codex"]["pid"]).kill()
    _, err = sending.communicate()
    assert sending.returncode == 1
    assert b"the turn failed: Codex was killed by SIGKILL" in err
    assert world.codexctl("send", "-c", "again").stdout == "You said: again\n"


def test_a_codex_that_was_left_down_is_tried_again(world: World) -> None:
    """After five deaths in a minute codexd waits for somebody to ask; `send` does, the others say why it is down."""
    world.start_daemon()
    while (now := status(world)["codex"])["state"] != "exited":
        if now["state"] == "ready":
            psutil.Process(now["pid"]).kill()
            world.until(lambda pid=now["pid"]: status(world)["codex"]["pid"] != pid)  # type: ignore[misc]
    assert approvals(world) == []
    listing = world.codexctl("threads")
    assert (listing.returncode, listing.stdout) == (3, "")
    assert status(world)["codex"]["reason"] in listing.stderr
    assert status(world)["codex"]["state"] == "exited"
    done = world.codexctl("send", "hello")
    assert (done.returncode, done.stdout) == (0, "You said: hello\n")


def test_another_codex_home_is_refused(world: World) -> None:
    """A prompt never goes to a Codex with another home than the one that is meant."""
    world.start_daemon()
    done = world.codexctl(
        "send", "--socket", str(world.socket_path), "hello", env={"CODEX_HOME": str(world.root / "other")}
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert f"serves CODEX_HOME {world.codex_home}, and yours is {world.root}/other" in done.stderr
