"""The language of the scripted model: what a prompt makes it do.

The demo, the tests and the benchmark talk to a real Codex whose model is this script, so a prompt says
what the "model" shall do. The first word decides; what fits no line of this table is plain text.

====================================  =======================================================================
prompt                                what the model does
====================================  =======================================================================
``any text``                          streams ``You said: any text`` (the text cut at 200 characters)
``stream N [DELAY_MS [NAME]]``        streams N deltas, ``1 `` to ``N ``, DELAY_MS milliseconds apart, the last one
                                      not before ``release(NAME)``
``clock N DELAY_MS``                  streams N deltas, each the machine's monotonic clock in nanoseconds
``hold NAME``                         streams ``holding NAME``, waits for ``release(NAME)``, streams the rest
``run COMMAND``                       runs COMMAND outside the sandbox: Codex asks for approval first
``run-free COMMAND``                  runs COMMAND inside the sandbox: nobody is asked
``patch FILE TEXT``                   writes TEXT and a newline to FILE as a file change: Codex asks for
                                      approval when FILE is outside what the sandbox lets it write
``ask QUESTION``                      asks the user QUESTION with the answers Yes and No
``permissions PATH``                  asks for the right to write to PATH
``elicit QUESTION``                   calls an MCP tool that asks the user QUESTION
``agents PROMPT``                     starts a sub-agent with PROMPT, waits for it
``call NAME JSON``                    calls any tool; ``SPACE.NAME`` where tools have a name space
``together PROMPT // PROMPT …``       the tool calls of several prompts in one response
``quietly PROMPT``                    does what PROMPT says, and does not repeat what its tool calls gave
``fail STATUS [MESSAGE]``             an HTTP error instead of an answer
``die``                               cuts the connection in the middle of the answer
====================================  =======================================================================

After a tool call Codex sends a second request with the tool's output; the model then says
``The output was:`` and the output, decisions and errors included, and the turn is done.
A sub-agent's prompt is in the same language.

Seen with Codex 0.163 and 0.169:

* The request's ``input`` is the whole conversation. Codex itself adds messages in the user's name, in tags:
  before the prompt (``<environment_context>``) and after a tool's output (``<subagent_notification>``).
  Sub-agents, compaction and reviews make requests of their own; the header ``x-codex-turn-metadata`` tells
  them apart (``thread_id``, ``parent_thread_id``, ``request_kind``).
* A prompt that steers a running turn ends the answer under way; the turn goes on with the new prompt.
* ``request_user_input`` is refused in the default collaboration mode ("unavailable in Default mode") unless
  the feature ``default_mode_request_user_input`` is on (the question then has ``isBlocking`` false); in plan
  mode, ``turn/start`` with ``collaborationMode: {"mode": "plan", "settings": {"model": …}}``, it needs no
  feature (``isBlocking`` true).
* ``request_permissions`` is a tool only with the feature ``request_permissions_tool``.
* Tools of MCP servers and the sub-agents' tools have a name space: ``{"namespace": "mcp__SERVER", "name": …}``,
  ``multi_agent_v1``. ``mcp__SERVER__TOOL`` in one name is an "unsupported call".
* A file change is applied inside the sandbox even when it was approved: the file's directory must exist.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

ECHO_LIMIT = 200
COMMAND_YIELD_MS = 30_000  # Codex's maximum: a slow machine still gets the whole output of a short command
AGENT_WAIT_MS = 600_000
_QUIETLY = "quietly "

# What Codex says in the user's name stands in one of these tags.
_CODEX_TAGS = re.compile(
    r"<(environment_context|subagent_notification|turn_aborted|user_action|user_shell_command|skill)>"
)


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    name: str


@dataclass(frozen=True, slots=True)
class Now:
    """The time at which this delta is sent: `time.monotonic_ns()` and a space."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends here, in the middle of the answer."""


Part = str | Now | Pause | Hold | Cut


@dataclass(frozen=True, slots=True)
class Message:
    """What the model says, delta by delta."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; ``namespace`` where the tool is in one."""

    name: str
    arguments: dict[str, Any] = field(hash=False)
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """An HTTP error in place of an answer."""

    status: int
    message: str


Reply = tuple[Message | Call, ...] | Fail


def reply_to(conversation: list[dict[str, Any]]) -> Reply:
    """What the model answers to a request whose ``input`` is ``conversation``."""
    since_prompt: list[dict[str, Any]] = []
    prompt = None
    for item in reversed(conversation):
        prompt = prompt_in(item)
        if prompt is not None or item.get("role") == "assistant":
            break
        since_prompt.insert(0, item)
    calls = {item["call_id"]: item["name"] for item in since_prompt if item.get("type") == "function_call"}
    outputs = [
        (calls.get(item["call_id"]), _text(item.get("output")))
        for item in since_prompt
        if item.get("type") == "function_call_output"
    ]
    if outputs:
        is_quiet = prompt is not None and prompt.startswith(_QUIETLY)
        return _after_tools(outputs, is_quiet)
    return (Message(("There was no prompt.",)),) if prompt is None else understand(prompt)


def prompt_in(item: dict[str, Any]) -> str | None:
    """The text of an item that the user said; None for every other item."""
    if item.get("type") != "message" or item.get("role") != "user":
        return None
    text = _text(item.get("content"))
    return None if _CODEX_TAGS.match(text) else text


def understand(prompt: str) -> Reply:
    """What one prompt means, by the table above."""
    for form, meaning in _WORDS:
        match = form.fullmatch(prompt.strip())
        if match:
            return meaning(match)
    return (Message(tuple(_words(f"You said: {prompt[:ECHO_LIMIT]}"))),)


def _after_tools(outputs: list[tuple[str | None, str]], is_quiet: bool) -> Reply:
    """The next step after tools gave ``outputs`` (name of the tool, text)."""
    spawned = [text for tool, text in outputs if tool == "spawn_agent" and '"agent_id"' in text]
    if spawned and not any(tool == "wait_agent" for tool, _ in outputs):
        agents = [json.loads(text)["agent_id"] for text in spawned]
        return (Call("wait_agent", {"targets": agents, "timeout_ms": AGENT_WAIT_MS}, "multi_agent_v1"),)
    if is_quiet:
        return (Message(("Done.",)),)
    quoted = "\n".join(text for _, text in outputs if text not in spawned)
    return (Message(("The output was: ", quoted)),)


def _text(content: object) -> str:
    """The text of a message's or an output's content: a string, or parts of which some hold text."""
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if "text" in part)
    return str(content)


def _words(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(r"\s*\S+\s*?", text))


def _stream(match: re.Match[str]) -> Reply:
    delay = Pause(int(match["delay"] or 0) / 1000)
    parts: list[Part] = []
    for number in range(1, int(match["count"]) + 1):
        parts += [delay, f"{number} "] if delay.seconds and number > 1 else [f"{number} "]
    if parts and match["name"]:
        parts.insert(-1, Hold(match["name"]))
    return (Message(tuple(parts)),)


def _clock(match: re.Match[str]) -> Reply:
    delay = Pause(int(match["delay"]) / 1000)
    return (Message((delay, Now()) * int(match["count"])),)


def _hold(match: re.Match[str]) -> Reply:
    name = match["name"]
    return (Message((f"holding {name}", Hold(name), f", released {name}")),)


def _command(command: str, **more: object) -> Reply:
    return (
        Call("exec_command", {"cmd": command, "login": False, "yield_time_ms": COMMAND_YIELD_MS, **more}),
    )


def _run(match: re.Match[str]) -> Reply:
    return _command(
        match["command"], sandbox_permissions="require_escalated", justification="The prompt asks for it."
    )


def _patch(match: re.Match[str]) -> Reply:
    added = "".join(f"+{line}\n" for line in match["text"].splitlines())
    patch = f"*** Begin Patch\n*** Add File: {match['file']}\n{added}*** End Patch\n"
    return _command(f"apply_patch <<'END_OF_PATCH'\n{patch}END_OF_PATCH\n")


def _ask(match: re.Match[str]) -> Reply:
    options = [
        {"label": "Yes", "description": "Go ahead."},
        {"label": "No", "description": "Leave it."},
    ]
    question = {"id": "answer", "header": "Question", "question": match["question"], "options": options}
    return (Call("request_user_input", {"questions": [question]}),)


def _permissions(match: re.Match[str]) -> Reply:
    wanted = {"file_system": {"write": [match["path"]]}}
    return (Call("request_permissions", {"reason": "The prompt asks for it.", "permissions": wanted}),)


def _elicit(match: re.Match[str]) -> Reply:
    return (Call("elicit", {"question": match["question"]}, "mcp__scripted"),)


def _agents(match: re.Match[str]) -> Reply:
    return (Call("spawn_agent", {"message": match["prompt"]}, "multi_agent_v1"),)


def _call(match: re.Match[str]) -> Reply:
    try:
        arguments = json.loads(match["arguments"])
    except json.JSONDecodeError as error:
        return Fail(400, f"The arguments are not JSON: {error}")
    return (Call(match["name"], arguments, match["space"]),)


def _together(match: re.Match[str]) -> Reply:
    steps: list[Message | Call] = []
    for prompt in match["prompts"].split(" // "):
        reply = understand(prompt)
        if isinstance(reply, Fail):
            return reply
        steps += reply
    return tuple(steps)


def _fail(match: re.Match[str]) -> Reply:
    return Fail(int(match["status"]), match["message"] or "The prompt asked for a failure.")


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


_WORDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Reply]], ...] = (
    (_form(r"stream (?P<count>\d{1,7})(?: (?P<delay>\d{1,6})(?: (?P<name>\S+))?)?"), _stream),
    (_form(r"clock (?P<count>\d{1,7}) (?P<delay>\d{1,6})"), _clock),
    (_form(r"hold (?P<name>\S+)"), _hold),
    (_form(r"run (?P<command>.+)"), _run),
    (_form(r"run-free (?P<command>.+)"), lambda match: _command(match["command"])),
    (_form(r"patch (?P<file>\S+) (?P<text>.+)"), _patch),
    (_form(r"ask (?P<question>.+)"), _ask),
    (_form(r"permissions (?P<path>\S+)"), _permissions),
    (_form(r"elicit (?P<question>.+)"), _elicit),
    (_form(r"agents (?P<prompt>.+)"), _agents),
    (_form(r"call (?:(?P<space>[\w-]+)\.)?(?P<name>[\w-]+) (?P<arguments>\{.*\})"), _call),
    (_form(r"together (?P<prompts>.+)"), _together),
    (_form(rf"{_QUIETLY}(?P<prompt>.+)"), lambda match: understand(match["prompt"])),
    (_form(r"fail (?P<status>[45]\d\d)(?: (?P<message>.+))?"), _fail),
    (_form(r"die"), lambda _: (Message(("The connection will be ", Cut())),)),
)
