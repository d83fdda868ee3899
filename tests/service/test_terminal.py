"""The terminal of a codexd in the foreground, and its end."""

import os
import pty
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from codexd.service.terminal import Terminal


@contextmanager
def no_descriptor() -> Iterator[None]:
    """Within it this process gets no further one."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    beyond = max(int(name) for name in os.listdir("/proc/self/fd")) + 1
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (beyond, limits[1]))
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in taken:
            os.close(descriptor)


def test_what_is_no_terminal_is_never_gone() -> None:
    """A SIGHUP then asks for a reload."""
    reading, writing = os.pipe()
    assert not Terminal([reading, writing]).is_gone()
    os.close(reading)
    os.close(writing)


def test_a_terminal_that_is_closed_is_gone_also_without_a_descriptor() -> None:
    """What is written to it afterwards is discarded. `/dev/null` was opened then, which ended codexd at its limit."""
    outside, inside = pty.openpty()
    terminal = Terminal([inside])
    assert not terminal.is_gone()
    os.close(outside)
    with no_descriptor():
        assert terminal.is_gone()
    assert os.write(inside, b"x") == 1
    os.close(inside)
