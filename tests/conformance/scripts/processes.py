"""Commands and processes under ids that the client chooses; the noisy client chooses the same."""

from tests.conformance.steps import Call, Join, Note, script


def _sh(command: str) -> list[str]:
    return ["sh", "-c", command]


def _out(handle: str) -> Note:
    return Note("command/exec/outputDelta", {"processId": handle})


def _delta(handle: str) -> Note:
    return Note("process/outputDelta", {"processHandle": handle})


def _exited(handle: str) -> Note:
    return Note("process/exited", {"processHandle": handle})


def _spawn(handle: str, command: list[str], *, until: tuple[Note, ...] = (), **params: object) -> Call:
    where = {"command": command, "cwd": "$project", "processHandle": handle}
    return Call("process/spawn", {**where, **params}, until=until)


_STREAMED = {"streamStdin": True, "streamStdoutStderr": True}
_SIZE = {"rows": 10, "cols": 40}

SCRIPTS = (
    script(
        "commands",
        Call("command/exec", {"command": _sh("echo out; echo err >&2; exit 3")}),
        Call("command/exec", {"command": []}),
        Call("command/exec", {"command": ["no-such-program"]}),
        Call("command/exec", {"command": ["true"], "cwd": "$project/none"}),
        Call("command/exec", {"command": _sh("pwd"), "cwd": "$home"}),
        Call("command/exec", {"command": _sh("echo $VAR"), "env": {"VAR": "value"}}),
        Call("command/exec", {"command": _sh("sleep 60"), "timeoutMs": 50}),
        Call("command/exec", {"command": ["true"], "timeoutMs": 50, "disableTimeout": True}),
        Call("command/exec", {"command": ["true"], "streamStdoutStderr": True}),
        Call("command/exec", {"command": ["true"], "tty": True}),
        Call("command/exec", {"command": _sh("seq 1000"), "outputBytesCap": 10}),
        Call("command/exec", {"command": _sh("seq 3"), "outputBytesCap": 1, "disableOutputCap": True}),
        Call("command/exec", {"command": _sh("touch $project/x"), "sandboxPolicy": {"type": "readOnly"}}),
        Call("command/exec", {"command": ["cat"], "processId": "p1", **_STREAMED}, held="cat"),
        Call("command/exec", {"command": ["true"], "processId": "p1"}),
        Call("command/exec", {"command": ["true"], "processId": ""}),
        Call(
            "command/exec/write",
            {"processId": "p1", "deltaBase64": "aGVsbG8K"},
            until=(_out("p1"),),
        ),
        Call("command/exec/write", {"processId": "p1", "deltaBase64": "not base 64"}),
        Call("command/exec/write", {"processId": "p1"}),
        Call("command/exec/resize", {"processId": "p1", "size": _SIZE}),
        Call("command/exec/write", {"processId": "p1", "closeStdin": True}),
        Join("cat"),
        Call("command/exec", {"command": ["true"]}),  # Codex forgets the one before a moment after its answer
        Call("command/exec/write", {"processId": "p1", "closeStdin": True}),
        Call("command/exec/terminate", {"processId": "p1"}),
        Call("command/exec/resize", {"processId": "never", "size": _SIZE}),
        Call(
            "command/exec",
            {
                "command": _sh("stty size; cat"),
                "processId": "tty",
                "tty": True,
                "size": _SIZE,
                "sandboxPolicy": {"type": "dangerFullAccess"},
            },
            held="tty",
            until=(_out("tty"),),
        ),
        Call("command/exec/resize", {"processId": "tty", "size": {"rows": 0, "cols": 0}}),
        Call("command/exec/resize", {"processId": "tty", "size": {"rows": 20, "cols": 50}}),
        Call("command/exec/terminate", {"processId": "tty"}),
        Join("tty"),
    ),
    script(
        "processes",
        _spawn("p1", _sh("echo out; exit 3"), until=(_exited("p1"),)),
        _spawn("p2", []),
        _spawn("p3", ["no-such"]),
        Call("process/spawn", {"command": ["true"], "cwd": "relative", "processHandle": "p4"}),
        _spawn("", ["true"]),
        _spawn("cat", ["cat"], streamStdin=True, streamStdoutStderr=True),
        _spawn("cat", ["true"]),
        Call(
            "process/writeStdin",
            {"processHandle": "cat", "deltaBase64": "aGVsbG8K"},
            until=(_delta("cat"),),
        ),
        Call("process/writeStdin", {"processHandle": "cat"}),
        Call("process/writeStdin", {"processHandle": "cat", "deltaBase64": "not base 64"}),
        Call("process/resizePty", {"processHandle": "cat", "size": _SIZE}),
        Call("process/kill", {"processHandle": "cat"}, until=(_exited("cat"),)),
        Call("process/kill", {"processHandle": "never"}),
        Call("process/writeStdin", {"processHandle": "never", "closeStdin": True}),
        Call("process/resizePty", {"processHandle": "never", "size": _SIZE}),
        _spawn("tty", _sh("stty size; cat"), tty=True, size=_SIZE, until=(_delta("tty"),)),
        Call("process/resizePty", {"processHandle": "tty", "size": {"rows": 20, "cols": 50}}),
        Call("process/writeStdin", {"processHandle": "tty", "deltaBase64": "BA=="}, until=(_exited("tty"),)),
        _spawn("p5", ["sleep", "60"], timeoutMs=50, until=(_exited("p5"),)),
        _spawn("p6", _sh("seq 1000"), outputBytesCap=10, until=(_exited("p6"),)),
        _spawn('a "handle" \\', ["true"], until=(_exited('a "handle" \\'),)),
        _spawn("p7", _sh("echo $VAR"), env={"VAR": "value"}, until=(_exited("p7"),)),
    ),
)
