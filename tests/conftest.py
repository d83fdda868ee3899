"""What all tests share: how hypothesis looks for examples, and signals left as they were found."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The same examples in every run, so that a failure stays until it is mended.
settings.register_profile("same_every_time", derandomize=True, deadline=None, database=None)
settings.load_profile("same_every_time")


@pytest.fixture(autouse=True)
def the_next_test_survives_a_broken_pipe() -> Iterator[None]:
    """A command line that is run in this process lets SIGPIPE end it, as a command line should; the tests must not."""
    before = signal.getsignal(signal.SIGPIPE)
    yield
    signal.signal(signal.SIGPIPE, before)
