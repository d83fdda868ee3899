"""A directory that codexd names for a client is not trusted by that."""

import json
from typing import Any

import pytest
from msgspec import UNSET

from codexd.protocol.messages import Request
from codexd.routing.untrusted import place, untrusted, warning
from tests.routing.driver import request


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"cwd": "/p"}, ("/p", None)),
        ({"cwd": "/p", "sandbox": None, "config": None}, ("/p", None)),
        ({"cwd": "/p", "sandbox": "read-only"}, ("/p", False)),
        ({"cwd": "/p", "sandbox": "workspace-write"}, ("/p", True)),
        ({"cwd": "/p", "sandbox": "danger-full-access"}, ("/p", True)),
        ({"cwd": "/p", "permissions": ":workspace"}, ("/p", True)),
        ({"cwd": "/p", "permissions": ":read-only"}, ("/p", False)),
        ({"cwd": "/p", "config": {"sandbox_mode": "workspace-write"}}, ("/p", True)),
        ({"cwd": "/p", "config": {"default_permissions": "mine"}}, ("/p", True)),
        ({"cwd": "/p", "config": {"profile": "x", "sandbox_mode": "read-only"}}, ("/p", True)),
        ({"cwd": "/p", "sandbox": "read-only", "config": {"sandbox_mode": "workspace-write"}}, ("/p", False)),
        ({"cwd": 5}, None),
        ({}, None),
    ],
)
def test_where_a_thread_is_to_begin_and_whether_it_may_write(params: Any, expected: Any) -> None:
    """The request's own word counts most; what names a profile may mean anything."""
    assert place(request(1, "thread/start", params)) == expected


def test_params_that_are_missing_have_no_place() -> None:
    """Codex refuses them."""
    assert place(Request(b"1", "thread/start", UNSET, b"{}", (0, 0))) is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, {"projects": {"/p": {"trust_level": "untrusted"}}}),
        ({"model": "m"}, {"model": "m", "projects": {"/p": {"trust_level": "untrusted"}}}),
        (
            {"projects": {"/other": {"trust_level": "trusted"}}},
            {"projects": {"/other": {"trust_level": "trusted"}, "/p": {"trust_level": "untrusted"}}},
        ),
        ({"projects": {"/p": {"trust_level": "trusted"}}}, {"projects": {"/p": {"trust_level": "trusted"}}}),
    ],
)
def test_the_configuration_says_that_it_is_untrusted(config: Any, expected: Any) -> None:
    """Beside what else it says; what the client itself says of the directory counts more."""
    params = {"cwd": "/p"} | ({} if config is None else {"config": config})
    changed = untrusted(request(1, "thread/start", params), "/p")
    assert json.loads(changed.line)["params"] == {"cwd": "/p", "config": expected}


def test_the_client_is_told_what_that_means_and_what_to_do() -> None:
    """As a warning without a thread, which Codex has, too."""
    said = json.loads(warning("/p"))
    assert (said["method"], said["params"]["threadId"]) == ("warning", None)
    assert said["params"]["message"].startswith("/p is not trusted, so Codex reads neither its AGENTS.md")
