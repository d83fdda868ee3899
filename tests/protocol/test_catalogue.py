"""What is known of Codex's methods, and what becomes of those that are not known."""

import pytest

from codexd.protocol import catalogue
from codexd.protocol.catalogue import Scope, scope_of


@pytest.mark.parametrize(
    ("method", "has_thread", "scope"),
    [
        ("item/agentMessage/delta", True, Scope.SUBSCRIBERS),
        ("turn/completed", True, Scope.SUBSCRIBERS),
        ("thread/tokenUsage/updated", True, Scope.SUBSCRIBERS),
        ("warning", True, Scope.SUBSCRIBERS),
        ("warning", False, Scope.EVERYONE),
        ("mcpServer/startupStatus/updated", True, Scope.SUBSCRIBERS),
        ("mcpServer/startupStatus/updated", False, Scope.EVERYONE),
        ("thread/status/changed", True, Scope.EVERYONE),
        ("thread/started", False, Scope.EVERYONE),
        ("thread/goal/updated", True, Scope.EVERYONE),
        ("mcpServer/oauthLogin/completed", True, Scope.EVERYONE),
        ("account/rateLimits/updated", False, Scope.EVERYONE),
        ("command/exec/outputDelta", False, Scope.CONNECTION),
        ("fs/changed", False, Scope.CONNECTION),
        ("deprecationNotice", True, Scope.CONNECTION),
        ("configWarning", False, Scope.CONNECTION),
        ("windowsSandbox/setupCompleted", False, Scope.CONNECTION),
    ],
)
def test_who_gets_a_notification(method: str, has_thread: bool, scope: Scope) -> None:
    """Each notification goes to those that Codex itself sends it to (measured)."""
    assert scope_of(method, has_thread) is scope


@pytest.mark.parametrize(("has_thread", "scope"), [(True, Scope.SUBSCRIBERS), (False, Scope.EVERYONE)])
def test_a_notification_that_nobody_has_heard_of_is_not_lost(has_thread: bool, scope: Scope) -> None:
    """A newer Codex works before this table knows it: with a thread to its subscribers, else to everybody."""
    assert scope_of("something/new", has_thread) is scope


@pytest.mark.parametrize(
    ("version", "is_new"),
    [("0.163.0", False), ("0.169.3", False), ("0.171.0", True), ("0.171.0-alpha.2", True), ("1.0", True), ("", True),
     ("main", True), (None, True)],
)  # fmt: skip
def test_who_gets_a_notification_may_depend_on_the_version(version: str | None, is_new: bool) -> None:
    """What is not known is taken for the newest."""
    everyone = catalogue.to_everyone(version)
    assert ("thread/readState/changed" in everyone) is is_new
    assert everyone >= catalogue.EVERYONE_ALTHOUGH_OF_A_THREAD
    scope = Scope.EVERYONE if is_new else Scope.SUBSCRIBERS
    assert scope_of("thread/readState/changed", True, everyone) is scope


def test_a_handle_comes_back_under_the_name_it_was_given() -> None:
    """What a notification calls its handle is what some request calls it; nothing else could be translated."""
    assert set(catalogue.HANDLE_OF_NOTIFICATION.values()) <= set(catalogue.HANDLE_OF_REQUEST.values())


def test_a_server_side_process_id_is_left_alone() -> None:
    """`thread/backgroundTerminals/terminate` has a `processId` too, but Codex chose that one (measured)."""
    assert "thread/backgroundTerminals/terminate" not in catalogue.HANDLE_OF_REQUEST


def test_what_changes_something_is_not_called_safe_to_repeat() -> None:
    """An asker that believes it may ask again must not start a second turn, thread or command by it."""
    changing = {"turn/start", "turn/steer", "thread/start", "thread/fork", "command/exec", "fs/writeFile"}
    assert not changing & catalogue.SAFE_TO_RETRY


def test_the_marker_is_a_request_that_changes_nothing() -> None:
    """codexd sends it whenever it wants to know how far Codex has read."""
    assert catalogue.MARKER in catalogue.SAFE_TO_RETRY


def test_the_ends_of_a_thread_are_heard_by_everybody() -> None:
    """Whoever lists threads sees one go, subscribed or not."""
    assert catalogue.ENDS_THREAD | catalogue.GOAL_SNAPSHOT <= catalogue.EVERYONE_ALTHOUGH_OF_A_THREAD
