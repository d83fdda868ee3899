from codexctl.asking import Asking, Reply, described, summary
from codexctl.decisions import Decision, Form, Question, Unanswerable, question_of
from codexctl.fields import Field
from codexctl.render import Paint
from tests.codexctl.standin import COMMAND_APPROVAL, ELICITATION, USER_INPUT

PLAIN = Paint(enabled=False)


def command(**changes: object) -> Decision:
    question = question_of("item/commandExecution/requestApproval", COMMAND_APPROVAL | changes)
    assert isinstance(question, Decision)
    return question


def form(question: Question) -> Asking:
    assert isinstance(question, Form)
    return Asking(question, 60, PLAIN)


def test_a_decision_is_shown_whole_and_answered_with_a_key():
    """What, where and why behind a bar, the keys, and one key is the answer."""
    asking = Asking(command(), 60, PLAIN)
    assert asking.opening == [
        "Codex wants to run a command",
        "  command",
        "  │ /bin/bash -c 'echo hi'",
        "  in",
        "  │ /project",
        "  because",
        "  │ The prompt asks for it.",
        "  y  yes",
        "  p  yes, and from now on never ask for commands that begin with:",
        "     │ echo 'hi there'",
        "  n  no, and go on",
        "  c  no, and stop the turn",
    ]
    assert (asking.wants_key, asking.is_secret, asking.prompt) == (True, False, "[y/p/n/c] ")
    asking.key("x")
    asking.key("")
    assert asking.reply is None
    asking.key("Y")
    assert asking.reply == Reply({"decision": "accept"}, "yes", refused=False)


def test_only_a_whole_key_is_an_answer():
    """A paste that begins with the letter is none."""
    asking = Asking(command(), 60, PLAIN)
    asking.key("yes please")
    assert asking.reply is None


def test_not_following_an_mcp_servers_link_refuses_codex_nothing():
    """So it is no reason for an exit code."""
    url = {"serverName": "s", "mode": "url", "message": "m", "url": "https://x.example"}
    question = question_of("mcpServer/elicitation/request", url)
    assert isinstance(question, Decision)
    asking = Asking(question, 60, PLAIN)
    asking.key("n")
    assert asking.reply == Reply({"action": "decline"}, "no", refused=False)


def test_refusing_is_told_apart():
    """For the exit code of `send`."""
    for key in "nc":
        asking = Asking(command(), 60, PLAIN)
        asking.key(key)
        assert asking.reply is not None
        assert asking.reply.refused


def test_a_command_cannot_pretend_to_be_the_question():
    """Line feeds, carriage returns and escapes in a command stay behind its bar, written out."""
    asking = Asking(command(command="ls\n  y  yes\r\x1b[1A  n  no"), 60, PLAIN)
    assert asking.opening[1:4] == ["  command", "  │ ls", "  │   y  yes\\x0d\\x1b[1A  n  no"]


def test_a_question_takes_a_number_a_name_or_own_words():
    """The options are numbered; any of the three is the answer."""
    for typed, answer in (("1", "Yes"), ("no", "No"), ("later", "later")):
        asking = form(question_of("item/tool/requestUserInput", USER_INPUT))
        assert asking.opening == [
            "Codex asks",
            "  │ shall I",
            "    1  Yes: Go ahead.",
            "    2  No: Leave it.",
            "  a number or a name, or your own words; Ctrl-D: no answer",
        ]
        assert (asking.wants_key, asking.prompt) == (False, "answer: ")
        assert asking.line(typed) == []
        assert asking.reply == Reply({"answers": {"answer": {"answers": [answer]}}}, "answered")


def test_a_form_goes_field_by_field_and_asks_again_for_what_does_not_fit():
    """Nothing is sent before all of it is right; what may be left out is left out."""
    schema = {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "default": 3},
            "colours": {"type": "array", "items": {"enum": ["red", "blue"]}},
            "why": {"type": "string"},
        },
        "required": ["count", "colours"],
    }
    asking = form(question_of("mcpServer/elicitation/request", ELICITATION | {"requestedSchema": schema}))
    assert asking.opening[-2:] == ["  │ count", "  your answer (Enter: 3); Ctrl-D: no answer"]
    assert asking.line("three") == ["  three is no whole number"]
    assert asking.line("")[-1] == "  a number or a name, several with commas between them; Ctrl-D: no answer"
    assert asking.line("green") == ["  green is none of 1 (red), 2 (blue)"]
    assert asking.line("red,2") == ["  │ why", "  your answer; Ctrl-D: no answer"]
    assert asking.reply is None
    assert asking.line("") == []
    assert asking.reply == Reply(
        {"action": "accept", "content": {"count": 3, "colours": ["red", "blue"]}}, "answered"
    )


def test_a_form_can_be_declined():
    """With an answer that says so, so that Codex goes on."""
    asking = form(question_of("mcpServer/elicitation/request", ELICITATION))
    asking.decline()
    assert asking.reply == Reply({"action": "decline"}, "not answered")


def test_a_form_without_fields_is_answered_at_once():
    """An MCP server may ask for nothing but a yes."""
    asking = form(Form("t", [], [], {}, wraps_content=True))
    assert asking.reply == Reply({"action": "accept", "content": {}}, "answered")


def test_a_secret_is_known_as_one():
    """So that it is not echoed."""
    secret = Field("f", "password", [], is_secret=True)
    assert form(Form("t", [], [secret], {}, wraps_content=False)).is_secret


def test_what_cannot_be_answered_says_why():
    """Instead of choices."""
    assert described(Unanswerable("Codex asks", "not you"), 60, PLAIN) == ["Codex asks", "  not you"]


def test_a_question_in_one_line():
    """For lists and logs, cut and cleaned."""
    assert summary(command(command="echo\x1b[2J\nhi")) == "Codex wants to run a command: echo\\x1b[2J hi"
    assert summary(question_of("item/tool/requestUserInput", USER_INPUT)) == "Codex asks: shall I"
    assert summary(Unanswerable("Codex asks for x", "not you")) == "Codex asks for x"
