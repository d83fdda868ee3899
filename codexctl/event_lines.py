"""Events as lines: for people with number, time, thread and what happened; for programs as JSON."""

import json
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from codexctl.asking import summary
from codexctl.client import Message
from codexctl.decisions import question_of
from codexctl.render import Paint, columns, one_line
from codexctl.timeline import Event
from codexctl.transcript import Transcript
from codexd.protocol import extension
from codexd.protocol.visible import json_plain, plain

Params = dict[str, Any]
THREAD_CHARACTERS = 13
"""How much of a thread's id is shown: two that were begun in the same millisecond have that in common."""
_REST_COLUMNS = 100


class Lines(Protocol):
    """Where events are told."""

    def show(self, event: Event) -> None:
        """One event."""

    def finish(self) -> None:
        """Nothing more comes, or not for now: what was told can be read."""

    def leave_off(self) -> None:
        """Something else is told now: what was told ends with a line."""


class JsonLines:
    """One object per line: `{seq, at, method, params}`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        self._out.write(json_plain(json.dumps(event._asdict(), ensure_ascii=False)) + "\n")

    def finish(self) -> None:
        self._out.flush()

    leave_off = finish


class EventLines:
    """One event per line, in a transcript's words where it has some. What comes in pieces stands in one line, or in that
    of its end; the pieces have no lines of their own."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._paint = Paint.of(out)
        self._clean = plain if out.isatty() else str
        self._transcripts: dict[str, Transcript] = {}
        self._day = ""
        self._speaking: str | None = None
        self._line_feeds = ""
        self._indent = ""
        self._event: Event
        self._was_told = False

    def show(self, event: Event) -> None:
        self._event, self._was_told = event, False
        thread = _thread_of(event)
        transcript = self._transcripts.get(thread)
        if transcript is None:
            transcript = self._transcripts[thread] = Transcript(
                thread, _ThreadView(self, thread), detailed=True
            )
        transcript.take(Message(event.method, event.params, None, b""))
        if not self._was_told and not event.method.lower().endswith("delta"):
            self.tell(thread, _in_words(event, transcript), "dim")
        is_over = event.method == "turn/completed" or not transcript.items
        if is_over and transcript.turn is None:
            del self._transcripts[thread]  # a terminal that stays open for days must not remember them all

    def finish(self) -> None:
        self._out.flush()

    def leave_off(self) -> None:
        self._end_line()
        self._out.flush()

    def tell(self, thread: str, text: str, *styles: str) -> None:
        """The line of this event, and lines below it if it has several."""
        first, *rest = [self._paint(line, *styles) for line in self._clean(text).split("\n")]
        self._begin(thread)
        self._out.write(first + "\n" + "".join(f"{self._indent}{line}\n" for line in rest))

    def say(self, thread: str, text: str) -> None:
        """A piece of what Codex says: in the line of the piece before, if nothing came in between."""
        if self._speaking != thread:
            self._begin(thread)
            self._speaking = thread
        self._was_told = True
        said = self._line_feeds + self._clean(text)
        kept = said.rstrip("\n")
        self._line_feeds = said[len(kept) :]  # those at its end would be an empty line
        self._out.write(kept.replace("\n", f"\n{self._indent}"))

    def end(self, thread: str) -> None:
        """What it said is complete."""
        if self._speaking == thread:
            self._was_told = True
            self._end_line()

    def _begin(self, thread: str) -> None:
        self._end_line()
        self._was_told = True
        when = time.localtime(self._event.at)
        day = time.strftime("%Y-%m-%d", when)
        if day != self._day:
            self._day = day
            self._out.write(self._paint(day, "bold") + "\n")
        where = plain(thread[:THREAD_CHARACTERS]).ljust(THREAD_CHARACTERS)
        head = f"{self._event.seq}  {time.strftime('%H:%M:%S', when)}  {where}  "
        self._indent = " " * columns(head)
        self._out.write(self._paint(head, "dim"))

    def _end_line(self) -> None:
        if self._speaking is not None:
            self._out.write("\n")
            self._speaking = None
            self._line_feeds = ""


class _ThreadView:
    """Where the transcript of one thread is told."""

    def __init__(self, lines: EventLines, thread: str) -> None:
        self._lines = lines
        self._thread = thread

    def reply(self, text: str) -> None:
        self._lines.say(self._thread, text)

    def end_reply(self) -> None:
        self._lines.end(self._thread)

    def abandon_reply(self) -> None:
        self._lines.end(self._thread)

    def note(self, text: str, *styles: str) -> None:
        self._lines.tell(self._thread, text, *styles)


def _thread_of(event: Event) -> str:
    thread = event.params.get("threadId") or (event.params.get("thread") or {}).get("id")
    return str(thread or "-")


def _in_words(event: Event, transcript: Transcript) -> str:
    """What a transcript has no words for."""
    if event.method == extension.SERVER_REQUEST:
        request = event.params
        item = transcript.items.get(request["params"].get("itemId", ""))
        return f"asked ({request['id']}): {summary(question_of(request['method'], request['params'], item))}"
    if event.method in _WORDS:
        return _WORDS[event.method](event.params)
    rest = {name: value for name, value in event.params.items() if name not in ("threadId", "turnId")}
    return f"{event.method} {one_line(json.dumps(rest, ensure_ascii=False), _REST_COLUMNS) if rest else ''}".rstrip()


def _status(params: Params) -> str:
    status = params["status"]
    flags = status.get("activeFlags") or []
    return f"status: {status['type']}{' (' + ', '.join(flags) + ')' if flags else ''}"


_WORDS: dict[str, Callable[[Params], str]] = {
    "thread/started": lambda params: f"thread started in {params['thread']['cwd']}",
    "thread/status/changed": _status,
    "thread/name/updated": lambda params: f"named {params.get('threadName') or '(nothing)'}",
    "turn/started": lambda _: "turn started",
    "turn/completed": lambda params: f"turn {params['turn']['status']}",
    "item/started": lambda params: f"{params['item']['type']} begins",
    "item/completed": lambda params: f"{params['item']['type']} ends",
    "serverRequest/resolved": lambda params: f"decided ({params['requestId']})",
    "turn/diff/updated": lambda params: f"the diff of the turn has {len(params['diff'].splitlines())} lines",
    "thread/tokenUsage/updated": lambda params: f"{params['tokenUsage']['total']['totalTokens']} tokens used",
}
