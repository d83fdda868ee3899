import io
import json
import re

from codexctl.event_lines import EventLines, JsonLines
from codexctl.timeline import Event
from tests.codexctl.pseudo import Pseudo
from tests.codexctl.standin import (
    COMMAND_APPROVAL,
    THREAD,
    command,
    completed,
    event,
    saying,
    started,
    thread,
    user_message,
)

AT = 1795229617.0
OTHER = "01a1fc07-1111-7a53-a176-e1e171885d08"


def told(*messages):
    """The lines of these messages, numbered from 1, without date and time; lines below one keep their indent."""
    out = io.StringIO()
    lines = EventLines(out)
    for seq, message in enumerate(messages, 1):
        lines.show(Event(seq, AT, message["method"], message["params"]))
    lines.finish()
    _day, *rest = out.getvalue().splitlines()
    return [re.sub(r"^(\d+)  \d\d:\d\d:\d\d", r"\1", line) for line in rest]


def test_a_turn_is_told_in_the_words_of_a_transcript():
    """What comes in pieces is one line; its pieces and its end have none of their own."""
    here = THREAD[:13]
    assert told(
        started(),
        event("item/started", item=user_message("hello\nyou")),
        event("item/started", item=command()),
        event("item/commandExecution/outputDelta", itemId="call_1", delta="hi"),
        event("item/completed", item=command("failed", exitCode=3, aggregatedOutput="a\nb\n")),
        *saying("Hi, ", "you\n", "two\n"),
        completed("interrupted"),
        completed(),
    ) == [
        f"1  {here}  turn started",
        f"2  {here}  > hello",
        " " * 28 + "> you",
        f"3  {here}  $ echo hi",
        f"5  {here}    exit code 3",
        f"5  {here}    a",
        " " * 30 + "b",
        f"6  {here}  agentMessage begins",
        f"7  {here}  Hi, you",
        " " * 28 + "two",
        f"11  {here}  the turn was interrupted",
        f"12  {here}  turn completed",
    ]


def test_threads_that_speak_at_once_have_lines_of_their_own():
    """A reply that was broken off goes on with a new head; who was begun before the first event is told at its end."""
    begin, first, second, end = saying("one ", "two")
    elsewhere = {"method": "turn/started", "params": {"threadId": OTHER, "turn": {"id": "u"}}}
    here = THREAD[:13]
    assert told(begin, first, elsewhere, second, end) == [
        f"1  {here}  agentMessage begins",
        f"2  {here}  one ",
        f"3  {OTHER[:13]}  turn started",
        f"4  {here}  two",
    ]
    assert told(first, second, end) == [f"3  {here}  one two"]


def test_what_a_transcript_has_no_words_for_is_told_all_the_same():
    """In a few words where it is usual, else as it is."""
    status = {"type": "active", "activeFlags": ["waitingOnApproval"]}
    ask = {"id": 17, "threadId": THREAD, "method": "item/commandExecution/requestApproval"}
    assert [
        line.split(maxsplit=2)[2]
        for line in told(
            {"method": "thread/started", "params": {"thread": thread()}},
            event("thread/status/changed", status=status),
            event("thread/status/changed", status={"type": "idle"}),
            event("thread/name/updated", threadName="a name"),
            event("thread/name/updated"),
            {"method": "codexd/serverRequest", "params": ask | {"params": COMMAND_APPROVAL}},
            event("serverRequest/resolved", requestId=17),
            event("turn/diff/updated", diff="a\nb"),
        )
    ] == [
        "thread started in /project",
        "status: active (waitingOnApproval)",
        "status: idle",
        "named a name",
        "named (nothing)",
        "asked (17): Codex wants to run a command: /bin/bash -c 'echo hi'",
        "decided (17)",
        "the diff of the turn has 2 lines",
    ]
    assert [
        line.split(maxsplit=2)[2]
        for line in told(
            event("thread/tokenUsage/updated", tokenUsage={"total": {"totalTokens": 15}}),
            event("item/started", item={"type": "imageView", "id": "i"}),
            event("item/completed", item={"type": "imageView", "id": "i"}),
            event("some/thing", what="é"),
            event("some/thing"),
            {"method": "of/nobody", "params": {}},
        )
    ] == [
        "15 tokens used",
        "imageView begins",
        "imageView ends",
        'some/thing {"what": "é"}',
        "some/thing",
        "of/nobody",
    ]


def test_a_day_has_a_line():
    """Of the place where one is; the time of an event says no date."""
    out = io.StringIO()
    lines = EventLines(out)
    for at in (AT, AT + 1, AT + 86400):
        lines.show(Event(1, at, "turn/started", {"threadId": THREAD, "turn": {"id": "u"}}))
    shown = out.getvalue().splitlines()
    assert [len(line) == 10 for line in shown] == [True, False, False, True, False]


def test_a_terminal_is_left_as_it_is():
    """What a model or a command wrote is neutralised there, and kept elsewhere."""
    terminal = Pseudo(100)
    lines = EventLines(terminal.output)
    for message in (*saying("\x1b[2J"), event("warning", message="\x1b[3J")):
        lines.show(Event(1, AT, message["method"], message["params"]))
    lines.finish()
    shown = terminal.written()
    assert "\\x1b[2J\n" in shown
    assert "\\x1b[3J" in shown
    terminal.close()


def test_programs_get_one_object_per_line():
    """Whatever it holds."""
    out = io.StringIO()
    lines = JsonLines(out)
    lines.show(Event(7, 1.5, "m", {"a": "é\n"}))
    lines.finish()
    assert out.getvalue() == '{"seq": 7, "at": 1.5, "method": "m", "params": {"a": "é\\n"}}\n'
    assert json.loads(out.getvalue()) == {"seq": 7, "at": 1.5, "method": "m", "params": {"a": "é\n"}}


def test_a_thread_in_which_nothing_goes_on_is_not_remembered():
    """A terminal stays open for days: threads end, are closed, and tell of themselves in between."""
    lines = EventLines(io.StringIO())
    for number in range(3):
        name = f"thread-{number}"
        for message in (
            started(),
            event("item/started", item=command()),
            completed("interrupted"),
            event("thread/closed"),
        ):
            lines.show(Event(1, AT, message["method"], message["params"] | {"threadId": name}))
    assert lines._transcripts == {}


def test_what_is_told_in_between_begins_a_line_of_its_own():
    """That the connection was lost, say, in the middle of what Codex says."""
    out = io.StringIO()
    lines = EventLines(out)
    for message in (started(), *saying("Hi, ", "you")[:-1]):
        lines.show(Event(1, AT, message["method"], message["params"]))
    assert not out.getvalue().endswith("\n")
    lines.leave_off()
    assert out.getvalue().endswith("you\n")
