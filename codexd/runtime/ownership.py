"""Which processes are Codex's own: decided from looks at the process table, without I/O.

Codex's own is what would not be there without it and has not left it:

* Codex, and whatever descends from it without a gap;
* whatever is in Codex's session, where its MCP servers are, or in the session of a command. Each command is the leader
  of a session, and a child of Codex (0.163 and 0.171, for `command/exec`, `process/spawn`, the model's commands
  and the user's shell commands, with a terminal and without).

A process that got itself a session and lost its parent while Codex lived has left, as tmux, ssh-agent and build
daemons do. It is not Codex's, and neither is what is below it.

When Codex has ended, all that it had has lost its parent, so what is Codex's must have been recorded before. A pid
alone proves nothing, because the system uses it again: a process is the recorded one when its start time is the same,
too, and a session is the recorded one while somebody recorded is still in it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec import Struct

from codexd.runtime.process_table import Process, Table


class Member(Struct, frozen=True, array_like=True):
    """A process that was Codex's own, and whose child it was."""

    pid: int
    started: float
    parent: int
    session: int


class Record(Struct, frozen=True):
    """What was Codex's own at the last look.

    `era`: as `process_table.era` says. `sessions`: Codex's own and those of its commands. `is_last`: Codex was told to
    end right after the look, so that whoever has lost its parent since did not leave but was left behind.
    """

    era: str
    codex: int
    members: list[Member]
    sessions: list[int]
    is_last: bool = False


def record(codex: int, table: Table, before: Record | None, era: str) -> Record:
    """What is Codex's own now. `codex` lives; `before` is the record of the look before, of the same Codex."""
    below = _with_descendants({codex}, table)
    itself = {pid for pid in below if table[pid].group == codex}
    commands = {
        pid
        for pid in below
        if table[pid].session == pid and table[pid].parent in itself and not table[pid].ended
    }
    sessions = {codex, *commands}
    if before is not None:
        sessions |= {
            session
            for session in _lasting(before, table)
            # A leader that lives and is not below Codex any more has left, and takes its session with it.
            if session not in table or table[session].ended
        }
    own = _with_descendants(below | _in_sessions(sessions, table), table)
    members = [
        Member(pid, table[pid].started, table[pid].parent, table[pid].session)
        for pid in sorted(own)
        if not table[pid].ended
    ]
    return Record(era, codex, members, sorted(sessions))


def owned(last: Record, table: Table, known_sessions: Iterable[int] = ()) -> set[int]:
    """What is left of Codex's own, after its end or before; those that have ended are among it.

    Args:
        last: what the last look found.
        known_sessions: sessions that are known to be Codex's, recorded or not.
    """
    recorded = {member.pid: member for member in last.members if _is_still(member, table)}
    own = _in_sessions({*_lasting(last, table), *known_sessions}, table)
    if last.codex in recorded:
        own.add(last.codex)
    if last.is_last:
        own |= recorded.keys()
    # Whose parent lived until Codex ended had not left. Of those that have ended it is known only of Codex's own
    # children: Codex takes their exit statuses at once, so they are zombies only if they ended with it.
    parents = {pid for pid, member in recorded.items() if not table[pid].ended or member.parent == last.codex}
    while True:
        left_behind = {pid for pid, member in recorded.items() if member.parent in own & parents}
        grown = _with_descendants(own | left_behind, table)
        if grown == own:
            return own
        own = grown


def still_owned(last: Record, found: Collection[int], table: Table, known_sessions: Iterable[int]) -> Record:
    """The record by which the rest of these is found when the first of them have ended."""
    members = [Member(p.pid, p.started, p.parent, p.session) for p in map(table.__getitem__, sorted(found))]
    return Record(last.era, last.codex, members, sorted({*last.sessions, *known_sessions}), is_last=True)


def spared(
    candidates: Collection[int], table: Table, me: int, is_codexd: Callable[[Process], bool]
) -> set[int]:
    """Those of the candidates that are never to be ended, whoever's they are.

    That is this process and what is above it, and another codexd and what is below it. codexd may have been started
    by a command of the very Codex that is to be cleared away, and a command may have started another codexd.
    """
    above_me = {me, *_ancestors(me, table)}
    answers: dict[int, bool] = {}

    def is_other_codexd(pid: int) -> bool:
        if pid not in answers:
            answers[pid] = pid not in above_me and is_codexd(table[pid])
        return answers[pid]

    def has_another_codexd(pid: int) -> bool:
        for above in (pid, *_ancestors(pid, table)):
            if above in above_me:
                return False
            if is_other_codexd(above):
                return True
        return False

    return {pid for pid in candidates if pid in above_me or has_another_codexd(pid)}


def _is_still(member: Member, table: Table) -> bool:
    """Whether it is there, in the session that it was in: who has made one since has left."""
    process = table.get(member.pid)
    return process is not None and process.started == member.started and process.session == member.session


def _lasting(before: Record, table: Table) -> set[int]:
    """The recorded sessions that still are the same: the number of a session is not used again while it has members."""
    sessions = set(before.sessions)
    return {m.session for m in before.members if m.session in sessions and _is_still(m, table)}


def _in_sessions(sessions: Collection[int], table: Table) -> set[int]:
    return {process.pid for process in table.values() if process.session in sessions}


def _with_descendants(roots: Collection[int], table: Table) -> set[int]:
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found = {pid for pid in roots if pid in table}
    new = list(found)
    while new:
        new = [child for pid in new for child in children.get(pid, ()) if child not in found]
        found.update(new)
    return found


def _ancestors(pid: int, table: Mapping[int, Process]) -> Iterable[int]:
    """From the parent up, as far as they can be seen; the init of a container has none."""
    seen = {pid}
    while pid in table and (pid := table[pid].parent) in table and pid not in seen:
        seen.add(pid)
        yield pid
