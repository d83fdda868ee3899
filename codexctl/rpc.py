"""`codexctl rpc`: any request of Codex's app-server or of codexd."""

import argparse
import json
import sys
from typing import Any

from codexctl import session
from codexctl.client import Client, RpcError
from codexctl.exits import Exit, Failure
from codexctl.render import as_json
from codexd.protocol import extension
from codexd.protocol.errors import Code


def rpc(arguments: argparse.Namespace) -> Exit:
    """Makes one request and prints its result as JSON. An error goes to stderr, with `--json` as JSON."""
    params = _params(sys.stdin.read() if arguments.params == "-" else arguments.params)
    try:
        with _connected_for(arguments) as client:
            result = client.request(arguments.method, params)
    except RpcError as error:
        if error.code == Code.CODEX_UNAVAILABLE:
            raise
        if not arguments.json:
            raise _in_short(arguments.method, error) from None
        body = {"code": error.code, "message": error.message, "data": error.data}
        print(as_json(body, sys.stderr), file=sys.stderr)
        return Exit.FAILED
    print(as_json(result, sys.stdout))
    return Exit.DONE


def _in_short(method: str, error: RpcError) -> RpcError:
    """Codex answers an unknown method with a list of all that it knows: the nearest of them say as much."""
    _, listed, known = error.message.partition(f"unknown variant `{method}`, expected one of ")
    if not listed:
        return error
    from difflib import get_close_matches

    near = get_close_matches(method, [name.strip(" `") for name in known.split(",")], n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; with --json Codex lists all that it knows"
    return RpcError(error.code, f"Codex knows no method {method}{hint}", error.data)


def _connected_for(arguments: argparse.Namespace) -> Client:
    """codexd's own methods need no handshake, and are to be had where Codex is not."""
    if arguments.method.startswith(extension.PREFIX):
        return Client.open(arguments.socket, start=not arguments.no_start)
    return session.connect(arguments, start=True)


def _params(text: str) -> dict[str, Any]:
    try:
        params = json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(Exit.USAGE, f"the params are not JSON: {error}") from None
    if not isinstance(params, dict):
        raise Failure(Exit.USAGE, "the params must be a JSON object")
    return params
