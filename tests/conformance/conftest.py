"""The Codexes that codexd is compared with, the runs (each once), and the table of what was seen at the end."""

from pathlib import Path

import pytest

from tests.conformance import codex_itself
from tests.conformance.all_scripts import by_name
from tests.conformance.codex_itself import Codex
from tests.conformance.coverage import Seen, table
from tests.conformance.runs import Run

_BOOKS = pytest.StashKey[list["Book"]]()


class Book:
    """The runs of one Codex. A script is played when it is first asked for."""

    def __init__(self, codex: Codex) -> None:
        self.codex = codex
        self.seen = Seen()
        self._runs: dict[str, Run] = {}

    def run(self, name: str) -> Run:
        """The script of this name, both ways."""
        if name not in self._runs:
            self._runs[name] = Run(by_name(name, self.codex), self.codex)
            self.seen.add(self._runs[name].through)
        return self._runs[name]

    def again(self) -> str:
        """How often something had to be played more than once."""
        bare = sum(len(run.bare) - 1 for run in self._runs.values())
        through = sum(run.attempts - 1 for run in self._runs.values())
        return f"asked again: bare Codex {bare} times, codexd {through} times"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BOOKS] = []


@pytest.fixture(scope="session")
def book(each_codex: Path, pytestconfig: pytest.Config) -> Book:
    """The Codex at hand and its runs."""
    opened = Book(codex_itself.ask(each_codex))
    pytestconfig.stash.setdefault(_BOOKS, []).append(opened)
    return opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What of all that Codex knows was seen."""
    for opened in config.stash.get(_BOOKS, []):
        terminalreporter.section(f"conformance with Codex {opened.codex.version}")
        for line in table(opened.codex, opened.seen):
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"  {opened.again()}")
