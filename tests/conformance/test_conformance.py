"""A client sees through codexd, beside a noisy one, what it sees of a Codex of its own."""

import pytest

from tests.conformance.all_scripts import NAMES
from tests.conformance.conftest import Book
from tests.conformance.coverage import NEVER_WELL
from tests.conformance.scripts.others import TOGETHER
from tests.conformance.steps import Together
from tests.conformance.together import compared

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", NAMES)
def test_codexd_is_like_codex(book: Book, name: str) -> None:
    """Every answer, every thread's messages, all the rest, and where the answers stand among them."""
    assert book.run(name).differences == ""


@pytest.mark.parametrize("name", ["malformed", "commands", "resumes and forks"])
def test_the_stand_in_is_like_codex(book: Book, name: str) -> None:
    """The same for a client that has started `codexd-codex`, as editors and SDKs do; where it adds its directory, and
    where messages are odd."""
    assert book.run(name).differences_of_the_stand_in() == ""


@pytest.mark.parametrize("script", TOGETHER, ids=lambda script: script.name)
def test_of_others_a_client_is_told_what_codex_tells(book: Book, script: Together) -> None:
    """As much of another client's threads, questions and reads, and no more; and each of its own requests alone."""
    if script.needs not in book.codex.methods:
        pytest.skip(f"Codex {book.codex.version} has no {script.needs}")
    assert compared(script, book.codex) == ""


@pytest.mark.usefixtures("table_at_the_end")
def test_every_method_is_tried(book: Book) -> None:
    """All that this Codex enumerates are called badly, and well where that can be done without a network."""
    for name in NAMES:
        book.run(name)
    methods = set(book.codex.methods)
    assert (methods - book.seen.badly, methods - book.seen.well - set(NEVER_WELL)) == (set(), set())


def test_what_is_never_called_well_is_known(book: Book) -> None:
    """A reason for a method that is called well, or that there is not, is no reason any more."""
    for name in NAMES:
        book.run(name)
    assert book.seen.well & set(NEVER_WELL) == set()
