import pytest

from codexctl.client import RpcError
from codexctl.endings import ended
from codexctl.exits import Exit, Failure
from codexd.protocol.errors import Unavailable
from codexd.protocol.socket_path import SocketPathTooLong


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        (Failure(Exit.DECLINED, "declined"), Exit.DECLINED, "declined"),
        (Unavailable("gone"), Exit.UNAVAILABLE, "gone"),
        (RpcError(-32050, "no Codex"), Exit.UNAVAILABLE, "no Codex"),
        (RpcError(-32600, "wrong"), Exit.FAILED, "wrong"),
        (SocketPathTooLong("too long"), Exit.USAGE, "too long"),
        (TimeoutError(), Exit.TIMED_OUT, "the time limit has passed"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, ""), Exit.USAGE, "an argument is not valid UTF-8"),
    ],
)
def test_every_end_has_a_sentence_and_an_exit_code(capsys, raised, code, sentence):
    """In the name of the program that ran."""

    def run():
        raise raised

    assert ended("prog", run) == code
    assert capsys.readouterr() == ("", f"prog: {sentence}\n")


def test_an_interrupt_is_quiet(capsys):
    """The user knows what they did; and a run that succeeds has its own code."""

    def run():
        raise KeyboardInterrupt

    assert ended("prog", run) == Exit.INTERRUPTED
    assert ended("prog", lambda: Exit.DONE) == Exit.DONE
    assert capsys.readouterr() == ("", "")
