import io
import json
import os
import queue
import signal
import sys
import threading

import pytest

from codexctl import follow
from codexctl.views import PlainView
from tests.codexctl.pseudo import PATIENCE_S, Pseudo, Typist
from tests.codexctl.standin import (
    COMMAND_APPROVAL,
    SILENCE,
    THREAD,
    TURN,
    USER_INPUT,
    command,
    completed,
    event,
    saying,
    started,
    turn,
)

BEGUN = ({"turn": turn("inProgress")}, started())
ASK = "item/commandExecution/requestApproval"


def approving(*after, params=COMMAND_APPROVAL, answers=None, method=ASK):
    """A turn that asks for an approval and goes on with `after` when it has its answer."""

    def handler(connection, _):
        def go_on(answer):
            if answers is not None:
                answers.append(answer)
            connection.send(*after)

        return (*BEGUN, event("item/started", item=command()), lambda: connection.ask(method, params, go_on))

    return handler


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def send(codexd, codexctl, capsys, monkeypatch):
    """Runs `codexctl send` without a terminal; its exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*argv):
        code = codexctl("send", *argv)
        out, err = capsys.readouterr()
        return code, out, err.removeprefix(f"thread {THREAD}\n")

    return run


@pytest.mark.parametrize(("state", "code"), [("completed", 0), ("failed", 1), ("interrupted", 1)])
def test_the_exit_code_is_how_the_turn_ended(send, codexd, state, code):
    """And what was said until then is on stdout."""
    codexd.answers["turn/start"] = (*BEGUN, *saying("Hello"), completed(state))
    assert send("x")[:2] == (code, "Hello\n")


def test_only_the_own_turn_is_waited_for(send, codexd):
    """Another turn's end on the same thread is not ours; ours may end before its request is answered."""
    codexd.answers["turn/start"] = lambda connection, params: (
        connection.send(completed(), completed("failed", "another")) or {"turn": turn("inProgress")}
    )
    assert send("x")[0] == 0


def test_several_messages_are_told_apart(send, codexd):
    """By an empty line."""
    codexd.answers["turn/start"] = (*BEGUN, *saying("one"), *saying("two\n", item_id="b"), completed())
    assert send("x")[1] == "one\n\ntwo\n"


@pytest.mark.parametrize("again", ["msg_1", "msg_2"])
def test_an_attempt_that_was_cut_off_is_not_on_stdout(send, codexd, again):
    """Codex retries under another item id, or the same one; the reply is there once, and the retry is said on stderr."""
    retry = event("error", error={"message": "Reconnecting... 1/5"}, willRetry=True)
    codexd.answers["turn/start"] = (
        *BEGUN,
        *saying("half ", "an ans")[:-1],
        retry,
        *saying("the whole ", "answer", item_id=again),
        completed(),
    )
    code, out, err = send("x")
    assert (code, out) == (0, "the whole answer\n")
    assert err == "Reconnecting... 1/5 (the reply begins anew)\n"


def test_a_reply_by_a_schema_is_the_last_message_alone(send, codexd, place):
    """What Codex says on its way there would make two documents of one."""
    (place / "schema.json").write_text("{}")
    codexd.answers["turn/start"] = (*BEGUN, *saying("{}"), *saying('{"a": 1}', item_id="b"), completed())
    code, out, _ = send("--output-schema", str(place / "schema.json"), "x")
    assert (code, json.loads(out)) == (0, {"a": 1})


def test_events_are_printed_as_they_came(send, codexd):
    """One JSON line per message of this thread, nothing else on stdout, nothing on stderr."""
    foreign = {"method": "thread/started", "params": {"thread": {"id": "another"}}}
    own = {"method": "thread/started", "params": {"thread": {"id": THREAD}}}
    codexd.answers["turn/start"] = (*BEGUN, foreign, own, *saying("Hello"), completed())
    code, out, err = send("--json", "x")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines == [started(), own, *saying("Hello"), completed()]


def test_an_approval_that_nobody_here_can_give_waits_for_somebody_else(send, codexd):
    """How to give it is said on stderr; it is not answered, and its answer elsewhere lets the turn go on."""

    def handler(connection, _):
        def ask():
            number = connection.ask(ASK, COMMAND_APPROVAL)
            connection.send(event("serverRequest/resolved", requestId=number), *saying("done"), completed())

        return (*BEGUN, ask)

    codexd.answers["turn/start"] = handler
    code, out, err = send("x")
    assert (code, out) == (0, "done\n")
    first, second = err.splitlines()
    assert first == "codexctl: Codex wants to run a command: /bin/bash -c 'echo hi'"
    number = second.split("accept ")[1].split("`")[0]
    assert second == (
        f"  Codex waits for `codexctl approvals accept {number}`"
        f" (or `decline {number}`; `show {number}` has the details)"
    )
    assert [message for message in codexd.received if message.get("id") == int(number)] == []


def test_a_decline_elsewhere_is_seen_by_the_items_status(send, codexd):
    """Exit 5; a declined item that nobody was asked about is the sandbox's doing and no reason."""
    declined = event("item/completed", item=command("declined"))

    def handler(connection, _):
        return (*BEGUN, lambda: connection.ask(ASK, COMMAND_APPROVAL), declined, completed())

    codexd.answers["turn/start"] = handler
    code, _, err = send("x")
    assert (code, err.splitlines()[-1]) == (5, "an approval was declined")
    codexd.answers["turn/start"] = (*BEGUN, declined, completed())
    assert send("x")[0] == 0


def test_what_no_person_can_answer_is_answered_or_left_to_others(send, codexd):
    """The time is told; a tool of somebody else's is refused, which is an abstention as long as others are asked."""
    answers: list[dict[str, object]] = []

    def handler(connection, _):
        def tool_answered(answer):
            answers.append(answer)
            connection.send(completed())

        return (
            *BEGUN,
            lambda: connection.ask("currentTime/read", {"threadId": THREAD}, answers.append),
            lambda: connection.ask("item/tool/call", {"threadId": THREAD}, tool_answered),
        )

    codexd.answers["turn/start"] = handler
    assert send("x")[0] == 0
    time_told, left = answers
    assert isinstance(time_told["result"]["currentTimeAt"], int)  # type: ignore[index]
    assert left["error"] == {"code": -32601, "message": "codexctl cannot answer item/tool/call"}


def test_the_time_limit_interrupts_the_turn(send, codexd):
    """Exit 124 when the turn has ended, with what it said until then."""
    codexd.answers |= {
        "turn/start": (*BEGUN, *saying("Hello")),
        "turn/interrupt": ({}, *saying("bye", item_id="b"), completed("interrupted")),
    }
    code, out, err = send("--timeout", "0.3", "x")
    assert (code, out) == (124, "Hello\n\nbye\n")
    assert err.startswith("the time limit has passed; the turn is being interrupted\n")
    assert codexd.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]


def test_a_turn_that_does_not_end_is_left(send, codexd, monkeypatch):
    """After the time limit there is another one."""
    monkeypatch.setattr(follow, "INTERRUPT_SECONDS", 0.05)
    codexd.answers |= {"turn/start": BEGUN, "turn/interrupt": lambda connection, params: SILENCE}
    assert send("--timeout", "0.05", "x")[0] == 124


def test_ctrl_c_interrupts_the_turn(send, codexd):
    """Exit 130 when it has ended."""
    codexd.answers |= {
        "turn/start": (*BEGUN, *saying("Hello"), ctrl_c),
        "turn/interrupt": ({}, completed("interrupted")),
    }
    code, out, err = send("x")
    assert (code, out) == (130, "Hello\n")
    assert err.startswith("the turn is being interrupted; Ctrl-C again leaves at once\n")


def test_ctrl_c_before_the_turn_is_known_interrupts_it_as_soon_as_it_is(send, codexd, monkeypatch):
    """No turn is left running because it was stopped too early."""
    noted = threading.Event()

    class View(PlainView):
        def note(self, text, *styles):
            if "interrupted" in text:
                noted.set()

    def handler(connection, _):
        ctrl_c()
        assert noted.wait(10)
        return BEGUN[0]

    monkeypatch.setattr(follow, "PlainView", View)
    codexd.answers |= {"turn/start": handler, "turn/interrupt": ({}, completed("interrupted"))}
    assert send("x")[0] == 130
    assert codexd.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]


def test_a_second_ctrl_c_leaves_at_once(send, codexd):
    """Without waiting for the end of the turn."""
    codexd.answers |= {
        "turn/start": (*BEGUN, ctrl_c),
        "turn/interrupt": lambda connection, params: ctrl_c() or SILENCE,
    }
    assert send("x")[0] == 130


def test_a_lost_connection_is_said_with_the_way_back(send, codexd):
    """Exit 3; the turn may well go on. What was said of the reply is a whole line."""
    codexd.answers["turn/start"] = lambda connection, _: (*BEGUN, *saying("Hello")[:2], connection.hang_up)
    code, out, err = send("x")
    assert (code, out) == (3, "Hello\n")
    assert err == (
        f"codexctl: codexd closed the connection; what became of the turn shows `codexctl threads show {THREAD}`, "
        f"and `codexctl send -t {THREAD}` goes on with the thread\n"
    )


# On a terminal


@pytest.fixture
def terminal():
    pseudo = Pseudo(width=80)
    yield pseudo
    pseudo.close()


@pytest.fixture
def send_there(codexctl, terminal, monkeypatch, capsys):
    """Runs `codexctl send x` on the terminal, with somebody who types; its exit code and stdout."""
    monkeypatch.setenv("NO_COLOR", "1")

    def run(script):
        monkeypatch.setattr(sys, "stdin", terminal.input)
        monkeypatch.setattr(sys, "stderr", terminal.output)
        with Typist(script):
            return codexctl("send", "x"), capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("key", "decision", "code"), [("y", "accept", 0), ("n", "decline", 5), ("c", "cancel", 5)]
)
def test_on_a_terminal_an_approval_is_asked_for(codexd, send_there, terminal, key, decision, code):
    """Shown with what it is about, answered with a key; refusing it is exit 5, whatever the turn makes of it."""
    answers: list[dict[str, object]] = []
    codexd.answers["turn/start"] = approving(*saying("done"), completed(), answers=answers)

    def script():
        shown = terminal.expect("[y/p/n/c] ")
        assert "Codex wants to run a command" in shown
        assert "  │ /bin/bash -c 'echo hi'" in shown
        terminal.type(key)

    assert send_there(script) == (code, "done\n")
    assert [answer["result"] for answer in answers] == [{"decision": decision}]


def test_a_question_is_answered_in_a_line(codexd, send_there, terminal):
    """Several one after the other; the terminal is given back in between and at the end."""
    answers: list[dict[str, object]] = []

    def handler(connection, _):
        def second(answer):
            answers.append(answer)
            connection.ask("item/tool/requestUserInput", USER_INPUT, third)

        def third(answer):
            answers.append(answer)
            connection.send(completed())

        return (*BEGUN, lambda: connection.ask("item/tool/requestUserInput", USER_INPUT, second))

    codexd.answers["turn/start"] = handler

    def script():
        terminal.expect("answer: ")
        terminal.type("2\r")
        terminal.expect("answered")
        terminal.expect("answer: ")
        terminal.type("\x04")

    assert send_there(script) == (0, "")
    assert [answer["result"] for answer in answers] == [
        {"answers": {"answer": {"answers": ["No"]}}},
        {"answers": {}},
    ]


def test_what_is_answered_elsewhere_is_asked_no_more(codexd, send_there, terminal):
    """The question goes from the screen, says so, and the reply that was held back meanwhile comes."""

    def handler(connection, _):
        def ask():
            number = connection.ask(ASK, COMMAND_APPROVAL)
            asked.put((connection, number))

        return (*BEGUN, ask)

    asked: queue.SimpleQueue[tuple[object, int]] = queue.SimpleQueue()
    codexd.answers["turn/start"] = handler

    def script():
        terminal.expect("[y/p/n/c] ")
        connection, number = asked.get(timeout=PATIENCE_S)
        connection.send(  # type: ignore[attr-defined]
            *saying("done"),
            event("warning", message="held back"),
            event("serverRequest/resolved", requestId=number),
            completed(),
        )
        assert "held back" not in terminal.expect(
            "not asked any more: somebody answered it, or its turn ended"
        )
        terminal.expect("held back")

    assert send_there(script) == (0, "done\n")


def test_a_turn_that_ends_takes_its_question_along(codexd, send_there, terminal):
    """Codex does not always say that a question is resolved."""
    asked: list[object] = []
    codexd.answers["turn/start"] = lambda connection, _: (
        *BEGUN,
        lambda: asked.append(connection),
        lambda: connection.ask(ASK, COMMAND_APPROVAL),
    )

    def script():
        terminal.expect("[y/p/n/c] ")
        asked[0].send(completed("interrupted"))  # type: ignore[attr-defined]

    assert send_there(script) == (1, "")


def test_ctrl_c_at_a_question_interrupts_the_turn(codexd, send_there, terminal):
    """The question is no trap."""
    codexd.answers |= {"turn/start": approving(), "turn/interrupt": ({}, completed("interrupted"))}

    def script():
        terminal.expect("[y/p/n/c] ")
        ctrl_c()

    assert send_there(script) == (130, "")


def test_keys_from_before_the_question_answer_nothing(codexd, send_there, terminal):
    """They were not meant for it: it could not have been read."""
    answers: list[dict[str, object]] = []
    codexd.answers["turn/start"] = approving(completed(), answers=answers)

    def script():
        terminal.expect("[y/p/n/c] ")
        terminal.type("y")

    terminal.type("n")
    assert send_there(script) == (0, "")
    assert [answer["result"] for answer in answers] == [{"decision": "accept"}]


def test_keys_between_two_questions_answer_nothing(codexd, send_there, terminal):
    """What is typed while no question is open is not taken for an answer."""
    codexd.answers["turn/start"] = approving(completed())

    def script():
        terminal.expect("[y/p/n/c] ")
        terminal.type("y and more")

    assert send_there(script) == (0, "")
