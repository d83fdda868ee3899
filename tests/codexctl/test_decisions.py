import pytest

from codexctl.decisions import Decision, Fact, Form, Unanswerable, question_of
from tests.codexctl.standin import (
    COMMAND_APPROVAL,
    ELICITATION,
    FILE_APPROVAL,
    PERMISSIONS_APPROVAL,
    USER_INPUT,
    file_change,
)

COMMAND = "item/commandExecution/requestApproval"
FILES = "item/fileChange/requestApproval"
ELICIT = "mcpServer/elicitation/request"


def results(question):
    assert isinstance(question, Decision)
    return {choice.key: choice.result for choice in question.choices}


def test_a_command_is_decided_by_what_codex_offers():
    """Exactly the offered answers, and a decline, which Codex takes whether it offers it or not."""
    question = question_of(COMMAND, COMMAND_APPROVAL)
    assert isinstance(question, Decision)
    assert question.title == "Codex wants to run a command"
    assert question.facts == [
        Fact("command", "/bin/bash -c 'echo hi'"),
        Fact("in", "/project"),
        Fact("because", "The prompt asks for it."),
    ]
    amendment = {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["echo", "hi there"]}}
    assert results(question) == {
        "y": {"decision": "accept"},
        "p": {"decision": amendment},
        "n": {"decision": "decline"},
        "c": {"decision": "cancel"},
    }
    assert [choice.foreign for choice in question.choices] == ["", "echo 'hi there'", "", ""]
    assert [choice.result for choice in question.unoffered] == [{"decision": "acceptForSession"}]


def test_without_an_offer_the_four_usual_answers_hold():
    """An older Codex does not say what it takes."""
    question = question_of(COMMAND, COMMAND_APPROVAL | {"availableDecisions": None})
    assert [answer["decision"] for answer in results(question).values()] == [
        "accept",
        "acceptForSession",
        "decline",
        "cancel",
    ]
    assert isinstance(question, Decision)
    assert question.unoffered == ()


def test_a_decision_that_nobody_can_explain_is_not_offered():
    """A newer Codex may offer what this version cannot put into words."""
    offered = ["accept", "acceptForever", {"acceptWithMagic": {}}]
    question = question_of(COMMAND, COMMAND_APPROVAL | {"availableDecisions": offered})
    assert results(question) == {"y": {"decision": "accept"}, "n": {"decision": "decline"}}


def test_network_access_is_about_the_host():
    """Every amendment has a key of its own; refusing a host for ever is a refusal."""
    rules = [
        {"host": host, "action": action} for host, action in (("a", "allow"), ("b", "allow"), ("c", "deny"))
    ]
    offered = [{"applyNetworkPolicyAmendment": {"network_policy_amendment": rule}} for rule in rules]
    question = question_of(
        COMMAND,
        COMMAND_APPROVAL
        | {
            "availableDecisions": ["accept", *offered, "decline"],
            "networkApprovalContext": {"host": "a.example", "protocol": "https"},
        },
    )
    assert isinstance(question, Decision)
    assert question.title == "Codex wants to reach a host on the network"
    assert question.facts[0] == Fact("host", "a.example (https)")
    assert [(one.key, one.foreign, one.verdict) for one in question.choices] == [
        ("y", "", "accept"),
        ("h", "a", "always"),
        ("1", "b", "always"),
        ("d", "c", "decline"),
        ("n", "", "decline"),
    ]


def test_input_for_a_running_command_is_called_that():
    """The text would otherwise read as a new command."""
    assert question_of(COMMAND, COMMAND_APPROVAL | {"kind": "writeStdin"}).title == (
        "Codex wants to type into a running command"
    )


def test_what_a_human_must_decide_is_not_decided_for_a_session():
    """Of a human's command Codex takes accept, decline and cancel alone."""
    question = question_of(COMMAND, COMMAND_APPROVAL | {"kind": "humanCommand"})
    assert isinstance(question, Decision)
    assert question.unoffered == ()


def test_more_rights_for_a_command_are_shown():
    """Nobody grants what was not seen."""
    extra = {"network": {"enabled": True}, "fileSystem": {"read": ["/etc"], "write": ["/srv"]}}
    question = question_of(COMMAND, COMMAND_APPROVAL | {"additionalPermissions": extra})
    assert isinstance(question, Decision)
    assert question.facts[-1] == Fact("with", "use the network\nread /etc\nwrite /srv")


def test_a_file_change_is_shown_as_a_diff():
    """The request has none; it is in the item. Without the item that is said."""
    question = question_of(FILES, FILE_APPROVAL | {"grantRoot": "/project"}, file_change())
    assert isinstance(question, Decision)
    assert question.facts == [
        Fact("add", "/project/new.txt\n+some text"),
        Fact("and then anything in", "/project"),
    ]
    assert [choice.key for choice in question.choices] == ["y", "a", "n", "c"]
    unseen = question_of(FILES, FILE_APPROVAL)
    assert isinstance(unseen, Decision)
    assert unseen.facts == [Fact("files", "(what would change is not known here)")]


@pytest.mark.parametrize(
    ("kind", "diff", "shown"),
    [
        ({"type": "delete"}, "old\n", Fact("delete", "/f\n-old")),
        (
            {"type": "update", "move_path": None},
            "@@ -1 +1 @@\n-a\n+b\n",
            Fact("update", "/f\n@@ -1 +1 @@\n-a\n+b\n"),
        ),
        ({"type": "update", "move_path": "/g"}, "", Fact("update", "/f to /g\n")),
    ],
)
def test_every_kind_of_change_is_told_apart(kind, diff, shown):
    """What goes, what comes, what moves."""
    item = {"changes": [{"path": "/f", "kind": kind, "diff": diff}]}
    question = question_of(FILES, FILE_APPROVAL, item)
    assert isinstance(question, Decision)
    assert question.facts == [shown]


def test_rights_are_granted_as_asked_or_not_at_all():
    """No decision here: what is granted is named, and nothing is a refusal."""
    question = question_of("item/permissions/requestApproval", PERMISSIONS_APPROVAL)
    files = PERMISSIONS_APPROVAL["permissions"]["fileSystem"]
    assert results(question) == {
        "y": {"permissions": {"fileSystem": files}, "scope": "turn"},
        "a": {"permissions": {"fileSystem": files}, "scope": "session"},
        "n": {"permissions": {}},
    }
    assert isinstance(question, Decision)
    assert question.facts[0] == Fact("for", "write /tmp/there")


def test_a_right_to_a_special_place_is_spelt_out():
    """A place that is no plain path is shown with all that is known of it."""
    entries = [{"access": "read", "path": {"type": "glob", "pattern": "**/*.key"}}]
    asked = PERMISSIONS_APPROVAL | {"permissions": {"fileSystem": {"entries": entries}}}
    question = question_of("item/permissions/requestApproval", asked)
    assert isinstance(question, Decision)
    assert question.facts[0] == Fact("for", "read type glob pattern **/*.key")


def test_questions_are_answered_by_their_ids():
    """Every question is a field; the answers go back as lists under the questions' ids."""
    question = question_of("item/tool/requestUserInput", USER_INPUT)
    assert isinstance(question, Form)
    assert [(field.title, field.is_free) for field in question.fields] == [("shall I", True)]
    assert question.result({"answer": "Yes"}) == {"answers": {"answer": {"answers": ["Yes"]}}}
    assert question.declined == {"answers": {}}


def test_a_question_without_options_takes_any_words():
    """And a secret one is marked as such."""
    asked = {"id": "q", "header": "h", "question": "which password", "isSecret": True, "options": None}
    question = question_of("item/tool/requestUserInput", USER_INPUT | {"questions": [asked]})
    assert isinstance(question, Form)
    assert [(field.is_free, field.is_secret) for field in question.fields] == [(True, True)]


def test_an_mcp_form_is_filled_in_field_by_field():
    """What is not required may be left out; declining is an answer of its own."""
    question = question_of(ELICIT, ELICITATION)
    assert isinstance(question, Form)
    assert question.facts == [Fact("server", "scripted"), Fact("says", "shall I")]
    assert [(field.name, field.title, field.is_required) for field in question.fields] == [
        ("answer", "Answer", True)
    ]
    assert question.result({"answer": "x"}) == {"action": "accept", "content": {"answer": "x"}}
    assert question.declined == {"action": "decline"}


def test_an_mcp_server_may_ask_to_open_a_page():
    """That is a decision, and refusing it refuses Codex nothing."""
    asked = {
        "serverName": "s",
        "mode": "url",
        "message": "sign in",
        "url": "https://x.example",
        "elicitationId": "e",
    }
    question = question_of(ELICIT, asked)
    assert results(question) == {
        "y": {"action": "accept"},
        "n": {"action": "decline"},
        "c": {"action": "cancel"},
    }
    assert isinstance(question, Decision)
    assert question.facts[-1] == Fact("open", "https://x.example")
    assert not question.is_approval


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (ELICIT, {"serverName": "s", "mode": "openai/userVerification", "title": "t", "challenge": "c"}),
        ("item/tool/call", {"tool": "t"}),
        ("attestation/generate", {}),
    ],
)
def test_what_no_person_can_answer_is_named(method, params):
    """It is left to others and never answered with something made up."""
    assert isinstance(question_of(method, params), Unanswerable)
