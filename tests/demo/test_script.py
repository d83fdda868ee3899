"""The scripted model's language, without a Codex."""

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from codexd.demo.script import Call, Cut, Fail, Hold, Message, Now, Pause, prompt_in, reply_to, understand


def said(text: object, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def called(call_id: str, name: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name}


def gave(call_id: str, output: object) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def text_of(reply: object) -> str:
    assert isinstance(reply, tuple)
    (message,) = reply
    assert isinstance(message, Message)
    return "".join(part for part in message.parts if isinstance(part, str))


def call_of(reply: object) -> Call:
    assert isinstance(reply, tuple)
    (call,) = reply
    assert isinstance(call, Call)
    return call


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("stream 3", ("1 ", "2 ", "3 ")),
        ("stream 2 50", ("1 ", Pause(0.05), "2 ")),
        ("stream 2 50 end", ("1 ", Pause(0.05), Hold("end"), "2 ")),
        ("stream 1 0 end", (Hold("end"), "1 ")),
        ("stream 0", ()),
        ("stream 0 1 end", ()),
        ("clock 2 50", (Pause(0.05), Now(), Pause(0.05), Now())),
        ("hold a-1", ("holding a-1", Hold("a-1"), ", released a-1")),
        ("die", ("The connection will be ", Cut())),
    ],
)
def test_words_that_speak(prompt: str, parts: tuple[object, ...]) -> None:
    """What is said, and where it pauses, is exactly this."""
    assert understand(prompt) == (Message(parts),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompt", "name", "namespace", "some_arguments"),
    [
        ("run ls\npwd", "exec_command", None, {"cmd": "ls\npwd", "sandbox_permissions": "require_escalated"}),
        ("run-free ls -l", "exec_command", None, {"cmd": "ls -l"}),
        (
            "permissions /opt",
            "request_permissions",
            None,
            {"permissions": {"file_system": {"write": ["/opt"]}}},
        ),
        ("elicit Why not?", "elicit", "mcp__scripted", {"question": "Why not?"}),
        ("agents run ls", "spawn_agent", "multi_agent_v1", {"message": "run ls"}),
        ('call view_image {"path": "x"}', "view_image", None, {"path": "x"}),
        ('call mcp__a.b-c {"d": {}}', "b-c", "mcp__a", {"d": {}}),
    ],
)
def test_words_that_call_a_tool(
    prompt: str, name: str, namespace: str | None, some_arguments: dict[str, object]
) -> None:
    """Each becomes one call of one tool with these arguments among others."""
    call = call_of(understand(prompt))
    assert (call.name, call.namespace) == (name, namespace)
    assert call.arguments == call.arguments | some_arguments


def test_only_run_leaves_the_sandbox() -> None:
    """``run-free`` and ``patch`` stay inside it."""
    for prompt in ("run-free ls", "patch a b"):
        call = call_of(understand(prompt))
        assert "sandbox_permissions" not in call.arguments


def test_a_patch_is_a_here_document() -> None:
    """Every line of the text is an added line of the file."""
    call = call_of(understand("patch /a/b.txt one\n\ntwo words"))
    assert call.arguments["cmd"] == (
        "apply_patch <<'END_OF_PATCH'\n"
        "*** Begin Patch\n*** Add File: /a/b.txt\n+one\n+\n+two words\n*** End Patch\n"
        "END_OF_PATCH\n"
    )


def test_ask_offers_yes_and_no() -> None:
    """The question has the id ``answer`` and two options."""
    call = call_of(understand("ask Shall we?"))
    (question,) = call.arguments["questions"]
    assert (question["id"], question["question"]) == ("answer", "Shall we?")
    assert [option["label"] for option in question["options"]] == ["Yes", "No"]


def test_together_joins_the_calls_of_its_prompts() -> None:
    """In one reply, in the order given; a failure among them is the whole reply."""
    both = understand("together run-free a // elicit b")
    assert both == understand("run-free a") + understand("elicit b")  # type: ignore[operator]
    assert understand("together run a // fail 500") == Fail(500, "The prompt asked for a failure.")


@pytest.mark.parametrize(
    ("prompt", "failure"),
    [
        ("fail 429", Fail(429, "The prompt asked for a failure.")),
        ("fail 500 out of order", Fail(500, "out of order")),
    ],
)
def test_fail_is_an_http_error(prompt: str, failure: Fail) -> None:
    """With the status and the message asked for."""
    assert understand(prompt) == failure


def test_a_call_whose_arguments_are_not_json_fails() -> None:
    """The turn ends with the reason."""
    reply = understand("call shout {not json}")
    assert isinstance(reply, Fail)
    assert reply.status == 400
    assert "not JSON" in reply.message


@pytest.mark.parametrize(
    "prompt", ["stream of thought", "hold on there", "fail 200", "die now", "ran ls", ""]
)
def test_what_fits_no_word_is_plain_text(prompt: str) -> None:
    """It is echoed."""
    assert text_of(understand(prompt)) == f"You said: {prompt}".rstrip()


def test_an_echo_is_short() -> None:
    """However long the prompt."""
    assert len(text_of(understand("x " * 1_000_000))) < 250


@settings(deadline=None)
@given(st.text())
def test_every_prompt_has_an_answer(prompt: str) -> None:
    """Any text is understood, and its calls can be sent as JSON."""
    reply = understand(prompt)
    if isinstance(reply, tuple):
        for step in reply:
            if isinstance(step, Call):
                json.dumps(step.arguments)


def test_the_last_prompt_counts() -> None:
    """Not an earlier one, nor an answer, nor what Codex says in the user's name before it."""
    conversation = [
        said("one"),
        said("You said: one", "assistant"),
        said("<environment_context>x"),
        said("two"),
    ]
    assert text_of(reply_to(conversation)) == "You said: two"


def test_a_tool_output_is_quoted() -> None:
    """As text, whether it came as a string or in parts, several outputs one after the other."""
    parts = [
        {"type": "input_text", "text": "b"},
        {"type": "input_image"},
        {"type": "input_text", "text": "c"},
    ]
    calls = [said("together …"), called("1", "exec_command"), called("2", "elicit")]
    assert text_of(reply_to([*calls, gave("1", "a"), gave("2", parts)])) == "The output was: a\nb\nc"


def test_quietly_does_the_same_and_repeats_nothing() -> None:
    """Whatever the tools gave; a sub-agent is still waited for."""
    assert understand("quietly run-free a") == understand("run-free a")
    assert (
        text_of(reply_to([said("quietly run-free a"), called("1", "exec_command"), gave("1", "x")]))
        == "Done."
    )
    agent = [said("quietly agents a"), called("1", "spawn_agent"), gave("1", '{"agent_id":"x"}')]
    assert call_of(reply_to(agent)).name == "wait_agent"


def test_an_output_from_before_the_prompt_is_history() -> None:
    """Only what came after the last prompt is answered."""
    conversation = [said("run a"), called("1", "exec_command"), gave("1", "a"), said("next")]
    assert text_of(reply_to(conversation)) == "You said: next"


def test_sub_agents_are_waited_for_and_then_quoted() -> None:
    """All of them in one wait; the notification that Codex adds about their end is not a prompt."""
    conversation = [
        said("together agents a // agents b"),
        called("1", "spawn_agent"),
        called("2", "spawn_agent"),
        gave("1", '{"agent_id":"x"}'),
        gave("2", '{"agent_id":"y"}'),
    ]
    wait = call_of(reply_to(conversation))
    assert (wait.name, wait.arguments["targets"]) == ("wait_agent", ["x", "y"])
    conversation += [called("3", "wait_agent"), gave("3", "done"), said("<subagent_notification>\n{}")]
    assert text_of(reply_to(conversation)) == "The output was: done"


def test_a_refused_sub_agent_is_quoted() -> None:
    """An error in place of an agent's id is an output like any other."""
    conversation = [said("agents a"), called("1", "spawn_agent"), gave("1", "too many")]
    assert text_of(reply_to(conversation)) == "The output was: too many"


def test_without_a_prompt_the_model_says_so() -> None:
    """Codex may ask for an answer to nothing new."""
    assert text_of(reply_to([said("hello"), said("You said: hello", "assistant")])) == "There was no prompt."


@pytest.mark.parametrize("item", [{"type": "reasoning"}, said("x", "developer"), said("<turn_aborted>\n")])
def test_what_is_not_a_prompt(item: dict[str, Any]) -> None:
    """Only the user's own messages are prompts."""
    assert prompt_in(item) is None
