"""codexd's command line as a whole: which command runs, and how it ends."""

import json
import os
import subprocess
import sys

import pytest

from codexd.service import show
from codexd.service.command import INTERRUPTED
from codexd.service.main import main
from tests.service.place import Place


def test_help_and_version(place: Place) -> None:
    """Both modules and the module of the command line are codexd; help names every command."""
    done = place.run("--help")
    assert done.returncode == 0
    for command in ("run", "start", "stop", "restart", "status", "logs", "install", "uninstall", "doctor"):
        assert f"\n    {command}" in done.stdout
    as_module = [sys.executable, "-P", "-m", "codexd.service.main", "--version"]
    assert place.run(args=as_module).stdout == place.run("--version").stdout == "codexd 0.1.0\n"


def test_mistakes_end_with_two(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line and a wrong config file are both the user's to mend: exit code 2, said on stderr."""
    assert main(["strat"]) == 2
    assert capsys.readouterr().err.startswith(
        "codexd: there is no command 'strat'; did you mean 'start'?\nusage: "
    )
    assert main(["status", "--config", "/nowhere.toml"]) == 2
    assert capsys.readouterr().err == "codexd: there is no config file /nowhere.toml, which --config names\n"


def test_what_is_unavailable_ends_with_three(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """No codexd, no Codex, no systemd: exit code 3."""
    assert main(["status"]) == 3
    assert capsys.readouterr().err.startswith("codexd: codexd is not running; ")
    assert place.run("run", "--codex", "/nowhere").returncode == 3
    assert place.run("install").returncode == 3


def test_what_fails_ends_with_one(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that cannot do what it was asked: exit code 1."""
    assert main(["logs"]) == 1
    assert capsys.readouterr().err.startswith("codexd: there is no log yet")


def test_an_interrupt_ends_with_130(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no traceback."""

    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "logs", interrupt)
    assert main(["logs"]) == INTERRUPTED == 130


def test_the_daemon_is_loaded_by_run_alone(place: Place) -> None:
    """What every other command has no use for is not imported: it would be most of its time."""
    script = (
        "import sys; from codexd.service.main import main;"
        "codes = [main([*a.split(), '--codex-home', '/x']) for a in sys.argv[1:]];"
        "print(codes, {'trio', 'msgspec', 'psutil'} & set(sys.modules))"
    )
    argv = [sys.executable, "-c", script, "status", "stop", "logs", "uninstall"]
    done = subprocess.run(argv, env=place.environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[3, 0, 1, 0] set()"


def test_what_ends_well_ends_with_zero(place: Place) -> None:
    """A daemon that was told to stop has done its work; a doctor that finds nothing broken, too."""
    place.codex()
    process = place.start("run")
    place.wait_until_listening(process)
    assert place.run("status").returncode == 0
    assert place.run("doctor").returncode == 0
    assert place.run("stop").returncode == 0
    assert process.wait() == 0
    assert place.run("start").returncode == 0


def test_a_reader_that_has_read_enough(place: Place) -> None:
    """`codexd --help`, status or doctor into a pipe that is closed early is no traceback."""
    place.codex()
    reading, writing = os.pipe()
    os.close(reading)
    process = place.start("doctor", stdout=writing)
    os.close(writing)
    assert process.communicate()[1] == ""
    assert process.returncode == 1


def test_arguments_default_to_the_command_line(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point of the installed program takes no arguments."""
    monkeypatch.setattr(sys, "argv", ["codexd", "stop"])
    assert main() == 0


def test_restart_without_anything_running(place: Place) -> None:
    """There is nothing whose options could be kept: it is a start."""
    place.codex()
    done = place.run("restart")
    assert done.returncode == 0
    assert done.stdout.startswith("codexd is not running\ncodexd started (pid ")


def test_a_directory_that_cannot_be_meant_is_ignored(place: Place) -> None:
    """What `su` or a session that has ended leaves in the environment: said once, and everybody finds one codexd."""
    place.codex()
    gone = {"XDG_RUNTIME_DIR": str(place.root / "gone")}
    warning = f"XDG_RUNTIME_DIR={place.root}/gone cannot be used (No such file or directory), and is ignored"
    assert place.run("start").returncode == 0
    status = place.run("status", "--json", env=gone)
    assert (status.returncode, status.stderr) == (0, f"codexd: {warning}\n")
    assert json.loads(status.stdout)["codexd"]["socket"] == str(place.socket)
    restarted = place.run("restart", env={"XDG_STATE_HOME": "state"})
    assert restarted.returncode == 0
    assert restarted.stderr == "codexd: XDG_STATE_HOME=state is no absolute path, and is ignored\n"
    assert place.run("stop").returncode == 0


def test_a_mistake_in_the_config_file_does_not_keep_anybody_from_stopping_codexd(place: Place) -> None:
    """Only who is to start needs valid settings; the others say what is wrong, with its line, and go on."""
    place.codex()
    assert place.run("start").returncode == 0
    file = place.root / "config" / "codexd" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("\ntimeline_dais = 3")
    warning = "config.toml, line 2: 'timeline_dais' is no setting of codexd; did you mean 'timeline_days'?"
    for command in (("status",), ("logs",), ("stop",)):
        done = place.run(*command)
        assert done.returncode == 0, done.stderr
        assert f"{warning}; this is ignored here\n" in done.stderr
    for command in (("start",), ("restart",), ("run",)):
        done = place.run(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert warning in done.stderr
    doctor = place.run("doctor")
    assert warning in doctor.stdout
    assert str(place.codex_home) in doctor.stdout
