import io
import json
import sys

import pytest

from tests.codexctl.standin import Refused


def test_any_request_can_be_made(codexd, codexctl, capsys):
    """With its params as JSON, and the result as JSON."""
    codexd.answers["config/read"] = {"config": {"model": "ä"}}
    assert codexctl("rpc", "config/read", '{"includeLayers": true}') == 0
    assert json.loads(capsys.readouterr().out) == {"config": {"model": "ä"}}
    assert codexd.requests("config/read") == [{"includeLayers": True}]


def test_params_may_come_from_stdin(codexd, codexctl, monkeypatch):
    """For `-`; without any they are an empty object, and stdin is left alone."""
    codexd.answers["config/read"] = {}
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"from": "stdin"}'))
    assert codexctl("rpc", "config/read") == 0
    assert codexctl("rpc", "config/read", "-") == 0
    assert codexd.requests("config/read") == [{}, {"from": "stdin"}]


@pytest.mark.parametrize(
    ("text", "sentence"), [("{", "the params are not JSON"), ("[1]", "must be a JSON object")]
)
def test_params_that_are_none_are_wrong_usage(codexd, codexctl, capsys, text, sentence):
    """Nothing is sent."""
    assert codexctl("rpc", "config/read", text) == 2
    assert sentence in capsys.readouterr().err
    assert codexd.received == []


def test_codexds_own_methods_need_no_handshake(codexd, codexctl, capsys):
    """They answer where Codex does not."""
    codexd.answers["initialize"] = Refused(-32050, "Codex is not available")
    assert codexctl("rpc", "codexd/status") == 0
    assert json.loads(capsys.readouterr().out)["codex"]["pid"] == 12


def test_an_error_fails_the_command(codexd, codexctl, capsys):
    """In words on stderr, or as JSON; exit 3 where it says that Codex is not there."""
    codexd.answers["bad"] = Refused(-32602, "too large", {"limit": 1})
    assert codexctl("rpc", "bad") == 1
    assert capsys.readouterr() == ("", "codexctl: too large\n")
    assert codexctl("rpc", "bad", "--json") == 1
    assert json.loads(capsys.readouterr().err) == {
        "code": -32602,
        "message": "too large",
        "data": {"limit": 1},
    }
    codexd.answers["bad"] = Refused(-32050, "Codex died")
    assert codexctl("rpc", "bad", "--json") == 3
    assert capsys.readouterr().err == "codexctl: Codex died\n"


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("thread/lst", "; did you mean thread/list or thread/start?"),
        ("qqq", "; with --json Codex lists all that it knows"),
    ],
)
def test_an_unknown_method_is_answered_in_short(codexd, codexctl, capsys, method, hint):
    """Codex lists all that it knows, some two hundred; `--json` shows that as it is."""
    listed = f"Invalid request: unknown variant `{method}`, expected one of `initialize`, `thread/list`, `thread/start`"
    codexd.answers[method] = Refused(-32600, listed)
    assert codexctl("rpc", method) == 1
    assert capsys.readouterr().err == f"codexctl: Codex knows no method {method}{hint}\n"
    assert codexctl("rpc", method, "--json") == 1
    assert json.loads(capsys.readouterr().err)["message"] == listed
