"""Starting codexd where none listens."""

import os
import subprocess
import threading

from codexd.protocol.errors import Unavailable
from codexd.protocol.own_command import own_command

_LAST_WORDS_SECONDS = 0.5


def start_codexd(socket: str | None) -> None:
    """Runs `codexd start` and returns when codexd is ready. `socket`: as given with `--socket`.

    Raises:
        Unavailable: it did not start; the message is what it said.
    """
    argv = [*own_command(), "start", *(["--socket", socket] if socket else [])]
    said: list[bytes] = []
    reading, writing = os.pipe()
    # What it leaves running may keep its stderr open: the pipe need not end when the start has.
    reader = threading.Thread(target=_read_all, args=(reading, said), daemon=True)
    try:
        starter = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writing)
    except OSError as error:
        raise Unavailable(f"codexd cannot be started: {argv[0] or 'Python'}: {error.strerror}") from None
    finally:
        os.close(writing)
        reader.start()
    code = starter.wait()
    reader.join(_LAST_WORDS_SECONDS)
    reason = b"".join(said).decode(errors="replace").strip()
    if code != 0:
        raise Unavailable(
            reason.removeprefix("codexd: ") or f"codexd did not start (`{' '.join(argv)}` exited with {code})"
        )


def _read_all(descriptor: int, said: list[bytes]) -> None:
    with open(descriptor, "rb", buffering=0) as pipe:
        while chunk := pipe.read(65536):
            said.append(chunk)
