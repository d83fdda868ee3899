"""The shapes that codexd answers with are those of the design."""

import json

from msgspec import Raw

from codexd.protocol.messages import encode
from codexd.routing.events import TimelineStatistics
from codexd.routing.reports import AnswerParams, Approval, ClientInfo, CodexdStatus, CodexStatus, Status


def test_status_has_the_members_that_programs_rely_on() -> None:
    """`codexctl status --json` prints this."""
    status = Status(
        CodexdStatus(1, "0.1.0", 2.5, "/run/s", "/home/u/.codex"), CodexStatus(None, None, "waiting", 3, None, "dead", environment=("PATH",)),
        clients=4, threads=5, pending_approvals=6, in_flight=7, queued=8, quarantined=["T"],
        timeline=TimelineStatistics(9, 10, 3, 4, "degraded", "no room"),
    )  # fmt: skip
    assert json.loads(encode(status)) == {
        "codexd": {
            "pid": 1, "version": "0.1.0", "startedAt": 2.5, "socket": "/run/s", "codexHome": "/home/u/.codex",
            "drainingUntil": None,
        },
        "codex": {
            "pid": None, "version": None, "state": "waiting", "restarts": 3, "startedAt": None, "reason": "dead",
            "schemaProblem": None, "loginIsStale": False, "environment": ["PATH"],
            "binary": None, "binaryIdentity": None,
        },
        "clients": 4, "threads": 5, "pendingApprovals": 6, "inFlight": 7, "queued": 8, "quarantined": ["T"],
        "timeline": {"lastSeq": 9, "bytes": 10, "events": 3, "memoryBytes": 4, "state": "degraded", "problem": "no room"},
    }  # fmt: skip


def test_a_client_has_the_members_that_programs_rely_on() -> None:
    """`codexctl clients --json` prints these."""
    client = ClientInfo(1, None, None, 4711, "/p", 2.5, ["T"], 3, 0, False)
    assert json.loads(encode(client)) == {
        "id": 1, "name": None, "version": None, "pid": 4711, "cwd": "/p", "connectedAt": 2.5, "threads": ["T"], "inFlight": 3,
        "outboxBytes": 0, "lagging": False,
    }  # fmt: skip


def test_an_approval_has_the_members_that_programs_rely_on() -> None:
    """`codexctl approvals --json` prints these; the params are Codex's own, to the byte."""
    approval = Approval(1, "T", None, "x", Raw(b'{"a": 1.0}'), 2.5, [3])
    assert encode(approval) == (
        b'{"id":1,"threadId":"T","turnId":null,"method":"x","params":{"a": 1.0},"askedAt":2.5,"askedClients":[3]}'
    )


def test_a_decision_is_an_id_and_a_result() -> None:
    """The result is whatever Codex expects for the method, and is not looked into."""
    answer = AnswerParams(1, Raw(b"{}"))
    assert (answer.id, bytes(answer.result)) == (1, b"{}")
