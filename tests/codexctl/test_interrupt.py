import json

from tests.codexctl.standin import THREAD, TURN, Refused, thread, turn


def running(codexd, **more):
    codexd.answers |= {
        "thread/read": {"thread": thread(status={"type": "active", "activeFlags": []})},
        "thread/turns/list": {"data": [turn("inProgress")]},
        "turn/interrupt": {},
    } | more


def test_the_turn_that_runs_is_interrupted_by_its_id(codexd, codexctl, capsys):
    """It is found without subscribing to the thread."""
    running(codexd)
    assert codexctl("interrupt", THREAD) == 0
    assert capsys.readouterr() == ("", f"the turn on {THREAD} was interrupted\n")
    assert codexd.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]
    assert codexd.requests("thread/resume") == []
    assert codexctl("interrupt", THREAD, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"threadId": THREAD, "turnId": TURN}


def test_without_a_thread_it_is_the_latest_of_this_directory(codexd, codexctl, capsys, place):
    """And where there is none, that is said."""
    running(codexd)
    assert codexctl("interrupt") == 0
    assert codexd.requests("thread/list")[0]["cwd"] == f"{place}/project"
    codexd.answers["thread/list"] = {"data": [], "nextCursor": None}
    assert codexctl("interrupt") == 1
    assert f"there is no thread of {place}/project yet" in capsys.readouterr().err


def test_a_thread_that_cannot_list_its_turns_is_interrupted_all_the_same(codexd, codexctl, capsys):
    """An ephemeral one: an empty id means whichever turn runs."""
    running(
        codexd, **{"thread/turns/list": Refused(-32600, "ephemeral threads do not support thread/turns/list")}
    )
    assert codexctl("interrupt", THREAD, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"threadId": THREAD, "turnId": None}
    running(codexd, **{"thread/turns/list": {"data": [turn("completed")]}})
    assert codexctl("interrupt", THREAD) == 0
    assert [request["turnId"] for request in codexd.requests("turn/interrupt")] == ["", ""]


def test_where_nothing_runs_there_is_nothing_to_interrupt(codexd, codexctl, capsys):
    """Exit 1 and a sentence, and no request that could hit a later turn."""
    running(codexd, **{"thread/read": {"thread": thread()}})
    assert codexctl("interrupt", THREAD) == 1
    assert capsys.readouterr().err == f"codexctl: no turn runs on {THREAD}\n"
    assert codexd.requests("turn/interrupt") == []
