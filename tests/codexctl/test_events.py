import json
import os
import signal

import pytest

from codexctl import coming_back
from tests.codexctl.standin import THREAD, numbered

GAP = "codexctl: some events between {} and {} may be missing: they are older than what is kept, or were lost with a codexd that was killed\n"


@pytest.fixture
def events(codexctl, capfd):
    """Runs `codexctl events`; its exit code, stdout and stderr. The file descriptors are the ones that are watched."""

    def run(*argv):
        code = codexctl("events", *argv)
        out, err = capfd.readouterr()
        return code, out, err

    return run


def kept(*seqs):
    return [{"seq": seq, "at": 1.5, "method": "m", "params": {"threadId": THREAD}} for seq in seqs]


def pages(*answers):
    left = [*answers]
    return lambda connection, params: left.pop(0)


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def seqs(out):
    return [json.loads(line)["seq"] for line in out.splitlines()]


def test_all_that_is_kept_is_printed(events, codexd):
    """Of all threads, page by page; that there was something before what is kept is nothing to say."""
    codexd.answers["codexd/events/read"] = pages(
        {"events": kept(5, 6), "last": 7, "gap": {"from": 1, "to": 4}},
        {"events": kept(7), "last": 7},
        {"events": [], "last": 7},
    )
    code, out, err = events("--json")
    assert (code, seqs(out), err) == (0, [5, 6, 7], "")
    assert codexd.requests("codexd/events/read") == [
        {"threadId": None, "after": after} for after in (0, 6, 7)
    ]
    assert codexd.requests("initialize") == []


def test_what_is_missing_is_said_to_who_asked_for_it(events, codexd):
    """And to everybody, when it is in the middle of what there is."""
    front = {"events": kept(5), "last": 9, "gap": {"from": 3, "to": 4}}
    end = {"events": [], "last": 9, "gap": {"from": 6, "to": 9}}
    codexd.answers["codexd/events/read"] = pages(front, end)
    assert events("--json", "--after", "2")[2] == GAP.format(3, 4) + GAP.format(6, 9)
    codexd.answers["codexd/events/read"] = pages(front | {"gap": {"from": 1, "to": 7}}, end | {"gap": None})
    assert events("--json")[2] == GAP.format(1, 7)


def test_one_thread_is_named_by_its_id_or_a_beginning(events, codexd):
    """A whole id costs no handshake."""
    codexd.answers["codexd/events/read"] = {"events": [], "last": 0}
    for named in (THREAD, THREAD[:13]):
        assert events(named) == (0, "", "")
    assert codexd.requests("codexd/events/read") == [{"threadId": THREAD, "after": 0}] * 2
    assert len(codexd.requests("thread/list")) == 2
    assert events("nobody")[0] == 1


def test_a_timeline_that_is_not_well_is_told(events, codexd):
    """Once, on stderr."""
    timeline = codexd.answers["codexd/status"]["timeline"]
    codexd.answers["codexd/events/read"] = {"events": [], "last": 0}
    timeline |= {"state": "degraded", "problem": "the disk is full"}
    assert events() == (0, "", "codexctl: events may be missing: the disk is full\n")
    timeline |= {"state": "off", "problem": None}
    said = 'codexctl: events are not kept on disk (timeline = "off" in codexd\'s settings), only the newest in memory\n'
    assert events() == (0, "", said)


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_a_warning_to_all_threads_is_said_on_stderr(events, codexd, monkeypatch, how):
    """It has no number and is no event; whatever else has none is nothing to tell."""
    monkeypatch.setattr(coming_back, "PATIENCE_SECONDS", 0.0)

    def follow(connection, params):
        codexd.path.unlink()
        return (
            {"last": 6},
            {"method": "account/rateLimits/updated", "params": {}},
            {"method": "warning", "params": {"threadId": None, "message": "Codex is left down"}},
            numbered(7, "warning", message="of the thread"),
            connection.hang_up,
        )

    codexd.answers["codexd/events/follow"] = follow
    _, out, err = events("-f", *how)
    assert err.startswith("codexctl: Codex is left down\ncodexctl: codexd closed the connection;")
    assert "of the thread" in out
    assert "left down" not in out


def test_following_begins_now_unless_it_is_said(events, codexd):
    """Until Ctrl-C, which is exit 130."""
    codexd.answers["codexd/events/follow"] = ({"last": 1}, ctrl_c)
    assert events("-f") == (130, "", "")
    assert events("-f", "--after", "0")[0] == 130
    lastly = codexd.answers["codexd/status"]["timeline"]["lastSeq"]
    assert [one["after"] for one in codexd.requests("codexd/events/follow")] == [lastly, 0]


def test_a_lost_connection_is_made_again_and_goes_on_from_the_cursor(events, codexd, monkeypatch):
    """What is told on both is printed once; what is missing is said. Where codexd does not come back, exit 3."""

    def follow(connection, params):
        if params["after"] == 4:
            return {"last": 6}, numbered(5, "m", at=1.5), connection.hang_up
        codexd.path.unlink()
        monkeypatch.setattr(coming_back, "PATIENCE_SECONDS", 0.0)
        return (
            {"last": 9, "gap": {"from": 6, "to": 8}},
            numbered(9, "m", at=2.5),
            connection.hang_up,
        )

    codexd.answers["codexd/events/follow"] = follow
    code, out, err = events("-f", "--after", "4", "--json")
    assert (code, seqs(out)) == (3, [5, 9])
    *said, end = err.splitlines(keepends=True)
    assert said == [
        "codexctl: codexd closed the connection; connecting again\n",
        "codexctl: connected again, going on after 5\n",
        GAP.format(6, 8),
        "codexctl: codexd closed the connection; connecting again\n",
    ]
    assert end.startswith("codexctl: codexd did not come back within 0 s")


def test_it_ends_when_nobody_reads_any_more(codexd, codexctl, monkeypatch):
    """Also while nothing happens that could be printed."""
    read_end, write_end = os.pipe()
    saved = os.dup(1)
    os.dup2(write_end, 1)
    os.close(write_end)
    codexd.answers["codexd/events/follow"] = ({"last": 0}, lambda: os.close(read_end))
    try:
        assert codexctl("events", "-f") == 0
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def test_a_timeline_that_is_not_well_when_codexd_comes_back_is_told(events, codexd, monkeypatch):
    """As it is when following begins: that something will be missing is said nowhere else."""
    timeline = codexd.answers["codexd/status"]["timeline"]

    def follow(connection, params):
        if timeline["state"] == "degraded":
            codexd.path.unlink()
            monkeypatch.setattr(coming_back, "PATIENCE_SECONDS", 0.0)
        timeline.update(state="degraded", problem="the disk is full")
        return {"last": 1}, connection.hang_up

    codexd.answers["codexd/events/follow"] = follow
    code, _, err = events("-f", "--after", "1")
    assert code == 3
    assert err.splitlines()[:-1] == [
        "codexctl: codexd closed the connection; connecting again",
        "codexctl: events may be missing: the disk is full",
        "codexctl: connected again, going on after 1",
        "codexctl: codexd closed the connection; connecting again",
    ]
