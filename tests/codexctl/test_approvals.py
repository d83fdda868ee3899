import json

import pytest

from tests.codexctl.standin import (
    COMMAND_APPROVAL,
    ELICITATION,
    FILE_APPROVAL,
    PERMISSIONS_APPROVAL,
    THREAD,
    TURN,
    USER_INPUT,
    Refused,
    file_change,
)

COMMAND, FILES, RIGHTS, QUESTION, FORM, TOOL = 11, 12, 13, 14, 15, 16


def approval(number, method, params):
    return {
        "id": number,
        "threadId": THREAD,
        "turnId": TURN,
        "method": method,
        "params": params,
        "askedAt": 1795229664.2,
        "askedClients": [1],
    }


@pytest.fixture
def waiting(codexd):
    """A stand-in with one approval of each kind."""
    codexd.answers |= {
        "codexd/approvals/list": {
            "approvals": [
                approval(COMMAND, "item/commandExecution/requestApproval", COMMAND_APPROVAL),
                approval(FILES, "item/fileChange/requestApproval", FILE_APPROVAL),
                approval(RIGHTS, "item/permissions/requestApproval", PERMISSIONS_APPROVAL),
                approval(QUESTION, "item/tool/requestUserInput", USER_INPUT),
                approval(FORM, "mcpServer/elicitation/request", ELICITATION),
                approval(TOOL, "item/tool/call", {"tool": "t"}) | {"threadId": None, "turnId": None},
            ]
        },
        "codexd/approvals/answer": {},
    }
    return codexd


def answers(codexd):
    return [(request["id"], request["result"]) for request in codexd.requests("codexd/approvals/answer")]


def test_all_that_waits_is_listed(waiting, codexctl, capsys):
    """A line each, with what it is about; as JSON codexd's own answer."""
    assert codexctl("approvals") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "11", "12", "13", "14", "15", "16"]
    assert lines[1].endswith("Codex wants to run a command: /bin/bash -c 'echo hi'")
    assert lines[4].endswith("Codex asks: shall I")
    assert codexctl("approvals", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == waiting.answers["codexd/approvals/list"]


def test_nothing_waits(waiting, codexctl, capsys):
    """Said on stderr."""
    waiting.answers["codexd/approvals/list"] = {"approvals": []}
    assert codexctl("approvals") == 0
    assert capsys.readouterr() == ("", "nothing waits for an answer\n")


@pytest.mark.parametrize(
    ("argv", "result"),
    [
        (["accept", COMMAND], {"decision": "accept"}),
        (["accept", COMMAND, "--for-session"], {"decision": "acceptForSession"}),
        (["decline", COMMAND], {"decision": "decline"}),
        (["accept", FILES], {"decision": "accept"}),
        (["accept", FILES, "--for-session"], {"decision": "acceptForSession"}),
        (["decline", FILES], {"decision": "decline"}),
        (["decline", RIGHTS], {"permissions": {}}),
        (["accept", QUESTION, "--answer", "1"], {"answers": {"answer": {"answers": ["Yes"]}}}),
        (["accept", QUESTION, "--answer", "a=b"], {"answers": {"answer": {"answers": ["a=b"]}}}),
        (["accept", QUESTION, "--answer", "answer"], {"answers": {"answer": {"answers": ["answer"]}}}),
        (["accept", QUESTION, "--answer", "answer=no"], {"answers": {"answer": {"answers": ["No"]}}}),
        (["decline", QUESTION], {"answers": {}}),
        (["accept", FORM, "--answer", "x y"], {"action": "accept", "content": {"answer": "x y"}}),
        (["decline", FORM], {"action": "decline"}),
    ],
)
def test_every_kind_is_answered_in_its_own_shape(waiting, codexctl, capsys, argv, result):
    """What Codex gets is printed for programs; people are told on stderr what was done."""
    words = [str(word) for word in argv]
    assert codexctl("approvals", *words) == 0
    out, err = capsys.readouterr()
    done = "declined" if words[0] == "decline" else "answered" if "--answer" in words else "accepted"
    assert (out, err.partition(": ")[0]) == ("", f"{argv[1]} {done}")
    assert codexctl("approvals", *words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"id": argv[1], "result": result}
    assert answers(waiting) == [(argv[1], result)] * 2


def test_rights_are_granted_for_the_turn_or_the_session(waiting, codexctl):
    """Exactly those that were asked for."""
    codexctl("approvals", "accept", str(RIGHTS))
    codexctl("approvals", "accept", str(RIGHTS), "--for-session")
    wanted = {"fileSystem": PERMISSIONS_APPROVAL["permissions"]["fileSystem"]}
    assert [result for _, result in answers(waiting)] == [
        {"permissions": wanted, "scope": "turn"},
        {"permissions": wanted, "scope": "session"},
    ]


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["accept", "99"], 1, "nothing with the id 99 waits for an answer"),
        (["accept", str(TOOL)], 1, "Codex asks for item/tool/call: a program has to answer this"),
        (["accept", str(COMMAND), "--answer", "x"], 2, "this is not a question"),
        (["accept", str(QUESTION)], 2, "shall I: an answer is needed; give it with --answer answer=TEXT"),
        (["accept", str(QUESTION), "--answer", "1", "--answer", "2"], 2, "no question left for the answer 2"),
    ],
)
def test_what_cannot_be_answered_is_said(waiting, codexctl, capsys, argv, code, sentence):
    """And nothing is sent."""
    assert codexctl("approvals", *argv) == code
    assert sentence in capsys.readouterr().err
    assert answers(waiting) == []


def test_a_humans_command_is_not_allowed_for_a_session(waiting, codexctl, capsys):
    """What Codex would not take is not sent."""
    params = COMMAND_APPROVAL | {"kind": "humanCommand", "availableDecisions": ["accept", "decline"]}
    human = approval(COMMAND, "item/commandExecution/requestApproval", params)
    waiting.answers["codexd/approvals/list"] = {"approvals": [human]}
    assert codexctl("approvals", "accept", str(COMMAND), "--for-session") == 1
    assert "it offers: yes, no, and go on" in capsys.readouterr().err


def test_somebody_was_faster(waiting, codexctl, capsys):
    """codexd's error is the user's."""
    waiting.answers["codexd/approvals/answer"] = Refused(-32600, "it has been answered")
    assert codexctl("approvals", "accept", str(COMMAND)) == 1
    assert capsys.readouterr().err == "codexctl: it has been answered\n"


def shown(codexctl, capsys, number):
    assert codexctl("approvals", "show", str(number)) == 0
    head, _, body = capsys.readouterr().out.partition("asked:")
    return head.splitlines(), body.splitlines()[1:]


def test_a_command_is_shown_with_its_choices(waiting, codexctl, capsys):
    """All that there is to know before deciding."""
    head, body = shown(codexctl, capsys, COMMAND)
    assert head == ["id:     11", f"thread: {THREAD}", f"turn:   {TURN}"]
    assert body[:3] == ["Codex wants to run a command", "  command", "  │ /bin/bash -c 'echo hi'"]
    assert body[-1] == "  c  no, and stop the turn"


def test_questions_are_shown_with_the_names_that_answers_go_by(waiting, codexctl, capsys):
    """So that `--answer NAME=TEXT` can be written."""
    assert shown(codexctl, capsys, QUESTION)[1] == ["Codex asks", "  answer: shall I (Yes, No)"]
    assert shown(codexctl, capsys, FORM)[1][-1] == "  answer: Answer"


def test_what_cannot_be_answered_is_shown_too(waiting, codexctl, capsys):
    """With the reason; what concerns no thread names none."""
    head, body = shown(codexctl, capsys, TOOL)
    assert head == ["id:     16"]
    assert body[-1] == "  a program has to answer this, the command line cannot"


def test_a_file_change_is_shown_with_its_diff(waiting, codexctl, capsys):
    """The request has none; it is in the item that codexd adds, and nothing is made up where it does not."""
    assert shown(codexctl, capsys, FILES)[1][2] == "  │ (what would change is not known here)"
    waiting.answers["codexd/approvals/list"]["approvals"][1]["item"] = file_change()
    assert shown(codexctl, capsys, FILES)[1][1:4] == ["  add", "  │ /project/new.txt", "  │ +some text"]
    assert codexctl("approvals", "show", str(FILES), "--json") == 0
    assert json.loads(capsys.readouterr().out)["item"] == file_change()


def test_an_id_that_is_none_is_wrong_usage(codexctl, capsys):
    """The way out is named."""
    with pytest.raises(SystemExit) as ended:
        codexctl("approvals", "accept", "foo")
    assert ended.value.code == 2
    assert "foo is no id of an approval; `codexctl approvals` lists them" in capsys.readouterr().err
