"""`codexctl status` and `clients`: what codexd says of itself, in every state of Codex."""

import argparse
import sys
from typing import Any

from codexctl import session
from codexctl.exits import Exit
from codexctl.render import Paint, ago, as_json, exact, table
from codexd.protocol import extension
from codexd.protocol.binary import was_replaced
from codexd.protocol.errors import STALE_LOGIN

UPDATED = "to run the current one: codexd restart"


def status(arguments: argparse.Namespace) -> Exit:
    """How codexd and Codex are, in every state of Codex. `--json`: codexd's own answer to `codexd/status`."""
    client, report = session.connect_to_codexd(arguments)
    client.close()
    if arguments.json:
        print(as_json(report, sys.stdout))
        return Exit.DONE
    paint = Paint.of(sys.stdout)
    daemon, codex = report["codexd"], report["codex"]
    state = paint(codex["state"], "green" if codex["state"] == "ready" else "yellow")
    pid = f", pid {codex['pid']}" if codex.get("pid") else ""
    since = f", up {ago(codex['startedAt'])}" if codex.get("startedAt") else ""
    print(
        f"codexd {daemon['version']}, pid {daemon['pid']}, up {ago(daemon['startedAt'])}, at {exact(daemon['socket'])}"
    )
    print(
        f"Codex {exact(codex.get('version') or '(version unknown)')} {state}{pid}{since}, {_counted(codex['restarts'], 'restart')}"
    )
    if codex["state"] != "ready" and codex.get("reason"):
        print(paint(f"  {exact(codex['reason'])}", "red"))
    if (binary := codex.get("binary")) and was_replaced(binary, codex.get("binaryIdentity")):
        print(paint(f"  its program {exact(binary)} was updated or removed since; {UPDATED}", "yellow"))
    if codex.get("loginIsStale"):
        print(paint(f"  {STALE_LOGIN}", "yellow"))
    if codex.get("schemaProblem"):
        print(paint(f"  {exact(codex['schemaProblem'])}; experimental methods are not held back", "yellow"))
    if quarantined := report.get("quarantined"):
        print(
            paint(
                f"  {_counted(len(quarantined), 'thread')} quarantined: {exact(', '.join(quarantined))}",
                "yellow",
            )
        )
    counts = [
        _counted(report["clients"], "client"),
        _counted(report["threads"], "thread"),
        f"{_counted(report['pendingApprovals'], 'approval')} waiting",
    ]
    print(", ".join(counts))
    print(_timeline(report["timeline"], paint))
    return Exit.DONE


def _timeline(timeline: dict[str, Any], paint: Paint) -> str:
    """How the history of events is."""
    on_disk = f"{_counted(timeline['events'], 'event')} on disk ({_size(timeline['bytes'])})"
    parts = [on_disk] if timeline["state"] == "on" else []
    parts += [f"{_size(timeline['memoryBytes'])} in memory", f"the last is {timeline['lastSeq']}"]
    state = paint(timeline["state"], "green" if timeline["state"] == "on" else "yellow")
    problem = f"\n{paint('  ' + exact(timeline['problem']), 'red')}" if timeline["problem"] else ""
    return f"timeline {state}: {', '.join(parts)}{problem}"


def _size(count: int) -> str:
    """Bytes in the largest unit of which there is one."""
    for unit, bytes_ in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= bytes_:
            return f"{count / bytes_:.1f} {unit}"
    return f"{count} B"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def clients(arguments: argparse.Namespace) -> Exit:
    """Who is connected. `--json`: codexd's own answer to `codexd/clients/list`."""
    client, _ = session.connect_to_codexd(arguments)
    with client:
        report = client.request(extension.CLIENTS_LIST)
    if arguments.json:
        print(as_json(report, sys.stdout))
        return Exit.DONE
    rows = [
        (
            str(one["id"]),
            f"{one['name'] or '-'} {one['version'] or ''}".rstrip(),
            str(one["pid"] or "-"),
            ago(one["connectedAt"]),
            str(one["inFlight"]),
            f"{one['outboxBytes']}{' (lagging)' if one['lagging'] else ''}",
            one.get("cwd") or "-",
            " ".join(one["threads"]) or "-",
        )
        for one in report["clients"]
    ]
    head = ("ID", "NAME", "PID", "UP", "IN FLIGHT", "OUTBOX", "DIRECTORY", "THREADS")
    print("\n".join(table(head, rows, sys.stdout)))
    return Exit.DONE
