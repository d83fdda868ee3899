"""`codexctl attach` at a terminal, through codexd to the real Codex."""

import json
import os
import re
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient
from tests.e2e.harness_relay import Relay
from tests.e2e.harness_terminal import CTRL_C, CTRL_D, ENTER, UP, Terminal

pytestmark = pytest.mark.e2e

COMMAND_KEYS = "[y/p/n/c] "


@pytest.fixture
def editor(world: World) -> JsonLinesClient:
    """A client beside the terminal, on a codexd that runs."""
    world.start_daemon()
    return world.client("editor")


def attach(world: World, *arguments: str) -> Terminal:
    """A terminal that is ready to take prompts."""
    terminal = world.terminal("codexctl", "attach", *arguments)
    terminal.wait_text(f" in {world.project}")
    return terminal


def thread_of(terminal: Terminal) -> str:
    found = re.search(r"thread (\S+) in ", terminal.text)
    assert found
    return found[1]


def say(terminal: Terminal, prompt: str, answer: str | re.Pattern[str]) -> str:
    """Types a prompt; everything from there to the answer, which is never what was typed."""
    mark = terminal.mark()
    terminal.type(prompt + ENTER)
    return terminal.wait_text(answer, since=mark)


def visible(terminal: Terminal) -> str:
    """The text as it stands on the screen: a line that was drawn anew counts once."""
    lines = re.sub(rb"[^\n]*\r\x1b\[K", b"", terminal.raw)
    return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\r", b"", lines).decode()


def numbers(text: str) -> str:
    """What a turn has streamed of its numbers, in the order in which it stands there."""
    return "".join(re.findall(r"\b\d+ ", "".join(re.findall(r"^[\d ]+$", text, re.MULTILINE))))


def wait_idle(terminal: Terminal) -> None:
    """Until no turn runs: the prompt is then not `steer>`."""
    terminal.wait_text(re.compile(r"(?<!steer)> \Z"))


def leave(terminal: Terminal) -> None:
    terminal.type(CTRL_D)
    assert terminal.wait_exit() == 0


def test_a_talk_goes_on_where_it_was_left(world: World) -> None:
    """Codexd starts itself; without a thread a new one begins; the next time it is the latest of the directory."""
    terminal = attach(world)
    assert "a new thread" in terminal.text
    say(terminal, "hello", "You said: hello\n")
    say(terminal, "stream 30 10", "28 29 30 \n")
    leave(terminal)
    again = attach(world)
    assert thread_of(again) == thread_of(terminal)
    again.wait_text("28 29 30 \n")
    # What Codex warns of when it loads the thread again comes at its own time, between any two lines.
    talk = re.sub(r"^warning: .*\n", "", visible(again), flags=re.MULTILINE)
    assert "\n> hello\nYou said: hello\n> stream 30 10\n1 2 3 " in talk
    mark = again.mark()
    again.type(UP)
    again.type(ENTER)  # nothing was typed in this terminal yet: an empty line says nothing
    say(again, "more", "You said: more\n")
    assert "You said: \n" not in again.text[mark:]
    leave(again)


def test_what_others_do_on_the_thread_is_seen(world: World, editor: JsonLinesClient) -> None:
    """Their prompts and replies, and what their turns run."""
    terminal = attach(world)
    thread = thread_of(terminal)
    say(terminal, "hello", "You said: hello\n")
    wait_idle(terminal)  # what Codex takes in at the very end of a turn it does not answer
    editor.call("thread/resume", {"threadId": thread})
    editor.wait_turn(editor.start_turn(thread, "run-free echo from the editor"))
    terminal.wait_text("The output was: ")
    shown = "> run-free echo from the editor\n$ echo from the editor\n  from the editor\n"
    assert shown in visible(terminal)
    leave(terminal)


def test_typing_during_a_turn_steers_it(world: World, editor: JsonLinesClient) -> None:
    """The running turn takes the line in: there is no second one."""
    terminal = attach(world)
    thread = thread_of(terminal)
    say(terminal, "hold here", "holding here")
    world.model.wait_held("here")
    say(terminal, "go elsewhere", "You said: go elsewhere\n")
    editor.call("thread/resume", {"threadId": thread})
    turns = editor.call("thread/turns/list", {"threadId": thread})["data"]
    assert len(turns) == 1
    leave(terminal)


def test_ctrl_c_interrupts_and_a_second_one_leaves(world: World, editor: JsonLinesClient) -> None:
    """While a turn runs and when none does; what is started again in between is not left by accident."""
    terminal = attach(world)
    say(terminal, "hold here", "holding here")
    terminal.type(CTRL_C)
    terminal.wait_text("Ctrl-C again leaves\n")
    terminal.wait_text("the turn was interrupted\n")
    say(terminal, "hello", "You said: hello\n")
    wait_idle(terminal)
    mark = terminal.mark()
    terminal.type(CTRL_C)
    terminal.wait_text("Ctrl-C again leaves, and Ctrl-D does\n", since=mark)
    terminal.type(CTRL_C)
    assert terminal.wait_exit() == 130


def test_a_second_ctrl_c_leaves_in_the_middle_of_a_turn(world: World, editor: JsonLinesClient) -> None:
    """The terminal is given back as it was."""
    terminal = attach(world)
    say(terminal, "hold here", "holding here")
    terminal.type(CTRL_C)
    terminal.wait_text("Ctrl-C again leaves\n")
    terminal.type(CTRL_C)
    assert terminal.wait_exit() == 130
    assert terminal.raw.endswith(b"\x1b[?2004l")


def test_a_command_is_approved_with_a_key(world: World, editor: JsonLinesClient) -> None:
    """Shown with the command; n goes on without it, y runs it."""
    terminal = attach(world)
    target = world.project / "made"
    for key, made in (("n", False), ("y", True)):
        shown = say(terminal, f"run touch {target}", COMMAND_KEYS)
        assert "Codex wants to run a command\n" in shown
        assert f"touch {target}" in shown.partition("  command\n")[2].splitlines()[0]
        mark = terminal.mark()
        terminal.type(key)
        terminal.wait_text("The output was: ", since=mark)
        assert target.exists() == made
    leave(terminal)


def test_a_file_change_is_shown_with_its_diff(world: World, editor: JsonLinesClient) -> None:
    """Path and new lines, before anything is written."""
    terminal = attach(world)
    target = world.project / "new.txt"
    shown = say(terminal, f"patch {target} some text", "[y/a/n/c] ")
    assert f"  │ {target}\n  │ +some text\n" in shown
    terminal.type("n")
    terminal.wait_text("rejected by user")
    assert not target.exists()
    leave(terminal)


def test_questions_are_answered_in_lines(world: World, editor: JsonLinesClient) -> None:
    """Codex's by number, by name or in own words, an MCP server's field by field; rights by a key."""
    terminal = attach(world)
    say(terminal, "hello", "You said: hello\n")
    for typed, answer in (("1", "Yes"), ("no", "No"), ("rather not", "rather not")):
        shown = say(terminal, "ask shall I", "Ctrl-D: no answer\n")
        assert "  │ shall I\n    1  Yes: Go ahead.\n    2  No: Leave it.\n" in shown
        say(terminal, typed, f'"answers":["{answer}"]')
    assert "  │ Answer\n" in say(terminal, "elicit what", "Ctrl-D: no answer\n")
    say(terminal, "that", '"content": {"answer": "that"}')
    say(terminal, "elicit what", "Ctrl-D: no answer\n")
    mark = terminal.mark()
    terminal.type(CTRL_D)
    terminal.wait_text('"action": "decline"', since=mark)
    assert f"write {world.root}/there" in say(terminal, f"permissions {world.root}/there", "[y/a/n] ")
    mark = terminal.mark()
    terminal.type("a")
    terminal.wait_text('"scope":"session"', since=mark)
    leave(terminal)


def test_somebody_else_may_answer_first(world: World, editor: JsonLinesClient) -> None:
    """The question goes, that is said, and the terminal takes prompts again."""
    terminal = attach(world)
    target = world.project / "made"
    say(terminal, f"run touch {target}", COMMAND_KEYS)
    (approval,) = json.loads(world.codexctl("approvals", "--json").stdout)["approvals"]
    mark = terminal.mark()
    world.codexctl("approvals", "accept", str(approval["id"]))
    terminal.wait_text("not asked any more: somebody answered it, or its turn ended\n", since=mark)
    terminal.wait_text("The output was: ", since=mark)
    assert target.exists()
    say(terminal, "hello", "You said: hello\n")
    leave(terminal)


def test_who_comes_late_can_still_answer(world: World, editor: JsonLinesClient) -> None:
    """A question outlives whoever was asked."""
    thread = editor.start_thread(cwd=str(world.project))
    turn = editor.start_turn(thread, f"run touch {world.project / 'made'}")
    editor.wait_server_request("item/commandExecution/requestApproval")
    terminal = attach(world, thread[:-1])
    terminal.wait_text(COMMAND_KEYS)
    terminal.type("y")
    editor.wait_turn(turn)
    assert (world.project / "made").exists()
    leave(terminal)


def test_codexd_killed_in_the_middle_of_a_turn(world: World) -> None:
    """It is started again; what was told is not told again, and what was typed meanwhile is said."""
    daemon = world.start_daemon()
    terminal = attach(world)
    say(terminal, "hello", "You said: hello\n")
    wait_idle(terminal)
    say(terminal, "stream 100000 1", " 50 ")
    world.stop(daemon, signal.SIGKILL)
    terminal.type("are you there" + ENTER)
    terminal.wait_text("You said: are you there\n")
    before, _, after = visible(terminal).partition("codexd closed the connection; connecting again\n")
    streamed = numbers(before).split()
    assert streamed == [str(number) for number in range(1, len(streamed) + 1)]
    assert (after.count("the turn was interrupted\n"), after.count("You said: ")) == (1, 1)
    assert numbers(after) == ""
    leave(terminal)


@pytest.fixture
def relay(world: World, editor: JsonLinesClient) -> Iterator[Relay]:
    """A way to a codexd that runs, which can be cut."""
    relay = Relay(world.root / "relay.sock", world.socket_path)
    yield relay
    relay.close()


def test_a_lost_connection_is_made_again_while_a_turn_streams(world: World, relay: Relay) -> None:
    """Every word is told, and none twice: the turn goes on in the same line of numbers."""
    terminal = attach(world, "--socket", str(world.root / "relay.sock"))
    mark = terminal.mark()
    say(terminal, "stream 2000 1", " 50 ")
    for number in (300, 800):
        relay.cut()
        relay.mend()
        terminal.wait_text(f" {number} ", since=mark)
    terminal.wait_text(" 2000 \n", since=mark)
    told = visible(terminal)
    assert told.count("connected again\n") == 2
    assert numbers(told.partition("> stream")[2].partition("\n")[2]) == "".join(
        f"{number} " for number in range(1, 2001)
    )
    leave(terminal)


def test_a_question_is_asked_again_on_the_next_connection(world: World, relay: Relay) -> None:
    """Once; and one that was decided meanwhile is not."""
    terminal = attach(world, "--socket", str(world.root / "relay.sock"))
    target = world.project / "made"
    say(terminal, f"run touch {target}", COMMAND_KEYS)
    mark = terminal.mark()
    relay.cut()
    relay.mend()
    terminal.wait_text("not asked any more, unless it is asked again\n", since=mark)
    terminal.wait_text(re.compile(r"connected again\n.*" + re.escape(COMMAND_KEYS), re.DOTALL), since=mark)
    assert terminal.text[mark:].count("Codex wants to run a command\n") == 1
    mark = terminal.mark()
    terminal.type("y")
    terminal.wait_text("The output was: ", since=mark)
    assert target.exists()
    wait_idle(terminal)
    say(terminal, f"run touch {target}", COMMAND_KEYS)
    mark = terminal.mark()
    relay.cut()
    terminal.wait_text("connecting again\n", since=mark)
    (approval,) = json.loads(world.codexctl("approvals", "--json").stdout)["approvals"]
    world.codexctl("approvals", "decline", str(approval["id"]))
    relay.mend()
    assert "Codex wants to run" not in terminal.wait_text("The output was: ", since=mark)
    leave(terminal)


def test_codexd_gone_for_good_is_exit_3(world: World, editor: JsonLinesClient) -> None:
    """One that was told to end is not started again; who leaves while it is waited for gets the terminal back."""
    terminal = attach(world)
    world.codexd("stop")
    terminal.wait_text("connecting again\n")
    terminal.type(CTRL_C)
    terminal.wait_text("codexd is not there; Ctrl-C again leaves, and Ctrl-D does\n")
    terminal.type(CTRL_C)
    assert terminal.wait_exit() == 130
    assert terminal.raw.endswith(b"\x1b[?2004l")


@pytest.mark.skipif(not os.path.exists("/bin/bash"), reason="needs bash, for its job control")
def test_stopped_and_sent_to_the_background_it_waits_for_the_foreground(
    world: World, editor: JsonLinesClient
) -> None:
    """Ctrl-Z and `bg`, then `fg`: the talk goes on, and nobody sees a traceback.

    `bg` continues a program that takes the terminal and is stopped for it at once (SIGTTOU), in the middle of a call.
    """
    terminal = world.terminal_for(["/bin/bash", "--norc", "-i"], env={"PS1": "ready$ "})
    terminal.wait_text("ready$ ")
    terminal.type(" ".join(world.command("codexctl")) + f" attach{ENTER}")
    terminal.wait_text(f" in {world.project}")
    wait_idle(terminal)
    say(terminal, "\x1a", "Stopped")
    say(terminal, "bg", "attach &")
    mark = terminal.mark()
    while "Stopped" not in terminal.text[mark:]:
        say(terminal, "jobs", re.compile("(Running|Stopped) "))
    say(terminal, "fg", "> ")
    say(terminal, "still here", "You said: still here")
    wait_idle(terminal)
    mark = terminal.mark()
    terminal.type(CTRL_D)
    terminal.wait_text("ready$ ", since=mark)
    say(terminal, "echo code=$?", "code=0")
    assert "went wrong" not in terminal.text
    terminal.type(f"exit{ENTER}")
    terminal.wait_exit()


def test_a_pipe_talks_too(world: World, editor: JsonLinesClient) -> None:
    """Line by line, each as a turn of its own: what the starter script does that people copy around."""
    done = world.codexctl("attach", input="hello\nstream 3\n")
    assert (done.returncode, done.stdout) == (0, "You said: hello\n\n1 2 3 \n")
    events = [
        json.loads(line) for line in world.codexctl("attach", "--json", input="again").stdout.splitlines()
    ]
    methods = [event["method"] for event in events]
    assert (
        methods.index("turn/started")
        < methods.index("item/agentMessage/delta")
        < methods.index("turn/completed")
    )
