"""What one client saw, made comparable: split into streams, with everything that differs from run to run replaced.

Ids, paths and the like become names in the order in which they appear: first in the answers, then in the streams.
So that order is compared too: two things that are the same in one run are the same in the other.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any

from tests.conformance import wanted
from tests.conformance.noise import Noise
from tests.conformance.player import MARKER, Recording
from tests.e2e.harness_client import Message

ANSWERS = "answers"
REST = "the rest"
BY_CHANCE = " (by chance)"
"""The end of the name of a stream that says how far a thread or a program of Codex's is: answers stand anywhere in it."""
SEARCH = f" of a search{BY_CHANCE}"
"""How often it says so, and whether a search has ended before it is asked the next thing, is chance too."""
_AT_ANY_TIME = frozenset({"mcpServer/startupStatus/updated", "thread/queue/changed"})
"""What Codex says of a thread beside its turns; it does not wait for what it says of these."""
_PARTIAL = "thread/search/partial"
"""How much of what a search finds is told before its answer is chance (0.171)."""
_OUTPUT = "item/commandExecution/outputDelta"
"""What a command says before Codex looks at it for the first time stands in the item alone: on a slow machine all of it."""

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_REPLACED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("rollout", re.compile(rf"rollout-[0-9T-]+(?=-{_UUID})")),
    ("day", re.compile(r"(?<=/sessions/)\d{4}/\d\d/\d\d")),
    ("id", re.compile(_UUID)),
    ("id", re.compile(r"\b(?:call|msg|resp|rs|exec|item)_[0-9a-f]{8,}(?:_\d+)?\b")),
    ("hash", re.compile(r"sha256:[0-9a-f]+|\b[0-9a-f]{64}\b")),
    ("port", re.compile(r"(?<=127\.0\.0\.1:)\d+")),
    ("duration", re.compile(r"(?<=Wall time: )[\d.]+")),
    ("chunk", re.compile(r"(?<=Chunk ID: )\w+")),
    ("process", re.compile(r"(?<=session ID )\d+")),
    ("time", re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*(?:Z|[+-]\d\d:?\d\d)?")),
)
_ORDERLESS = frozenset({"time", "day", "rollout", "duration"})
"""Times have no order of appearance: two that fall into the same second in one run do not in another."""
_EPOCH_S, _EPOCH_MS = range(1_500_000_000, 2_500_000_000), range(1_500_000_000_000, 2_500_000_000_000)
_DURATION = re.compile(r"(duration|elapsed)(Ms|Seconds|Secs)?$", re.IGNORECASE)
_PID = re.compile(r"^(pid|osPid)$")
_KILLED = frozenset({-1, 137})
"""What Codex says of a terminal that it has ended: by chance it has seen the exit code or not."""

_NAMED = {"processId": "process", "agentNickname": "nickname", "agent_nickname": "nickname"}
_CHOSEN = re.compile(r"\d{4,6}|[A-Z]\w+( the \w+)?")
"""What Codex draws lots for, in members of these names."""


@dataclass(frozen=True)
class Entry:
    """One message in its stream. ``method``: of the request it answers, for an answer."""

    stream: str
    step: int
    method: str
    message: Message


@dataclass
class Transcript:
    """One session. ``order``: the streams' names in the order of arrival of all messages."""

    streams: dict[str, list[Entry]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)


def transcribe(recording: Recording, root: str, noise: Noise) -> Transcript:
    """What is of somebody else is left out; of another client's threads only what goes to everybody may be in it."""
    own = (entry for entry in _entries(recording) if not wanted.is_noise(entry.message, noise))
    entries = list(_said_once(own))
    streams: dict[str, list[Entry]] = {}
    for entry in entries:
        streams.setdefault(entry.stream, []).append(entry)
    names = Names(root)
    named: dict[str, list[Entry]] = {}
    title: dict[str, str] = {}
    for stream in sorted(streams, key=lambda name: name != ANSWERS):
        title[stream] = names.text(stream)
        named[title[stream]] = [
            Entry(
                title[stream],
                e.step,
                e.method,
                names.message(wanted.reduced(e.method, e.message, noise.threads)),
            )
            for e in streams[stream]
        ]
    for stream in named:
        if stream.endswith(SEARCH):
            named[stream] = list({entry.method: entry for entry in named[stream]}.values())
            named[stream].sort(key=lambda entry: entry.method)
    return Transcript(named, [title[entry.stream] for entry in entries])


def _said_once(entries: Iterable[Entry]) -> Iterator[Entry]:
    """A thread's status, and then the same status again, is one. What an interrupted turn has used is told by chance."""
    statuses: dict[str, Message] = {}
    interrupted: set[str] = set()
    for entry in entries:
        match entry.message:
            case {"method": "turn/completed", "params": {"turn": {"id": str(turn), "status": "interrupted"}}}:
                interrupted.add(turn)
            case {"method": "thread/tokenUsage/updated", "params": {"turnId": str(turn)}} if (
                turn in interrupted
            ):
                continue
        if entry.method == wanted.STATUS and statuses.get(entry.stream) == entry.message["params"]:
            continue
        if entry.method == wanted.STATUS:
            statuses[entry.stream] = entry.message["params"]
        yield entry


def _entries(recording: Recording) -> Iterator[Entry]:
    """Every message with its stream; the player's own markers say which step was the last that had begun."""
    asked = {id: list(calls) for id, calls in recording.asked.items()}
    step = 0
    announced = {
        started["params"]["thread"]["id"] for started in recording.messages if _starts_thread(started)
    }
    for message in recording.messages:
        id = json.dumps(message.get("id"))
        if "method" in message:
            yield Entry(_stream(message, announced), step, message["method"], message)
        elif id.startswith(f'"{MARKER} '):
            step = int(id.strip('"').split()[1]) + 1
        else:
            calls = asked.get(id)
            call = calls.pop(0) if calls else None
            yield Entry(ANSWERS, call.step if call else step, call.method if call else "", message)


def _starts_thread(message: Message) -> bool:
    return message.get("method") == "thread/started"


def _stream(message: Message, announced: Set[str]) -> str:
    """``announced``: the threads that have begun with `thread/started`; a sub-agent's does not."""
    params = message.get("params") or {}
    match params:
        case {"threadId": str(thread), "itemId": str(item)} if message["method"] == _OUTPUT:
            return f"thread {thread}, the output of {item}{BY_CHANCE}"
        case {"threadId": str(thread)} | {"conversationId": str(thread)} | {"thread": {"id": str(thread)}}:
            if message["method"] in _AT_ANY_TIME:
                return f"thread {thread}, {params.get('name', 'its queue')}{BY_CHANCE}"  # each MCP server starts when it can
            if thread not in announced and message["method"] in wanted.NEVER_HELD:
                return f"thread {thread}, for everybody"
            return f"thread {thread}"
        case {"processId": str(handle)} | {"processHandle": str(handle)} | {"watchId": str(handle)}:
            return f"handle {handle}"
        case {"subscriptionId": str(handle)}:
            return f"handle {handle}"
        case {"requestId": named} if message["method"] == _PARTIAL:
            return f"what search {named} has found so far{BY_CHANCE}"
        case {"sessionId": str(handle)}:
            return f"handle {handle}{SEARCH}"
        case _:
            return REST


class Names:
    """What has been replaced by which name."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._names: dict[tuple[str, str], str] = {}

    def message(self, message: Message) -> Message:
        """The message with names; ids of Codex's own requests are names too."""
        changed = {name: self._value(name, value) for name, value in message.items()}
        if "method" in message and "id" in message:
            changed["id"] = self._name("request", json.dumps(message["id"]))
        if message.get("method") == "serverRequest/resolved":
            resolved = json.dumps(message["params"]["requestId"])
            changed["params"]["requestId"] = self._name("request", resolved)
        return changed

    def text(self, text: str) -> str:
        """The text with names for what is in it."""
        text = text.replace(self._root, "<root>")
        for kind, pattern in _REPLACED:
            text = pattern.sub(self._replacer(kind), text)
        return text

    def _replacer(self, kind: str) -> Callable[[re.Match[str]], str]:
        return lambda found: self._name(kind, found[0])

    def _name(self, kind: str, value: str) -> str:
        if kind in _ORDERLESS:
            return f"<{kind}>"
        known = sum(1 for other, _ in self._names if other == kind)
        return self._names.setdefault((kind, value), f"<{kind} {known + 1}>")

    def _value(self, name: str, value: Any) -> Any:
        match value:
            case str():
                kind = _NAMED.get(name)
                return self._name(kind, value) if kind and _CHOSEN.fullmatch(value) else self.text(value)
            case dict():
                return {self.text(key): self._value(key, member) for key, member in value.items()}
            case list():
                return [self._value(name, member) for member in value]
            case bool() | None:
                return value
            case _:
                return self._number(name, value)

    def _number(self, name: str, value: float) -> Any:
        if _PID.search(name):
            return self._name("pid", str(value))
        if name == "exitCode" and value in _KILLED:
            return "<killed>"
        if _DURATION.search(name):
            return "<duration>"
        if int(value) in _EPOCH_S or int(value) in _EPOCH_MS:
            return "<time>"
        return value
