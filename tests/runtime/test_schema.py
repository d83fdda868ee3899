"""Learning from Codex's schema: once for each binary."""

import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from codexd.protocol.gates import Gates
from codexd.protocol.learnt import Learnt
from codexd.protocol.request_ids import RequestIds
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.runtime import schema
from codexd.runtime.codex import Launch
from codexd.runtime.schema import Schemas
from tests.runtime.shortage import no_more_threads

WRITER = """
import json, os, pathlib, sys, time
manners = json.loads(sys.argv[1])
assert sys.argv[2:4] == ["generate-json-schema", "--out"], sys.argv
with open(manners["log"], "a") as log:
    log.write("asked\\n")
if "status" in manners:
    sys.exit("config.toml is broken")
time.sleep(manners.get("sleep", 0))
methods = ["a", "b"] if sys.argv[5:] == ["--experimental"] else ["a"]
directory = pathlib.Path(sys.argv[4])
directory.mkdir()
schema = {"definitions": {}, "oneOf": [{"properties": {"method": {"enum": [m]}}} for m in methods]}
for name in ("ClientRequest", "ClientNotification", "ServerNotification"):
    (directory / f"{name}.json").write_text(manners.get("text", json.dumps(schema)))
"""
LEARNT = Learnt(
    Gates(methods=frozenset({"b"}), members={}, policies=frozenset()),
    RequestIds(asked={}, told={}, cancels={}),
)


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """A Codex that writes a small schema."""
    return manners(tmp_path)


def manners(place: Path, **more: Any) -> Launch:
    (place / "writer.py").write_text(WRITER)
    said = json.dumps({"log": str(place / "log"), **more})
    argv = [sys.executable, "-I", "-S", str(place / "writer.py"), said]
    return Launch(argv, {**os.environ, MARK_VARIABLE: "x"}, "/", "0.1.0", place / "schema.json")


async def learn(launch: Launch) -> Learnt | str:
    """What a codexd learns that has just started."""
    return await Schemas().learn(launch)


def times_asked(launch: Launch) -> int:
    log = launch.schema_file.parent / "log"
    return log.read_text().count("asked") if log.exists() else 0


async def test_what_was_learnt_is_kept(launch: Launch) -> None:
    """The same binary is asked once: for both editions."""
    assert await learn(launch) == LEARNT
    assert await learn(launch) == LEARNT
    assert times_asked(launch) == 2


async def test_another_binary_is_asked_again(launch: Launch) -> None:
    """Another version, or another file of the same name."""
    await learn(launch)
    assert await learn(replace(launch, version="0.2.0")) == LEARNT
    assert times_asked(launch) == 4


@pytest.mark.parametrize("text", ["", "{}", '{"key": 5}', "nonsense"])
async def test_a_file_that_is_broken_is_written_anew(launch: Launch, text: str) -> None:
    """Nobody has to remove it."""
    launch.schema_file.write_text(text)
    assert await learn(launch) == LEARNT
    assert await learn(launch) == LEARNT
    assert times_asked(launch) == 2


async def test_a_file_of_another_version_of_codexd_is_replaced_without_a_word(
    launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no fault that it holds other things: it is not even read."""
    launch.schema_file.write_text('{"key":"1 0.1.0 5:5:5","gates":{"methods":[],"members":{},"policies":[]}}')
    assert await learn(launch) == LEARNT
    assert times_asked(launch) == 2
    assert caplog.text == ""


async def test_a_place_where_nothing_can_be_kept_is_no_hindrance(launch: Launch) -> None:
    """It is asked each time then."""
    nowhere = replace(launch, schema_file=Path("/nonexistent/schema.json"))
    assert await learn(nowhere) == LEARNT
    assert await learn(nowhere) == LEARNT


async def test_what_a_codexd_that_was_killed_has_left_is_removed(launch: Launch) -> None:
    """It wrote beside what is kept, and what Codex writes now is there, too, until it is read."""
    state = launch.schema_file.parent
    (state / "codexd-schema-old").mkdir()
    (state / "codexd-schema-old" / "stable").touch()
    (state / "codexd-schema-file").touch()  # no directory: it stays, and is no hindrance
    made = schema._directory(state)
    assert [*state.glob("codexd-schema-*/*")] == []
    assert made.parent == state
    assert await learn(launch) == LEARNT
    assert sorted(state.glob("codexd-schema-*")) == [state / "codexd-schema-file"]


async def test_a_codex_that_refuses_says_why(tmp_path: Path) -> None:
    """Its last words are in the sentence."""
    refusing = manners(tmp_path, status=1)
    assert (
        await learn(refusing)
        == "the schema of Codex 0.1.0 can't be had: it exits with 1: config.toml is broken"
    )


async def test_a_codex_that_writes_something_else(tmp_path: Path) -> None:
    """Is one of which nothing is known."""
    assert str(await learn(manners(tmp_path, text="{}"))).startswith(
        "the schema of Codex 0.1.0 can't be had: what Codex wrote as its schema is not understood: "
    )


async def test_a_codex_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up."""
    monkeypatch.setattr(schema, "SCHEMA_SECONDS", 0.01)
    sentence = await learn(manners(tmp_path, sleep=60))
    assert sentence == "the schema of Codex 0.1.0 can't be had: it took more than 0 seconds"


async def test_a_codex_that_is_gone(launch: Launch) -> None:
    """There is nothing to ask."""
    gone = replace(launch, argv=["/nonexistent/codex"])
    assert str(await learn(gone)).startswith("the schema of Codex 0.1.0 can't be had: [Errno 2]")


async def test_a_codex_that_cannot_be_run(launch: Launch, tmp_path: Path) -> None:
    """It is being replaced, or there is no memory for another process: said, and nobody's end."""
    unfit = tmp_path / "codex"
    unfit.touch(0o600)
    said = str(await learn(replace(launch, argv=[str(unfit)])))
    assert said.startswith("the schema of Codex 0.1.0 can't be had: it cannot be run: [Errno 13]")


async def test_what_could_not_be_kept_is_kept_in_memory(launch: Launch) -> None:
    """A full disk once opened the gate before what is experimental, from the second start of Codex on."""
    schemas = Schemas()
    os.mkdir(launch.schema_file)  # nothing can be put in its place
    assert await schemas.learn(launch) == LEARNT
    Path(launch.argv[3]).write_text("no program any more")
    assert await schemas.learn(launch) == LEARNT
    assert times_asked(launch) == 2  # once for each edition


async def test_a_schema_is_written_where_there_is_room(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Beside what is kept the disk is full: Codex writes elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    full = launch.schema_file.parent
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(full))
    monkeypatch.setattr(schema, "_IN_MEMORY", elsewhere)
    usage = shutil.disk_usage
    monkeypatch.setattr(
        shutil, "disk_usage", lambda place: usage(place)._replace(free=0 if place == full else 1 << 30)
    )
    assert str(schema._directory(full)).startswith(f"{elsewhere}/")
    assert await learn(launch) == LEARNT


async def test_a_shortage_that_passes_costs_no_knowledge(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again. Regression: a flood of connections in that moment opened the gate for experimental methods."""
    run_process, refused = trio.run_process, [OSError(24, "Too many open files"), MemoryError()]

    async def refuse(*arguments: Any, **options: Any) -> Any:
        if refused:
            raise refused.pop()
        return await run_process(*arguments, **options)

    monkeypatch.setattr(schema, "RETRY_SECONDS", 0)
    monkeypatch.setattr(trio, "run_process", refuse)
    assert await learn(launch) == LEARNT


async def test_without_a_thread_the_schema_is_not_known(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codex is served without it when that does not pass, and the reason is said."""
    monkeypatch.setattr(schema, "SHORTAGE_SECONDS", 0)
    with no_more_threads():
        assert await learn(launch) == (
            "the schema of Codex 0.1.0 can't be had: [Errno 11] the system gives codexd no more threads"
        )
    assert await learn(launch) == LEARNT


async def test_a_directory_that_cannot_be_removed_costs_no_knowledge(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was learnt counts; the next one that learns removes what is left."""

    def refuse(_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        assert await learn(launch) == LEARNT


async def test_without_memory_for_a_process_the_schema_is_not_known(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both editions are asked for beside each other: what goes wrong there comes in a group, which nobody expected."""

    async def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(schema, "SHORTAGE_SECONDS", 0)
        patch.setattr(trio, "run_process", refuse)
        assert await learn(launch) == (
            "the schema of Codex 0.1.0 can't be had: it cannot be run: there is not enough memory"
        )
    assert await learn(launch) == LEARNT
