"""When Codex would trust a directory: as tried on it, with the files of the machine in which the tests run left out."""

import pytest

from codexd.runtime import trust
from codexd.runtime.trust import ProjectTrust


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A CODEX_HOME; returns a function that writes its configuration."""
    monkeypatch.setattr(trust, "_SYSTEM_FILES", (str(tmp_path / "system.toml"),))
    (tmp_path / "home").mkdir()

    def write(text, name="home/config.toml"):
        (tmp_path / name).write_text(text)

    return write


@pytest.fixture
def would_be_written(home, tmp_path):
    """Asks, with these overrides."""

    def ask(directory, may_write=True, overrides=()):
        return ProjectTrust(str(tmp_path / "home"), overrides).would_be_written(str(directory), may_write)

    return ask


def test_an_unknown_directory_where_commands_may_write_would_be(would_be_written, tmp_path):
    """Also without any configuration at all."""
    assert would_be_written(tmp_path / "clone")


def test_nothing_is_written_for_a_read_only_sandbox(would_be_written, home, tmp_path):
    """Whoever says so: the request, or the configuration where the request says nothing."""
    home('sandbox_mode = "workspace-write"')
    assert not would_be_written(tmp_path, may_write=False)
    assert would_be_written(tmp_path, may_write=None)
    for text in ("", 'sandbox_mode = "read-only"', 'default_permissions = ":read-only"'):
        home(text)
        assert not would_be_written(tmp_path, may_write=None)


@pytest.mark.parametrize(
    "text",
    [
        'sandbox_mode = "danger-full-access"',
        'default_permissions = ":workspace"',
        'profile = "anything"',
        "= no TOML =",
        f"deep = {'[' * 100_000}",
    ],
)
def test_a_configuration_that_lets_commands_write(would_be_written, home, tmp_path, text):
    """A file that cannot be read is in doubt, too."""
    home(text)
    assert would_be_written(tmp_path, may_write=None)


def test_the_system_and_the_command_line_configure_it_as_well(would_be_written, home, tmp_path):
    """In any of them."""
    assert would_be_written(tmp_path, None, ["sandbox_mode=workspace-write"])
    assert would_be_written(tmp_path, None, ['sandbox_mode="workspace-write"'])
    assert not would_be_written(tmp_path, None, ["model=x"])
    home('sandbox_mode = "workspace-write"', "system.toml")
    assert would_be_written(tmp_path, None)


@pytest.mark.parametrize("level", ["trusted", "untrusted"])
def test_a_directory_of_which_something_is_said_would_not_be(would_be_written, home, tmp_path, level):
    """Whichever it is; an entry that says nothing of trust says nothing."""
    home(f'[projects."{tmp_path}/p"]\ntrust_level = "{level}"')
    assert not would_be_written(tmp_path / "p")
    home(f'[projects."{tmp_path}/p"]')
    assert would_be_written(tmp_path / "p")
    home("projects = 5")
    assert would_be_written(tmp_path / "p")


def test_the_root_of_the_repository_counts_for_what_is_below(would_be_written, home, tmp_path):
    """The innermost one: a clone in a directory that is trusted is another matter."""
    for place in ("repo", "repo/sub/clone"):
        (tmp_path / place / ".git").mkdir(parents=True)
        (tmp_path / place / ".git" / "HEAD").touch()
    home(f'[projects."{tmp_path}/repo"]\ntrust_level = "trusted"')
    assert not would_be_written(tmp_path / "repo" / "sub")
    assert would_be_written(tmp_path / "repo" / "sub" / "clone")
    assert would_be_written(tmp_path / "elsewhere")


def test_a_directory_above_that_is_no_repository_does_not_count(would_be_written, home, tmp_path):
    """Somebody may trust the home directory; a plain directory in it is its own project."""
    home(f'[projects."{tmp_path}"]\ntrust_level = "trusted"')
    assert would_be_written(tmp_path / "home")
