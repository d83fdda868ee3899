"""How a command ends."""

from enum import IntEnum

from codexd.protocol.errors import CodexdError


class Exit(IntEnum):
    """The exit codes of `codexctl`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    SIGNED_OUT = 4
    DECLINED = 5
    TIMED_OUT = 124
    INTERRUPTED = 130


EXIT_CODES = """\
exit codes:
  0    done
  1    the turn failed or was interrupted; a request was refused
  2    wrong usage
  3    codexd or Codex is not available
  4    Codex is not signed in
  5    an approval was needed and declined
  124  the time limit has passed
  130  interrupted with Ctrl-C"""


class Failure(CodexdError):
    """Ends the command with this exit code and this sentence on stderr."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code
