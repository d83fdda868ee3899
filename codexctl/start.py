"""Starting codexd where none listens."""

import subprocess
import tempfile

from codexd.protocol.errors import Unavailable
from codexd.protocol.own_command import own_command


def start_codexd(socket: str | None) -> None:
    """Runs `codexd start` and returns when codexd is ready. `socket`: as given with `--socket`.

    Raises:
        Unavailable: it did not start; the message is what it said.
    """
    argv = [*own_command(), "start", *(["--socket", socket] if socket else [])]
    # A file and no pipe: what it leaves running may keep stderr open, and a pipe would be waited on for ever.
    with tempfile.TemporaryFile() as said:
        try:
            code = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            ).returncode
        except OSError as error:
            raise Unavailable(f"codexd cannot be started: {argv[0] or 'Python'}: {error.strerror}") from None
        said.seek(0)
        reason = said.read().decode(errors="replace").strip()
    if code != 0:
        raise Unavailable(
            reason.removeprefix("codexd: ") or f"codexd did not start (`{' '.join(argv)}` exited with {code})"
        )
