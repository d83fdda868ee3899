"""What doctor says of the environment of Codex: names, and no values."""

import pwd
import resource

import psutil
import pytest

from codexd.protocol.running import Holder
from codexd.service import locks
from codexd.service.codex_environment import environment_of_codex, in_words
from tests.service.place import Place


def test_the_environment_of_the_one_that_runs(place: Place) -> None:
    """What counts is what the Codex has that runs, not the shell that asks; it is not always to be had."""
    place.codex()
    process = place.start("run", env={"OPENAI_API_KEY": "s3cret", "ONLY_THERE": "x"})
    place.wait_until_listening(process)
    assert place.run("start").returncode == 0
    pid = place.ask("codexd/status")["result"]["codex"]["pid"]
    instance = place.instance()
    here = instance._replace(environ={**instance.environ, "OPENAI_API_KEY": "s3cret-too", "ONLY_HERE": "x"})
    there, findings = environment_of_codex(here)
    assert (there["of"], findings) == (f"the Codex that runs (pid {pid})", [])
    assert "OPENAI_API_KEY" in there["names"]
    assert {"ONLY_HERE", "PYTHONPATH"} <= set(there["missing"])
    assert {"PATH", "OPENAI_API_KEY"} <= set(there["different"])
    assert "TERM" in there["extra"]
    assert "ONLY_THERE" not in str(there)
    assert "s3cret" not in str(there)
    lines = in_words(there)
    assert lines[0] == f"the environment of the Codex that runs (pid {pid}) (docs/environment.md)"
    assert any(line.startswith("  only in this shell: ") and "ONLY_HERE" in line for line in lines)
    place.end(process)
    lock = place.instance().home_lock()
    with locks.held(lock, Holder(process.pid, str(place.socket), str(place.codex_home))):
        gone, _ = environment_of_codex(place.instance())
    assert gone["of"].endswith("; the environment of the running one cannot be read")


def test_no_codex_just_now(place: Place) -> None:
    """It has died, say, and the next one is not there yet: what that will have is shown."""
    place.codex()
    process = place.start("run")
    place.wait_until_listening(process)
    place.run("start")
    (place.bin / "codex").unlink()
    psutil.Process(place.ask("codexd/status")["result"]["codex"]["pid"]).kill()
    while place.ask("codexd/status")["result"]["codex"]["pid"] is not None:
        assert process.poll() is None
    assert environment_of_codex(place.instance())[0]["of"].endswith(
        "; the environment of the running one cannot be read"
    )
    place.end(process)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("me:s3cret@proxy:80", "…@proxy:80"),
        ("http://me:s3/cret@proxy:80", "http://…@proxy:80"),
        ("socks5h://me:s3@cret@proxy:80", "socks5h://…@proxy:80"),
        ("http://proxy:80", "http://proxy:80"),
    ],
)
def test_the_password_of_a_proxy_is_not_shown(place: Place, value: str, shown: str) -> None:
    """However it is written."""
    place.codex()
    instance = place.instance()
    handed, _ = environment_of_codex(instance._replace(environ={**instance.environ, "all_proxy": value}))
    assert handed["shown"]["all_proxy"] == shown
    assert "s3" not in str(handed)


def test_limits_that_are_left(place: Place) -> None:
    """Only root could undo a hard limit: doctor says it of the codexd that runs, not only the log of its start."""
    place.codex()
    limit = 1 << 40
    process = place.start("run", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    place.wait_until_listening(process)
    _, findings = environment_of_codex(place.instance())
    assert [finding.text for finding in findings] == [
        f"the process that started codexd has limited the size of a file (ulimit -f) to {limit} for codexd and its processes"
    ]
    place.end(process)


def test_a_login_shell_that_does_not_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what a codexd that is started now would find."""
    user = pwd.struct_passwd(("me", "x", 0, 0, "", str(place.home), str(place.program("shell", "exit"))))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    _, findings = environment_of_codex(place.instance())
    assert [finding.name for finding in findings] == ["login shell"]
    assert "ended without printing its environment" in findings[0].text
