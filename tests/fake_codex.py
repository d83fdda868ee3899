"""A Codex that misbehaves on request: the faults that the real one can't be made to show.

Run as a program: `python fake_codex.py MANNERS`, MANNERS being a JSON object. `ignore` lists what it does not react
to (`SIGTERM`, `EOF`, or a method of requests); `start` lists actions to do first, as `[name, params]`; `at` has such an action for a method,
to be done when a request of that method comes, before it is answered; `deadly` lists threads whose resume kills it.

It answers `initialize` as Codex does, does what a request `fake/NAME` says (see the functions `do_*`), and answers
any other request with its own params as the result. The ids of its own requests count from 0 in every life.
"""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

INITIALIZED = {
    "userAgent": "codexd/0.0.1 (Fake 1; x86_64) dumb (codexd; 0.1.0)",
    "codexHome": "/fake",
    "platformFamily": "unix",
    "platformOs": "linux",
}
asked = 0
received: list[str] = []
manners: dict[str, Any] = {}


def write(data, descriptor=1):
    """Writes everything; bytes go out as given."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def send(message):
    """Writes one message."""
    write(json.dumps(message).encode() + b"\n")


def do_write(params):
    """Writes `pieces` (hexadecimal), each by itself: split lines, split characters, garbage, half lines."""
    for piece in params["pieces"]:
        write(bytes.fromhex(piece))
        time.sleep(params.get("pause", 0))


def do_flood(params):
    """Writes a notification `count` times, in large pieces; NUMBER in it counts them from `first`."""
    line = json.dumps(params["message"]).encode() + b"\n"
    first = params.get("first", 0)
    end = first + params["count"]
    for start in range(first, end, 1000):
        numbers = range(start, min(start + 1000, end))
        write(b"".join(line.replace(b"NUMBER", b"%d" % number) for number in numbers))


def do_die(params):
    """Ends itself by `signal` or with `status`, after the bytes `last` (hexadecimal) were written."""
    write(bytes.fromhex(params.get("last", "")))
    if "signal" in params:
        os.kill(os.getpid(), params["signal"])
    os._exit(params.get("status", 0))


def do_close(params):
    """Closes one of its streams, by number, and lives on."""
    os.close(params["stream"])


def do_halt(params):
    """Halts, as SIGSTOP halts any process."""
    os.kill(os.getpid(), signal.SIGSTOP)


def do_say(params):
    """Says `text` on stderr."""
    write(params["text"].encode(), 2)


def do_silence(params):
    """Does nothing, and never answers."""


def do_ask(params):
    """Sends a request of its own."""
    global asked
    send({"id": asked, "method": params["method"], "params": params["params"]})
    asked += 1


def do_spawn(params):
    """Starts a Python `program` and answers with its pid.

    `setsid`: in a session of its own; `forget`: with an empty environment; `share`: with the same stdout.
    """
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", params["program"]],
        start_new_session=params.get("setsid", False),
        env={} if params.get("forget") else None,
        stdin=subprocess.DEVNULL,
        stdout=None if params.get("share") else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return {"pid": child.pid}


def do_environ(params):
    """Answers with its environment."""
    return dict(os.environ)


def do_received(params):
    """Answers with the methods of all requests that have come so far."""
    return {"methods": received}


def serve(line):
    """Does what one line asks for."""
    message = json.loads(line)
    method, params = message.get("method", ""), message.get("params")
    received.append(method)
    if method in manners.get("ignore", ()):
        return
    if method in manners.get("at", ()):
        name, how = manners["at"][method]
        globals()["do_" + name](how)
    if method == "thread/resume" and params["threadId"] in manners.get("deadly", ()):
        do_die({"signal": signal.SIGKILL})
    if method.startswith("fake/"):
        result = globals()["do_" + method.removeprefix("fake/")](params)
    else:
        result = INITIALIZED if method == "initialize" else params
    if "id" in message and method and result is not None:
        send({"id": message["id"], "result": result})


def read():
    """What comes on stdin; nothing any more when it has closed it itself."""
    try:
        return os.read(0, 1 << 20)
    except OSError:
        return b""


def write_schema(directory):
    """A schema without requests: nothing is experimental."""
    os.mkdir(directory)
    for name in ("ClientRequest", "ClientNotification", "ServerNotification"):
        with open(os.path.join(directory, name + ".json"), "w") as file:
            file.write('{"definitions":{},"oneOf":[]}')


def main():
    """Serves until its stdin ends, or for ever."""
    if "generate-json-schema" in sys.argv:
        write_schema(sys.argv[sys.argv.index("--out") + 1])
        return
    manners.update(json.loads(sys.argv[1]))
    if "SIGTERM" in manners.get("ignore", ()):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for name, params in manners.get("start", ()):
        globals()["do_" + name](params)
    parts: list[bytes] = []
    while chunk := read():
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            serve(b"".join([*parts, line]))
            parts.clear()
        parts.append(rest)
    while "EOF" in manners.get("ignore", ()):
        time.sleep(3600)


if __name__ == "__main__":
    main()
