"""What Codex asks people, and the answers it takes: one shape per method (`codex app-server generate-json-schema`).

A question is a `Decision` (choose one of a few answers), a `Form` (fill in fields) or `Unanswerable`.
"""

import shlex
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from codexctl.fields import Field, Option, field_of_schema

Params = dict[str, Any]
Verdict = Literal["accept", "session", "always", "decline", "cancel"]


class Fact(NamedTuple):
    """Something to know before deciding. `text` is foreign: to be shown exactly."""

    label: str
    text: str


class Choice(NamedTuple):
    """One possible answer. `label` is ours, `foreign` what it is about in Codex's words."""

    key: str
    label: str
    result: dict[str, Any]
    verdict: Verdict
    foreign: str = ""


class Decision(NamedTuple):
    """Choose one. `is_approval`: refusing it is refusing Codex something, not just an answer.

    `unoffered`: answers that Codex takes as well, for who asks for them by name.
    """

    title: str
    facts: list[Fact]
    choices: list[Choice]
    is_approval: bool = True
    unoffered: tuple[Choice, ...] = ()


class Form(NamedTuple):
    """Fill in the fields. `declined` is the answer of who does not want to."""

    title: str
    facts: list[Fact]
    fields: list[Field]
    declined: dict[str, Any]
    wraps_content: bool

    def result(self, values: dict[str, Any]) -> dict[str, Any]:
        """The answer that carries these values by field name."""
        if self.wraps_content:
            return {"action": "accept", "content": values}
        return {"answers": {name: {"answers": [str(value)]} for name, value in values.items()}}


class Unanswerable(NamedTuple):
    """Nothing that a person at a command line can answer; `reason` says why."""

    title: str
    reason: str


Question = Decision | Form | Unanswerable

# Codex takes `decline` and `acceptForSession` even where `availableDecisions` leaves them out (measured on 0.163 and
# 0.169, which offer accept, an amendment and cancel). A decline is always shown: it is the one refusal that lets the
# turn go on.
_SIMPLE: dict[str, tuple[str, str, Verdict]] = {
    "accept": ("y", "yes", "accept"),
    "acceptForSession": ("a", "yes, and don't ask for this again in this session", "session"),
    "decline": ("n", "no, and go on", "decline"),
    "cancel": ("c", "no, and stop the turn", "cancel"),
}


def question_of(method: str, params: Params, item: Params | None = None) -> Question:
    """What a server request asks. `item`: the item it is about, where it is known (a file change's diff is there)."""
    if method == "item/fileChange/requestApproval":
        return _file_change(params, item)
    if method in _READERS:
        return _READERS[method](params)
    return Unanswerable(f"Codex asks for {method}", "a program has to answer this, the command line cannot")


def _command(params: Params) -> Decision:
    network = params.get("networkApprovalContext")
    if network:
        title = "Codex wants to reach a host on the network"
    elif params.get("kind") == "writeStdin":
        title = "Codex wants to type into a running command"
    else:
        title = "Codex wants to run a command"
    facts = [Fact("host", f"{network['host']} ({network['protocol']})")] if network else []
    facts += _given(params, ("command", "command"), ("in", "cwd"), ("because", "reason"))
    if extra := _permissions_text(params.get("additionalPermissions") or {}):
        facts.append(Fact("with", extra))
    offered = params.get("availableDecisions") or list(_SIMPLE)
    choices = [choice for decision in offered if (choice := _choice(decision))]
    if "decline" not in offered:
        before_cancel = next((at for at, one in enumerate(choices) if one.verdict == "cancel"), len(choices))
        choices.insert(before_cancel, _simple("decline"))
    takes_session = params.get("kind") != "humanCommand" and "acceptForSession" not in offered
    unoffered = (_simple("acceptForSession"),) if takes_session else ()
    return Decision(title, facts, _with_keys_of_their_own(choices), unoffered=unoffered)


def _with_keys_of_their_own(choices: list[Choice]) -> list[Choice]:
    """Two amendments may be offered, for two hosts say: what has the same key as one before it gets a digit."""
    taken: set[str] = set()
    distinct = []
    for choice in choices:
        key = next(key for key in (choice.key, *"123456789") if key not in taken)
        taken.add(key)
        distinct.append(choice._replace(key=key))
    return distinct


def _simple(decision: str) -> Choice:
    key, label, verdict = _SIMPLE[decision]
    return Choice(key, label, {"decision": decision}, verdict)


def _choice(decision: Any) -> Choice | None:
    """One of `availableDecisions`; None for a kind that this version does not know and so cannot explain."""
    if isinstance(decision, str):
        return _simple(decision) if decision in _SIMPLE else None
    result = {"decision": decision}
    if amendment := decision.get("acceptWithExecpolicyAmendment"):
        label = "yes, and from now on never ask for commands that begin with"
        return Choice("p", label, result, "always", shlex.join(amendment["execpolicy_amendment"]))
    if amendment := decision.get("applyNetworkPolicyAmendment"):
        rule = amendment["network_policy_amendment"]
        if rule["action"] == "allow":
            return Choice("h", "yes, and from now on always allow the host", result, "always", rule["host"])
        return Choice("d", "no, and from now on never allow the host", result, "decline", rule["host"])
    return None


def _file_change(params: Params, item: Params | None) -> Decision:
    facts = [_change(change) for change in (item or {}).get("changes", [])]
    if not facts:
        facts = [Fact("files", "(what would change is not known here)")]
    facts += _given(params, ("because", "reason"), ("and then anything in", "grantRoot"))
    return Decision("Codex wants to change files", facts, [_simple(one) for one in _SIMPLE])


def _change(change: Params) -> Fact:
    kind, diff = change["kind"], change["diff"]
    if kind["type"] in ("add", "delete"):
        sign = "+" if kind["type"] == "add" else "-"
        diff = "\n".join(sign + line for line in diff.splitlines())
    moved = f" to {kind['move_path']}" if kind.get("move_path") else ""
    return Fact(kind["type"], f"{change['path']}{moved}\n{diff}")


def _permissions(params: Params) -> Decision:
    wanted = {name: value for name, value in params["permissions"].items() if value is not None}
    facts = [Fact("for", _permissions_text(wanted) or "nothing")]
    facts += _given(params, ("in", "cwd"), ("because", "reason"))
    choices = [
        Choice("y", "yes, for this turn", {"permissions": wanted, "scope": "turn"}, "accept"),
        Choice("a", "yes, for this session", {"permissions": wanted, "scope": "session"}, "session"),
        Choice("n", "no, and go on", {"permissions": {}}, "decline"),
    ]
    return Decision("Codex wants more rights", facts, choices)


def _permissions_text(permissions: Params) -> str:
    parts = []
    if (permissions.get("network") or {}).get("enabled"):
        parts.append("use the network")
    files = permissions.get("fileSystem") or {}
    entries = files.get("entries") or [
        {"access": access, "path": {"path": path}}
        for access in ("read", "write")
        for path in files.get(access) or []
    ]
    parts += [f"{entry['access']} {_place(entry['path'])}" for entry in entries]
    return "\n".join(parts)


def _place(path: Params) -> str:
    """A path of a permission: `{type: path, path}`, or another kind of place, of which all is shown."""
    return (
        str(path["path"]) if "path" in path else " ".join(f"{name} {value}" for name, value in path.items())
    )


def _user_input(params: Params) -> Form:
    fields = [
        Field(
            name=question["id"],
            title=question["question"],
            options=[
                Option(option["label"], option["label"], option.get("description") or "")
                for option in question.get("options") or []
            ],
            is_free=bool(question.get("isOther")) or not question.get("options"),
            is_secret=bool(question.get("isSecret")),
        )
        for question in params["questions"]
    ]
    return Form("Codex asks", [], fields, {"answers": {}}, wraps_content=False)


def _elicitation(params: Params) -> Question:
    server = params["serverName"]
    title = "An MCP server asks"
    facts = [Fact("server", server), *_given(params, ("says", "message"))]
    if params.get("mode") == "url":
        facts.append(Fact("open", params["url"]))
        choices = [
            Choice("y", "yes, I have opened it", {"action": "accept"}, "accept"),
            Choice("n", "no", {"action": "decline"}, "decline"),
            Choice("c", "cancel", {"action": "cancel"}, "cancel"),
        ]
        return Decision(title, facts, choices, is_approval=False)
    schema = params.get("requestedSchema")
    if not isinstance(schema, dict):
        return Unanswerable(
            title, f"it asks in a way ({params.get('mode')}) that the command line cannot answer"
        )
    required = schema.get("required") or []
    fields = [
        field_of_schema(name, about, name in required)
        for name, about in (schema.get("properties") or {}).items()
    ]
    return Form(title, facts, fields, {"action": "decline"}, wraps_content=True)


def _given(params: Params, *named: tuple[str, str]) -> list[Fact]:
    return [Fact(label, params[member]) for label, member in named if params.get(member)]


_READERS: dict[str, Callable[[Params], Question]] = {
    "item/commandExecution/requestApproval": _command,
    "item/permissions/requestApproval": _permissions,
    "item/tool/requestUserInput": _user_input,
    "mcpServer/elicitation/request": _elicitation,
}
