"""Whether what a client saw through codexd is what it sees of a Codex of its own.

Stream by stream: the answers in their order, each thread's messages, the rest. And where an answer stands among the
messages of each stream. Bare Codex itself swaps a few under load, so both may be as in any one of several bare runs;
a thread's status, which Codex tells from a task of its own, is swapped the most.
"""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tests.conformance.transcript import ANSWERS, BY_CHANCE, Entry, Transcript
from tests.conformance.wanted import EITHER_SIDE, STATUS


@dataclass(frozen=True)
class Difference:
    """``of_place``: everything was sent, but an answer, or a thread's status, stands elsewhere among the others.

    A command's own answer and the answer to its end by force are told by two tasks of Codex, for example.
    """

    text: str
    of_place: bool = False


def differences(bare: Sequence[Transcript], through: Transcript) -> list[Difference]:
    """One per stream that is as in no bare run; if there is none, one per answer that stands where no bare run has it."""
    found = []
    for stream in sorted({*through.streams, *(name for run in bare for name in run.streams)}):
        ours = _lines(through, stream)
        if not any(_is_same(stream, ours, _lines(run, stream)) for run in bare):
            expected, got = bare[0].streams.get(stream, []), through.streams.get(stream, [])
            of_place = any(
                _statuses_aside(through, stream) == _statuses_aside(run, stream)
                or (stream == ANSWERS and sorted(ours) == sorted(_lines(run, stream)))
                for run in bare
            )
            found.append(Difference(_difference(stream, expected, got), of_place))
    return found or _misplaced(bare, through)


def _is_same(stream: str, ours: list[str], theirs: list[str]) -> bool:
    """What comes by chance may not have come to its end when the session did."""
    if stream.endswith(BY_CHANCE):
        length = min(len(ours), len(theirs))
        return ours[:length] == theirs[:length]
    return ours == theirs


def _statuses_aside(run: Transcript, stream: str) -> tuple[list[str], list[str]]:
    """What is said of the thread's status, and all the rest, each in its order."""
    entries = run.streams.get(stream, ())
    return (
        [_line(entry) for entry in entries if entry.method == STATUS],
        [_line(entry) for entry in entries if entry.method != STATUS],
    )


def _lines(run: Transcript, stream: str) -> list[str]:
    return [_line(entry) for entry in run.streams.get(stream, ())]


def _line(entry: Entry) -> str:
    return json.dumps(entry.message, sort_keys=True, ensure_ascii=False)


def _difference(stream: str, bare: list[Entry], through: list[Entry]) -> str:
    expected, got = [_line(entry) for entry in bare], [_line(entry) for entry in through]
    text = [f"=== {stream}: Codex sent {len(bare)}, codexd sent {len(through)}"]
    matcher = difflib.SequenceMatcher(None, expected, got, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            continue
        for left, right in zip_longest(bare[i1:i2], through[j1:j2]):
            text += _pair(left, right)
    return "\n".join(text)


def _pair(left: Entry | None, right: Entry | None) -> list[str]:
    if left is None or right is None:
        only = left or right
        assert only is not None
        sender = "Codex" if right is None else "codexd"
        return [f"--- step {only.step}, {only.method}: only {sender} sent {_line(only)}"]
    about = f"--- step {left.step}, {left.method}"
    return [about, *_members("", left.message, right.message)]


def _members(path: str, left: object, right: object) -> list[str]:
    """The members that differ, one line each."""
    if isinstance(left, dict) and isinstance(right, dict):
        nothing = object()
        return [
            line
            for name in {**left, **right}
            for line in _members(f"{path}.{name}", left.get(name, nothing), right.get(name, nothing))
        ]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [
            line
            for i, pair in enumerate(zip(left, right, strict=True))
            for line in _members(f"{path}[{i}]", *pair)
        ]
    return [] if left == right else [f"    {path}: Codex {_short(left)}, codexd {_short(right)}"]


def _short(value: object) -> str:
    return json.dumps(value, default=lambda _: "nothing", ensure_ascii=False)[:600]


def _misplaced(bare: Sequence[Transcript], through: Transcript) -> list[Difference]:
    places, answers = _places(through), through.streams.get(ANSWERS, [])
    allowed = [one for run in bare if len(one := _places(run)) == len(places)]
    found = []
    for number, place in enumerate(places):
        for stream, before in place.items():
            seen = {run[number].get(stream, 0) for run in allowed}
            if before not in seen:
                answer = answers[number]
                text = (
                    f"=== the answer to step {answer.step}, {answer.method}, came after {before} messages of"
                    f" {stream}; Codex has it after {sorted(seen)}"
                )
                found.append(Difference(text, of_place=True))
    return found


def _places(run: Transcript) -> list[dict[str, int]]:
    """For each answer: how many messages of each stream came before it, those that stand on either side not counted."""
    counted = [stream for stream in run.order if not stream.endswith(BY_CHANCE)]
    coming = {stream: iter(run.streams[stream]) for stream in counted}
    before: dict[str, list[str]] = {stream: [] for stream in counted if stream != ANSWERS}
    places = []
    for stream in counted:
        entry = next(coming[stream])
        if stream == ANSWERS:
            passing = EITHER_SIDE.get(entry.method, frozenset())
            places.append(
                {name: sum(method not in passing for method in seen) for name, seen in before.items()}
            )
        else:
            before[stream].append(entry.method)
    return places
