"""`codexd-codex` where programs expect `codex`: as a client of codexd, as the real one, and never as both."""

import subprocess
from pathlib import Path

import psutil
import pytest

from tests.e2e.harness import World, a_world
from tests.e2e.harness_client import PATIENCE_S, JsonLinesClient
from tests.ends import wait_for_ends

pytestmark = pytest.mark.e2e


@pytest.fixture
def stood_in(world: World) -> World:
    """A world whose CODEX_PATH is `codexd-codex`, and in whose PATH it is called `codex` and stands before the real one."""
    (stand_in,) = world.command("codexd-codex")
    directories = []
    for name, program in (("first", stand_in), ("second", str(world.codex))):
        directory = world.root / name
        directory.mkdir()
        (directory / "codex").symlink_to(program)
        directories.append(str(directory))
    world.env |= {"CODEX_PATH": stand_in, "PATH": ":".join([*directories, world.env["PATH"]])}
    return world


def start(world: World) -> JsonLinesClient:
    """A client that has started `codex` from PATH, as its own app-server."""
    quiet = subprocess.DEVNULL
    process = world.spawn(
        ["codex", "app-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet
    )
    assert process.stdin
    assert process.stdout
    return JsonLinesClient(process.stdout, process.stdin)


def test_it_starts_a_codexd_that_finds_the_real_codex(stood_in: World) -> None:
    """And not the stand-in, by whatever name; two clients then share one Codex."""
    first = start(stood_in)
    first.initialize("first")
    second = start(stood_in)
    second.initialize("second")
    status = second.call("codexd/status")
    assert Path(psutil.Process(status["codex"]["pid"]).exe()) == stood_in.codex.resolve()
    assert status["clients"] == 2
    assert "CODEX_PATH" not in psutil.Process(status["codexd"]["pid"]).environ()
    for client in (first, second):
        client.close()


def test_another_codex_home_has_a_codexd_of_its_own(world: World) -> None:
    """An account and its threads are not shared with those of the default one."""
    world.start_daemon()
    other = world.home / "other"
    world.model.write_config(other)
    client = world.stand_in(env={"CODEX_HOME": str(other)})
    assert client.initialize("other")["codexHome"] == str(other)
    codexd = psutil.Process(client.call("codexd/status")["codexd"]["pid"])
    client.close()
    codexd.terminate()
    assert wait_for_ends([codexd], 30) == []


def test_everything_else_is_done_by_the_real_codex(stood_in: World) -> None:
    """Its version, its schema, which the SDK asks for, and no codexd for it."""
    codex = stood_in.spawn(["codex", "--version"], stdout=subprocess.PIPE)
    real = subprocess.run([stood_in.codex, "--version"], env=stood_in.env, capture_output=True)
    assert codex.communicate(timeout=60)[0] == real.stdout
    schema = stood_in.root / "schema"
    asked = stood_in.spawn(
        ["codex", "app-server", "generate-json-schema", "--experimental", "--out", str(schema)]
    )
    assert asked.wait(60) == 0
    assert (schema / "v2" / "TurnStartParams.json").is_file()
    assert not stood_in.socket_path.exists()


def test_its_directory_and_overrides_count_for_its_threads(world: World) -> None:
    """As if it had a Codex of its own; those of another client do not, and a request's own count more."""
    world.start_daemon()
    elsewhere = world.root / "elsewhere"
    elsewhere.mkdir()
    plain = world.stand_in()
    special = world.stand_in("-c", "model=special", "--enable", "web_search_request", cwd=elsewhere)
    for client in (plain, special):
        client.initialize("test", experimentalApi=True)
    said = [client.call("thread/start") for client in (plain, special)]
    assert [(one["cwd"], one["model"]) for one in said] == [
        (str(world.project), "gpt-5.1-codex"),
        (str(elsewhere), "special"),
    ]
    own = special.call("thread/start", {"cwd": str(world.home), "config": {"model": "own"}})
    assert (own["cwd"], own["model"]) == (str(world.home), "own")
    assert special.call("thread/start", {"cwd": "../project"})["cwd"] == str(world.project)
    for directory, there in (
        ({}, elsewhere),
        ({"cwd": "."}, elsewhere),
        ({"cwd": "../project"}, world.project),
    ):
        assert special.call("command/exec", {"command": ["pwd"], **directory})["stdout"] == f"{there}\n"
    for client in (plain, special):
        client.close()


def test_its_environment_reaches_the_commands_of_its_threads(world: World) -> None:
    """As if it had a Codex of its own: its virtualenv and its PATH, beneath what it says itself; nothing else of it."""
    world.start_daemon()
    client = world.stand_in(
        *("-c", 'shell_environment_policy.set={SAID="said"}'),
        env={"VIRTUAL_ENV": "/mine", "TZ": "UTC-3", "MY_KEY": "s3cret"},
    )
    client.initialize("test")
    prompt = "run-free echo =$VIRTUAL_ENV=$TZ=$SAID=${MY_KEY-none}=$OWN="
    for config, expected in (
        ({}, "=/mine=UTC-3=said=none=="),
        ({"shell_environment_policy.set.OWN": "own"}, "=/mine=UTC-3=said=none=own="),
        ({"shell_environment_policy": {"set": {"OWN": "own"}}}, "===none=own="),
    ):
        thread = client.call("thread/start", {"config": config})["thread"]["id"]
        turn = client.start_turn(thread, prompt)
        client.wait_turn(turn)
        assert expected in client.said_in(turn)
        client.call("thread/resume", {"threadId": thread})
    assert "s3cret" not in world.log.read_text()


JUDGED = (
    "app-server --print-startup-config",
    "app-server --bogus",
    "--bogus app-server",
    "app-server --listen stdio:// --stdio",
    "app-server --stdio --stdio",
    "app-server --listen bogus",
    "app-server -m x",
    "-s odd app-server",
    "--yolo -a never app-server",
    "app-server --strict-config -c bogus=1",
    "app-server --code-mode-host x",
    "app-server -c model",
)


def test_options_are_judged_as_codex_judges_them(each_codex: Path) -> None:
    """The same words and the same exit code, and no codexd is started for what Codex refuses, or prints and ends."""
    with a_world(each_codex) as world:
        for line in JUDGED:
            said = []
            for argv in ([str(world.codex)], world.command("codexd-codex")):
                done = subprocess.run(
                    [*argv, *line.split()], env=world.env, cwd=world.project, stdin=subprocess.DEVNULL,
                    capture_output=True, text=True, check=False, timeout=PATIENCE_S,
                )  # fmt: skip
                said.append((done.returncode, done.stdout, done.stderr.partition("Stack backtrace")[0]))
            assert said[1] == said[0], line
        assert not world.socket_path.exists()
