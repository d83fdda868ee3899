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
    "account/bedrock/setup": _AWAY,
    "account/gatewayOAuth/login": _AWAY,
    "account/gcp/setup": _AWAY,
    "account/login/start": _AWAY,
    "account/rateLimitResetCredit/consume": _ACCOUNT,
    "account/rateLimits/read": _ACCOUNT,
    "account/sendAddCreditsNudgeEmail": _ACCOUNT,
    "account/usage/read": _ACCOUNT,
    "account/workspaceMessages/read": _ACCOUNT,
    "accountSession/switch": _ACCOUNT,
    "feedback/upload": _AWAY,
    "mcpServer/event/stream/start": "hosted apps alone have events",
    "mcpServer/oauth/login": _AWAY,
    "plugin/read": "plug-ins are off in these worlds, else Codex would fetch a list of them",
    "plugin/share/checkout": _ACCOUNT,
    "plugin/share/delete": _ACCOUNT,
    "plugin/share/list": _ACCOUNT,
    "plugin/share/save": _ACCOUNT,
    "plugin/share/updateTargets": _ACCOUNT,
    "plugin/skill/read": _ACCOUNT,
    "remoteControl/client/list": _AWAY,
    "remoteControl/client/revoke": _AWAY,
    "remoteControl/disable": _AWAY,
    "remoteControl/enable": _AWAY,
    "remoteControl/pairing/start": _AWAY,
    "remoteControl/pairing/status": _AWAY,
    "thread/prediction/request": "not implemented by these Codexes",
    "thread/realtime/start": _AWAY,
    "userVerification/delete": _ABSENT,
    "userVerification/enroll": _ABSENT,
    "userVerification/verify": _ABSENT,
}
"""Methods that are called badly only, each with the reason."""


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
