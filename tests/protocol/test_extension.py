"""The names of codexd's own methods."""

from codexd.protocol import extension


def test_the_names_are_those_of_the_design() -> None:
    """Clients that know codexd rely on these names."""
    assert {name: value for name, value in vars(extension).items() if name.isupper()} == {
        "STATUS": "codexd/status",
        "CLIENTS_LIST": "codexd/clients/list",
        "EVENTS_READ": "codexd/events/read",
        "EVENTS_FOLLOW": "codexd/events/follow",
        "SERVER_REQUEST": "codexd/serverRequest",
        "APPROVALS_LIST": "codexd/approvals/list",
        "APPROVALS_ANSWER": "codexd/approvals/answer",
        "THREADS_RELEASE": "codexd/threads/release",
        "STOP": "codexd/stop",
        "CODEX_START": "codexd/codex/start",
        "CODEX_EXITED": "codexd/codex/exited",
        "CODEX_READY": "codexd/codex/ready",
        "PREFIX": "codexd/",
    }
