"""`codexctl threads`: list, show, archive, unarchive, fork, rename, delete, release."""

import argparse
import sys
from typing import Any

from codexctl import finding, session
from codexctl.arguments import directory
from codexctl.client import Client, RpcError
from codexctl.exits import Exit, Failure
from codexctl.render import ago, as_json, exact, one_line, table
from codexctl.transcript import Transcript
from codexctl.views import PlainView
from codexd.protocol import extension

TURNS_SHOWN = 5
RELEASE_SECONDS = 30.0
"""Codex needs milliseconds; one that does not know the setting that codexd starts it with takes its own delay."""


def list_threads(arguments: argparse.Namespace) -> Exit:
    """One page (or with `--all` all of them), the latest first. `--json`: `{threads, nextCursor}`."""
    query: dict[str, Any] = {
        "sortKey": "updated_at",
        "modelProviders": [],
        "archived": arguments.archived,
        "limit": arguments.limit,
        "cursor": arguments.cursor,
    }
    if arguments.cd:
        query["cwd"] = directory(arguments)
    with session.connect(arguments, start=True) as client:
        threads, cursor = _pages(client, query, everything=arguments.all)
        quarantined = _quarantined(client) if threads and not arguments.json else set()
    if arguments.json:
        print(as_json({"threads": threads, "nextCursor": cursor}, sys.stdout))
        return Exit.DONE
    rows = [
        (
            thread["id"],
            _state(thread, quarantined),
            ago(thread["updatedAt"]),
            _title(thread, 60),
            thread["cwd"],
        )
        for thread in threads
    ]
    if rows:
        print("\n".join(table(("ID", "STATE", "AGE", "WHAT", "WHERE"), rows, sys.stdout)))
    else:
        print("no threads", file=sys.stderr)
    if cursor:
        print(f"more with --cursor {exact(cursor)!r}, or all with --all", file=sys.stderr)
    return Exit.DONE


def _pages(
    client: Client, query: dict[str, Any], *, everything: bool
) -> tuple[list[finding.Thread], str | None]:
    if everything:
        limit = query.pop("limit")
        return finding.all_threads(client, query)[:limit], None
    page = client.request("thread/list", query)
    return page["data"], page.get("nextCursor")


def _quarantined(client: Client) -> set[str]:
    """The threads that codexd lets nobody resume."""
    return {*client.request(extension.STATUS).get("quarantined", ())}


def _state(thread: finding.Thread, quarantined: set[str]) -> str:
    if thread["id"] in quarantined:
        return "quarantined"
    status = thread["status"]
    flags = status.get("activeFlags") or []
    if "waitingOnApproval" in flags or "waitingOnUserInput" in flags:
        return "waiting"
    return _STATES.get(status["type"], "idle")


_STATES = {"active": "running", "systemError": "failed", "notLoaded": "-"}


def _title(thread: finding.Thread, width: int) -> str:
    return one_line(thread.get("name") or thread["preview"], width)


def show(arguments: argparse.Namespace) -> Exit:
    """What a thread is and what was said last. `--json`: `{thread, turns}`, the turns oldest first."""
    with session.connect(arguments, start=True) as client:
        thread_id = finding.full_id(client, arguments.thread)
        thread = client.request("thread/read", {"threadId": thread_id})["thread"]
        turns = last_turns(client, thread_id, TURNS_SHOWN)
        quarantined = set() if arguments.json else _quarantined(client)
    if arguments.json:
        print(as_json({"thread": thread, "turns": turns}, sys.stdout))
        return Exit.DONE
    facts = {
        "id": thread["id"],
        "name": thread.get("name"),
        "state": _state(thread, quarantined),
        "where": thread["cwd"],
        "model": thread.get("model") or thread["modelProvider"],
        "begun": f"{ago(thread['createdAt'])} ago",
        "last used": f"{ago(thread['updatedAt'])} ago",
        "forked from": thread.get("forkedFromId"),
    }
    for label, value in facts.items():
        if value:
            print(f"{label + ':':<13}{exact(str(value))}")
    if turns:
        print(flush=True)
        Transcript(thread_id, PlainView(sys.stdout, sys.stdout), detailed=True).history(turns)
    return Exit.DONE


def last_turns(client: Client, thread_id: str, limit: int) -> list[dict[str, Any]]:
    """The last turns with all their items, oldest first; none for a thread that has no history to be read."""
    query = {"threadId": thread_id, "limit": limit, "sortDirection": "desc", "itemsView": "full"}
    try:
        turns: list[dict[str, Any]] = client.request("thread/turns/list", query)["data"]
    except RpcError:  # it has had no turn yet, or is ephemeral: Codex has different codes and texts for that
        return []
    return turns[::-1]


def archive(arguments: argparse.Namespace) -> Exit:
    """Puts a thread away; `threads --archived` still lists it."""
    return _change(arguments, "thread/archive", "archived")


def unarchive(arguments: argparse.Namespace) -> Exit:
    """Takes a thread out of the archive."""
    return _change(arguments, "thread/unarchive", "back from the archive")


def delete(arguments: argparse.Namespace) -> Exit:
    """Deletes a thread for good."""
    return _change(arguments, "thread/delete", "deleted")


def rename(arguments: argparse.Namespace) -> Exit:
    """Gives a thread a name."""
    return _change(arguments, "thread/name/set", "renamed", {"name": arguments.name})


def fork(arguments: argparse.Namespace) -> Exit:
    """Begins a thread with the history of another one, and prints its id."""
    with session.connect(arguments, start=True) as client:
        thread_id = finding.full_id(client, arguments.thread)
        result = client.request("thread/fork", {"threadId": thread_id, "excludeTurns": True})
    print(as_json(result, sys.stdout) if arguments.json else result["thread"]["id"])
    return Exit.DONE


def release(arguments: argparse.Namespace) -> Exit:
    """Has a thread unloaded that nobody uses; says who uses it otherwise, with exit code 1.

    A thread that is not loaded needs no release, which is no failure. A quarantined one may be resumed again.
    """
    with session.connect(arguments, start=True) as client:
        thread_id = finding.full_id(client, arguments.thread)
        try:
            result = client.request(extension.THREADS_RELEASE, {"threadId": thread_id}, RELEASE_SECONDS)
        except TimeoutError:
            raise Failure(
                Exit.TIMED_OUT, f"Codex was told to unload {thread_id}, and has not done so yet"
            ) from None
    if arguments.json:
        print(as_json(result, sys.stdout))
    elif result["status"] == "inUse":
        raise Failure(Exit.FAILED, f"{thread_id} is in use: {_use(result)}")
    elif result["status"] == "released":
        print(f"{thread_id} released", file=sys.stderr)
    else:
        print(f"{thread_id} {_elsewhere(thread_id, arguments.socket)}", file=sys.stderr)
    return Exit.FAILED if result["status"] == "inUse" else Exit.DONE


def _elsewhere(thread_id: str, socket: str | None) -> str:
    """Where a thread is that codexd has not loaded."""
    from codexctl.writers import writer_of

    writer = writer_of(thread_id, socket)
    return "is not loaded" if writer is None else f"is not codexd's to release: process {writer} has it"


def _use(result: dict[str, Any]) -> str:
    """What is made of a thread that stays."""
    uses = [
        one if count == 1 else many.format(count)
        for count, one, many in (
            (result["followers"], "a client follows it", "{} clients follow it"),
            (int(result["turnRuns"]), "a turn runs", ""),
            (result["pendingApprovals"], "a question waits for an answer", "{} questions wait for an answer"),
        )
        if count
    ]
    return ", ".join(uses) or "a request for it is under way"


def _change(
    arguments: argparse.Namespace, method: str, done: str, more: dict[str, Any] | None = None
) -> Exit:
    with session.connect(arguments, start=True) as client:
        thread_id = finding.full_id(client, arguments.thread)
        result = client.request(method, {"threadId": thread_id, **(more or {})})
    if arguments.json:
        print(as_json(result, sys.stdout))
    else:
        print(f"{thread_id} {done}", file=sys.stderr)
    return Exit.DONE
