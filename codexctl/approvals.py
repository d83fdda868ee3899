"""`codexctl approvals`: what Codex waits for, and answering it without being attached to its thread."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from codexctl import session
from codexctl.asking import choices_of, described, summary
from codexctl.client import Client
from codexctl.decisions import Decision, Form, Unanswerable, Verdict, question_of
from codexctl.exits import Exit, Failure
from codexctl.fields import Field, Skipped, value_of
from codexctl.render import Paint, ago, as_json, exact, table, terminal_width
from codexd.protocol import extension
from codexd.protocol.visible import plain

Approval = dict[str, Any]


def list_approvals(arguments: argparse.Namespace) -> Exit:
    """All that waits, oldest first. `--json`: codexd's own answer to `codexd/approvals/list`."""
    client, _ = session.connect_to_codexd(arguments)
    with client:
        report = client.request(extension.APPROVALS_LIST)
    if arguments.json:
        print(as_json(report, sys.stdout))
        return Exit.DONE
    rows = [
        (
            str(one["id"]),
            ago(one["askedAt"]),
            one["threadId"] or "-",
            summary(question_of(one["method"], one["params"])),
        )
        for one in report["approvals"]
    ]
    if rows:
        print("\n".join(table(("ID", "AGE", "THREAD", "WHAT"), rows, sys.stdout)))
    else:
        print("nothing waits for an answer", file=sys.stderr)
    return Exit.DONE


def show(arguments: argparse.Namespace) -> Exit:
    """What is asked, and what can be answered. `--json`: the approval as `codexd/approvals/list` has it."""
    client, _ = session.connect_to_codexd(arguments)
    with client:
        approval = _find(client, arguments.id)
    if arguments.json:
        print(as_json(approval, sys.stdout))
        return Exit.DONE
    question = question_of(approval["method"], approval["params"], approval.get("item"))
    width, paint = terminal_width(sys.stdout), Paint.of(sys.stdout)
    for label, value in (
        ("id", approval["id"]),
        ("thread", approval["threadId"]),
        ("turn", approval["turnId"]),
    ):
        if value is not None:
            print(f"{label + ':':<8}{exact(str(value))}")
    print(f"{'asked:':<8}{ago(approval['askedAt'])} ago")
    lines = described(question, width, paint)
    if isinstance(question, Decision):
        lines += choices_of(question, width)
    elif isinstance(question, Form):
        lines += [line for field in question.fields for line in _field_lines(field)]
    print("\n".join(lines))
    return Exit.DONE


def _field_lines(field: Field) -> list[str]:
    options = f" ({', '.join(option.label for option in field.options)})" if field.options else ""
    return [f"  {exact(field.name)}: {exact(field.title)}{exact(options)}"]


def accept(arguments: argparse.Namespace) -> Exit:
    """Allows it, or answers it with `--answer`. `--json`: `{id, result}`, the result being what Codex gets."""
    return _answer(arguments, "accepted", lambda question: _accepted(question, arguments))


def decline(arguments: argparse.Namespace) -> Exit:
    """Refuses it; the turn goes on. `--json`: `{id, result}`."""
    return _answer(arguments, "declined", _declined)


def _answer(
    arguments: argparse.Namespace, done: str, decide: Callable[[Decision | Form], dict[str, Any]]
) -> Exit:
    client, _ = session.connect_to_codexd(arguments)
    with client:
        approval = _find(client, arguments.id)
        question = question_of(approval["method"], approval["params"])
        if isinstance(question, Unanswerable):
            raise Failure(Exit.FAILED, f"{question.title}: {question.reason}")
        result = decide(question)
        client.request(extension.APPROVALS_ANSWER, {"id": arguments.id, "result": result})
    if arguments.json:
        print(as_json({"id": arguments.id, "result": result}, sys.stdout))
    else:
        done = "answered" if isinstance(question, Form) and done == "accepted" else done
        print(plain(f"{arguments.id} {done}: {summary(question)}"), file=sys.stderr)
    return Exit.DONE


def _find(client: Client, number: int) -> Approval:
    approvals: list[Approval] = client.request(extension.APPROVALS_LIST)["approvals"]
    for approval in approvals:
        if approval["id"] == number:
            return approval
    raise Failure(
        Exit.FAILED, f"nothing with the id {number} waits for an answer; it may have been answered already"
    )


def _accepted(question: Decision | Form, arguments: argparse.Namespace) -> dict[str, Any]:
    if isinstance(question, Form):
        return _filled_in(question, arguments.answer)
    if arguments.answer:
        raise Failure(Exit.USAGE, "this is not a question; accept it without --answer")
    return _chosen(question, "session" if arguments.for_session else "accept")


def _declined(question: Decision | Form) -> dict[str, Any]:
    return question.declined if isinstance(question, Form) else _chosen(question, "decline")


def _chosen(decision: Decision, verdict: Verdict) -> dict[str, Any]:
    for choice in (*decision.choices, *decision.unoffered):
        if choice.verdict == verdict:
            return choice.result
    offered = ", ".join(choice.label for choice in decision.choices)
    raise Failure(Exit.FAILED, f"Codex does not offer that here; it offers: {offered}")


def _filled_in(form: Form, answers: list[str]) -> dict[str, Any]:
    """The answers in the order of the fields, or by name."""
    names = {field.name for field in form.fields}
    named, unnamed = {}, []
    for answer in answers:
        name, equals, text = answer.partition("=")
        if equals and name in names:
            named[name] = text
        else:
            unnamed.append(answer)
    in_order = iter(unnamed)
    values = {}
    for field in form.fields:
        text = named[field.name] if field.name in named else next(in_order, "")
        try:
            value = value_of(field, text)
        except ValueError as error:
            raise Failure(
                Exit.USAGE, f"{field.title}: {error}; give it with --answer {field.name}=TEXT"
            ) from None
        if not isinstance(value, Skipped):
            values[field.name] = value
    if (left := next(in_order, None)) is not None:
        raise Failure(Exit.USAGE, f"there is no question left for the answer {left}")
    return form.result(values)
