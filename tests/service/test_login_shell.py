"""Asking the user's shell for the environment of a login, with shells that are real ones and shells that are not."""

import os
import threading
from pathlib import Path

import psutil
import pytest

from codexd.service.login_shell import SECONDS, VARIABLE, LoginShell, NotTold, is_asked
from tests.service.place import Place


def asked(place: Place, shell: Path | str, seconds: float = SECONDS, **environ: str) -> dict[str, str]:
    """What a shell says in this place."""
    surroundings = {"HOME": str(place.home), "PATH": "/usr/bin:/bin", "SHELL": str(shell), **environ}
    question = LoginShell(surroundings, seconds)
    question.begin()
    return question.answer()


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_what_start_up_files_say(place: Place, shell: str) -> None:
    """Those of a login shell, and of an interactive one; what they print is not taken for a variable."""
    (place.home / ".profile").write_text(
        "echo WRONG=1; PATH=/profile:$PATH; export MINE='a\nb' ASKED=$CODEXD_ASKS_SHELL; export ENV=~/.shrc\n"
    )
    said = asked(place, shell, GIVEN="1")
    assert said["PATH"].startswith("/profile:")
    assert (said["MINE"], said["ASKED"], said["GIVEN"]) == ("a\nb", str(os.getpid()), "1")
    assert said.keys().isdisjoint({"WRONG", VARIABLE, "PWD", "OLDPWD", "SHLVL", "_"})


@pytest.mark.parametrize(
    "command",
    [r"printf '\033]0;%s\007' \"$BASH_COMMAND\"", r"printf '%s\n' \"$BASH_COMMAND\""],
)
def test_a_shell_that_prints_each_command(place: Place, command: str) -> None:
    """As for the title of a window: what it prints becomes no variable, spoils none, and is not taken for a mark."""
    functions = "f() { :; }; export -f f\n"
    (place.home / ".bash_profile").write_text(f'{functions}trap "{command}" DEBUG\n')
    said = asked(place, "/bin/bash", GIVEN="1")
    assert said.keys() >= {"HOME", "PATH", "SHELL", "GIVEN", "BASH_FUNC_f%%"}
    assert all(name.replace("%%", "").isidentifier() for name in said)


def test_whether_a_process_is_run_by_a_shell_that_is_asked() -> None:
    """What start-up files leave running keeps the variable when nobody asks any more."""
    assert not is_asked({})
    assert is_asked({VARIABLE: str(os.getppid())})
    assert not is_asked({VARIABLE: str(os.getpid())})


def test_a_file_for_interactive_shells(place: Place) -> None:
    """nvm and pyenv write into `.bashrc`, which ends at once in a shell that is not interactive."""
    (place.home / ".bashrc").write_text("case $- in *i*) ;; *) return;; esac\nexport PATH=/rc:$PATH\n")
    (place.home / ".bash_profile").write_text(". ~/.bashrc\n")
    assert asked(place, "/bin/bash")["PATH"].startswith("/rc:")


def test_csh_takes_other_options(place: Place) -> None:
    """It refuses -l with anything else."""
    said = asked(place, place.program("tcsh", '[ "$1" = -ic ] && export OPTIONS="$1"; eval "$2"'))
    assert said["OPTIONS"] == "-ic"


def test_a_name_and_a_value_that_are_no_text(place: Place) -> None:
    """They come back as they were."""
    shell = place.program("shell", 'export BROKEN=$(printf "\\377"); eval "$2"')
    assert os.fsencode(asked(place, shell)["BROKEN"]) == b"\xff"


def test_what_start_up_files_leave_running_is_left_alone(place: Place) -> None:
    """An agent keeps the pipe open that it inherits: nobody waits for its end, and it goes on."""
    note = place.root / "pid"
    (place.home / ".profile").write_text(f"sleep 1000 & echo $! >{note}; export AGENT=1\n")
    assert asked(place, "/bin/sh")["AGENT"] == "1"
    agent = psutil.Process(int(note.read_text()))
    assert agent.is_running()
    agent.kill()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit", "ended without printing its environment"),
        ("echo no; exit 3", "ended without printing its environment"),
        ("exec sleep 1000", r"did not print its environment within 0.2 seconds"),
        ("sleep 1000", r"did not print its environment within 0.2 seconds"),
    ],
)
def test_a_shell_that_does_not_say_it(place: Place, script: str, why: str) -> None:
    """It is ended, with what it runs."""
    with pytest.raises(NotTold, match=why):
        asked(place, place.program("shell", script), 0.2)
    assert place.strays() == []


def test_one_that_says_too_much(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to it."""
    monkeypatch.setattr("codexd.service.login_shell._MOST_BYTES", 100)
    with pytest.raises(NotTold, match="ended without"):
        asked(place, place.program("shell", "exec yes"))
    assert place.strays() == []


def test_one_that_cannot_be_run(place: Place) -> None:
    """As when the passwd file names a shell that was removed."""
    with pytest.raises(NotTold, match="cannot be run: No such file or directory"):
        asked(place, "/nowhere/zsh")


def test_one_that_does_not_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has said counts; it is not waited for at length."""
    monkeypatch.setattr("codexd.service.login_shell._END_SECONDS", 0.05)
    shell = place.program("shell", 'export SAID=1; eval "$2"; exec sleep 1000')
    assert asked(place, shell)["SAID"] == "1"
    assert place.strays() == []


def test_nobody_waits_any_more(place: Place) -> None:
    """Whoever asks is told at once that there is no answer; a question that is only then begun ends at once, too."""
    surroundings = {
        "HOME": str(place.home),
        "PATH": "/usr/bin:/bin",
        "SHELL": str(place.program("shell", "sleep 1000")),
    }
    question = LoginShell(surroundings)
    question.abandon()
    question.begin()
    with pytest.raises(NotTold, match="ended"):
        question.answer()
    late = LoginShell(surroundings)
    late.begin()
    threading.Timer(0.05, late.abandon).start()
    with pytest.raises(NotTold, match="ended"):
        late.answer()
    assert place.strays() == []
