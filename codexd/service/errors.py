"""What this floor refuses, and the exit code that goes with it. The message is a whole sentence for the user."""

from codexd.protocol.errors import CodexdError


class ServiceError(CodexdError):
    """A command could not do what it was asked."""

    exit_code = 1


class UsageError(ServiceError):
    """The command line, the environment or the config file asks for something that cannot be."""

    exit_code = 2


class CannotServe(ServiceError):
    """There is no codexd for this, and starting one did not help or is not possible."""

    exit_code = 3


UNAVAILABLE_EXIT_CODE = CannotServe.exit_code
"""Also the end of a command that found codexd or Codex unavailable (`codexd.protocol.errors.Unavailable`)."""
