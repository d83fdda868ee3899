"""The show that `make demo` runs: the main job, with the real Codex and a scripted model, in plain words.

Every step checks what it tells. The first thing that did not happen ends the show with exit status 1, after
everything that was started has been stopped.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

from codexd.demo.places import new_directory
from codexd.demo.scripted_model import ScriptedModel
from codexd.protocol.own_command import CODEXCTL, CODEXD, own_command

STEP_SECONDS = 30
_LINES = "stream 12 60"
_PROGRAMS = {"codexd": CODEXD, "codexctl": CODEXCTL}


class DidNotHappen(Exception):
    """A step of the show that did not go as told."""


class Stage:
    """A world of its own: home, sockets and state in a directory that is gone afterwards."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "run" / "codexd" / "codexd.sock"
        self.codex_home = directory / "codex-home"
        self.work = directory / "work"
        for folder in (
            directory / "run",
            directory / "state",
            directory / "config",
            self.codex_home,
            self.work,
        ):
            folder.mkdir(mode=0o700)
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CODEX", "XDG_", "NOTIFY_", "LISTEN_"))
        } | {
            "XDG_RUNTIME_DIR": str(directory / "run"),
            "XDG_STATE_HOME": str(directory / "state"),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "CODEXD_SOCKET": str(self.socket),
            "CODEX_HOME": str(self.codex_home),
        }
        if "CODEX_PATH" in os.environ:
            self._environment["CODEX_PATH"] = os.environ["CODEX_PATH"]

    def start(self, program: str, *words: str) -> subprocess.Popen[str]:
        """Starts one of the two programs, and shows what a user would type."""
        print("    $ " + shlex.join([program, *words]))
        return subprocess.Popen(
            [*own_command(_PROGRAMS[program]), *words],
            env=self._environment,
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str, *words: str) -> str:
        """Runs one of them to its end and returns what it printed."""
        return finish(self.start(program, *words))


class LineClient:
    """A client in plain Python, as an editor plugin would write it: a socket, and JSON in lines."""

    def __init__(self, path: Path, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(STEP_SECONDS)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._last_id = 0
        self.call("initialize", {"clientInfo": {"name": name, "version": "1"}})

    def send(self, message: dict[str, Any]) -> None:
        """Writes one line."""
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> dict[str, Any]:
        """Reads one line."""
        message: dict[str, Any] = json.loads(self._lines.readline())
        return message

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Asks, and reads up to the answer."""
        self._last_id += 1
        self.send({"id": self._last_id, "method": method, "params": params})
        while (message := self.read()).get("id") != self._last_id or "method" in message:
            pass
        if "error" in message:
            raise DidNotHappen(f"{method} was answered with {message['error']}")
        result: dict[str, Any] = message["result"]
        return result

    def take_turn(self, cwd: Path, prompt: str) -> tuple[str, int]:
        """A new thread and a turn; returns the reply and in how many pieces it came."""
        thread = self.call("thread/start", {"cwd": str(cwd)})["thread"]["id"]
        self.call("turn/start", {"threadId": thread, "input": [{"type": "text", "text": prompt}]})
        pieces = []
        while (message := self.read()).get("method") != "turn/completed":
            if message.get("method") == "item/agentMessage/delta":
                pieces.append(message["params"]["delta"])
        return "".join(pieces), len(pieces)


def finish(process: subprocess.Popen[str]) -> str:
    """Waits for a program of the stage; anything but exit status 0 ends the show."""
    try:
        printed, complained = process.communicate(timeout=STEP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        printed, complained = process.communicate()
    if process.returncode != 0:
        raise DidNotHappen(f"{process.args!r} ended with {process.returncode}:\n{printed}{complained}")
    return printed


def expect(happened: bool, told: str) -> None:
    """Says what happened, if it did."""
    if not happened:
        raise DidNotHappen(told)
    print(f"    {told}")


def perform(stage: Stage) -> None:
    """The show itself."""
    print("1. codexd starts, and with it one Codex.")
    print("    " + stage.run("codexd", "start", "--socket", str(stage.socket)).strip())
    codex = status(stage)["codex"]
    expect(codex["state"] == "ready", f"Codex {codex['version']} is ready, PID {codex['pid']}")

    print("2. Two clients talk to it at the same time: codexctl, and some plain Python with a socket.")
    sending = stage.start("codexctl", "send", _LINES)
    reply, pieces = LineClient(stage.socket, "plain-python").take_turn(stage.work, _LINES)
    expect(
        pieces >= 12,
        f"plain Python got its reply in {pieces} pieces while it was being written: {reply.strip()}",
    )
    printed = finish(sending)
    expect(printed.split() == reply.split(), f"codexctl send printed its own: {printed.strip()}")

    print("3. A turn asks whether it may run a command; somebody else allows it.")
    file = stage.work / "made-by-codex"
    sending = stage.start("codexctl", "send", f"run touch {file}")
    approval = wait_for_approval(stage)
    expect(not file.exists(), f"Codex asks: {approval['params']['command']}")
    stage.run("codexctl", "approvals", "accept", str(approval["id"]))
    finish(sending)
    expect(file.exists(), "accepted from another terminal; the command ran, and the turn went on to its end")

    print("4. One Codex served them all.")
    after = status(stage)["codex"]
    expect(
        after["pid"] == codex["pid"] and after["restarts"] == 0, f"still PID {after['pid']}, never restarted"
    )


def wait_for_approval(stage: Stage) -> dict[str, Any]:
    """Watches from a connection of its own until something waits for a decision."""
    client = LineClient(stage.socket, "approver")
    for _ in range(STEP_SECONDS * 20):
        approvals = client.call("codexd/approvals/list", {})["approvals"]
        if approvals:
            first: dict[str, Any] = approvals[0]
            return first
        threading.Event().wait(0.05)
    raise DidNotHappen("nothing asked for an approval")


def status(stage: Stage) -> dict[str, Any]:
    """What `codexctl status --json` says."""
    said: dict[str, Any] = json.loads(stage.run("codexctl", "status", "--json"))
    return said


def close(stage: Stage) -> None:
    """Stops codexd and looks whether it left anything behind."""
    print("5. Everything is stopped again.")
    stage.run("codexd", "stop", "--socket", str(stage.socket))
    mark = str(stage.directory)
    left = [
        p.info["cmdline"]
        for p in psutil.process_iter(["cmdline"])
        if mark in " ".join(p.info["cmdline"] or ())
    ]
    expect(not left and not stage.socket.exists(), "no process and no socket is left")


def finish_off(stage: Stage) -> None:
    """Stops what is still there when the show has failed."""
    if stage.socket.exists():
        stage.start("codexd", "stop", "--socket", str(stage.socket)).communicate(timeout=STEP_SECONDS)


def main() -> int:
    """Runs the show; returns the exit status."""
    try:
        directory = new_directory("codexd-demo-")
    except OSError as error:
        print(f"The demo cannot start: {error}", file=sys.stderr)
        return 1
    stage = Stage(directory)
    try:
        with ScriptedModel() as model:
            model.write_config(stage.codex_home)
            try:
                perform(stage)
                close(stage)
            finally:
                finish_off(stage)
    except (DidNotHappen, OSError, KeyError, ValueError) as error:
        print(f"\nThe show failed: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("All of it happened.")
    return 0
