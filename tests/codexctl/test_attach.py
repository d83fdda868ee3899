import io
import json
import os
import queue
import signal
import sys
from typing import Any

import pytest

from codexctl import coming_back, conversation
from codexctl.carried import config_of
from tests.codexctl.pseudo import PATIENCE_S, Pseudo, Typist
from tests.codexctl.standin import (
    COMMAND_APPROVAL,
    SILENCE,
    THREAD,
    TURN,
    USER_INPUT,
    Refused,
    command,
    completed,
    event,
    message,
    saying,
    started,
    thread,
    turn,
    user_message,
)

OTHER_TURN = "01a1fc06-0e12-7950-b18a-1b319f8f82ff"
BEGUN = ({"turn": turn("inProgress")}, started())
ASK = "item/commandExecution/requestApproval"


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def talk(codexd):
    """A stand-in with a thread that has a history, and a Codex that repeats what it is told."""
    turns = [turn("completed", OTHER_TURN, items=[user_message("before", "u0"), message("Long ago", "m0")])]

    def repeat(connection, params):
        text, number = params["input"][0]["text"], params["clientUserMessageId"]
        prompt = user_message(text, f"u{number}", number)
        return (
            {"turn": turn("inProgress", number)},
            started(number),
            event("item/started", item=prompt),
            *saying(f"You said: {text}", item_id=f"m{number}"),
            completed(turn_id=number),
        )

    codexd.answers |= {"thread/turns/list": {"data": turns}, "turn/start": repeat}
    return codexd


# Without a terminal


@pytest.fixture
def attach(talk, codexctl, capsys, monkeypatch):
    """Runs `codexctl attach` with this on stdin; its exit code, stdout and stderr."""

    def run(typed, *argv):
        read_end, write_end = os.pipe()
        os.write(write_end, typed.encode())
        os.close(write_end)
        with open(read_end) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            code = codexctl("attach", *argv)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_line_of_a_pipe_waits_for_the_turn_before(attach, talk):
    """It is no steering: who writes a script wants one answer after the other."""
    with_it = []
    repeat = talk.answers["turn/start"]

    def handler(connection, params):
        with_it.append(connection.buffered())
        return repeat(connection, params)

    talk.answers["turn/start"] = handler
    assert attach("one\ntwo\nthree\n")[0] == 0
    assert with_it == [[], [], []]


def prompts(codexd, method="turn/start"):
    return [request["input"][0]["text"] for request in codexd.requests(method)]


def test_a_pipe_talks_line_by_line_and_leaves_when_all_is_said(attach, talk, place):
    """The history and the replies on stdout, everything else on stderr; a last line needs no line feed."""
    code, out, err = attach("hello\n\nand more")
    assert (code, out) == (0, "Long ago\n\nYou said: hello\n\nYou said: and more\n")
    assert err == f"thread {THREAD} in /project: hello you\n> before\n"
    assert talk.requests("thread/list")[0]["cwd"] == f"{place}/project"
    assert prompts(talk) == ["hello", "and more"]


def test_a_named_thread_and_a_new_one(attach, talk, place):
    """Without one, the latest of this directory; where there is none, a new one."""
    assert attach("", THREAD)[0] == 0
    assert talk.requests("thread/list") == []
    talk.answers |= {"thread/list": {"data": []}, "thread/turns/list": Refused(-32600, "not materialized")}
    talk.answers["thread/start"] = {"thread": thread(preview="")}
    code, _, err = attach("")
    assert (code, err) == (0, f"thread {THREAD} in /project: a new thread\n")
    assert talk.requests("thread/start") == [{"cwd": f"{place}/project", "config": config_of(os.environ)}]
    assert talk.requests("config/read") == [{"cwd": f"{place}/project"}]


def test_a_key_that_codex_lacks_is_said(attach, talk, place, monkeypatch):
    """In one line, before the talk begins."""
    (place / ".codex").mkdir()
    (place / ".codex" / "config.toml").write_text('[mcp_servers.s]\nenv_vars = ["MINE_KEY"]\n')
    monkeypatch.setenv("MINE_KEY", "s3cret")
    assert attach("hello\n")[2].startswith(
        "codexctl: Codex does not have MINE_KEY, which its configuration names"
    )


def test_signed_out_is_said_at_once(attach, talk):
    """Exit 4."""
    talk.answers["account/read"] = {"account": None, "requiresOpenaiAuth": True}
    assert attach("hello") == (
        4,
        "",
        "codexctl: Codex is not signed in; `codex login` does that, and so does `codexd-codex login`\n",
    )


def test_events_are_printed_for_programs(attach, talk):
    """One JSON line per message of the thread, nothing else, and lines of stdin are still prompts."""
    code, out, err = attach("hello\n", "--json")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["method"] for line in lines][::5] == ["turn/started", "turn/completed"]


@pytest.mark.parametrize(
    ("argv", "prefix"), [((), "warning: Codex is left down"), (("--json",), "codexctl: Codex is left down")]
)
def test_a_warning_to_all_threads_is_said_on_stderr(attach, talk, argv, prefix):
    """Programs find nothing but messages of the thread on stdout."""
    repeat = talk.answers["turn/start"]
    warning = {"method": "warning", "params": {"threadId": None, "message": "Codex is left down"}}

    def handler(connection, params):
        answer, *events = repeat(connection, params)
        return (answer, warning, *events)

    talk.answers["turn/start"] = handler
    code, out, err = attach("hello\n", *argv)
    assert code == 0
    assert prefix in err.splitlines()
    assert "left down" not in out


def test_what_codex_refuses_is_said_and_the_talk_goes_on(attach, talk):
    """A prompt that is too large is no reason to leave."""
    talk.answers["turn/start"] = Refused(-32602, "input too large")
    code, _, err = attach("hello\n")
    assert (code, err.splitlines()[-1]) == (0, "not sent: input too large")


def test_a_question_that_nobody_here_can_answer_is_said(attach, talk):
    """With the commands that answer it."""

    def handler(connection, _):
        def ask():
            number = connection.ask(ASK, COMMAND_APPROVAL)
            connection.send(event("serverRequest/resolved", requestId=number), completed())

        return (*BEGUN, ask)

    talk.answers["turn/start"] = handler
    code, _, err = attach("hello\n")
    assert code == 0
    assert "codexctl: Codex wants to run a command: /bin/bash -c 'echo hi'\n  Codex waits for" in err


def test_the_thread_may_end(attach, talk):
    """Archived by somebody: there is nothing to follow any more."""
    talk.answers["turn/start"] = (*BEGUN, event("thread/archived"))
    code, _, err = attach("hello\n")
    assert (code, err.splitlines()[-1]) == (0, "the thread was archived")


def test_codexd_may_go_for_good(attach, talk, monkeypatch):
    """Exit 3, and it is said, with the way back."""
    monkeypatch.setattr(coming_back, "PATIENCE_SECONDS", 0.0)

    def leave(connection, params):
        talk.path.unlink()
        return (*BEGUN, connection.hang_up)

    talk.answers["turn/start"] = leave
    code, _, err = attach("hello\n")
    assert code == 3
    assert err.splitlines()[-2] == "codexd closed the connection; connecting again"
    assert err.splitlines()[-1].startswith("codexctl: codexd did not come back within 0 s")
    assert err.endswith(f"; the thread is kept, and `codexctl attach {THREAD}` goes on with it\n")


@pytest.fixture
def missed(talk):
    """A stand-in whose first connection is lost in the middle of a reply; gives what the second one brings to a list."""
    later: list[Any] = []
    begin, *deltas, end = saying("one ", "two ", "three")

    def handler(connection, params):
        prompt = event("item/started", item=user_message("hello", "u1", params["clientUserMessageId"]))
        told = (started(), prompt, begin, deltas[0])
        numbers = [one | {"seq": seq} for seq, one in enumerate(told, 5)]
        return {"turn": turn("inProgress")}, *numbers, connection.hang_up

    def follow(connection, params):
        if len(talk.connections) == 1:
            return {"last": 4}
        again = [one | {"seq": seq, "at": 1.5} for seq, one in enumerate((deltas[0], *deltas[1:], end), 8)]
        asked = event("codexd/serverRequest", id=1, params={}) | {"seq": 20}
        return {"last": 11}, *again, asked, completed() | {"seq": 21}, *later

    talk.answers |= {"turn/start": handler, "codexd/events/follow": follow}
    talk.answers["thread/resume"] = lambda connection, params: {
        "thread": thread(
            status={"type": "active" if len(talk.connections) > 1 else "idle", "activeFlags": []}
        )
    }
    return later


def test_a_lost_connection_is_made_again_and_goes_on_from_the_cursor(attach, talk, missed):
    """What was missed is told, and nothing twice; a prompt that Codex has heard is not said again."""
    code, out, err = attach("hello\n")
    assert (code, out) == (0, "Long ago\n\none two three\n")
    assert err.splitlines()[2:] == ["codexd closed the connection; connecting again", "connected again"]
    assert talk.requests("codexd/events/follow") == [
        {"threadId": THREAD},
        {"threadId": THREAD, "after": 8},
    ]
    assert len(prompts(talk)) == 1
    assert [one["capabilities"]["codexd"] for one in talk.requests("initialize")] == [{"seq": True}] * 2


def test_programs_get_each_event_once_across_connections(attach, talk, missed):
    """What codexd asks is a request for them, and not an event besides; what goes on with the connection is on stderr."""
    code, out, err = attach("hello\n", "--json")
    assert (code, [json.loads(line)["seq"] for line in out.splitlines()]) == (
        0,
        [5, 6, 7, 8, 9, 10, 11, 21],
    )
    assert err == ("codexctl: codexd closed the connection; connecting again\ncodexctl: connected again\n")


def test_a_timeline_that_is_degraded_is_told(attach, talk, missed):
    """At the beginning, and with each connection."""
    talk.answers["codexd/status"]["timeline"] |= {"state": "degraded", "problem": "the disk is full"}
    _, _, err = attach("hello\n")
    assert err.splitlines()[0] == "codexctl: events may be missing: the disk is full"
    assert err.splitlines()[-1] == "events may be missing: the disk is full"


def test_a_prompt_that_codex_has_not_heard_is_said_again(attach, talk):
    """Its connection was lost before it came to anything; Codex's history knows."""
    repeat = talk.answers["turn/start"]

    def handler(connection, params):
        return (SILENCE, connection.hang_up) if len(talk.connections) == 1 else repeat(connection, params)

    talk.answers["turn/start"] = handler
    assert attach("hello\n")[:2] == (0, "Long ago\n\nYou said: hello\n")
    assert prompts(talk) == ["hello", "hello"]

    def heard(connection, params):
        last = talk.requests("turn/start")[-1]["clientUserMessageId"]
        items = [user_message("more", "u9", last), message("More indeed", "m9")]
        return {"data": [turn("completed", "t9", items=items)]}

    talk.connections.clear()
    talk.answers["thread/turns/list"] = lambda connection, params: (
        heard(connection, params) if len(talk.connections) == 2 else {"data": []}
    )
    assert attach("more\n")[:2] == (0, "More indeed\n")
    assert prompts(talk) == ["more"]


def test_a_connection_that_is_lost_on_the_way_back(attach, talk, missed):
    """Is made once more."""
    missed.append(lambda: talk.connections[1].hang_up() if len(talk.connections) == 2 else None)
    code, out, _ = attach("hello\n")
    assert (code, out) == (0, "Long ago\n\none two three\n")


def test_a_thread_that_codex_has_not_any_more(attach, talk):
    """One that never had a turn ends with its Codex: there is nothing to come back to."""
    talk.answers["turn/start"] = lambda connection, params: (SILENCE, connection.hang_up)
    talk.answers["thread/resume"] = lambda connection, params: (
        {"thread": thread()} if len(talk.connections) == 1 else Refused(-32600, "no rollout found")
    )
    code, _, err = attach("hello\n")
    assert (code, err.splitlines()[-1]) == (1, "codexctl: no rollout found")


def test_nothing_to_read_at_all(attach):
    """An empty stdin shows the history and leaves."""
    assert attach("")[:2] == (0, "Long ago\n")


# On a terminal


@pytest.fixture
def terminal():
    pseudo = Pseudo(width=80)
    yield pseudo
    pseudo.close()


@pytest.fixture
def attach_there(talk, codexctl, terminal, monkeypatch):
    """Runs `codexctl attach` on the terminal, with somebody who types after the first prompt; its exit code."""

    def run(script):
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr(sys, "stdin", terminal.input)
        monkeypatch.setattr(sys, "stdout", terminal.output)
        monkeypatch.setattr(sys, "stderr", io.StringIO())

        def typing():
            terminal.expect("Long ago\n")
            script()

        with Typist(typing):
            exit_code = codexctl("attach")
        talk.hear_out()
        return exit_code

    return run


def test_a_talk(attach_there, terminal):
    """What was said before, a prompt, its reply as it comes, Ctrl-D leaves with 0."""

    def script():
        terminal.type("hello\r")
        assert "> hello\n" in terminal.expect("You said: hello\n")
        terminal.type("\x04")

    assert attach_there(script) == 0


def test_a_line_typed_during_a_turn_steers_it(attach_there, talk, terminal):
    """With the id of the turn that runs; when that has ended meanwhile, the line begins a new one."""
    connections = []

    def begin(connection, params):
        connections.append(connection)
        text = params["input"][0]["text"]
        return (*BEGUN, *saying(f"began {text}", item_id=text))

    talk.answers |= {"turn/start": begin, "turn/steer": {"turnId": TURN}}

    def script():
        terminal.type("one\r")
        terminal.expect("began one\n")
        terminal.type("two\r")
        terminal.expect("> two\n")
        talk.answers["turn/steer"] = Refused(-32600, "no active turn to steer")
        terminal.type("three\r")
        terminal.expect("began three")
        connections[0].send(completed())
        terminal.type("\x04")

    assert attach_there(script) == 0
    assert prompts(talk, "turn/steer")[0] == "two"
    assert {request["expectedTurnId"] for request in talk.requests("turn/steer")} == {TURN}
    assert prompts(talk)[-1] == "three"


def test_a_line_that_came_too_late_gets_a_turn_of_its_own(attach_there, talk, terminal):
    """Codex takes in what comes in a turn's last moments, and does not answer it."""
    began = []

    def begin(connection, params):
        began.append(params["input"][0]["text"])
        return (*BEGUN, *saying(f"began {began[-1]}", item_id=began[-1]))

    def steer(connection, params):
        taken = user_message(params["input"][0]["text"], "u2", params["clientUserMessageId"])
        return {"turnId": TURN}, event("item/started", item=taken), completed()

    talk.answers |= {"turn/start": begin, "turn/steer": steer}

    def script():
        terminal.type("one\r")
        terminal.expect("began one\n")
        terminal.type("two\r")
        terminal.expect("it is being asked again\n")
        terminal.expect("began two")
        talk.connections[0].send(completed())
        terminal.type("\x04")

    assert attach_there(script) == 0
    assert began == ["one", "two"]


def test_what_others_say_is_seen(attach_there, talk, terminal):
    """Whoever began the turn."""

    def script():
        talk.connections[0].send(
            started(),
            event("item/started", item=user_message("from an editor")),
            *saying("to the editor"),
            completed(),
        )
        assert "> from an editor\n" in terminal.expect("to the editor\n")
        terminal.type("\x04")

    assert attach_there(script) == 0


def test_ctrl_c_interrupts_the_turn_and_a_second_one_leaves(attach_there, talk, terminal):
    """130."""
    talk.answers |= {
        "turn/start": (*BEGUN, *saying("working")),
        "turn/interrupt": ({}, completed("interrupted")),
    }

    def script():
        terminal.type("go\r")
        terminal.expect("working\n")
        ctrl_c()
        terminal.expect("the turn is being interrupted; Ctrl-C again leaves\n")
        terminal.expect("the turn was interrupted\n")
        ctrl_c()

    assert attach_there(script) == 130
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]


def test_leaving_leaves_the_turn_running(attach_there, talk, terminal):
    """A second Ctrl-C does not wait for its end, and says so."""
    talk.answers |= {"turn/start": (*BEGUN, *saying("working")), "turn/interrupt": {}}

    def script():
        terminal.type("go\r")
        terminal.expect("working\n")
        ctrl_c()
        terminal.expect("Ctrl-C again leaves\n")
        ctrl_c()
        terminal.expect("the turn goes on without you\n")

    assert attach_there(script) == 130


def test_when_idle_ctrl_c_asks_to_be_pressed_again(attach_there, terminal):
    """A key in between forgets the first one; a half typed line is dropped."""

    def script():
        for _ in range(2):
            terminal.type("half a line")
            terminal.expect("half a line")
            ctrl_c()
            terminal.expect("Ctrl-C again leaves, and Ctrl-D does\n")
        ctrl_c()

    assert attach_there(script) == 130


def test_a_turn_that_begins_in_between_is_interrupted_first(attach_there, talk, terminal):
    """The Ctrl-C before it was meant for something else."""
    talk.answers["turn/interrupt"] = ({}, completed("interrupted"))

    def script():
        ctrl_c()
        terminal.expect("Ctrl-C again leaves, and Ctrl-D does\n")
        talk.connections[0].send(started(), *saying("of an editor"))
        terminal.expect("of an editor\n")
        ctrl_c()
        terminal.expect("the turn was interrupted\n")
        terminal.type("\x04")

    assert attach_there(script) == 0


def test_an_approval_is_answered_with_a_key(attach_there, talk, terminal):
    """Shown with the command, and the turn goes on."""
    answers: list[dict[str, object]] = []

    def handler(connection, _):
        def go_on(answer):
            answers.append(answer)
            connection.send(*saying("done"), completed())

        return (
            *BEGUN,
            event("item/started", item=command()),
            lambda: connection.ask(ASK, COMMAND_APPROVAL, go_on),
        )

    talk.answers["turn/start"] = handler

    def script():
        terminal.type("run it\r")
        assert "  │ /bin/bash -c 'echo hi'\n" in terminal.expect("[y/p/n/c] ")
        terminal.type("y")
        terminal.expect("done\n")
        terminal.type("\x04")

    assert attach_there(script) == 0
    assert [answer["result"] for answer in answers] == [{"decision": "accept"}]


def test_questions_come_one_after_the_other(attach_there, talk, terminal):
    """How many more wait is said; one that is answered elsewhere is skipped, and one on the screen goes."""
    answers: list[dict[str, object]] = []
    asked: queue.SimpleQueue[list[int]] = queue.SimpleQueue()

    def handler(connection, _):
        def ask():
            asked.put(
                [
                    connection.ask("item/tool/requestUserInput", USER_INPUT, answers.append),
                    connection.ask(ASK, COMMAND_APPROVAL),
                    connection.ask(ASK, COMMAND_APPROVAL | {"command": "the third"}),
                ]
            )

        return (*BEGUN, ask)

    talk.answers["turn/start"] = handler

    def script():
        terminal.type("ask me\r")
        assert "Codex asks (2 more wait)\n" in terminal.expect("answer: ")
        _, second, third = asked.get(timeout=PATIENCE_S)
        connection = talk.connections[0]
        connection.send(event("serverRequest/resolved", requestId=second))
        terminal.type("2\r")
        assert "echo hi" not in terminal.expect("the third")
        connection.send(event("serverRequest/resolved", requestId=third))
        terminal.expect("not asked any more: somebody answered it, or its turn ended\n")
        connection.send(completed())
        terminal.type("\x04")

    assert attach_there(script) == 0
    assert [answer["result"] for answer in answers] == [{"answers": {"answer": {"answers": ["No"]}}}]


def test_a_question_never_takes_a_letter_out_of_a_line(attach_there, talk, terminal):
    """While something is typed it waits, and says so; it comes up when the line is sent."""
    answers: list[dict[str, object]] = []

    def script():
        connection = talk.connections[0]
        terminal.type("why no")
        terminal.expect("why no")
        connection.send(started())
        connection.ask(ASK, COMMAND_APPROVAL, answers.append)
        terminal.expect("Codex asks something: send your line, or clear it with Ctrl-U, to see it\n")
        terminal.type("t\r")
        terminal.expect("> why not\n")
        terminal.expect("[y/p/n/c] ")
        terminal.type("n")
        terminal.expect("no, and go on\n")
        connection.send(completed())
        terminal.type("\x04")

    talk.answers["turn/steer"] = {"turnId": TURN}
    assert attach_there(script) == 0
    assert [answer["result"] for answer in answers] == [{"decision": "decline"}]
    assert prompts(talk, "turn/steer") == ["why not"]


def test_a_question_waits_for_a_pause_in_typing(attach_there, talk, terminal, monkeypatch):
    """A line that was just erased may be followed by another one; after Enter nobody is in the middle of anything."""
    monkeypatch.setattr(conversation, "TYPING_SECONDS", 1000)

    def script():
        terminal.type("n\x15")
        terminal.expect("> n")
        talk.connections[0].ask(ASK, COMMAND_APPROVAL)
        for warning in ("one", "two"):
            talk.connections[0].send(event("warning", message=warning))
            assert "Codex wants" not in terminal.expect(f"{warning}\n")
        terminal.type("\r")
        terminal.expect("[y/p/n/c] ")
        terminal.type("y")
        terminal.expect("yes\n")
        terminal.type("\x04")

    assert attach_there(script) == 0


def test_a_pause_in_typing_is_waited_for(attach_there, talk, terminal, monkeypatch):
    """And then the question comes up by itself."""
    monkeypatch.setattr(conversation, "TYPING_SECONDS", 0.05)

    def script():
        terminal.type("n\x15")
        terminal.expect("> n")
        talk.connections[0].ask(ASK, COMMAND_APPROVAL)
        terminal.expect("[y/p/n/c] ")
        terminal.type("y")
        terminal.expect("yes\n")
        terminal.type("\x04")

    assert attach_there(script) == 0


def test_the_terminal_is_taken_back_after_a_stop(attach_there, terminal):
    """And drawn anew when its size changes."""

    def script():
        os.kill(os.getpid(), signal.SIGCONT)
        terminal.expect("\x1b[?2004h")
        os.kill(os.getpid(), signal.SIGWINCH)
        terminal.expect("\x1b[?2004h")
        terminal.type("\x04")

    assert attach_there(script) == 0


def test_signals_without_a_terminal_mean_nothing_but_ctrl_c(talk, codexctl, monkeypatch, capsys):
    """A SIGCONT is nothing to redraw for."""
    read_end, write_end = os.pipe()

    def go_on(connection, params):
        os.kill(os.getpid(), signal.SIGCONT)
        os.close(write_end)
        return (*BEGUN, completed())

    talk.answers["turn/start"] = go_on
    os.write(write_end, b"hello\n")
    with open(read_end) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert codexctl("attach") == 0
