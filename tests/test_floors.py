"""The floors of the house: imports go down, never up, and each floor knows the packages that it needs and no others.

The imports are read, not run: one in a function counts like one at the top. Each rule is also shown a house that
breaks it, so that a rule which sees nothing is found out.
"""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

STDLIB = frozenset(sys.stdlib_module_names)
HARMLESS = frozenset({
    "array", "collections", "dataclasses", "enum", "functools", "hashlib", "heapq", "itertools", "json", "logging",
    "operator", "re", "types", "typing",
})  # fmt: skip
"""The standard library without I/O and clock, as far as the core has found a use for it."""


class Floor(NamedTuple):
    """What the modules of one folder may import. `late`: in functions only."""

    ours: tuple[str, ...]
    others: frozenset[str]
    stdlib: frozenset[str] = STDLIB
    late: tuple[str, ...] = ()


FLOORS = {
    "codexd.protocol": Floor(("codexd.protocol",), frozenset({"msgspec", "platformdirs"})),
    "codexd.routing": Floor(("codexd.protocol", "codexd.routing"), frozenset({"msgspec"}), HARMLESS),
    "codexd.runtime": Floor(
        ("codexd.protocol", "codexd.routing", "codexd.runtime"),
        frozenset({"msgspec", "trio", "websockets", "psutil"}),
    ),
    "codexd.service": Floor(
        ("codexd", "codexd.protocol", "codexd.routing", "codexd.runtime", "codexd.service"),
        frozenset({"msgspec", "platformdirs", "trio", "websockets", "psutil", "codex_cli_bin"}),
        late=("codexd.demo",),
    ),
    "codexd.demo": Floor(("codexd", "codexd.protocol", "codexd.demo"), frozenset({"psutil"})),
    "codexd.__main__": Floor(("codexd.service",), frozenset()),
    "codexd": Floor((), frozenset()),
    "codexctl": Floor(("codexd", "codexctl", "codexd.protocol"), frozenset()),
}
STANDARD_LIBRARY_ALONE = (
    "socket_path", "running", "lock_table", "thread_ids", "errors", "framing", "extension", "stand_in", "visible",
    "own_command", "overrides", "binary", "project_roots", "names", "program", "descriptors", "home", "working_directory",
)  # fmt: skip
"""The modules of floor 0 that every `codexctl` pays for."""


class Import(NamedTuple):
    """One import. `module` is a module, not a name in one; `late` when it stands in a function."""

    importer: str
    line: int
    module: str
    late: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}"


def modules(root: Path) -> dict[str, Path]:
    """Every module of the house by its dotted name."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in ("codexd", "codexctl")
        for path in sorted((root / package).rglob("*.py"))
    }


def imports(root: Path) -> list[Import]:
    """All imports of the house."""
    known = modules(root)
    return [
        Import(name, line, module, late)
        for name, path in known.items()
        for line, module, late in _imports_in(ast.parse(path.read_text()), known, late=False)
    ]


def _imports_in(node: ast.AST, known: dict[str, Path], *, late: bool) -> Iterator[tuple[int, str, bool]]:
    match node:
        case ast.Import():
            yield from ((node.lineno, alias.name, late) for alias in node.names)
        case ast.ImportFrom():
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if inner in known else base, late
        case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
            yield node.lineno, _dynamic(node.args[0]), late
        case _:
            pass
    inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _imports_in(child, known, late=inside)


def _dynamic(name: ast.expr) -> str:
    """What a computed import is as far as its text says: a whole name, or the beginning of one."""
    match name:
        case ast.Constant(value=str(module)):
            return module
        case ast.JoinedStr(values=[ast.Constant(value=str(beginning)), *_]):
            return f"{beginning}…"
        case _:
            return "something unknown"


def floor_of(module: str) -> Floor:
    """The floor of a module: that of the longest name that it begins with."""
    return FLOORS[max((name for name in FLOORS if _within(module, name)), key=len)]


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _is_ours(module: str) -> bool:
    return module.split(".")[0] in ("codexd", "codexctl")


def is_allowed(found: Import) -> bool:
    """Whether the importer's floor may have this import."""
    floor, top = floor_of(found.importer), found.module.split(".")[0]
    if found.late and any(_within(found.module, package) for package in floor.late):
        return True
    if _is_ours(found.module):
        # `codexd` itself is a version number, not a way to every floor.
        return any(
            found.module == ours if ours == "codexd" else _within(found.module, ours) for ours in floor.ours
        )
    return top in floor.stdlib or top in floor.others


def test_every_module_stays_on_its_floor() -> None:
    """The table *Floors* of the design."""
    assert [str(found) for found in imports(ROOT) if not is_allowed(found)] == []


def costly(root: Path) -> list[str]:
    """What the modules that every `codexctl` pays for import beyond the standard library."""
    cheap = {f"codexd.protocol.{name}" for name in STANDARD_LIBRARY_ALONE}
    return [
        str(found)
        for found in imports(root)
        if found.importer in cheap and found.module not in cheap and found.module.split(".")[0] not in STDLIB
    ]


def test_what_every_codexctl_pays_for_is_standard_library_alone() -> None:
    """A one-shot command takes 30 ms; msgspec or trio would double it."""
    assert costly(ROOT) == []


def eager(root: Path) -> list[str]:
    """What codexctl imports of floor 0 at its start, other than what costs nothing."""
    cheap = {"codexd", *(f"codexd.protocol.{name}" for name in STANDARD_LIBRARY_ALONE)}
    return [
        str(found)
        for found in imports(root)
        if _within(found.importer, "codexctl")
        and _within(found.module, "codexd")
        and not found.late
        and found.module not in cheap
    ]


def test_codexctl_begins_with_the_cheap_half_of_floor_0() -> None:
    """The other half brings msgspec, and is imported where a verb needs it."""
    assert eager(ROOT) == []


def cycle(root: Path) -> list[str]:
    """Modules that import each other in a ring, if there are any."""
    graph: dict[str, set[str]] = {}
    for found in imports(root):
        if _is_ours(found.module) and found.module != found.importer:
            graph.setdefault(found.importer, set()).add(found.module)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1]
        return ring
    return []


def test_no_module_imports_itself_through_others() -> None:
    """Not even by an import in a function: such a ring is one module in several files."""
    assert cycle(ROOT) == []


def clockwork(root: Path) -> list[str]:
    """What in the core would reach for the outside world without an import, or waits."""
    found = []
    for name, path in modules(root).items():
        if not _within(name, "codexd.routing"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="open" | "print" | "input" | "exec" | "eval" as called)):
                    found.append(f"{name}:{node.lineno} calls {called}")
                case ast.Attribute(value=ast.Name(id="logging"), attr=attribute) if not attribute.isupper():
                    found.append(f"{name}:{node.lineno} uses logging.{attribute}")
                case ast.Await() | ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith():
                    found.append(f"{name}:{node.lineno} waits")
                case _:
                    pass
    return found


def test_the_core_neither_acts_nor_waits() -> None:
    """Messages in, effects out: no file, no log, no `await`. Of `logging` it knows the numbers of the levels."""
    assert clockwork(ROOT) == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A house in which everything is as it should be."""
    for module in modules(ROOT):
        path = tmp_path / Path(*module.split(".")).with_suffix(".py")
        if (ROOT / Path(*module.split("."))).is_dir():
            path = path.with_suffix("") / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("importer", "text", "module"),
    [
        ("codexd/protocol/errors.py", "from codexd.routing import flow", "codexd.routing.flow"),
        ("codexd/protocol/errors.py", "import trio", "trio"),
        ("codexd/routing/flow.py", "import trio", "trio"),
        ("codexd/routing/flow.py", "import time", "time"),
        ("codexd/routing/flow.py", "def f():\n    from os import path", "os"),
        ("codexd/routing/flow.py", "import socket as s", "socket"),
        ("codexd/routing/flow.py", "from codexd.runtime import outbox", "codexd.runtime.outbox"),
        ("codexd/routing/flow.py", "from ..runtime import outbox", "..runtime"),
        ("codexd/routing/flow.py", "import codexd.service.main", "codexd.service.main"),
        ("codexd/routing/flow.py", "import codexd", "codexd"),
        (
            "codexd/runtime/outbox.py",
            "from codexd.service.settings import Settings",
            "codexd.service.settings",
        ),
        ("codexd/runtime/outbox.py", "import rich", "rich"),
        ("codexd/service/main.py", "import codexctl.main", "codexctl.main"),
        ("codexd/service/main.py", "from codexd.demo import script", "codexd.demo.script"),
        ("codexctl/main.py", "from codexd.routing.router import Router", "codexd.routing.router"),
        ("codexctl/main.py", "import importlib\nimportlib.import_module('codexd.service')", "codexd.service"),
        ("codexctl/main.py", "import importlib\nimportlib.import_module(f'codexd.{x}')", "codexd.…"),
        ("codexctl/main.py", "__import__(name)", "something unknown"),
        ("codexctl/main.py", "def f():\n    import rich.text", "rich.text"),
        ("codexctl/main.py", "import trio", "trio"),
        ("codexctl/render.py", "import rich", "rich"),
        ("codexctl/render.py", "class A:\n    import rich", "rich"),
    ],
)
def test_an_import_from_another_floor_is_found(house: Path, importer: str, text: str, module: str) -> None:
    """Up, sideways, in a function, relative, computed: the rule sees it."""
    assert [found for found in imports(house) if not is_allowed(found)] == []
    (house / importer).write_text(text)
    assert [found.module for found in imports(house) if not is_allowed(found)] == [module]


def test_a_costly_import_is_found(house: Path) -> None:
    """In the modules that every command pays for, and by way of another module of the floor."""
    assert (costly(house), eager(house)) == ([], [])
    (house / "codexd/protocol/errors.py").write_text("import msgspec")
    (house / "codexd/protocol/framing.py").write_text("from codexd.protocol.messages import parse")
    (house / "codexctl/main.py").write_text("from codexd.protocol import messages, errors")
    assert costly(house) == [
        "codexd.protocol.errors:1 imports msgspec",
        "codexd.protocol.framing:1 imports codexd.protocol.messages",
    ]
    assert eager(house) == ["codexctl.main:1 imports codexd.protocol.messages"]


def test_a_ring_is_found(house: Path) -> None:
    """However long it is."""
    (house / "codexd/routing/flow.py").write_text("from codexd.routing import requests")
    (house / "codexd/routing/requests.py").write_text("from codexd.routing.threads import Thread")
    assert cycle(house) == []
    (house / "codexd/routing/threads.py").write_text("def f():\n    import codexd.routing.flow")
    assert set(cycle(house)) == {f"codexd.routing.{name}" for name in ("flow", "requests", "threads")}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("open('x')", "calls open"),
        ("print(1)", "calls print"),
        ("import logging\nlogging.getLogger('x')", "uses logging.getLogger"),
        ("import logging\nlogging.info('x')", "uses logging.info"),
        ("async def f(): ...", "waits"),
    ],
)
def test_a_deed_of_the_core_is_found(house: Path, text: str, what: str) -> None:
    """The core says what is to be done; it does nothing."""
    assert clockwork(house) == []
    (house / "codexd/routing/flow.py").write_text(text)
    assert [found.split(" ", 1)[1] for found in clockwork(house)] == [what]
