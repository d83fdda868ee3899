"""Settings: who wins, where a value came from, and what is refused."""

from pathlib import Path

import pytest

from codexd.protocol import socket_path
from codexd.runtime.archive_retention import Keep
from codexd.runtime.limits import Limits
from codexd.service import settings
from codexd.service.errors import UsageError
from codexd.service.setting_kinds import Environment
from codexd.service.settings import Choice, load
from tests.service.place import Place


def config(place: Place, text: str) -> Path:
    """Writes the default config file."""
    file = place.root / "config" / "codexd" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_defaults(place: Place) -> None:
    """With nothing said, the user's own Codex is served on the default socket, and everything says `default`."""
    loaded = load({}, place.environ)
    assert loaded == settings.Settings(
        socket=place.socket,
        codex=(),
        codex_home=place.codex_home,
        codex_config=(),
        environment=Environment(),
        cwd=place.home,
        log_dir=place.log.parent,
        control_socket=False,
        client_name="codexd",
        inside="refuse",
        request_attestation=False,
        thread_unload_delay_seconds=60.0,
        codex_silence_seconds=30.0,
        sweep=True,
        max_message_bytes=128 * 1024 * 1024,
        outbox_spill_bytes=4 * 1024 * 1024,
        max_outbox_bytes=64 * 1024 * 1024,
        max_outboxes_bytes=256 * 1024 * 1024,
        stalled_seconds=60.0,
        max_buffered_bytes=256 * 1024 * 1024,
        timeline="on",
        timeline_days=14.0,
        timeline_bytes=1024 * 1024 * 1024,
        log_level="info",
        log_content=False,
        config_file=place.root / "config" / "codexd" / "config.toml",
        sources=loaded.sources,
    )
    assert set(loaded.sources.values()) == {"default"}


def test_default_sizes_are_the_runtimes(place: Place) -> None:
    """The sizes that doctor shows are those that hold when nobody sets them."""
    loaded = load({}, place.environ)
    allowed = (loaded.max_message_bytes, loaded.max_buffered_bytes, loaded.max_outbox_bytes)
    assert Limits(*allowed, spill_bytes=loaded.outbox_spill_bytes) == Limits()


def test_default_retention_is_the_runtimes(place: Place) -> None:
    """The same for how long events are kept."""
    loaded = load({}, place.environ)
    assert Keep(loaded.timeline_days, loaded.timeline_bytes) == Keep()


def test_every_setting_comes_from_the_file(place: Place) -> None:
    """Each setting can be written in config.toml, and is read as what it is there."""
    file = config(
        place,
        """
        socket = "~/x.sock"
        codex = "codex-beta"
        codex_home = "~/other"
        codex_config = ["model=a", "b.c=d=e"]
        cwd = "/srv"
        log_dir = "~/logs"
        client_name = "my editor"
        inside = "observe"
        request_attestation = true
        thread_unload_delay_seconds = 2.5
        codex_silence_seconds = 0.5
        sweep = false
        control_socket = true
        max_message_bytes = 1000
        outbox_spill_bytes = 1500
        max_outbox_bytes = 2000
        max_outboxes_bytes = 20000
        stalled_seconds = 5
        max_buffered_bytes = 3000
        timeline = "off"
        timeline_days = 1.5
        timeline_bytes = 4000
        log_level = "debug"
        log_content = true
        [environment]
        pass = ["MINE_*"]
        set = { A = "b" }
        unset = ["C"]
        login_shell = false
        """,
    )
    loaded = load({}, place.environ)
    assert loaded[:-2] == (
        place.home / "x.sock",
        (Choice("codex-beta", str(file)),),
        place.home / "other",
        ("model=a", "b.c=d=e"),
        Environment(False, ("MINE_*",), {"A": "b"}, ("C",)),
        Path("/srv"),
        place.home / "logs",
        True,
        "my editor",
        "observe",
        True,
        2.5,
        0.5,
        False,
        1000,
        1500,
        2000,
        20000,
        5,
        3000,
        "off",
        1.5,
        4000,
        "debug",
        True,
    )
    assert set(loaded.sources.values()) == {str(file)}


def test_flags_beat_the_environment_and_that_beats_the_file(place: Place) -> None:
    """The nearer to the command line, the stronger; weaker words about Codex are kept for when a stronger falls away."""
    file = config(
        place, 'codex = "/file/codex"\nsocket = "/file/s"\ncodex_home = "/file/home"\ncwd = "/file"\n'
    )
    environ = place.environ | {"CODEX_PATH": "/env/codex", "CODEXD_SOCKET": "/env/s", "CODEX_HOME": ""}
    loaded = load({"codex": "/flag/codex", "socket": "/flag/s"}, environ)
    assert (loaded.socket, loaded.codex_home, loaded.cwd) == (
        Path("/flag/s"),
        Path("/file/home"),
        Path("/file"),
    )
    assert loaded.codex == (
        Choice("/flag/codex", "--codex"),
        Choice("/env/codex", "CODEX_PATH"),
        Choice("/file/codex", str(file)),
    )
    assert loaded.sources["codex"] == "--codex"
    assert load({}, environ).socket == Path("/env/s")
    assert load({}, environ).sources["socket"] == "CODEXD_SOCKET"


def test_paths_on_the_command_line_are_relative_to_where_it_was_typed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon runs elsewhere: a relative path has to become absolute here; a bare program name stays one."""
    monkeypatch.chdir(place.home)
    flags = {"socket": "s", "codex": "./codex", "codex_home": "~/h", "cwd": ".", "log_dir": "../logs"}
    loaded = load(flags, place.environ)
    assert loaded.socket == place.home / "s"
    assert loaded.codex == (Choice(f"{place.home}/codex", "--codex"),)
    assert loaded.codex_home == place.home / "h"
    assert loaded.cwd == place.home
    assert loaded.log_dir == place.root / "logs"
    assert load({"codex": "codex-beta"}, place.environ).codex == (Choice("codex-beta", "--codex"),)
    assert load({}, place.environ | {"CODEX_PATH": "bin/codex"}).codex[0].value == f"{place.home}/bin/codex"
    assert load({}, place.environ | {"CODEX_PATH": "codex-x"}).codex[0].value == "codex-x"


def test_another_codex_home_has_another_socket(place: Place) -> None:
    """Two CODEX_HOMEs are two codexds, which cannot share a socket."""
    home = place.home / "other"
    loaded = load({"codex_home": str(home)}, place.environ)
    assert loaded.socket == place.socket.with_name(f"codexd-{socket_path.home_hash(home)}.sock")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('sokcet = "/x"', "'sokcet' is no setting of codexd; did you mean 'socket'?"),
        ("zzz = 1", "'zzz' is no setting of codexd; they are socket, codex, "),
        ("[section]\nx = 1", "'section' is no setting of codexd"),
        ("socket = 5", "socket is 5; it has to be a path in quotes"),
        ('socket = ""', "socket is ''; it has to be a path in quotes"),
        ('cwd = "here"', "cwd is 'here'; it has to be an absolute path, or one that begins with ~/"),
        ('codex = "bin/codex"', "codex is 'bin/codex'; it has to be an absolute path"),
        ("codex = true", "codex is True; it has to be a path in quotes"),
        ('codex_config = "a=b"', "codex_config is 'a=…'; it has to be a list of \"KEY=VALUE\""),
        ('codex_config = ["a"]', "codex_config is ['a']; it has to be a list of \"KEY=VALUE\""),
        ('codex_config = ["=a"]', "codex_config is ['=…']; it has to be a list of \"KEY=VALUE\""),
        ("codex_config = [1]", 'codex_config is [1]; it has to be a list of "KEY=VALUE"'),
        (
            'codex_config = ["thread_unload_delay_secs = 5"]',
            "it has to be without thread_unload_delay_secs, which codexd sets; `thread_unload_delay_seconds` in",
        ),
        (
            "thread_unload_delay_seconds = -1",
            "thread_unload_delay_seconds is -1; it has to be a number of seconds, 0 or more",
        ),
        ("thread_unload_delay_seconds = true", "is True; it has to be a number of seconds, 0 or more"),
        ("thread_unload_delay_seconds = nan", "is nan; it has to be a number of seconds, 0 or more"),
        ("thread_unload_delay_seconds = inf", "is inf; it has to be a number of seconds, 0 or more"),
        ("control_socket = 'yes'", "control_socket is 'yes'; it has to be true or false"),
        ("request_attestation = 1", "request_attestation is 1; it has to be true or false"),
        ('max_message_bytes = "1"', "max_message_bytes is '1'; it has to be a number of bytes above 0"),
        ("max_message_bytes = 0", "max_message_bytes is 0; it has to be a number of bytes above 0"),
        ('timeline = "maybe"', 'timeline is \'maybe\'; it has to be "on" or "off"'),
        ("timeline = true", 'timeline is True; it has to be "on" or "off"'),
        ("timeline_days = 0", "timeline_days is 0; it has to be a number of days above 0"),
        ("timeline_days = inf", "timeline_days is inf; it has to be a number of days above 0"),
        ("timeline_days = true", "timeline_days is True; it has to be a number of days above 0"),
        ('timeline_days = "14"', "timeline_days is '14'; it has to be a number of days above 0"),
        ("timeline_bytes = 0", "timeline_bytes is 0; it has to be a number of bytes above 0"),
        ("max_outbox_bytes = true", "max_outbox_bytes is True; it has to be a number of bytes above 0"),
        ('log_level = "loud"', "log_level is 'loud'; it has to be one of debug, info, warning, error"),
        ("log_content = 1", "log_content is 1; it has to be true or false"),
        ('client_name = "ü"', "client_name is 'ü'; it has to be a name of printable ASCII characters"),
        ('client_name = " "', "client_name is ' '; it has to be a name of printable ASCII characters"),
        ("client_name = 7", "client_name is 7; it has to be a name of printable ASCII characters"),
        ("max_buffered_bytes = 10", "max_buffered_bytes (10) is less than max_message_bytes (134217728)"),
        ("socket = ", "is not TOML"),
        ("environment = 1", "line 1: environment: it has to be a table, as in: [environment]"),
        (
            '[environment]\nMY_KEY = "s3cret"',
            "environment: unknown key 'MY_KEY'; the keys are pass, set, unset and login_shell",
        ),
        ("[environment]\nlogin_shell = 0", "environment: login_shell has to be true or false"),
        ('[environment]\npass = "A"', 'pass has to be a list of names of variables, as in ["GITHUB_*"]'),
        ("[environment]\nunset = [1]", "unset has to be a list of names of variables"),
        ('[environment]\npass = ["MY_KEY=s3cret"]', "as wildcards; 'MY_KEY' is not one"),
        (
            '[environment]\nunset = [""]',
            "unset takes names of variables, with * and ? as wildcards; ''",
        ),
        (
            '[environment]\nset = ["A"]',
            'set has to be a table of names and strings, as in { EDITOR = "vim" }',
        ),
        ('[environment]\nset = { "A=" = "s3cret" }', "set: 'A=' is not the name of a variable"),
        ("[environment]\nset = { A = 1 }", "set: A has to be a string in quotes"),
        ('[environment]\nset = { A = "s3cret\\u0000" }', "set: A has to be a string in quotes"),
        (
            '[environment]\nset = { HOME = "/" }',
            "set: HOME is not allowed here: Codex has the HOME of codexd",
        ),
        (
            '[environment]\npass = ["CODEX_HOME"]',
            "pass: CODEX_HOME is not allowed here: use the setting `codex_home`",
        ),
    ],
)
def test_a_wrong_file_is_refused(place: Place, text: str, complaint: str) -> None:
    """A mistake in the file is an error that names the key, the value and what is wanted; none is passed over."""
    config(place, text)
    with pytest.raises(UsageError) as refusal:
        load({}, place.environ)
    assert complaint in str(refusal.value)
    assert "s3cret" not in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_a_file_that_is_no_text_is_refused(place: Place) -> None:
    """Bytes that are no UTF-8 are an error of the file, not of codexd."""
    config(place, "").write_bytes(b"socket = \xff")
    with pytest.raises(UsageError, match="is not TOML"):
        load({}, place.environ)


def test_a_wrong_flag_names_the_flag(place: Place) -> None:
    """What is wrong on the command line is said in the words of the command line."""
    with pytest.raises(UsageError, match=r"--codex-config is \['model'\]; it has to be a list of"):
        load({"codex_config": ["model"]}, place.environ)


def test_a_file_that_was_asked_for_has_to_be_there(place: Place) -> None:
    """A config file that somebody named and that is missing is a mistake; the default one may be missing."""
    with pytest.raises(UsageError, match=r"no config file /nowhere/c\.toml, which --config names"):
        load({"config": "/nowhere/c.toml"}, place.environ)
    with pytest.raises(UsageError, match=r"no config file /nowhere/c\.toml, which CODEXD_CONFIG names"):
        load({}, place.environ | {"CODEXD_CONFIG": "/nowhere/c.toml"})
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load({"config": str(place.home)}, place.environ)


def test_the_named_file_is_the_one_that_is_read(place: Place) -> None:
    """--config stands above CODEXD_CONFIG, and either takes the place of the default file."""
    config(place, 'client_name = "default"')
    one, two = place.home / "one.toml", place.home / "two.toml"
    one.write_text('client_name = "one"')
    two.write_text('client_name = "two"')
    environ = place.environ | {"CODEXD_CONFIG": str(one)}
    assert load({}, environ).client_name == "one"
    assert load({"config": str(two)}, environ).client_name == "two"


def test_a_socket_path_that_is_too_long_is_said(place: Place) -> None:
    """A path that does not fit into a socket's address is an error that says so, before anything is made."""
    with pytest.raises(
        UsageError, match=r"is 20\d bytes long, and a socket's address holds 10\d; give a shorter"
    ):
        load({"socket": "/tmp/" + "x" * 200}, place.environ)


def test_the_line_of_a_mistake_is_named(place: Place) -> None:
    """However the key is spelt, and wherever in the file it stands."""
    for text, line in (
        ("\n# sokcet\nsokcet = 1", 3),
        ('log_level = "info"\n  "sokcet" = 1', 2),
        ("\n[sokcet]\nx = 1", 2),
        ("sokcet.x = 1", 1),
        ('"sok\\u0063et" = 1', 1),
    ):
        config(place, text)
        with pytest.raises(UsageError, match=rf"config.toml, line {line}: 'sokcet' is no setting"):
            load({}, place.environ)


def test_mistakes_may_be_noted_and_count_as_not_given(place: Place) -> None:
    """`codexd stop` must not need a file without one; the rest of the file holds."""
    config(place, 'log_content = true\nsokcet = 1\ntimeline_days = "many"\nmax_buffered_bytes = 1\n')
    problems: list[str] = []
    loaded = load({}, place.environ, problems)
    assert (loaded.log_content, loaded.timeline_days) == (True, 14.0)
    assert [problem.partition(" ")[2][:20] for problem in problems] == [
        "line 2: 'sokcet' is ",
        "line 3: timeline_day",
        "(1) is less than max",
    ]
    assert loaded.max_buffered_bytes > loaded.max_message_bytes


def test_a_file_that_cannot_be_read_at_all_may_be_noted(place: Place) -> None:
    """The defaults hold then; one that was named and is missing is an error all the same."""
    config(place, "= what")
    problems: list[str] = []
    assert load({}, place.environ, problems).log_level == "info"
    assert "is not TOML: Invalid statement (at line 1, column 1)" in problems[0]
    with pytest.raises(UsageError, match=r"there is no config file /nowhere\.toml"):
        load({"config": "/nowhere.toml"}, place.environ, problems)
