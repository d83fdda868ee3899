"""stdin and stdout as one client of codexd: what `codexctl app-server` and `codexd-codex app-server` do.

Bytes pass through as they are; only `initialize` gets the client's introduction. Each direction has a thread that reads
and then writes, both blocking: who does not read is not read from, and nothing piles up here. It ends when either side
closes. When stdin ends, the answers that are under way still come. SIGTERM ends it at once, as it ends Codex.
"""

import json
import os
import socket
import sys
import threading

from codexctl.app_server_line import AppServer
from codexctl.exits import Exit
from codexctl.introduction import Introduction
from codexctl.reach import check_home, reach
from codexctl.unix_socket import NO_SIGPIPE
from codexd.protocol import extension
from codexd.protocol.errors import Unavailable

CHUNK_BYTES = 64 * 1024
_STDIN, _STDOUT = 0, 1


def serve(program: str, line: AppServer, path: str | None, *, start: bool) -> Exit:
    """Passes bytes between stdin, stdout and codexd until either side closes. `path`: as given with `--socket`.

    Raises:
        Unavailable: there is no codexd, it serves another CODEX_HOME, or it has closed the connection.
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
        home, further = _served_home(connection)
        check_home(where, home, named=named)
        stdin_ended = threading.Event()
        introduction = Introduction(_about(config))
        threading.Thread(target=_pass_on, args=(connection, introduction, stdin_ended), daemon=True).start()
        if not _pass_back(connection, further) or stdin_ended.is_set():
            return Exit.DONE
    raise Unavailable("codexd closed the connection")


def _about(config: dict[str, object]) -> dict[str, object]:
    about: dict[str, object] = {"config": config} if config else {}
    try:
        return {"cwd": os.getcwd(), **about}
    except FileNotFoundError:  # the directory has been removed since
        return about


def _served_home(connection: socket.socket) -> tuple[str | None, bytes]:
    """The CODEX_HOME of the codexd at the other end, asked before a byte of the client is handed over, and what follows."""
    connection.sendall(b'{"id":0,"method":"%s","params":{}}\n' % extension.STATUS.encode(), NO_SIGPIPE)
    answer = b""
    while b"\n" not in answer:
        chunk = _received(connection)
        if not chunk:
            raise Unavailable("codexd closed the connection")
        answer += chunk
    line, _, further = answer.partition(b"\n")
    return json.loads(line)["result"]["codexd"].get("codexHome"), further


def _pass_on(connection: socket.socket, introduction: Introduction, ended: threading.Event) -> None:
    try:
        while chunk := os.read(_STDIN, CHUNK_BYTES):
            connection.sendall(introduction.feed(chunk), NO_SIGPIPE)
        ended.set()
        connection.sendall(introduction.rest(), NO_SIGPIPE)
        connection.shutdown(socket.SHUT_WR)
    except OSError:  # codexd is gone: whoever reads from it finds out, and says so
        return


def _pass_back(connection: socket.socket, first: bytes) -> bool:
    """Passes on what codexd sends; True when codexd closed, False when the client did."""
    chunk = first or _received(connection)
    while chunk:
        left = memoryview(chunk)
        try:
            while left:
                left = left[os.write(_STDOUT, left) :]
        except BrokenPipeError:
            return False
        chunk = _received(connection)
    return True


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(CHUNK_BYTES)
    except ConnectionError:
        return b""
