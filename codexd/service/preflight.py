"""Whether a codexd with these settings could start: checked before `restart` stops the one that runs."""

from codexd.service import control_socket, sockets
from codexd.service.codex_launch import check_directories
from codexd.service.discovery import Finder
from codexd.service.instance import Instance


def check(instance: Instance, *, runner_pid: int | None, has_own_socket: bool) -> None:
    """Looks at the directories, Codex, the socket and the control socket, and changes nothing.

    Args:
        runner_pid: the codexd that runs, whose sockets are free when it has ended.
        has_own_socket: whether codexd makes its socket itself, and is not handed it by a service manager.

    Raises:
        CannotServe, UsageError, Unavailable: the first thing that is in the way, and the way out.
    """
    settings = instance.settings
    check_directories(settings, instance.environ, "--demo" in instance.arguments)
    Finder(settings.codex, instance.environ).find()
    if has_own_socket:
        if settings.socket.parent.exists():
            sockets.check_private_directory(settings.socket.parent)
        sockets.check_free(settings.socket, runner_pid)
    if settings.control_socket:
        path = control_socket.path_in(settings.codex_home)
        control_socket.check_length(path)
        control_socket.check_free(path, runner_pid)
