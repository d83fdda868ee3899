"""What of all that a Codex knows has been seen in the comparisons, through codexd, and what never can be."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.conformance.codex_itself import Codex
from tests.conformance.transcript import ANSWERS, Transcript

HIDDEN_NOTIFICATIONS = frozenset({"rawResponse/completed", "rawResponseItem/completed"})
"""Sent although no schema has them."""

_AWAY = "leaves the machine"
_ACCOUNT = "of an account that one has to have"
_ABSENT = "not in this build of Codex, or not for this account"

NEVER_WELL = {
    **dict.fromkeys(
        (
            "account/gatewayOAuth/login",
            "account/login/start",
            "accountSession/switch",
            "feedback/upload",
            "mcpServer/oauth/login",
            "plugin/share/checkout",
            "plugin/share/delete",
            "plugin/share/list",
            "plugin/share/save",
            "plugin/share/updateTargets",
            "plugin/skill/read",
            "remoteControl/client/list",
            "remoteControl/client/revoke",
            "remoteControl/disable",
            "remoteControl/enable",
            "remoteControl/pairing/start",
            "remoteControl/pairing/status",
            "thread/realtime/start",
        ),
        "leaves the machine",
    ),
    **dict.fromkeys(
        (
            "account/bedrock/setup",
            "account/gcp/setup",
            "account/rateLimitResetCredit/consume",
            "account/rateLimits/read",
            "account/sendAddCreditsNudgeEmail",
            "account/usage/read",
            "account/workspaceMessages/read",
        ),
        "needs an account",
    ),
    **dict.fromkeys(
        ("userVerification/delete", "userVerification/enroll", "userVerification/verify"),
        "needs the desktop program",
    ),
    "mcpServer/event/stream/start": "hosted apps alone have events",
    "plugin/read": "there is no plug-in without a catalogue from the network",
    "thread/prediction/request": "needs a feature that is not there yet",
}
"""Methods that are called badly only, or are refused, each with the reason."""


@dataclass
class Seen:
    """Names that occurred."""

    well: set[str] = field(default_factory=set)
    badly: set[str] = field(default_factory=set)
    notifications: set[str] = field(default_factory=set)
    server_requests: set[str] = field(default_factory=set)

    def add(self, transcripts: Iterable[Transcript]) -> None:
        """What these sessions had in them."""
        for transcript in transcripts:
            for stream, entries in transcript.streams.items():
                for entry in entries:
                    if stream != ANSWERS:
                        asked = "id" in entry.message
                        (self.server_requests if asked else self.notifications).add(entry.method)
                    else:
                        (self.well if "result" in entry.message else self.badly).add(entry.method)


def table(codex: Codex, seen: Seen) -> list[str]:
    """Lines for people: how much was seen, and the names of what was not."""
    notifications = codex.notifications | HIDDEN_NOTIFICATIONS
    rows = [
        ("methods called well", seen.well & {*codex.methods}, {*codex.methods}),
        ("methods called badly", seen.badly & {*codex.methods}, {*codex.methods}),
        ("notifications", seen.notifications & notifications, notifications),
        ("requests of Codex", seen.server_requests & codex.server_requests, codex.server_requests),
    ]
    lines = [f"Codex {codex.version}"]
    for title, found, known in rows:
        lines.append(f"  {title:<22} {len(found):3} of {len(known)}")
        lines += [f"      not {name}" for name in sorted(known - found)]
    return lines
