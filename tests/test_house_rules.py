"""The rules of the house that no linter knows. Each is also shown something that breaks it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("codexd", "codexctl")
MAX_LINES = 400
ISOLATES = ("codexd/routing/presenting.py", "codexd/runtime/isolation.py")
"""The files that may catch what nobody expects: what is done there for one client changes nothing for the others."""


def files(*folders: str) -> Iterator[Path]:
    """The Python files below these folders."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def name_of(node: ast.AST) -> str:
    """A name as it stands in the source, dots included; empty for anything else."""
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def offences(source: str) -> list[str]:
    """What no file of ours may do: swallow what it does not know, or test against a made-up world."""
    return [found for node in ast.walk(ast.parse(source)) if (found := _offence(node)) is not None]


def _offence(node: ast.AST) -> str | None:
    match node:
        case ast.ExceptHandler(type=None):
            return f"{node.lineno}: a bare except"
        case ast.ExceptHandler(type=kind) if kind is not None and _is_broad(kind) and not _raises(node):
            return f"{node.lineno}: except {ast.unparse(kind)}"
        case ast.Call(func=func, args=args) if name_of(func).endswith("suppress") and any(
            map(_is_broad, args)
        ):
            return f"{node.lineno}: {ast.unparse(node)}"
        case ast.Import(names=names) if any(alias.name.startswith("unittest") for alias in names):
            return f"{node.lineno}: {ast.unparse(node)}"
        case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "unittest":
            return f"{node.lineno}: {ast.unparse(node)}"
    return None


def _is_broad(kind: ast.expr) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(name_of(one).removeprefix("builtins.") in ("Exception", "BaseException") for one in kinds)


def _raises(handler: ast.ExceptHandler) -> bool:
    """Whether all that it caught goes on from its end: cleaning up is no swallowing."""
    return isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None


def without_docstring(source: str) -> list[str]:
    """The tests in a file that do not say what they promise."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and ast.get_docstring(node) is None
    ]


_HARMLESS = frozenset(
    {"isinstance", "len", "callable", "hasattr", "all", "any", "set", "sorted", "str", "type"}
)


def effects_in_asserts(source: str) -> list[str]:
    """The assertions that may do something: PYTHONOPTIMIZE leaves them out."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert) and any(map(_may_do_something, ast.walk(node.test)))
    ]


def _may_do_something(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return name_of(node.func) not in _HARMLESS
    return isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom)


def test_assertions_do_nothing() -> None:
    """A user who has PYTHONOPTIMIZE in the environment has the same program."""
    assert [
        f"{path.relative_to(ROOT)}:{found}"
        for path in files(*OURS)
        for found in effects_in_asserts(path.read_text())
    ] == []


@pytest.mark.parametrize(
    "source", ["assert os.open(x)", "assert (y := x)", "assert a.pop() == 1", "assert x and f(y), 'z'"]
)
def test_an_assertion_that_does_something_is_seen(source: str) -> None:
    """A call of anything that is not known to be harmless, and a walrus."""
    assert len(effects_in_asserts(source)) == 1
    assert effects_in_asserts("assert isinstance(x, int) and len(x) == 3, 'why'") == []


def test_files_are_short() -> None:
    """One concept per file: what takes more than 400 lines is two."""
    assert [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in files(*OURS)
        if (lines := len(path.read_text().splitlines())) > MAX_LINES
    ] == []


def test_nothing_is_swallowed_and_nothing_is_mocked() -> None:
    """Who catches says what; a daemon that cannot die cannot be mended. ruff sees neither `suppress` nor mocks."""
    assert [
        f"{path.relative_to(ROOT)}:{found}"
        for path in files(*OURS, "tests", "bench")
        if str(path.relative_to(ROOT)) not in ISOLATES
        for found in offences(path.read_text())
    ] == []
    assert [len(offences((ROOT / path).read_text())) for path in ISOLATES] == [1, 1]


def test_every_test_says_what_it_promises() -> None:
    """A test that fails in a year is read by somebody who wants to know what broke, and for whom."""
    assert [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files("tests")
        for name in without_docstring(path.read_text())
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "try: x()\nexcept: pass",
        "try: x()\nexcept Exception: pass",
        "try: x()\nexcept BaseException as e: y(e)",
        "try: x()\nexcept (OSError, Exception): pass",
        "try: x()\nexcept builtins.Exception: pass",
        "try: x()\nexcept Exception:\n  if y: raise",
        "try: x()\nexcept Exception as e: raise ValueError from e",
        "try: x()\nexcept* Exception: pass",
        "with contextlib.suppress(Exception): x()",
        "with suppress(OSError, Exception): x()",
        "import unittest.mock",
        "from unittest import mock",
        "from unittest.mock import Mock",
    ],
)
def test_an_offence_is_seen(source: str) -> None:
    """The rule about swallowing and mocking is no decoration."""
    assert len(offences(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "try: x()\nexcept OSError: pass",
        "try: x()\nexcept BaseException:\n  clean_up()\n  raise",
        "with contextlib.suppress(FileNotFoundError): x()",
        "from contextlib import suppress",
    ],
)
def test_what_is_caught_by_name_or_passed_on_is_allowed(source: str) -> None:
    """The rule is about what vanishes."""
    assert offences(source) == []


def test_a_test_without_a_promise_is_seen() -> None:
    """Also an async one, and one in a class; helpers and fixtures may be silent."""
    silent = (
        "def test_a(): pass\nasync def test_b(): ...\nclass T:\n  def test_c(self): ...\ndef helper(): ..."
    )
    assert without_docstring(silent) == ["test_a", "test_b", "test_c"]
    assert without_docstring('def test_a():\n  """Holds."""') == []


STARTS_PYTHON = {
    "codexd/protocol/own_command.py": "the one way",
    "codexd/service/installation.py": "what a user is told to type",
    "codexd/demo/codex_config.py": "a script by its whole path, which Codex starts",
}


def test_our_own_programs_are_started_in_one_way() -> None:
    """`own_command` is isolated; whoever writes `python -m codexd` anew runs the code of the current directory."""
    found = {str(file.relative_to(ROOT)) for file in files(*OURS) if "sys.executable" in file.read_text()}
    assert found == set(STARTS_PYTHON)
