"""What Codex asks, each kind answered in every way that there is, and in ways that there are not."""

from tests.conformance.steps import Ask, Call, Json, Note, script, thread, turn

COMMAND = "item/commandExecution/requestApproval"
FILE = "item/fileChange/requestApproval"
PERMISSIONS = "item/permissions/requestApproval"
INPUT = "item/tool/requestUserInput"
TOOL = "item/tool/call"
ELICITATION = "mcpServer/elicitation/request"
ERROR = {"code": -32601, "message": "unknown method", "data": {"why": "it is a test"}}

_T = {"threadId": "$thread"}
_LOOKUP = {"name": "lookup", "description": "Looks up.", "inputSchema": {"type": "object", "properties": {}}}
_PLAN = {"mode": "plan", "settings": {"model": "gpt-5.1-codex"}}
_AMENDMENT = {"acceptWithExecpolicyAmendment": {"execpolicy_amendment": ["true", "amended"]}}


def _decision(method: str, decision: Json) -> Ask:
    return Ask(method, {"decision": decision})


def _said(text: str) -> Json:
    return {"contentItems": [{"type": "inputText", "text": text}], "success": text != "no"}


def _open(prompt: str, method: str, name: str = "thread") -> Call:
    """A turn that is left with its question unanswered."""
    return Call(
        "turn/start",
        {"threadId": f"${name}", "input": [{"type": "text", "text": prompt}]},
        save={"turn": "turn.id"},
        asks=(Ask(method, silent=True),),
    )


def _interrupt(*more: Note) -> Call:
    return Call(
        "turn/interrupt",
        {**_T, "turnId": "$turn"},
        until=(Note("turn/completed", {"turn.id": "$turn"}), *more),
    )


_RESOLVED = Note("serverRequest/resolved", _T)

SCRIPTS = (
    script(
        "command approvals",
        thread(),
        turn("thread", "run echo accepted", _decision(COMMAND, "accept")),
        turn("thread", "run echo declined", _decision(COMMAND, "decline")),
        turn("thread", "run echo cancelled", _decision(COMMAND, "cancel")),
        turn("thread", "run echo session", _decision(COMMAND, "acceptForSession")),
        turn("thread", "run echo session"),
        turn("thread", "run true amended", _decision(COMMAND, _AMENDMENT)),
        turn("thread", "run echo nonsense", _decision(COMMAND, "nonsense")),
        turn("thread", "run echo empty", Ask(COMMAND, {})),
        turn("thread", "run echo error", Ask(COMMAND, error=ERROR)),
        _open("run echo interrupted", COMMAND),
        _interrupt(_RESOLVED),
        turn("thread", "run exit 7", _decision(COMMAND, "accept")),
        turn("thread", "run-free echo nobody is asked"),
        _open("run echo replayed", COMMAND),
        Call("thread/read", _T),
        Call(
            "thread/resume",
            {**_T, "excludeTurns": True},
            asks=(_decision(COMMAND, "accept"),),
            until=(Note("turn/completed", {"turn.id": "$turn"}),),
        ),
        _open("run echo archived", COMMAND),
        Call("thread/archive", _T, until=(Note("thread/archived", _T),)),
    ),
    script(
        "file approvals",
        thread(),
        turn("thread", "patch $home/accepted text", _decision(FILE, "accept")),
        turn("thread", "patch $home/declined text", _decision(FILE, "decline")),
        turn("thread", "patch $home/cancelled text", _decision(FILE, "cancel")),
        turn("thread", "patch $home/nonsense text", Ask(FILE, 5)),
        turn("thread", "patch $home/error text", Ask(FILE, error=ERROR)),
        turn("thread", "patch $home/session text", _decision(FILE, "acceptForSession")),
        turn("thread", "patch $home/session2 text", _decision(FILE, "accept")),
        _open("patch $home/interrupted text", FILE),
        _interrupt(_RESOLVED),
    ),
    script(
        "permissions",
        thread(),
        turn(
            "thread",
            "permissions $home/granted",
            Ask(PERMISSIONS, {"permissions": {"fileSystem": {"write": ["$home/granted"]}}}),
        ),
        turn(
            "thread",
            "permissions $home/session",
            Ask(
                PERMISSIONS,
                {"permissions": {"fileSystem": {"write": ["$home/session"]}}, "scope": "session"},
            ),
        ),
        turn("thread", "permissions $home/declined", Ask(PERMISSIONS, {"permissions": {}})),
        turn("thread", "permissions $home/nonsense", Ask(PERMISSIONS, {"decision": "accept"})),
        turn("thread", "permissions $home/error", Ask(PERMISSIONS, error=ERROR)),
        _open("permissions $home/interrupted", PERMISSIONS),
        _interrupt(_RESOLVED),
    ),
    script(
        "questions",
        thread(),
        turn("thread", "ask Really?", Ask(INPUT, {"answers": {"answer": {"answers": ["Yes"]}}})),
        turn("thread", "ask Empty?", Ask(INPUT, {"answers": {}})),
        turn("thread", "ask Nonsense?", Ask(INPUT, {"decision": "accept"})),
        turn("thread", "ask Error?", Ask(INPUT, error=ERROR)),
        turn(
            "thread",
            "ask Planned?",
            Ask(INPUT, {"answers": {"answer": {"answers": ["No"]}}}),
            collaborationMode=_PLAN,
        ),
        _open("ask Interrupted?", INPUT),
        _interrupt(_RESOLVED),
    ),
    script(
        "elicitations",
        thread(),
        turn(
            "thread", "elicit Accept?", Ask(ELICITATION, {"action": "accept", "content": {"answer": "yes"}})
        ),
        turn("thread", "elicit Decline?", Ask(ELICITATION, {"action": "decline"})),
        turn("thread", "elicit Cancel?", Ask(ELICITATION, {"action": "cancel"})),
        turn("thread", "elicit Nonsense?", Ask(ELICITATION, {"decision": "accept"})),
        turn("thread", "elicit Error?", Ask(ELICITATION, error=ERROR)),
        _open("elicit Interrupted?", ELICITATION),
        _interrupt(_RESOLVED),
        Call(
            "mcpServer/tool/call",
            {**_T, "server": "scripted", "tool": "elicit", "arguments": {"question": "Called?"}},
            asks=(Ask(ELICITATION, {"action": "accept", "content": {"answer": "called"}}),),
        ),
        Call("mcpServer/tool/call", {**_T, "server": "none", "tool": "elicit"}),
        Call("mcpServer/tool/call", {**_T, "server": "scripted", "tool": "none", "arguments": {}}),
    ),
    script(
        "dynamic tools",
        thread(dynamicTools=[_LOOKUP]),
        turn("thread", 'call lookup {"for": "success"}', Ask(TOOL, _said("found"))),
        turn("thread", 'call lookup {"for": "failure"}', Ask(TOOL, _said("no"))),
        turn(
            "thread",
            'call lookup {"for": "an image"}',
            Ask(
                TOOL,
                {
                    "contentItems": [{"type": "inputImage", "imageUrl": "data:image/png;base64,AA=="}],
                    "success": True,
                },
            ),
        ),
        turn("thread", 'call lookup {"for": "nonsense"}', Ask(TOOL, {"decision": "accept"})),
        turn("thread", 'call lookup {"for": "an error"}', Ask(TOOL, error=ERROR)),
        _open('call lookup {"for": "interruption"}', TOOL),
        _interrupt(),
        Call("thread/start", {"cwd": "$project", "dynamicTools": [{"name": "x"}]}),
        Call("thread/start", {"cwd": "$project", "dynamicTools": [{**_LOOKUP, "name": "not a name!"}]}),
    ),
)
