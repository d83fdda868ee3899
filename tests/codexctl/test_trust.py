import os
import sys
from pathlib import Path

import pytest

from codexctl import trust
from codexctl.client import Client
from codexctl.exits import Failure
from codexctl.time_limit import NO_LIMIT, TimeLimit
from tests.codexctl.pseudo import Pseudo, Typist

WRITING = {"sandbox_mode": "workspace-write"}


@pytest.fixture
def project(place):
    return place / "project"


@pytest.fixture
def settle(codexd, project):
    """What becomes of a `thread/start`, given Codex's configuration; nobody is at a terminal."""

    def run(config, wanted=None, *, limit=NO_LIMIT, given=None, **params):
        with Client.open(str(codexd.path)) as client:
            thread = {"cwd": str(project), **params} | (given or {})
            return trust.settle(client, thread, config, wanted, limit)

    codexd.answers["config/value/write"] = {"status": "ok"}
    return run


def written(codexd):
    return [(each["keyPath"], each["value"]) for each in codexd.requests("config/value/write")]


def knowing(level, *roots):
    return WRITING | {"projects": {str(root): {"trust_level": level} for root in roots}}


@pytest.mark.parametrize(
    ("config", "params"),
    [
        ({}, {}),
        ({"sandbox_mode": "read-only"}, {}),
        (WRITING, {"sandbox": "read-only"}),
        ({"default_permissions": ":read-only"}, {}),
    ],
)
def test_a_thread_that_only_reads_asks_for_nothing(settle, codexd, project, config, params):
    """Codex records no trust for it: it begins as it is."""
    assert settle(config, **params) == {"cwd": str(project), **params}
    assert codexd.requests("config/value/write") == []


@pytest.mark.parametrize(
    ("config", "params"),
    [
        (WRITING, {}),
        ({"sandbox_mode": "danger-full-access"}, {}),
        ({}, {"sandbox": "workspace-write"}),
        ({"default_permissions": ":workspace"}, {}),
    ],
)
def test_an_unknown_directory_is_not_written_in_unasked(settle, codexd, project, config, params):
    """Where nobody can be asked the ways out are named, and nothing is recorded."""
    with pytest.raises(Failure) as refused:
        settle(config, **params)
    assert str(refused.value) == (
        f"Codex has not been told whether {project} is trusted: trust it from now on with --trust, "
        "work there without its configuration with --no-trust, or change nothing there with -s read-only"
    )
    assert codexd.requests("config/value/write") == []


def test_without_trust_codex_is_told_so_for_this_thread_alone(settle, codexd, project):
    """Then it records nothing; what else is in the thread's configuration stays."""
    assert settle(WRITING, False, given={"config": {"model": "x"}}) == {
        "cwd": str(project),
        "config": {"model": "x", "projects": {str(project): {"trust_level": "untrusted"}}},
    }
    assert codexd.requests("config/value/write") == []


def test_trust_is_recorded_when_it_is_asked_for(settle, codexd, project, capsys):
    """For a thread that only reads, too; once, and never against what is written already."""
    assert settle({}, True) == {"cwd": str(project)}
    assert written(codexd) == [("projects", {str(project): {"trust_level": "trusted"}})]
    assert capsys.readouterr().err == f"codexctl: {project} is trusted from now on\n"
    settle(knowing("trusted", project), True)
    with pytest.raises(Failure, match="--trust does not override it"):
        settle(knowing("untrusted", project), True)
    assert len(written(codexd)) == 1


@pytest.mark.parametrize("level", ["trusted", "untrusted"])
def test_what_is_written_about_a_directory_holds(settle, project, level):
    """Also when it is only written about its checkout."""
    assert settle(knowing(level, project)) == {"cwd": str(project)}
    inner = project / "inner"
    inner.mkdir()
    with pytest.raises(Failure):
        settle(knowing(level, project), cwd=str(inner))
    (project / ".git").mkdir()
    (project / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert settle(knowing(level, project), cwd=str(inner)) == {"cwd": str(inner)}


def worktree(project: Path, back: Path | None = None) -> Path:
    """A linked worktree of `project`; `back`: the file that the main checkout says it has."""
    linked = project.parent / "linked"
    store = project / ".git" / "worktrees" / "linked"
    for directory in (linked, store):
        directory.mkdir(parents=True)
    (linked / ".git").write_text(f"gitdir: {store}\n")
    (store / "gitdir").write_text(f"{back or linked / '.git'}\n")
    return linked


def test_a_worktree_is_its_main_checkouts(settle, codexd, project):
    """Trust in the main checkout holds for it, and is recorded there."""
    linked = worktree(project)
    assert settle(knowing("trusted", project), cwd=str(linked)) == {"cwd": str(linked)}
    settle(WRITING, True, cwd=str(linked))
    assert written(codexd) == [("projects", {str(project): {"trust_level": "trusted"}})]


@pytest.mark.parametrize(
    "git", ["gitdir: {}/worktrees/linked\n", "gitdir: /nowhere\n", "nonsense", "gitdir: \0"]
)
def test_a_directory_that_only_claims_to_be_a_worktree_is_none(settle, project, git):
    """The file `.git` of an unpacked download may name a checkout that the user trusts."""
    linked = worktree(project, back=project / "another" / ".git")
    (linked / ".git").write_text(git.format(project / ".git"))
    with pytest.raises(Failure):
        settle(knowing("trusted", project), cwd=str(linked))


def test_a_store_that_is_not_in_a_checkout_is_nobodys(settle, project):
    """A bare repository's worktree stands for itself."""
    linked, store = project / "linked", project / "bare.git" / "worktrees" / "linked"
    for directory in (linked, store):
        directory.mkdir(parents=True)
    (linked / ".git").write_text(f"gitdir: {store}\n")
    (store / "gitdir").write_text(f"{linked / '.git'}\n")
    assert settle(knowing("trusted", linked), cwd=str(linked)) == {"cwd": str(linked)}
    with pytest.raises(Failure):
        settle(knowing("trusted", project), cwd=str(linked))


@pytest.fixture
def terminal():
    pseudo = Pseudo(width=200)
    yield pseudo
    pseudo.close()


@pytest.fixture
def settle_at_it(settle, terminal, monkeypatch):
    """`settle` at a terminal."""

    def run(config, **how):
        monkeypatch.setattr(sys, "stdin", terminal.input)
        monkeypatch.setattr(sys, "stderr", terminal.output)
        return settle(config, **how)

    return run


@pytest.mark.parametrize(("typed", "trusted"), [("y", True), ("hm\nO", False)])
def test_on_a_terminal_it_is_asked(settle_at_it, codexd, project, terminal, typed, trusted):
    """What is at stake is said; trust is recorded, or the thread goes without."""

    def script():
        shown = terminal.expect("[y/o/n] ")
        assert f"whether {project} is trusted" in shown
        assert "outside the sandbox" in shown
        terminal.type(typed + "\n")

    with Typist(script):
        params = settle_at_it(WRITING)
    assert len(written(codexd)) == trusted
    assert ("config" in params) == (not trusted)


@pytest.mark.parametrize("typed", ["n\n", "\n", "\x04"])
def test_who_does_not_agree_sends_nothing(settle_at_it, codexd, terminal, typed):
    """No, nothing, and the end of the terminal are the same."""
    with Typist(lambda: terminal.expect("[y/o/n] ") and terminal.type(typed)):
        with pytest.raises(Failure, match="nothing was sent"):
            settle_at_it(WRITING)
    assert codexd.requests("config/value/write") == []


def test_the_time_limit_holds_while_it_is_asked(settle_at_it, terminal):
    """A question that nobody answers keeps no command for ever."""
    with pytest.raises(TimeoutError):
        settle_at_it(WRITING, limit=TimeLimit(0.0))


def test_a_directory_cannot_steer_the_terminal(settle_at_it, place, terminal):
    """Its name is somebody else's."""
    os.mkdir(strange := f"{place}/a\x1b[2Jb")
    with Typist(lambda: terminal.type("n\n") or None):
        with pytest.raises(Failure, match="nothing was sent"):
            settle_at_it(WRITING, cwd=strange)
    assert "\x1b" not in terminal.written()
