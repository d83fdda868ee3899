import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from codexctl.carried import config_of
from codexctl.exits import Exit
from tests.codexctl.standin import status

PATIENCE_S = 60
MIB = 1024 * 1024
RUN = "from codexctl.stand_in import main; import sys; sys.exit(main())"
UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
MODULES_AT_THE_END = """
import sys
from codexctl.stand_in import main
code = main(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


class Shim:
    """`codexd-codex app-server` in a process, its pipes, and codexd's end of its connection."""

    def __init__(self, home: Path, *words: str, program: str = RUN, **env: str):
        path = Path(os.environ["XDG_RUNTIME_DIR"]) / "codexd" / "codexd.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(PATIENCE_S)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *(words or ("app-server",))],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self.codexd, _ = listener.accept()
        listener.close()
        self.codexd.settimeout(PATIENCE_S)
        self.lines = self.codexd.makefile("rb")
        question = json.loads(self.lines.readline())
        assert question == {"id": 0, "method": "codexd/status", "params": {}}
        self.answer({"id": 0, "result": status(path, home)})

    def answer(self, message: object) -> None:
        self.codexd.sendall(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) :]

    def read(self, size: int) -> bytes:
        assert self.process.stdout
        found = bytearray()
        while len(found) < size and (chunk := self.process.stdout.read(size - len(found))):
            found += chunk
        return bytes(found)

    def leave(self) -> None:
        """The client leaves, codexd sees that, and closes."""
        assert self.process.stdin
        self.process.stdin.close()
        assert self.lines.read() == b""
        self.codexd.shutdown(socket.SHUT_RDWR)

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said."""
        assert self.process.stderr
        said = self.process.stderr.read().decode()
        return self.process.wait(PATIENCE_S), said

    def peak_bytes(self) -> int:
        """The most memory that it has had."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return 1024 * int(next(line.split()[1] for line in file if line.startswith("VmHWM")))

    def close(self) -> None:
        self.lines.close()
        self.codexd.close()
        with self.process:
            try:
                self.process.wait(PATIENCE_S)  # killed while it writes what was covered it would spoil that
            finally:
                self.process.kill()


@pytest.fixture
def shim(place):
    """Starts one; all are ended with the test."""
    started = []

    def start(*words, **how):
        started.append(Shim(place / ".codex", *words, **how))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_bytes_pass_both_ways_and_initialize_tells_where_the_client_is(shim):
    """The first line of a client gains `capabilities.codexd`; every other byte is as it was."""
    one = shim("-c", "model=o3", "app-server", "--listen", "stdio://")
    one.write(b'{"id":1,"method":"initialize","params":{"clientInfo":{}}}\n{"id" : 2}\n')
    assert json.loads(one.lines.readline()) == {
        "id": 1,
        "method": "initialize",
        "params": {
            "clientInfo": {},
            "capabilities": {
                "codexd": {"cwd": os.getcwd(), "config": {**config_of(os.environ), "model": "o3"}}
            },
        },
    }
    assert one.lines.readline() == b'{"id" : 2}\n'
    one.codexd.sendall(b'{"id" : 2, "result" : {} }\nhalf')
    assert one.read(31) == b'{"id" : 2, "result" : {} }\nhalf'


def test_a_key_that_codex_lacks_is_said(shim):
    """On stderr, before the client has said anything; its overrides count."""
    own = ("-c", "model_provider=mine", "-c", "model_providers.mine.env_key=MINE_KEY")
    one = shim(*own, "app-server", MINE_KEY="s3cret")
    one.leave()
    code, said = one.end()
    assert code == 0
    assert said.startswith("codexd-codex: Codex does not have MINE_KEY, which its configuration names")
    assert "s3cret" not in said


def test_at_the_end_of_stdin_the_answers_under_way_still_come(shim):
    """codexd is told that nothing more comes, half a line included, and has the last word."""
    one = shim()
    one.write(b'{"id":1}\n{"id"')
    one.process.stdin.close()
    assert one.lines.read() == b'{"id":1}\n{"id"'
    one.codexd.sendall(b"late\n")
    one.codexd.shutdown(socket.SHUT_RDWR)
    assert one.read(100) == b"late\n"
    assert one.end() == (0, "")


def test_the_end_of_codexd_is_an_error_that_is_said(shim):
    """Its last words reach the client first."""
    one = shim()
    one.codexd.sendall(b'{"id":null,"error":{}}\n')
    one.codexd.shutdown(socket.SHUT_RDWR)
    assert one.read(100) == b'{"id":null,"error":{}}\n'
    assert one.end() == (Exit.UNAVAILABLE, "codexd-codex: codexd closed the connection\n")


def test_a_codexd_that_is_killed_is_no_traceback(shim):
    """Neither for the direction that reads nor for the one that writes."""
    one = shim()
    one.write(b"x\n")
    assert one.codexd.recv(1, socket.MSG_PEEK) == b"x"  # unread when it closes, this resets the connection
    one.lines.close()
    one.codexd.close()
    assert one.end() == (Exit.UNAVAILABLE, "codexd-codex: codexd closed the connection\n")


def test_a_client_that_reads_no_more_ends_it(shim):
    """Nobody would see what codexd sends; it need not send anything for that."""
    one = shim()
    one.process.stdout.close()
    assert one.end() == (0, "")
    assert one.lines.read() == b""


def test_a_client_that_leaves_in_the_middle_ends_it(shim):
    """It is writing then, and not waiting."""
    one = shim()
    one.codexd.sendall(b"x" * 128 * 1024)
    assert one.read(1) == b"x"
    one.process.stdout.close()
    assert one.end() == (0, "")


def test_a_codexd_that_does_not_listen_any_more_has_the_last_word(shim):
    """What the client writes is lost, and what codexd still says is not."""
    one = shim()
    one.codexd.shutdown(socket.SHUT_RD)
    one.write(b"x" * 128 * 1024)
    one.codexd.sendall(b"late\n")
    one.codexd.shutdown(socket.SHUT_WR)
    assert one.read(100) == b"late\n"
    assert one.end() == (Exit.UNAVAILABLE, "codexd-codex: codexd closed the connection\n")


def test_sigterm_ends_it_at_once(shim):
    """As it ends Codex; codexd sees a client that leaves."""
    one = shim()
    one.write(b"x\n")
    assert one.lines.readline() == b"x\n"
    one.process.terminate()
    assert one.end() == (-signal.SIGTERM, "")
    assert one.lines.read() == b""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
@pytest.mark.parametrize("order", [("up", "down"), ("down", "up")])
def test_floods_pass_in_both_directions_at_once_and_nothing_piles_up(shim, order):
    """Lines of 32 MiB at once in both directions; the one that is not read yet waits where it comes from."""
    one = shim()
    line = os.urandom(MIB).hex().encode() * 16 + b"\n"
    threads = [threading.Thread(target=send, args=(line,)) for send in (one.codexd.sendall, one.write)]
    reading = {"up": one.lines.readline, "down": lambda: one.read(len(line))}
    before = one.peak_bytes()
    for thread in threads:
        thread.start()
    for direction in order:
        # `is True`: nobody wants to see what differs.
        assert (reading[direction]() == line) is True
    for thread in threads:
        thread.join(PATIENCE_S)
    assert one.peak_bytes() - before < 16 * MIB


def test_what_a_shared_codex_cannot_honour_is_said_once(shim):
    """On stderr, in one line, with the way out."""
    one = shim("-c", "log_dir=/x", "app-server", "--analytics-default-enabled")
    one.leave()
    assert one.end() == (
        0,
        "codexd-codex: a Codex that is shared cannot honour --analytics-default-enabled, -c log_dir; "
        "what holds for all of it is for `codexd start --codex-config KEY=VALUE` to say\n",
    )


def test_it_starts_with_little(shim):
    """It has to be there within 20 ms of Python's own start: nothing outside the standard library, no parser, no TOML."""
    one = shim(program=MODULES_AT_THE_END, **UNMEASURED)
    one.leave()
    code, said = one.end()
    loaded = set(said.split())
    assert code == 0
    assert "codexctl.stdio" in loaded
    assert (
        loaded & {"trio", "msgspec", "rich", "platformdirs", "psutil", "typing_extensions", "websockets"}
        == set()
    )
    assert loaded & {
        "argparse", "asyncio", "codexctl.client", "codexd.protocol.overrides", "codexctl.start", "dataclasses", "inspect",
        "logging", "pathlib", "shutil", "subprocess", "tempfile", "tomllib", "typing",
    } == set()  # fmt: skip


def test_another_codex_home_is_refused_before_a_byte_is_handed_over(codexd, place):
    """The client's thread would go to somebody else's account."""
    codexd.answers["codexd/status"] = status(codexd.path, place / "other")
    done = run("app-server")
    assert (done.returncode, done.stdout) == (Exit.UNAVAILABLE, "")
    assert done.stderr.startswith(
        f"codexd-codex: the codexd at {codexd.path} serves CODEX_HOME {place / 'other'}"
    )
    assert [message["method"] for message in codexd.received] == ["codexd/status"]


def test_a_codexd_that_says_nothing_is_said(codexd):
    """As when it is just ending."""
    codexd.answers["codexd/status"] = lambda connection, params: connection.hang_up()
    done = run("app-server")
    assert (done.returncode, done.stderr) == (
        Exit.UNAVAILABLE,
        "codexd-codex: codexd closed the connection\n",
    )


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b'{"id":null,"error":{"code":-32050,"message":"no home"}}', "no home"),
        (b"HTTP/1.1 503 Service Unavailable\r", "what listens at SOCKET is no codexd"),
        (b'{"id":0,"result":{}}', "what listens at SOCKET is no codexd"),
        (b"x" * MIB, "what listens at SOCKET is no codexd"),
    ],
)  # fmt: skip
def test_another_answer_than_codexds_is_a_sentence(codexd, said, sentence):
    """codexd's own where it has one."""

    def answer(connection, params):
        connection.send_bytes(said + b"\n")
        connection.hang_up()

    codexd.answers["codexd/status"] = answer
    done = run("app-server")
    expected = f"codexd-codex: {sentence}\n".replace("SOCKET", str(codexd.path))
    assert (done.returncode, done.stdout, done.stderr) == (Exit.UNAVAILABLE, "", expected)


def test_what_is_not_utf8_is_left_out_and_said(codexd, place):
    """The directory and the override; the rest is told, and the client is served."""
    codexd.answers["initialize"] = lambda connection, params: connection.hang_up()
    there = os.fsencode(place) + b"/\xff"
    os.mkdir(there)
    done = run("app-server", "-c", b"a=\xff", "-c", "b=1", cwd=there, input=INITIALIZE)
    assert codexd.requests("initialize") == [
        {"capabilities": {"codexd": {"config": {**config_of(os.environ), "b": 1}}}}
    ]
    assert done.stderr.splitlines()[0] == (
        f"codexd-codex: not valid UTF-8, and not passed on: the directory {place}/\\udcff, -c a"
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_descriptor_is_dev_null(codexd, place, closed):
    """The connection does not take its place: codexd would be read from, or written to, as if it were the client."""
    codexd.answers["initialize"] = lambda connection, params: (params, connection.hang_up)
    script = f'exec "$0" -m codexctl.stand_in app-server {closed}'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        input=b"",
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [message["method"] for message in codexd.received] == ["codexd/status"]


@pytest.mark.skipif(sys.platform != "linux", reason="writes to Linux's /dev/full")
def test_a_disk_that_is_full_is_a_sentence(codexd):
    """What was not written is lost, and the exit code says so."""
    codexd.answers["initialize"] = {}
    with open("/dev/full", "wb") as full:
        done = run("app-server", input=INITIALIZE, stdout=full, stderr=subprocess.PIPE)
    said = "codexd-codex: stdout cannot be written to: No space left on device\n"
    assert (done.returncode, done.stderr) == (Exit.FAILED, said)


def test_a_directory_that_is_gone_is_not_told(codexd, place):
    """It is nowhere, and codexd's own will do."""
    codexd.answers["initialize"] = lambda connection, params: connection.hang_up()
    gone = place / "gone"
    gone.mkdir()
    program = "import os, sys; os.rmdir(os.getcwd()); from codexctl.stand_in import main; sys.exit(main())"
    subprocess.run(
        [sys.executable, "-c", program, "app-server"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=gone,
        input=b'{"id":1,"method":"initialize","params":{}}\n',
        timeout=PATIENCE_S,
    )
    assert codexd.requests("initialize") == [{"capabilities": {"codexd": {"config": config_of(os.environ)}}}]


INITIALIZE = '{"id":1,"method":"initialize","params":{}}\n'


def run(*words: str | bytes, **how: Any) -> subprocess.CompletedProcess[str]:
    """`codexd-codex`, by default on an empty stdin."""
    pipes = {} if "stdout" in how else {"capture_output": True}
    return subprocess.run(
        [sys.executable, "-m", "codexctl.stand_in", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        timeout=PATIENCE_S,
        **{"input": "", **pipes, **how},
    )
