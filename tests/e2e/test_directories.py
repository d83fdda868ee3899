"""Where a client names no directory, its own counts, with the real Codex and its own programs; never codexd's."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import World, a_world
from tests.e2e.harness_client import PATIENCE_S, JsonLinesClient
from tests.e2e.harness_tui import native_clients

pytestmark = pytest.mark.e2e

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

# Removes the directory that it stands in, then becomes the program.
REMOVE = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def world(each_codex: Path) -> Iterator[World]:
    """A world with each Codex in turn."""
    with a_world(each_codex) as place:
        yield place


@pytest.fixture
def clone(world: World) -> Path:
    """A repository that nobody trusts, with settings of its own."""
    directory = world.root / "clone"
    (directory / ".codex").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", directory], check=True)
    (directory / ".codex" / "config.toml").write_text('model = "of-the-clone"\n')
    return directory


def trust(world: World) -> object:
    """What Codex has written down of directories that it trusts."""
    return [line for line in (world.codex_home / "config.toml").read_text().splitlines() if "trust" in line]


def stand_in_that_lost_its_directory(world: World) -> JsonLinesClient:
    gone = world.root / "gone"
    gone.mkdir()
    argv = [sys.executable, "-c", REMOVE, *world.command("codexd-codex"), "app-server"]
    with world.log.open("ab") as log:
        process = world.spawn(argv, cwd=gone, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    assert process.stdin
    assert process.stdout
    return JsonLinesClient(process.stdout, process.stdin)


def test_a_clients_own_directory_counts(world: World) -> None:
    """Left out or null; it was the home directory, in which nobody wants to work. `codexctl clients` shows it."""
    world.start_daemon()
    client = world.client()
    for params in ({}, {"cwd": None}):
        assert client.call("thread/start", params)["cwd"] == str(world.project)
    assert client.call("command/exec", {"command": ["pwd"]})["stdout"] == f"{world.project}\n"
    [skills] = client.call("skills/list", {})["data"]
    assert skills["cwd"] == str(world.project)
    listed = json.loads(world.codexctl("clients", "--json", cwd=world.home).stdout)["clients"]
    assert [one["cwd"] for one in listed] == [str(world.project), str(world.home)]
    assert str(world.project) in world.codexctl("clients").stdout


def test_an_image_is_looked_for_where_the_client_stands(world: World) -> None:
    """Codex takes a relative path from its own directory on, wherever the thread works."""
    world.start_daemon()
    client = world.client()
    (world.project / "dot.png").write_bytes(base64.b64decode(PNG))
    thread = client.call("thread/start", {"cwd": str(world.home)})["thread"]["id"]
    said = {}
    for name in ("dot.png", "missing.png"):
        image = {"type": "localImage", "path": name}
        turn = client.call("turn/start", {"threadId": thread, "input": [image]})["turn"]["id"]
        client.wait_turn(turn)
        said[name] = client.said_in(turn)
    assert f'path="{world.project}/dot.png"' in said["dot.png"]
    assert f"could not read the local image at `{world.project}/missing.png`" in said["missing.png"]


def test_who_lost_its_directory_gets_codexs_error(world: World) -> None:
    """As in a Codex of its own, with the way out; it began its thread in the home directory without a word."""
    world.start_daemon()
    client = stand_in_that_lost_its_directory(world)
    client.initialize("test")
    error = client.call_error("thread/start", {})
    assert error["code"] == -32600
    assert error["message"].startswith("failed to load configuration: No such file or directory (os error 2)")
    assert "name one in `cwd`" in error["message"]
    assert "cannot tell" in client.call_error("command/exec", {"command": ["pwd"]})["message"]
    [skills] = client.call("skills/list", {})["data"]
    assert skills["cwd"] == str(world.codex_home)
    assert client.call("thread/start", {"cwd": str(world.project)})["cwd"] == str(world.project)
    client.close()


@pytest.mark.parametrize("sandbox", ["workspace-write", "danger-full-access"])
def test_a_clone_is_not_trusted_because_a_client_stands_in_it(
    world: World, clone: Path, sandbox: str
) -> None:
    """Codex would trust it and load its settings, with its MCP servers, had codexd just named it."""
    world.start_daemon()
    client = world.stand_in(cwd=clone)
    client.initialize("test")
    since = client.mark()
    started = client.call("thread/start", {"sandbox": sandbox})
    assert (started["cwd"], started["model"]) == (str(clone), "gpt-5.1-codex")
    assert trust(world) == []
    said = client.wait(
        lambda m: m.get("method") == "warning" and m["params"]["threadId"] is None, since=since
    )
    assert said["params"]["message"].startswith(f"{clone} is not trusted")
    client.close()


def test_what_is_trusted_stays_trusted(world: World, clone: Path) -> None:
    """Below the root of a repository, too: its settings count."""
    with (world.codex_home / "config.toml").open("a") as file:
        file.write(f'\n[projects."{clone}"]\ntrust_level = "trusted"\n')
    (clone / "sub").mkdir()
    world.start_daemon()
    for directory in (clone, clone / "sub"):
        client = world.stand_in(cwd=directory)
        client.initialize("test")
        started = client.call("thread/start", {"sandbox": "workspace-write"})
        assert (started["cwd"], started["model"]) == (str(directory), "of-the-clone")
        client.close()


def test_the_terminal_program_works_where_it_was_started(each_codex: Path) -> None:
    """`codex --remote` names no directory."""
    with native_clients(each_codex, control_socket=False) as native:
        tui = native.open()
        native.prompt(tui, "run-free pwd")
        tui.wait(str(native.world.project))


def test_exec_works_where_it_was_started(codex_npm: Path) -> None:
    """`codex exec --remote` (0.171) names none either, also where its sandbox may write."""
    with a_world(codex_npm) as world:
        file = world.codex_home / "config.toml"
        file.write_text(file.read_text().replace('"read-only"', '"workspace-write"'))
        world.start_daemon()
        project = world.root / "other-project"
        project.mkdir()
        process = world.spawn(
            [str(codex_npm), "exec", "--remote", f"unix://{world.socket_path}", "run-free pwd; touch made"],
            cwd=project, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        if b"bwrap:" in out:
            pytest.skip("no sandbox on this machine")
        assert str(project) in out.decode()
        assert (project / "made").exists()
        assert trust(world) == []
