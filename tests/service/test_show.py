"""status and logs."""

import json
import os
import signal
import time

import pytest

from codexd.protocol.errors import Unavailable
from codexd.service import show
from tests.service.place import Place


def test_status_of_nothing(place: Place) -> None:
    """Where no codexd runs, status says so and what to do, with exit code 3."""
    done = place.run("status")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "codexd: codexd is not running; start it with: codexd start\n"


def test_status_in_words_and_as_json(place: Place) -> None:
    """For people one line for each thing; for programs what the socket answers, as one line."""
    place.codex()
    process = place.start("run")
    place.wait_until_listening(process)
    words = place.run("status").stdout
    assert f"0.1.0, pid {process.pid}, up " in words
    assert str(place.socket) in words
    report = json.loads(place.run("status", "--json").stdout)
    assert report["codexd"]["pid"] == process.pid
    assert report["codex"]["restarts"] == 0


def test_status_wakes_nobody(place: Place) -> None:
    """A socket that systemd listens on is not touched by a look: that would start codexd."""
    place.socket.parent.mkdir()
    with place.listener() as listener:
        assert place.run("status").returncode == 3
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_status_of_a_codexd_that_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codexd that runs and does not answer is told apart from one that does not run."""
    monkeypatch.setattr(show, "ANSWER_SECONDS", 0.05)
    place.codex()
    process = place.start("run")
    place.wait_until_listening(process)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(
        Unavailable, match=rf"codexd runs \(pid {process.pid}\) and does not answer: no answer on"
    ):
        show.status(place.instance(), as_json=False)
    process.send_signal(signal.SIGCONT)


def test_status_imports_no_event_loop() -> None:
    """status is typed often: neither trio nor msgspec, psutil or platformdirs' 20 ms more than once."""
    done = Place.python("import codexd.service.main, codexd.service.show, sys; print(*sys.modules)")
    assert not {"trio", "msgspec", "psutil", "platformdirs", "rich"} & set(done.split())


def test_words_for_codex() -> None:
    """Every state of Codex can be said, the bad ones with their reason."""
    codex = {
        "state": "ready", "version": "0.163.0", "pid": 5, "restarts": 0, "reason": None, "schemaProblem": None,
    }  # fmt: skip
    assert show._codex_in_words(codex) == "0.163.0, ready, pid 5"
    codex |= {"state": "exited", "version": None, "pid": None, "restarts": 4, "reason": "it died"}
    assert show._codex_in_words(codex) == "exited, restarted 4 times, it died"
    codex |= {"restarts": 0, "reason": None, "schemaProblem": "no schema"}
    assert show._codex_in_words(codex) == "exited, no schema; experimental methods are not held back"
    codex |= {"schemaProblem": None, "loginIsStale": True}
    assert show._codex_in_words(codex).startswith("exited, the login has changed, and is taken up")


def test_a_codex_that_was_updated_is_shown_beside_the_one_that_runs(place: Place) -> None:
    """With the command that changes over; while they are the same there is nothing to say."""
    place.codex()  # one that says 0.0.1 of itself when it runs
    assert place.run("start").returncode == 0
    assert "installed   Codex 0.163.0, which takes over with: codexd restart" in place.run("status").stdout
    report = json.loads(place.run("status", "--json").stdout)
    assert "installed" not in show._in_words(report, None)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.9, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (86400 * 3 + 1, "3 d")]
)
def test_durations(seconds: float, words: str) -> None:
    """One unit is enough."""
    assert show._duration(seconds) == words


def test_logs_of_nothing(place: Place) -> None:
    """Without a log there is a sentence about where it would be."""
    done = place.run("logs")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"codexd: there is no log yet: codexd writes it to {place.log}")


def test_logs_are_the_last_lines(place: Place) -> None:
    """The end of the log is what somebody wants who asks for it."""
    place.log.parent.mkdir(parents=True)
    place.log.write_text("".join(f"line {number}\n" for number in range(500)))
    lines = place.run("logs").stdout.splitlines()
    assert (len(lines), lines[-1]) == (200, "line 499")


def test_logs_are_followed_through_rotations(place: Place) -> None:
    """`-f` goes on with what comes, in the new file when the old one was moved away; Ctrl-C ends it."""
    place.log.parent.mkdir(parents=True)
    place.log.write_text("one\n")
    process = place.start("logs", "-f")
    assert place.wait_for_line(process.stdout, "one")
    with place.log.open("a") as file:
        file.write("two\n")
    assert place.wait_for_line(process.stdout, "two")
    place.log.rename(place.log.with_name("moved"))
    place.log.write_text("three\n")
    assert place.wait_for_line(process.stdout, "three")
    assert place.end(process, signal.SIGINT) == 130


def test_a_log_that_is_gone_for_an_instant(place: Place) -> None:
    """Between the move and the new file there is none: that is no end."""
    place.log.parent.mkdir(parents=True)
    place.log.write_text("one\n")
    with place.log.open() as file:
        assert not show._has_been_replaced(place.log, file.fileno())
        place.log.unlink()
        assert not show._has_been_replaced(place.log, file.fileno())


def test_nobody_reads_the_log_to_its_end(place: Place) -> None:
    """`codexd logs | head -1` ends quietly."""
    place.log.parent.mkdir(parents=True)
    place.log.write_text("line\n" * 200)
    reading, writing = os.pipe()
    process = place.start("logs", "-f", stdout=writing)
    os.close(writing)
    os.close(reading)
    while process.poll() is None:
        with place.log.open("a") as file:
            file.write("more\n")
        time.sleep(0.01)
    assert (process.returncode, process.communicate()[1]) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize(("flags", "more"), [((), "--no-pager"), (("-f",), "--follow")])
def test_logs_of_the_service_are_the_journals(place: Place, flags: tuple[str, ...], more: str) -> None:
    """What runs under systemd logs to the journal."""
    place.systemctl().has_installed()
    place.program("journalctl", 'echo "$@"')
    assert place.run("logs", *flags).stdout == f"--user --unit=codexd.service --lines=200 {more}\n"
