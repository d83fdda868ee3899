"""The Codexes that codexd is compared with, the runs (each once), and the table of what was seen at the end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance import codex_itself
from tests.conformance.all_scripts import by_name
from tests.conformance.codex_itself import Codex
from tests.conformance.coverage import Seen, table
from tests.conformance.runs import Run
from tests.conftest import AT_THE_END


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


@pytest.fixture(scope="session")
def book(each_codex: Path) -> Book:
    """The Codex at hand and its runs."""
    return Book(codex_itself.ask(each_codex))


@pytest.fixture
def table_at_the_end(book: Book, record_property: Callable[[str, object], None]) -> Iterator[None]:
    """What of all that Codex knows was seen when the test is over."""
    yield
    lines = [*table(book.codex, book.seen), f"  {book.again()}"]
    record_property(AT_THE_END, (f"conformance with Codex {book.codex.version}", lines))
