"""What to say when another Codex process has the thread."""

import os

from codexctl.client import Client
from codexd.protocol import extension
from codexd.protocol.errors import Unavailable
from codexd.protocol.socket_path import codex_home


def explained(words: str, socket: str | None) -> str:
    """Codex's own words, who has the thread, and the ways out. They begin with `thread ID`."""
    from codexd.protocol.writer_lock import ways_out

    thread = words.split()[1]
    return f"{words}: {ways_out(thread, writer_of(thread, socket))}"


def writer_of(thread: str, socket: str | None) -> int | None:
    """The pid of the process that has the thread, where that is known."""
    from codexd.protocol.writer_lock import holder

    return holder(_home(socket), thread)


def _home(socket: str | None) -> str:
    """The CODEX_HOME of the codexd that was asked."""
    try:
        with Client.open(socket, start=False) as client:
            home: str = client.request(extension.STATUS)["codexd"]["codexHome"]
            return home
    except Unavailable:  # it has ended since
        return codex_home(os.environ)
