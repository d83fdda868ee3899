"""stdin and stdout as one client of codexd: what `codexctl app-server` and `codexd-codex app-server` do.

Bytes pass through as they are; only `initialize` gets the client's introduction. Each direction has a thread that reads
and then writes, both blocking: who does not read is not read from, and nothing piles up here. It ends when either side
closes. When stdin ends, the answers that are under way still come. SIGTERM ends it at once, as it ends Codex.
"""

import json
import os
import select
import socket
import sys
import threading

from codexctl import lacking
from codexctl.app_server_line import AppServer
from codexctl.carried import beneath
from codexctl.exits import Exit, Failure
from codexctl.introduction import Introduction
from codexctl.patience import Patience
from codexctl.reach import check_home, reach
from codexctl.unix_socket import NO_SIGPIPE
from codexd.protocol import extension
from codexd.protocol.descriptors import STDIN, STDOUT, waited
from codexd.protocol.errors import Unavailable
from codexd.protocol.visible import plain

CHUNK_BYTES = 64 * 1024
_MAX_ANSWER_BYTES = 1024 * 1024


def serve(program: str, line: AppServer, path: str | None, *, start: bool) -> Exit:
    """Passes bytes between stdin, stdout and codexd until either side closes. `path`: as given with `--socket`.

    Raises:
        Unavailable: there is no codexd, it serves another CODEX_HOME, or it has closed the connection.
        Failure: stdout takes nothing more, as on a disk that is full.
    """
    config, unheard = line
    if unheard:
        what = ", ".join(unheard)
        print(
            f"{program}: a Codex that is shared cannot honour {what}; "
            "what holds for all of it is for `codexd start --codex-config KEY=VALUE` to say",
            file=sys.stderr,
        )
    connection, where, named = reach(path, start=start)
    with connection:
        served, further = _served(connection, where)
        check_home(where, _home_in(served), named=named)
        lacking.say(program, lacking.wanted(os.environ, config), served.get("codex"))
        stdin_ended = threading.Event()
        introduction = Introduction(_about(program, beneath(config, os.environ)))
        threading.Thread(target=_pass_on, args=(connection, introduction, stdin_ended), daemon=True).start()
        if not _pass_back(connection, further) or stdin_ended.is_set():
            return Exit.DONE
    raise Unavailable("codexd closed the connection")


def _about(program: str, config: dict[str, object]) -> dict[str, object]:
    """What codexd is to be told; says on stderr what cannot be, because it is not UTF-8."""
    told = {key: value for key, value in config.items() if _is_utf8({key: value})}
    untold = [f"-c {key}" for key in config if key not in told]
    about: dict[str, object] = {"config": told} if told else {}
    try:
        cwd = os.getcwd()
    except FileNotFoundError:  # it has been removed since
        cwd = None
    if cwd is not None and not _is_utf8(cwd):
        untold.insert(0, f"the directory {cwd}")
    elif cwd is not None:
        about = {"cwd": cwd, **about}
    if untold:
        print(plain(f"{program}: not valid UTF-8, and not passed on: {', '.join(untold)}"), file=sys.stderr)
    return about


def _is_utf8(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _served(connection: socket.socket, where: str) -> tuple[dict[str, object], bytes]:
    """What the codexd at the other end says of itself, asked before a byte of the client is handed over, and what follows."""
    try:
        connection.sendall(b'{"id":0,"method":"%s","params":{}}\n' % extension.STATUS.encode(), NO_SIGPIPE)
    except ConnectionError:
        pass  # a codexd that turns its clients away has closed already, and what it said is still to be read
    answer = b""
    patience = Patience(where)
    readable = select.poll()
    readable.register(connection, select.POLLIN)
    while b"\n" not in answer and len(answer) < _MAX_ANSWER_BYTES:
        while not readable.poll(patience.left() * 1000):
            patience.check()
        chunk = _received(connection)
        if not chunk:
            raise Unavailable("codexd closed the connection")
        answer += chunk
    line, _, further = answer.partition(b"\n")
    return _status_in(line, where), further


def _status_in(line: bytes, where: str) -> dict[str, object]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    match message:
        case {"result": {"codexd": dict()} as result}:
            status: dict[str, object] = result
            return status
        case {"error": {"message": str(sentence)}}:
            raise Unavailable(sentence)
        case _:
            raise Unavailable(f"what listens at {where} is no codexd")


def _home_in(status: dict[str, object]) -> str | None:
    match status:
        case {"codexd": {"codexHome": str(home)}}:
            return home
        case _:
            return None


def _pass_on(connection: socket.socket, introduction: Introduction, ended: threading.Event) -> None:
    try:
        while chunk := os.read(STDIN, CHUNK_BYTES):
            connection.sendall(introduction.feed(chunk), NO_SIGPIPE)
        ended.set()
        connection.sendall(introduction.rest(), NO_SIGPIPE)
        connection.shutdown(socket.SHUT_WR)
    except OSError:  # codexd is gone: whoever reads from it finds out, and says so
        return


def _pass_back(connection: socket.socket, first: bytes) -> bool:
    """Passes on what codexd sends; True when codexd closed, False when the client did."""
    either = select.poll()
    either.register(connection, select.POLLIN)
    either.register(STDOUT, 0)
    chunk = first
    while True:
        left = memoryview(chunk)
        try:
            while left:
                left = left[os.write(STDOUT, left) :]
        except BrokenPipeError:
            return False
        except OSError as error:
            raise Failure(Exit.FAILED, f"stdout cannot be written to: {error.strerror}") from None
        if not waited(either):
            return False
        chunk = _received(connection)
        if not chunk:
            return True


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(CHUNK_BYTES)
    except ConnectionError:
        return b""
