import json
import os
import subprocess
import sys

import pytest

from codexctl import send
from codexctl.exits import Exit
from codexctl.main import main
from tests.codexctl.standin import THREAD, completed, saying, turn

HEAVY = {"trio", "msgspec", "rich", "platformdirs", "psutil", "typing_extensions", "sniffio", "attr"}
UNUSED = {
    *("codexctl.start", "subprocess", "asyncio", "codexd.protocol.messages"),
    *("codexctl.asking", "codexctl.decisions", "codexctl.screen", "hashlib", "pathlib", "shutil"),
}

SHOW_MODULES = """
import json, sys
from codexctl.main import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def program(*argv, stdout, stderr=None, **environ):
    """`codexctl` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "codexctl.main", *argv],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environ},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )


@pytest.mark.parametrize(
    "argv", [["status", "--json"], ["send", "hello"], ["send", "-c", "hello"], ["threads"]]
)
def test_a_command_loads_what_it_needs_and_no_more(codexd, argv):
    """Nothing outside the standard library; of that neither asyncio nor dataclasses, which cost as much as the rest.

    What a terminal needs is not loaded where there is none, what a question takes not before there is one, and
    starting codexd not where it runs.
    """
    codexd.answers["turn/start"] = ({"turn": turn("inProgress")}, *saying("Hello"), completed())
    done = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES, *argv],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "COVERAGE_PROCESS_START": "",
            "COVERAGE_PROCESS_CONFIG": "",
        },
        cwd=os.getcwd(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    loaded = {module.split(".")[0] for module in modules}
    assert loaded & HEAVY == set()
    assert {"codexctl.main", "codexctl.client"} <= set(modules)
    assert UNUSED & set(modules) == set()


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        (KeyboardInterrupt(), Exit.INTERRUPTED, ""),
        (TimeoutError(), Exit.TIMED_OUT, "codexctl: the time limit has passed\n"),
    ],
)
def test_an_end_has_its_exit_code(codexctl, capsys, monkeypatch, raised, code, sentence):
    """Wherever in the command it came."""

    def run(arguments):
        raise raised

    monkeypatch.setattr(send, "run", run)
    assert codexctl("send", "x") == code
    assert capsys.readouterr() == ("", sentence)


def test_a_socket_path_that_is_too_long_is_wrong_usage(codexctl, capsys):
    """With the sentence that says how long it is."""
    assert codexctl("status", "--socket", "/tmp/" + "x" * 200) == 2
    assert "is 205 bytes long" in capsys.readouterr().err


def test_text_that_cannot_be_written_is_written_out(codexd):
    """A lone surrogate from somewhere does not end the command in a traceback."""
    codexd.answers["echo"] = {"text": "\ud83d"}
    done = program("rpc", "echo", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, b'{"text": "\\ud83d"}\n')


def test_a_full_disk_costs_what_would_have_gone_there(codexd):
    """stdout on it: a sentence and exit code 1. stderr on it: the reply is whole, and the exit code the command's own."""
    codexd.answers["echo"] = {"text": "hi"}
    with open("/dev/full", "wb") as full:
        lost = program("rpc", "echo", stdout=full, stderr=subprocess.PIPE)
        unsaid = program("rpc", "echo", stdout=subprocess.PIPE, stderr=full)
        failed = program("threads", "show", "nothing", stdout=subprocess.PIPE, stderr=full)
    sentence = b"codexctl: stdout cannot be written to: No space left on device\n"
    assert (lost.returncode, lost.stderr) == (1, sentence)
    assert (unsaid.returncode, unsaid.stdout) == (0, b'{"text": "hi"}\n')
    assert failed.returncode == 1


def test_a_stderr_that_nobody_reads_costs_nothing_else():
    """`codexctl … 2> >(head -1)` does not end when the head does."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = program("frobnicate", stdout=subprocess.PIPE, stderr=write_end)
    os.close(write_end)
    assert done.returncode == 2


def test_help_on_a_full_disk_is_no_traceback():
    """The command line is read before there is a verb."""
    with open("/dev/full", "wb") as full:
        done = program("--help", stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)


def test_words_for_codex_that_are_no_unicode_are_wrong_usage(codexd, codexctl, capsys):
    """Codex could not read them."""
    assert codexctl("threads", "rename", THREAD, "a\udcff") == 2
    assert capsys.readouterr().err == "codexctl: an argument is not valid UTF-8\n"


def test_a_reader_that_leaves_ends_the_command_quietly(codexd):
    """As `codexctl threads | head -1` should: by SIGPIPE, without a traceback."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "codexctl.main", "status"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=write_end,
        stderr=subprocess.PIPE,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (-13, b"")


def test_the_program_is_main():
    """`python -m codexctl.main` and the installed `codexctl` are the same."""
    done = subprocess.run(
        [sys.executable, "-m", "codexctl.main", "frobnicate"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 2
    with pytest.raises(SystemExit):
        main(["--version"])
