import pytest

from codexctl.arguments import parse
from codexctl.client import Client
from codexctl.exits import Exit, Failure
from codexctl.session import check_signed_in, connect_to_codexd
from codexd.protocol.errors import Unavailable
from tests.codexctl.standin import Refused


@pytest.fixture
def client(codexd):
    with Client.connect(name="test", version="1") as client:
        yield client


SIGNED_OUT = {"account": None, "requiresOpenaiAuth": True}


def test_signed_out_is_known_before_a_turn_tries_for_minutes(client):
    """Only where the provider needs the sign-in."""
    check_signed_in(client, {"account": None, "requiresOpenaiAuth": False})
    check_signed_in(client, {"account": {"type": "apiKey"}, "requiresOpenaiAuth": True})
    with pytest.raises(Failure, match="`codex login`") as caught:
        check_signed_in(client, SIGNED_OUT)
    assert caught.value.code == Exit.SIGNED_OUT


def test_a_configuration_that_codex_cannot_read_is_not_a_missing_login(client, codexd):
    """Codex's own sentence, in one line."""
    codexd.answers["config/read"] = Refused(-32603, "config.toml:1:11: invalid string\nin `model`\n")
    with pytest.raises(Failure) as caught:
        check_signed_in(client, SIGNED_OUT)
    assert str(caught.value) == (
        "Codex's configuration is wrong: config.toml:1:11: invalid string in `model`; correct it, and try again"
    )
    assert caught.value.code == Exit.FAILED


def test_codexd_is_asked_without_a_handshake(codexd):
    """So it answers in every state of Codex; a foreign CODEX_HOME is refused here too."""
    client, status = connect_to_codexd(parse(["status"]))
    client.close()
    assert status["codex"]["state"] == "ready"
    assert [request["method"] for request in codexd.received] == ["codexd/status"]
    codexd.answers["codexd/status"]["codexd"]["codexHome"] = "/else"
    with pytest.raises(Unavailable, match="serves CODEX_HOME /else"):
        connect_to_codexd(parse(["status"]))
