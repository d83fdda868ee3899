"""What `send` sends: the prompt, the images, the schema, and where and how the turn is to run."""

import argparse
import json
import os
import select
import sys
from typing import Any

from codexctl.arguments import directory
from codexctl.carried import config_of
from codexctl.exits import Exit, Failure
from codexctl.render import is_terminal
from codexctl.time_limit import NO_LIMIT, TimeLimit

Params = dict[str, Any]
_CHUNK_BYTES = 64 * 1024


def user_input(arguments: argparse.Namespace, limit: TimeLimit = NO_LIMIT) -> list[Params]:
    """The `input` of the turn. stdin is read for `-`, and when there is no prompt and it is no terminal.

    Raises `TimeoutError` when stdin does not end within the limit.
    """
    text = _prompt(arguments, limit)
    images = [{"type": "localImage", "path": _image(path)} for path in arguments.image]
    if not text.strip() and not images:
        raise Failure(Exit.USAGE, "there is no prompt; give one as words, with a pipe, or with - from stdin")
    return [*text_input(text), *images] if text.strip() else images


def text_input(text: str) -> list[Params]:
    return [{"type": "text", "text": text}]


def _prompt(arguments: argparse.Namespace, limit: TimeLimit) -> str:
    words = arguments.prompt
    if words == ["-"] or (not words and not is_terminal(sys.stdin)):
        return _all_of_stdin(limit).decode(errors="replace").rstrip("\n")
    # What the shell handed over that is no UTF-8 would make Codex drop the whole request.
    return " ".join(words).encode(errors="surrogateescape").decode(errors="replace")


def _all_of_stdin(limit: TimeLimit) -> bytes:
    if limit.deadline is None:
        return sys.stdin.buffer.read()
    descriptor = sys.stdin.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    chunks: list[bytes] = []
    while poll.poll(1000 * (limit.left() or 0)):
        if not (chunk := os.read(descriptor, _CHUNK_BYTES)):
            return b"".join(chunks)
        chunks.append(chunk)
    raise TimeoutError


def _image(path: str) -> str:
    if not os.path.isfile(path):
        raise Failure(Exit.USAGE, f"there is no image {path}")
    return os.path.abspath(path)


def turn_options(arguments: argparse.Namespace) -> Params:
    """Params of `turn/start` that hold for any thread."""
    if arguments.output_schema is None:
        return {}
    try:
        with open(arguments.output_schema, encoding="utf-8") as file:
            return {"outputSchema": json.load(file)}
    except OSError as error:
        raise Failure(Exit.USAGE, f"cannot read {arguments.output_schema}: {error.strerror}") from None
    except ValueError as error:
        raise Failure(Exit.USAGE, f"{arguments.output_schema} is not JSON: {error}") from None


def new_thread(arguments: argparse.Namespace) -> Params:
    """Params of `thread/start`."""
    return _given(
        cwd=directory(arguments),
        model=arguments.model,
        sandbox=arguments.sandbox,
        approvalPolicy=arguments.approval_policy,
        config=config_of(os.environ, arguments.env) or None,
    )


def overrides(arguments: argparse.Namespace, config: Params | None) -> Params:
    """Params of `turn/start` on a thread that exists: what was asked for, from this turn on.

    They stand here because `thread/resume` ignores them for a thread that is loaded (measured). `config`: Codex's
    configuration, wanted when `needs_config` says so.
    """
    return _given(
        cwd=directory(arguments) if arguments.cd else None,
        model=arguments.model,
        approvalPolicy=arguments.approval_policy,
        sandboxPolicy=_sandbox_policy(arguments.sandbox, config or {}) if arguments.sandbox else None,
    )


def needs_config(arguments: argparse.Namespace) -> bool:
    """A turn takes no sandbox mode, only a whole policy; what the user configured for the mode belongs into it."""
    return bool(arguments.sandbox == "workspace-write")


def _sandbox_policy(mode: str, config: Params) -> Params:
    if mode != "workspace-write":
        return {"type": {"read-only": "readOnly", "danger-full-access": "dangerFullAccess"}[mode]}
    configured = config.get("sandbox_workspace_write") or {}
    return {"type": "workspaceWrite"} | _given(
        writableRoots=configured.get("writable_roots"),
        networkAccess=configured.get("network_access"),
        excludeTmpdirEnvVar=configured.get("exclude_tmpdir_env_var"),
        excludeSlashTmp=configured.get("exclude_slash_tmp"),
    )


def _given(**members: Any) -> Params:
    return {name: value for name, value in members.items() if value is not None}
