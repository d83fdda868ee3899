"""What happens on one thread, told to people: the reply as it streams, and notes about everything else.

Nothing is told twice: of a message that was streamed only what its end adds, of an item that the history has shown
nothing.
"""

from collections.abc import Callable
from typing import Any

from codexctl.client import Message
from codexctl.views import View

Params = dict[str, Any]
OUTPUT_LINES = 8
"""How many of the last lines of a command's output are shown."""


class Transcript:
    """Tells what happens on a thread. `turn` is the turn that runs, if any; `turns` has those that ended.

    `heard`: those of `own_prompts` that Codex has; `unanswered`: prompts of `own_prompts` that a turn took in and then completed without a word or a deed. Codex takes
    in what comes in a turn's last moments, and asks its model no more (measured on 0.163).

    A review begins under one id and ends under another, its `rootTurnId` (0.163, 0.171). In Codex's history it is two turns,
    of which the first one counts as interrupted when it is over.
    """

    def __init__(self, thread: str, view: View, *, detailed: bool = False) -> None:
        """`detailed`: also what others typed, and the end of what commands put out."""
        self.thread = thread
        self.turn: str | None = None
        self._root: str | None = None
        self.turns: dict[str, Params] = {}
        self.items: dict[str, Params] = {}
        self.own_prompts: set[str] = set()
        self.heard: set[str] = set()
        self.unanswered: list[str] = []
        self.is_muted = False
        self.last_message = ""
        self.ended: str | None = None
        self._view = view
        self._detailed = detailed
        self._shown: set[str] = set()
        self._taken_in: list[str] = []
        self._speaking: str | None = None
        self._streamed: dict[str, int] = {}
        self._takers: dict[str, Callable[[Params], None]] = {
            "turn/started": self._turn_started,
            "turn/completed": self._turn_completed,
            "turn/plan/updated": self._plan_updated,
            "item/started": self._item_started,
            "item/completed": self._item_completed,
            "item/agentMessage/delta": self._delta,
            "error": self._error,
            "warning": self._warning,
            "guardianWarning": self._warning,
            "configWarning": self._config_warning,
            "model/rerouted": lambda params: view.note(f"the model is {params.get('toModel')} now", "yellow"),
            "thread/archived": lambda _: self._end("archived"),
            "thread/deleted": lambda _: self._end("deleted"),
            "thread/closed": lambda _: self._end("closed"),
            "codexd/codex/exited": lambda params: view.note(f"Codex ended: {params['reason']}", "red"),
            "codexd/codex/ready": lambda _: view.note("Codex is back", "green"),
        }

    def take(self, message: Message) -> None:
        """One notification; what concerns other threads is nothing to tell."""
        thread = message.params.get("threadId") or self.thread
        if thread == self.thread and message.method in self._takers:
            self._takers[message.method](message.params)

    def history(self, turns: list[Params]) -> None:
        """Tells what was said before, oldest first; what is not finished yet is left to the events.

        Of what has been told already nothing, also when it is told in the middle of the events.
        """
        ended = {turn["id"] for turn in turns}.union(self.turns)
        for turn in turns:
            for item in turn["items"]:
                if item.get("status") != "inProgress" and item["id"] not in self._shown:
                    self._tell_whole(item)
            if turn["id"] in self.turns:
                continue
            if turn.get("rootTurnId") in ended - {turn["id"]}:
                self.turns[turn["id"]] = turn
            elif turn["status"] == "inProgress":
                self._turn_started({"turn": turn})
            else:
                self._end_turn(turn)
        self._taken_in.clear()

    def _tell_whole(self, item: Params) -> None:
        """A finished item, or what is missing of one that has begun."""
        if item["id"] in self.items:
            self._item_completed({"item": item})
        else:
            self._shown.add(item["id"])
            self._tell(item)

    def _turn_started(self, params: Params) -> None:
        if params["turn"]["id"] not in self.turns:
            self.turn, self._root = params["turn"]["id"], params["turn"].get("rootTurnId")

    def _turn_completed(self, params: Params) -> None:
        turn = params["turn"]
        self._end_message()
        if turn["status"] == "completed":
            self.unanswered += self._taken_in
        self._taken_in.clear()
        if turn["id"] not in self.turns:
            self._end_turn(turn)

    def _end_turn(self, turn: Params) -> None:
        self._end_message()
        self.turns[turn["id"]] = turn
        if turn["id"] in (self.turn, self._root):
            self.turn = None
        self._tell_end(turn)

    def _tell_end(self, turn: Params) -> None:
        if turn["status"] == "failed":
            error = turn.get("error") or {}
            more = f" ({error['additionalDetails']})" if error.get("additionalDetails") else ""
            self._view.note(f"the turn failed: {error.get('message', 'Codex does not say why')}{more}", "red")
        elif turn["status"] == "interrupted":
            self._view.note("the turn was interrupted", "yellow")

    def _plan_updated(self, params: Params) -> None:
        marks = {"completed": "✓", "inProgress": "→"}
        steps = [f"{marks.get(step['status'], ' ')} {step['step']}" for step in params.get("plan", [])]
        if steps:
            self._view.note("\n".join(["plan:", *steps]), "dim")

    def _item_started(self, params: Params) -> None:
        item = params["item"]
        if item["type"] != "userMessage":
            self._taken_in.clear()
        if item["id"] in self._shown:
            return
        self.items[item["id"]] = item
        if item["type"] == "userMessage":
            self._shown.add(item["id"])
            self._user_message(item)
        elif item["type"] == "commandExecution":
            self._view.note(f"$ {_command_of(item)}", "cyan")
        elif item["type"] == "mcpToolCall":
            self._view.note(f"tool {item['server']}.{item['tool']}", "cyan")
        elif item["type"] == "collabAgentToolCall":
            self._view.note(f"agent: {item['tool']} {item.get('prompt') or ''}".rstrip(), "cyan")

    def _item_completed(self, params: Params) -> None:
        item = params["item"]
        self.items.pop(item["id"], None)
        if item["id"] in self._shown or item["type"] == "userMessage":
            return
        self._shown.add(item["id"])
        if item["type"] == "agentMessage":
            self._message_completed(item)
        else:
            self._tell_outcome(item)

    def _tell(self, item: Params) -> None:
        """A finished item at once, as the history has it."""
        if item["type"] == "userMessage":
            self._user_message(item)
        elif item["type"] == "agentMessage":
            self._message_completed(item)
        elif item["type"] == "commandExecution":
            self._view.note(f"$ {_command_of(item)}", "cyan")
            self._tell_outcome(item)
        else:
            self._tell_outcome(item)

    def _tell_outcome(self, item: Params) -> None:
        for line in _OUTCOMES[item["type"]](item) if item["type"] in _OUTCOMES else []:
            self._view.note(line, "dim")
        if self._detailed and item["type"] == "commandExecution":
            lines = (item.get("aggregatedOutput") or "").rstrip("\n").split("\n")
            if lines != [""]:
                kept = lines[-OUTPUT_LINES:]
                cut = ["  …"] if len(kept) < len(lines) else []
                self._view.note("\n".join([*cut, *(f"  {line}" for line in kept)]), "dim")

    # What is said

    def _user_message(self, item: Params) -> None:
        self._end_message()
        if item.get("clientId") in self.own_prompts:
            self.is_muted = False
            self.heard.add(item["clientId"])
            self._taken_in.append(item["clientId"])
        elif self._detailed:
            text = "\n".join(_input_text(part) for part in item["content"])
            self._view.note("\n".join(f"> {line}" for line in text.split("\n")), "bold")

    def _delta(self, params: Params) -> None:
        item, delta = params["itemId"], params["delta"]
        if self.items.get(item, {"phase": "commentary"}).get("phase") == "commentary":
            return  # it is told whole at its end: so is one whose beginning was before we came
        self._streamed[item] = self._streamed.get(item, 0) + len(delta)
        self._say(item, delta)

    def _message_completed(self, item: Params) -> None:
        streamed = self._streamed.pop(item["id"], 0)
        self.last_message = item["text"]
        if item.get("phase") == "commentary" and not streamed:
            self._view.note(item["text"], "dim")
        else:
            self._say(item["id"], item["text"][streamed:])
            self._end_message()

    def _end_message(self) -> None:
        """Whatever was being said is over, complete or not."""
        if self._speaking is not None:
            self._view.end_reply()
            self._speaking = None

    def _say(self, item: str, text: str) -> None:
        if self.is_muted or not text:
            return
        if self._speaking != item:
            self._end_message()
            self._speaking = item
        self._view.reply(text)

    # What goes wrong

    def _error(self, params: Params) -> None:
        """A retry abandons the message under way: it comes again from its beginning, under another id or the same one."""
        if params.get("willRetry"):
            self._streamed.clear()
            again = "Codex tries again"
            if self._speaking is not None:
                self._speaking = None
                self._view.abandon_reply()
                again = "the reply begins anew"
            self._view.note(f"{params['error']['message']} ({again})", "yellow")

    def _warning(self, params: Params) -> None:
        self._view.note(f"warning: {params['message']}", "dim")

    def _config_warning(self, params: Params) -> None:
        """Every connection is told of these again."""
        details = f" ({params['details']})" if params.get("details") else ""
        warning = f"warning: {params['summary']}{details}"
        if warning not in self._shown:
            self._shown.add(warning)
            self._view.note(warning, "yellow")

    def _end(self, how: str) -> None:
        self._view.note(f"the thread was {how}", "yellow")
        self.ended = how


def warning_to_all(message: Message) -> str | None:
    """What a warning says that names no thread, for who tells nothing else that names none; None for other messages."""
    if message.method != "warning" or message.params.get("threadId"):
        return None
    return str(message.params["message"])


def _command_of(item: Params) -> str:
    """What a command does, without the shell that Codex wraps around it."""
    actions = [action["command"] for action in item.get("commandActions") or [] if "command" in action]
    return "; ".join(actions) or str(item["command"])


def _input_text(part: Params) -> str:
    """A piece of what a user sent."""
    if part.get("type") == "text":
        return str(part["text"])
    return (
        f"[{part.get('type', 'image')} {part.get('path') or part.get('url') or part.get('name') or ''}".rstrip()
        + "]"
    )


def _command_outcome(item: Params) -> list[str]:
    if item["status"] == "declined":
        return ["  declined"]
    if item.get("exitCode"):
        return [f"  exit code {item['exitCode']}"]
    return ["  failed"] if item["status"] == "failed" else []


def _change_outcome(item: Params) -> list[str]:
    outcome = "" if item["status"] == "completed" else f" ({item['status']})"
    return [f"{change['kind']['type']} {change['path']}{outcome}" for change in item["changes"]]


def _tool_outcome(item: Params) -> list[str]:
    error = (item.get("error") or {}).get("message")
    return [f"  failed: {error}"] if error else []


_OUTCOMES: dict[str, Callable[[Params], list[str]]] = {
    "commandExecution": _command_outcome,
    "fileChange": _change_outcome,
    "mcpToolCall": _tool_outcome,
    "reasoning": lambda item: ["\n".join(item["summary"])] if item.get("summary") else [],
    "plan": lambda item: [item["text"]],
    "webSearch": lambda item: [f"searched the web: {item['query']}"],
    "contextCompaction": lambda _: ["the conversation so far was compacted"],
}
