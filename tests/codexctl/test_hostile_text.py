"""What others have written, on a terminal: no verb lets it through as it is."""

import io
import json
import sys
import unicodedata

import pytest

from tests.codexctl.standin import (
    COMMAND_APPROVAL,
    THREAD,
    Refused,
    command,
    completed,
    event,
    saying,
    started,
    thread,
    turn,
)

HOSTILE = "x\x1b[2J\x9b31m\u202e\u2066\u200f\x7f\ry"
THREADS = thread(name=HOSTILE, preview=HOSTILE, cwd=f"/{HOSTILE}")
ITEM = command("completed", command=HOSTILE, commandActions=[], aggregatedOutput=HOSTILE, exitCode=1)
SAID = (
    started(),
    *saying(HOSTILE),
    event("item/started", item=ITEM),
    event("item/completed", item=ITEM),
    event("warning", message=HOSTILE),
    completed("failed", error={"message": HOSTILE, "additionalDetails": HOSTILE}),
)
VERBS = [
    ["send", "hello"],
    ["threads"],
    ["threads", "show", THREAD],
    ["threads", "show", HOSTILE],
    ["threads", "archive", THREAD],
    ["approvals"],
    ["approvals", "show", "7"],
    ["approvals", "accept", "7"],
    ["events"],
    ["status"],
    ["clients"],
    ["rpc", "thread/list"],
    ["rpc", "no/such"],
]


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", errors="surrogateescape")

    def isatty(self):
        return True

    def written(self):
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


@pytest.fixture
def hostile(codexd):
    """A codexd in which every text is somebody else's."""
    approval = {
        "id": 7,
        "threadId": THREAD,
        "turnId": None,
        "method": "item/commandExecution/requestApproval",
        "params": COMMAND_APPROVAL | {"command": HOSTILE, "reason": HOSTILE, "cwd": f"/{HOSTILE}"},
        "askedAt": 1.0,
        "askedClients": [],
    }
    kept = [{"seq": at, "at": 1.5, **one} for at, one in enumerate(SAID)]
    client = {"id": 1, "name": HOSTILE, "version": HOSTILE, "pid": 5, "connectedAt": 1.0, "threads": []}
    client |= {"inFlight": 0, "outboxBytes": 0, "lagging": False}
    events = [{"events": [], "last": 9}, {"events": kept, "last": 9}]
    codexd.answers |= {
        "thread/list": {"data": [THREADS], "nextCursor": HOSTILE},
        "thread/read": {"thread": THREADS},
        "thread/turns/list": {"data": [turn("failed", items=[ITEM], error={"message": HOSTILE})]},
        "thread/archive": Refused(-32600, HOSTILE),
        "codexd/approvals/list": {"approvals": [approval]},
        "codexd/approvals/answer": {},
        "codexd/events/read": lambda connection, params: events.pop(),
        "codexd/clients/list": {"clients": [client]},
        "turn/start": ({"turn": turn("inProgress")}, *SAID),
        "no/such": Refused(-32600, HOSTILE, {"more": HOSTILE}),
    }
    codexd.answers["codexd/status"]["codex"] |= {"state": "exited", "reason": HOSTILE, "version": HOSTILE}
    codexd.answers["codexd/status"]["timeline"] |= {"state": "degraded", "problem": HOSTILE}
    return codexd


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_verb_lets_the_text_of_others_steer_a_terminal(hostile, codexctl, monkeypatch, verb, as_json):
    """Messages, names, directories, commands, reasons, in words and as JSON: controls and marks of direction are written
    out. What is JSON still says what was said."""
    if verb[:2] == ["threads", "show"] and verb[2] == HOSTILE:
        hostile.answers["thread/list"] = {"data": [], "nextCursor": None}
    out, err = Terminal(), Terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    codexctl(*verb, *as_json)
    shown = out.written() + err.written()
    assert "x\\" in shown or verb in (["approvals"], ["approvals", "accept", "7"])  # which cut it off
    for character in shown:
        assert character == "\n" or unicodedata.category(character) != "Cc"
        assert character not in "\u202e\u2066\u200f"
    if as_json and verb[0] == "rpc":
        assert json.dumps(HOSTILE)[1:-1] in json.dumps(json.loads(shown))
