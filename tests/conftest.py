"""What all tests share: the Codexes they run, how hypothesis looks for examples, signals left as they were found, no codexd
left running, and what tests tell the reader at the end."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import left_running
from tests.codex_binaries import Missing, chosen, from_npm, from_pypi

# The same examples in every run, so that a failure stays until it is mended.
settings.register_profile("same_every_time", derandomize=True, deadline=None, database=None)
settings.load_profile("same_every_time")

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

left_running.mark()


def pytest_sessionstart(session: pytest.Session) -> None:
    """A run that was killed has left its codexds; one that is told to end leaves none."""
    left_running.clean_up_when_told_to_end()
    if not hasattr(session.config, "workerinput"):
        for left in left_running.end_of_dead_runs():
            print(f"ended what a killed run of the tests has left: {left}")


AT_THE_END = "at the end"
"""The property that a test records to have it printed behind everything else: a title, and lines under it.

Properties come with the reports, also from a process of its own (`pytest -n 2`), where nothing can be printed.
"""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests recorded for the end, once each."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    recorded = [found for report in reports for found in getattr(report, "user_properties", ())]
    for title, lines in dict(value for name, value in recorded if name == AT_THE_END).items():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True, scope="module")
def no_codexd_is_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """A codexd that outlives its test file would serve on for ever; it is ended, and the file named."""
    yield
    left = left_running.end()
    assert left == [], f"left running by {request.path}"


@pytest.fixture(autouse=True)
def the_next_test_survives_a_broken_pipe() -> Iterator[None]:
    """A command line that is run in this process lets SIGPIPE end it, as a command line should; the tests must not."""
    before = signal.getsignal(signal.SIGPIPE)
    yield
    signal.signal(signal.SIGPIPE, before)


@pytest.fixture(scope="session")
def codex() -> Path:
    """The Codex under test: ``CODEX_PATH``, else the one from PyPI."""
    try:
        return chosen() or from_pypi()
    except Missing as missing:
        if os.environ.get("CODEXD_TESTS_WITHOUT_CODEX") == "1":
            pytest.skip(str(missing))
        pytest.fail(f"{missing}, or skip these tests with CODEXD_TESTS_WITHOUT_CODEX=1")


@pytest.fixture(scope="session")
def codex_npm() -> Path:
    """The Codex from npm, which is newer; ``CODEX_PATH`` changes nothing here."""
    try:
        return from_npm()
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def newest_codex(codex: Path) -> Path:
    """The newest Codex at hand, for what depends on codexd more than on Codex; ``CODEX_PATH`` instead."""
    try:
        return chosen() or from_npm()
    except Missing:
        return codex


@pytest.fixture(scope="session", params=["CODEX_PATH"] if chosen() else ["PyPI", "npm"])
def each_codex(request: pytest.FixtureRequest) -> Path:
    """Each of the two Codexes in turn; with ``CODEX_PATH`` that one alone."""
    binary: Path = request.getfixturevalue("codex_npm" if request.param == "npm" else "codex")
    return binary
