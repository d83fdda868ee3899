"""Plays a session's steps on one connection and keeps what came, with what was asked under which id."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.noise import Noise
from tests.conformance.steps import (
    Answer,
    Ask,
    Call,
    Do,
    Join,
    Json,
    Leave,
    Line,
    Note,
    Notify,
    Session,
    Step,
    Wait,
)
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient, Message

PATIENCE_S = 60.0
MARKER = "marker"  # the ids of the player's own requests begin with it
NAME = "conformance"

_PLACEHOLDER = re.compile(r"\$(\w+)")


@dataclass
class Asked:
    """A request as it was sent: the step's number in its session, its method and params."""

    step: int
    method: str
    params: Json


@dataclass
class Recording:
    """All that one connection sent and received."""

    messages: list[Message] = field(default_factory=list)
    asked: dict[str, list[Asked]] = field(default_factory=dict)
    """By the JSON text of the id."""


class Player:
    """One connection. ``known``: the methods of the Codex at hand. ``noise``: who shares the connection, if anybody."""

    def __init__(
        self,
        world: World,
        client: JsonLinesClient,
        known: frozenset[str],
        noise: Noise | None,
        names: dict[str, str] | None = None,
    ) -> None:
        self.recording = Recording(client.messages)
        self._world = world
        self._client = client
        self._known = known
        self._noise = noise
        self._names: dict[str, str] = names if names is not None else {}
        self._names |= {
            "project": str(world.project),
            "home": str(world.home),
            "codex_home": str(world.codex_home),
            "root": str(world.root),
        }
        self._held: dict[str, tuple[Call, object, int]] = {}
        self._answered: set[str] = set()
        self._greeted = False
        self._number = 0
        self._step = -1

    def play(self, session: Session) -> None:
        """From the handshake to the last step."""
        for step in _with_handshake(session):
            self.take(step)

    def take(self, step: Step) -> None:
        """One more step."""
        self._step += 1
        try:
            self._do(step)
        except (TimeoutError, ConnectionError, AssertionError) as error:
            raise AssertionError(f"step {self._step}, {step}: {error}") from error
        if not isinstance(step, Do | Leave) and self._greeted:
            self.mark()

    def _do(self, step: Step) -> None:
        match step:
            case Call():
                self._call(step)
            case Join(held, asks, until):
                call, id, mark = self._held.pop(held)
                self._finish(call, id, mark, asks, until)
            case Notify(method, params):
                self._client.notify(method, self._filled(params))
            case Line(text, answered):
                self._client.send_bytes(self._filled(text).encode() + b"\n")
                if answered is not None:
                    self._note(answered, json.loads(text)["method"], None)
                    self._client.wait_response(answered, timeout=PATIENCE_S)
            case Do(deed, subject, text):
                DEEDS[deed](self._world, self._filled(subject), text)
            case Answer(ask):
                self._serve((ask,), 0, once=True)
            case Wait(note):
                self._await((note,), 0)
            case Leave():
                self._client.close()

    def _call(self, call: Call) -> None:
        mark = self._client.mark()
        id, params = self._id(call), self._filled(call.params)
        self._note(id, call.method, params)
        self._client.send({"id": id, "method": call.method} | ({} if call.bare else {"params": params}))
        if call.held:
            self._held[call.held] = call, id, mark
            self._serve(call.asks, mark)
            self._await(call.until, mark)
        else:
            self._finish(call, id, mark, call.asks, call.until)

    def _id(self, call: Call) -> Json:
        self._number += 1
        return self._number if call.id is None else call.id

    def _finish(
        self, call: Call, id: object, mark: int, asks: tuple[Ask, ...], until: tuple[Note, ...]
    ) -> None:
        self._serve(asks, mark)
        answer = self._client.wait_response(id, timeout=PATIENCE_S)
        self._greeted |= call.method == "initialize" and "result" in answer
        if call.method in self._known:
            for name, path in call.save.items():
                assert "result" in answer, f"{call.method} was answered {answer}"
                found = _member(answer["result"], self._filled(path))
                assert found is not None, f"{call.method} was answered without {path}: {answer}"
                self._names[name] = str(found)
            self._await(until, mark)

    def _serve(self, asks: tuple[Ask, ...], mark: int, *, once: bool = False) -> None:
        """``once``: what is left open is not met again."""
        for ask in asks:
            request = self._client.wait(
                lambda message, method=ask.method: (  # type: ignore[misc]
                    message.get("method") == method
                    and "id" in message
                    and json.dumps(message["id"]) not in self._answered
                    and not (self._noise and self._noise.is_noise(message))
                ),
                since=mark,
                timeout=PATIENCE_S,
                what=f"request {ask.method}",
            )
            if once or not ask.silent:
                self._answered.add(json.dumps(request["id"]))
            if not ask.silent:
                answer = {"result": self._filled(ask.result)} if ask.error is None else {"error": ask.error}
                self._client.send({"id": request["id"], **answer})

    def _await(self, notes: tuple[Note, ...], mark: int) -> None:
        for note in notes:
            left = note.count
            position = mark
            while left:
                found = self._client.wait(
                    lambda message, note=note: self._is(note, message),  # type: ignore[misc]
                    since=position,
                    timeout=PATIENCE_S,
                    what=f"{note}",
                )
                left -= 1
                position = next(i for i, m in enumerate(self._client.messages) if m is found) + 1

    def _is(self, note: Note, message: Message) -> bool:
        if message.get("method") != note.method or "id" in message:
            return False
        params = message.get("params", {})
        return all(_member(params, path) == self._filled(value) for path, value in note.params.items())

    def mark(self) -> None:
        """Everything that Codex had sent before it took this has been read when it is answered."""
        self._client.call("thread/loaded/list", id=f"{MARKER} {self._step}", timeout=PATIENCE_S)

    def _note(self, id: object, method: str, params: Json) -> None:
        self.recording.asked.setdefault(json.dumps(id), []).append(Asked(self._step, method, params))

    def _filled(self, value: Any) -> Any:
        match value:
            case str():
                return _PLACEHOLDER.sub(lambda found: self._names.get(found[1], found[0]), value)
            case dict():
                return {self._filled(name): self._filled(member) for name, member in value.items()}
            case list() | tuple():
                return [self._filled(member) for member in value]
            case _:
                return value


def _with_handshake(session: Session) -> Iterator[Step]:
    if session.capabilities is not None:
        info = {"name": NAME, "version": "1"}
        params = {"clientInfo": info, "capabilities": dict(session.capabilities)}
        yield Call("initialize", params, until=(Note("remoteControl/status/changed"),))
        yield Notify("initialized")
    yield from session.steps


def _member(value: Any, path: str) -> Any:
    """The member of a JSON value at a dotted path; None where there is none."""
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _write(_: World, path: str, text: str) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


DEEDS: dict[str, Callable[[World, str, str], None]] = {
    "write": _write,
    "remove": lambda _, path, __: shutil.rmtree(path),
    "release": lambda world, name, _: world.model.release(name),
}
"""What ``Do`` can do: write a file, remove a directory, release a hold of the scripted model."""
