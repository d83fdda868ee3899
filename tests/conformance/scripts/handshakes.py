"""The first words of a connection: right, wrong, twice, never; and what it has opted out of."""

from tests.conformance.player import NAME
from tests.conformance.steps import Call, Json, Line, Note, Notify, Script, Session, Step, thread, turn

_INFO = {"name": NAME, "version": "2"}
_AGAIN = Call("initialize", {"clientInfo": _INFO})
_STARTED = (Note("remoteControl/status/changed"),)
_ASK = Call("thread/loaded/list")
_OPTED_OUT = [
    "item/agentMessage/delta",
    "thread/tokenUsage/updated",
    "remoteControl/status/changed",
    "no/such/notification",
    "item/commandExecution/requestApproval",
]


def _wrong(params: Json) -> Session:
    """A handshake that is refused, where this Codex knows the member; and one that is not, on the same connection."""
    return Session((Call("initialize", params), _ASK, _AGAIN, _ASK), None)


def _right(capabilities: Json, **info: Json) -> tuple[Step, ...]:
    params = {"clientInfo": {**_INFO, **info}, "capabilities": capabilities}
    return (Call("initialize", params, until=_STARTED), _ASK)


SCRIPTS = (
    Script(
        "handshakes",
        (
            Session((_ASK, Notify("initialized"), *_right({})), None),
            Session((*_right({}), _AGAIN, Notify("initialized"), _ASK), None),
            Session((*_right(None), Call("thread/search", {"searchTerm": "x"})), None),
            Session((Call("initialize", {"clientInfo": _INFO}, until=_STARTED), _ASK), None),
            Session(_right({"unknown": 1, "experimentalApi": True}, title="A title", more=1), None),
            _wrong({"clientInfo": _INFO, "capabilities": {"experimentalApi": None}}),
            Session(_right({"optOutNotificationMethods": None}), None),
            Session(
                (
                    Line(
                        '{"id":0,"method":"initialize","params":{"clientInfo":{"name":"conformance","version":"1"}}}',
                        0,
                    ),
                    _ASK,
                ),
                None,
            ),
            _wrong(5),
            _wrong([]),
            _wrong({}),
            _wrong({"clientInfo": 5}),
            _wrong({"clientInfo": {}}),
            _wrong({"clientInfo": {"name": "a"}}),
            _wrong({"clientInfo": {"name": 5, "version": "1"}}),
            _wrong({"clientInfo": {"name": "a", "version": None}}),
            _wrong({"clientInfo": {**_INFO, "title": 5}}),
            _wrong({"clientInfo": {**_INFO, "name": "a\nb"}}),
            _wrong({"clientInfo": {**_INFO, "name": "\u0001"}}),
            _wrong({"clientInfo": _INFO, "capabilities": 5}),
            _wrong({"clientInfo": _INFO, "capabilities": {"experimentalApi": "yes"}}),
            _wrong({"clientInfo": _INFO, "capabilities": {"requestAttestation": 1}}),
            _wrong({"clientInfo": _INFO, "capabilities": {"explicitGatewayOauth": 1}}),
            _wrong({"clientInfo": _INFO, "capabilities": {"optOutNotificationMethods": "all"}}),
            _wrong({"clientInfo": _INFO, "capabilities": {"optOutNotificationMethods": [1]}}),
            _wrong({"clientInfo": _INFO, "capabilities": {"extensions": 5}}),
            _wrong({"clientInfo": _INFO, "capabilities": {"mcpServerOpenaiFormElicitation": 5}}),
        ),
    ),
    Script(
        "opted out",
        (
            Session(
                (
                    Call(
                        "initialize",
                        {
                            "clientInfo": _INFO,
                            "capabilities": {
                                "experimentalApi": True,
                                "optOutNotificationMethods": _OPTED_OUT,
                            },
                        },
                    ),
                    thread(),
                    turn("thread", "hello"),
                    Call("thread/resume", {"threadId": "$thread"}),
                ),
                None,
            ),
        ),
    ),
)
