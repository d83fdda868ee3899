"""Whether a new thread of `send` or `attach` may write in a directory that Codex has not been told to trust.

What Codex does (measured on 0.163 and 0.171): a `thread/start` that may write, in a git repository or a directory with a
`.codex`, writes into the user's config.toml that the directory is trusted, if nothing is written there about it. Then the
directory's `.codex/config.toml` holds from this first thread on: its MCP servers are started, outside the sandbox.
`thread/resume`, `thread/fork` and `turn/start` write nothing. A trust level in the `config` of `thread/start` counts as
written: so a thread can begin without. `codex exec` of 0.171 writes nothing unless `--trust` is given; that of 0.163 does.
"""

import select
import sys
from typing import Any

from codexctl.client import Client
from codexctl.exits import Exit, Failure
from codexctl.render import exact, is_terminal
from codexctl.time_limit import TimeLimit
from codexd.protocol.project_roots import roots

Params = dict[str, Any]
TRUSTED, UNTRUSTED = "trusted", "untrusted"
_READ_ONLY = ("read-only", ":read-only")


def is_at_stake(thread: Params, wanted: bool | None) -> bool:
    """Whether Codex's configuration has to be read first. `thread`: params of `thread/start`; `wanted`: as for `settle`."""
    return wanted is not None or thread.get("sandbox") not in _READ_ONLY


def settle(client: Client, thread: Params, config: Params, wanted: bool | None, limit: TimeLimit) -> Params:
    """`thread`, params of `thread/start`, such that Codex trusts nothing that the user has not said to be trusted.

    Args:
        config: of the answer to `config/read` for the thread's directory.
        wanted: True to trust the directory from now on, False to work in it without; None asks, where that matters.

    Raises `Failure` when the user does not want it, or can't be asked.
    """
    directory = thread["cwd"]
    level = _level(config, directory)
    if wanted and level == UNTRUSTED:
        raise Failure(
            Exit.FAILED,
            f"Codex's config.toml says that {directory} is untrusted; change it there, --trust does not override it",
        )
    if level is not None or not (wanted or _may_write(thread, config)):
        return thread
    root = [*roots(directory)][-1]
    if wanted is None:
        wanted = _asked(root, limit)
    if wanted:
        _trust(client, root, limit)
        return thread
    projects = {directory: {"trust_level": UNTRUSTED}}
    return thread | {"config": {**thread.get("config", {}), "projects": projects}}


def _level(config: Params, directory: str) -> str | None:
    """What is written about the directory, where Codex looks it up; None where nothing is."""
    projects = config.get("projects") or {}
    levels = [projects.get(root, {}).get("trust_level") for root in roots(directory)]
    return next((level for level in levels if level is not None), None)


def _may_write(thread: Params, config: Params) -> bool:
    """Where nothing is said, Codex begins a thread read-only in a directory that it does not know (measured)."""
    mode = thread.get("sandbox") or config.get("sandbox_mode") or config.get("default_permissions")
    return mode is not None and mode not in _READ_ONLY


def _asked(root: str, limit: TimeLimit) -> bool:
    """Whether to trust it; raises `Failure` when it shall not be worked in at all."""
    where = exact(root)
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise Failure(
            Exit.FAILED,
            f"Codex has not been told whether {where} is trusted: trust it from now on with --trust, "
            "work there without its configuration with --no-trust, or change nothing there with -s read-only",
        )
    print(
        f"Codex has not been told whether {where} is trusted.\n"
        "What the .codex/config.toml of a trusted directory names is started, also outside the sandbox.\n"
        "  y  trust it from now on\n  o  this once, without its configuration\n  n  do nothing",
        file=sys.stderr,
    )
    while (answer := _typed("[y/o/n] ", limit)) not in ("y", "o"):
        if answer in ("n", ""):
            raise Failure(Exit.FAILED, f"nothing was sent: {where} is not trusted")
    return answer == "y"


def _typed(prompt: str, limit: TimeLimit) -> str:
    """A line from the terminal; empty when it is, or at its end. Raises `TimeoutError`."""
    print(prompt, end="", file=sys.stderr, flush=True)
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    left = limit.left()
    if not poll.poll(None if left is None else 1000 * left):
        raise TimeoutError
    return sys.stdin.readline().strip().lower()


def _trust(client: Client, root: str, limit: TimeLimit) -> None:
    """Writes it into the user's config.toml, as Codex itself does."""
    value = {root: {"trust_level": TRUSTED}}
    write = {"keyPath": "projects", "value": value, "mergeStrategy": "upsert"}
    client.request("config/value/write", write, timeout=limit.left())
    print(f"codexctl: {exact(root)} is trusted from now on", file=sys.stderr)
