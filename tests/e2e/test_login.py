"""A login that changes while codexd runs: what is logged out is not used any more, what is new is."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from codexd.demo import scripted_model
from tests.e2e.harness import World, a_world

pytestmark = pytest.mark.e2e


class SignedIn:
    """A world whose model wants a login, and what Codex showed it in each request."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.shown: list[str | None] = []
        config = world.codex_home / "config.toml"
        wanting = "stream_max_retries = 0\nrequires_openai_auth = true"
        config.write_text(config.read_text().replace("stream_max_retries = 0", wanting))
        respond = scripted_model._Handler._respond

        def noting(handler: scripted_model._Handler, body: bytes) -> None:
            self.shown.append(handler.headers.get("authorization"))
            respond(handler, body)

        monkeypatch.setattr(scripted_model._Handler, "_respond", noting)

    def login(self, key: str) -> None:
        """As a user does it, with Codex's own command."""
        argv = [str(self.world.codex), "login", "--with-api-key"]
        subprocess.run(argv, input=key.encode(), env=self.world.env, capture_output=True, check=True)

    def logout(self) -> None:
        argv = [str(self.world.codex), "logout"]
        subprocess.run(argv, env=self.world.env, capture_output=True, check=True)

    def send(self, *arguments: str) -> tuple[int, str]:
        done = self.world.codexctl("send", *arguments)
        return done.returncode, done.stdout + done.stderr.splitlines()[-1]


@pytest.fixture
def signed_in(each_codex: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SignedIn]:
    with a_world(each_codex) as world:
        yield SignedIn(world, monkeypatch)


def test_each_send_uses_the_login_of_now(signed_in: SignedIn) -> None:
    """The first one, another one, none. The clients stay, and a thread goes on with the new login."""
    assert signed_in.send("hello")[0] == 4
    signed_in.login("sk-first")
    assert signed_in.send("hello")[0] == 0
    client = signed_in.world.client(codexd={"seq": True})
    thread = client.call("thread/list", {})["data"][0]["id"]
    client.call("thread/resume", {"threadId": thread})
    signed_in.login("sk-second")
    client.wait_turn(client.start_turn(thread, "hello"))
    assert signed_in.send("hello")[0] == 0
    assert signed_in.shown == ["Bearer sk-first", "Bearer sk-second", "Bearer sk-second"]
    signed_in.logout()
    assert json.loads(signed_in.world.codexctl("status", "--json").stdout)["codex"]["loginIsStale"]
    assert signed_in.send("hello")[0] == 4
    assert len(signed_in.shown) == 3
    status = json.loads(signed_in.world.codexctl("status", "--json").stdout)
    assert (status["codex"]["loginIsStale"], status["codex"]["restarts"]) == (False, 3)


def test_a_turn_that_runs_ends_before_the_login_changes(signed_in: SignedIn) -> None:
    """Nothing begins with the old login meanwhile; `status` and `doctor` say why. When it has ended, the new one is there."""
    signed_in.login("sk-first")
    world = signed_in.world
    world.start_daemon()
    client = world.client()
    thread = client.start_thread(cwd=str(world.project))
    turn = client.start_turn(thread, "hold here")
    world.model.wait_held("here")
    signed_in.login("sk-second")
    code, said = signed_in.send("hello")
    assert (code, "the login has changed" in said) == (3, True)
    assert "the login has changed" in world.codexctl("status").stdout
    assert "the login has changed" in world.codexd("status").stdout
    assert "the login has changed" in world.codexd("doctor").stdout
    world.model.release("here")
    assert client.wait_turn(turn)["status"] == "completed"
    assert signed_in.send("hello")[0] == 0
    assert signed_in.shown == ["Bearer sk-first", "Bearer sk-second"]


def test_a_login_through_codex_itself_replaces_nothing(signed_in: SignedIn) -> None:
    """Codex knows of it: its process stays, with the threads that live in it alone."""
    signed_in.world.start_daemon()
    client = signed_in.world.client()
    thread = client.start_thread(cwd=str(signed_in.world.project), ephemeral=True)
    for key in ("sk-first", "sk-second"):
        client.call("account/login/start", {"type": "apiKey", "apiKey": key})
        client.wait_turn(client.start_turn(thread, "hello"))
    client.call("account/logout")
    client.wait_turn(client.start_turn(thread, "hello"))
    assert signed_in.shown == ["Bearer sk-first", "Bearer sk-second", None]
    assert client.call("codexd/status")["codex"]["restarts"] == 0
