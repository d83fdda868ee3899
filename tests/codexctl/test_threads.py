import fcntl
import json

import pytest

from codexctl import threads
from codexd.protocol.writer_lock import holder, ways_out
from tests.codexctl.standin import SILENCE, THREAD, Refused, message, status, thread, turn, user_message

OTHER = "01a1fc06-ce19-73d0-bc44-c56b7f4ae932"


@pytest.fixture
def said(capsys, codexctl):
    """Runs a command; its exit code, stdout and stderr."""

    def run(*argv):
        code = codexctl(*argv)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_threads_are_a_table_for_people(codexd, said):
    """Id, state, age, what and where; where it goes on is said on stderr."""
    codexd.answers["thread/list"] = {
        "data": [
            thread(name="a name\x1b[2J", status={"type": "active", "activeFlags": []}),
            thread(id=OTHER, status={"type": "active", "activeFlags": ["waitingOnApproval"]}),
            thread(id=OTHER, status={"type": "notLoaded"}),
        ],
        "nextCursor": "2026-11-21",
    }
    code, out, err = said("threads")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["ID", "STATE", "AGE", "WHAT", "WHERE"]
    assert [line[:2] for line in lines[1:]] == [[THREAD, "running"], [OTHER, "waiting"], [OTHER, "-"]]
    assert lines[1][3:] == ["a", "name\\x1b[2J", "/project"]
    assert err == "more with --cursor '2026-11-21', or all with --all\n"


def test_threads_as_json_are_codexs_own_objects(codexd, said):
    """With the cursor of the next page."""
    code, out, _ = said("threads", "--json", "--limit", "1", "--cursor", "c", "--archived", "-C", "/")
    assert code == 0
    assert json.loads(out) == {"threads": [thread()], "nextCursor": None}
    assert codexd.requests("thread/list") == [
        {
            "sortKey": "updated_at",
            "modelProviders": [],
            "archived": True,
            "limit": 1,
            "cursor": "c",
            "cwd": "/",
        }
    ]


def test_all_goes_through_all_pages(codexd, said):
    """Up to a limit, if there is one."""
    codexd.answers["thread/list"] = lambda connection, params: (
        {"data": [thread(id=f"page {params['cursor']}")], "nextCursor": None if params["cursor"] else "2"}
    )
    for more, expected in (([], ["page None", "page 2"]), (["--limit", "1"], ["page None"])):
        _, out, _ = said("threads", "--all", "--json", *more)
        listed = json.loads(out)
        assert [one["id"] for one in listed["threads"]] == expected
        assert listed["nextCursor"] is None


def test_a_quarantined_thread_is_marked(codexd, said):
    """In the list and where it is shown; the others are as they are."""
    codexd.answers["codexd/status"]["quarantined"] = [THREAD]
    codexd.answers["thread/list"] = {"data": [thread(), thread(id=OTHER)], "nextCursor": None}
    _, out, _ = said("threads")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [[THREAD, "quarantined"], [OTHER, "idle"]]
    codexd.answers["thread/read"] = {"thread": thread()}
    codexd.answers["thread/turns/list"] = {"data": []}
    assert "state:       quarantined\n" in said("threads", "show", THREAD)[1]


def test_no_threads_are_said_on_stderr(codexd, said):
    """stdout stays empty for whoever counts lines."""
    codexd.answers["thread/list"] = {"data": [], "nextCursor": None}
    assert said("threads") == (0, "", "no threads\n")


def test_a_thread_is_shown_with_what_was_said_last(codexd, said):
    """Facts first, then the last turns."""
    codexd.answers["thread/read"] = {"thread": thread(name="greeting", forkedFromId=OTHER)}
    turns = [
        turn("completed", "2", items=[message("Hi")]),
        turn("completed", "1", items=[user_message("hello")]),
    ]
    codexd.answers["thread/turns/list"] = {"data": turns}
    code, out, err = said("threads", "show", THREAD)
    assert (code, err) == (0, "")
    facts, _, talk = out.partition("\n\n")
    assert [line.split(":")[0] for line in facts.splitlines()] == [
        "id", "name", "state", "where", "model", "begun", "last used", "forked from",
    ]  # fmt: skip
    assert talk == "> hello\nHi\n"
    _, out, _ = said("threads", "show", THREAD, "--json")
    assert json.loads(out) == {"thread": codexd.answers["thread/read"]["thread"], "turns": turns[::-1]}


def test_a_thread_without_turns_is_shown_too(codexd, said):
    """Codex refuses to list them; that is no error of the user's."""
    codexd.answers["thread/read"] = {"thread": thread()}
    codexd.answers["thread/turns/list"] = Refused(-32600, "not materialized yet")
    code, out, _ = said("threads", "show", THREAD, "--json")
    assert (code, json.loads(out)["turns"]) == (0, [])
    code, out, _ = said("threads", "show", THREAD)
    assert (code, out.count("\n\n")) == (0, 0)


@pytest.mark.parametrize(
    ("argv", "method", "params", "done"),
    [
        (["archive", THREAD], "thread/archive", {}, "archived"),
        (["unarchive", THREAD], "thread/unarchive", {}, "back from the archive"),
        (["delete", THREAD], "thread/delete", {}, "deleted"),
        (["rename", THREAD, "new name"], "thread/name/set", {"name": "new name"}, "renamed"),
    ],
)
def test_threads_are_changed_by_codex(codexd, said, argv, method, params, done):
    """The method of the same name; people read a sentence, programs Codex's own result."""
    codexd.answers[method] = {"some": "result"}
    assert said("threads", *argv) == (0, "", f"{THREAD} {done}\n")
    assert said("threads", *argv, "--json") == (0, '{"some": "result"}\n', "")
    assert codexd.requests(method) == [{"threadId": THREAD, **params}] * 2


@pytest.mark.parametrize(
    ("result", "code", "sentence"),
    [
        ({"status": "released"}, 0, f"{THREAD} released"),
        ({"status": "notLoaded"}, 0, f"{THREAD} is not loaded"),
        (
            {"status": "inUse", "followers": 1, "turnRuns": True, "pendingApprovals": 0},
            1,
            f"codexctl: {THREAD} is in use: a client follows it, a turn runs",
        ),
        (
            {"status": "inUse", "followers": 2, "turnRuns": False, "pendingApprovals": 3},
            1,
            f"codexctl: {THREAD} is in use: 2 clients follow it, 3 questions wait for an answer",
        ),
        (
            {"status": "inUse", "followers": 0, "turnRuns": False, "pendingApprovals": 1},
            1,
            f"codexctl: {THREAD} is in use: a question waits for an answer",
        ),
        (
            {"status": "inUse", "followers": 0, "turnRuns": False, "pendingApprovals": 0},
            1,
            f"codexctl: {THREAD} is in use: a request for it is under way",
        ),
    ],
)
def test_a_thread_is_released_by_codexd(codexd, said, result, code, sentence):
    """Or said to be in use, and by whom; programs read codexd's own result."""
    codexd.answers["codexd/threads/release"] = result
    assert said("threads", "release", THREAD) == (code, "", f"{sentence}\n")
    assert said("threads", "release", THREAD, "--json") == (code, json.dumps(result) + "\n", "")
    assert codexd.requests("codexd/threads/release") == [{"threadId": THREAD}] * 2


def test_a_thread_of_another_codex_is_not_ours_to_release(codexd, said, tmp_path):
    """Who has it is said where the system tells."""
    codexd.answers["codexd/threads/release"] = {"status": "notLoaded"}
    codexd.answers["codexd/status"] = status(codexd.path, tmp_path / "home")
    lock = tmp_path / "home" / "thread-writer-locks" / f"{THREAD}.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        pid = holder(str(tmp_path / "home"), THREAD)
        where = "is not loaded" if pid is None else f"is not codexd's to release: process {pid} has it"
        assert said("threads", "release", THREAD) == (0, "", f"{THREAD} {where}\n")


def test_a_codex_that_does_not_let_go_is_not_waited_for(codexd, said, monkeypatch):
    """It was told, and takes its time."""
    monkeypatch.setattr(threads, "RELEASE_SECONDS", 0.01)
    codexd.answers["codexd/threads/release"] = SILENCE
    assert said("threads", "release", THREAD) == (
        124,
        "",
        f"codexctl: Codex was told to unload {THREAD}, and has not done so yet\n",
    )


def test_a_thread_that_another_codex_has(codexd, said, tmp_path):
    """Codex's words, the process that has it, and the ways out; also when codexd ends meanwhile."""
    refused = f"thread {THREAD} already has an active writer"
    codexd.answers["thread/archive"] = Refused(-32600, refused)
    lock = tmp_path / "home" / "thread-writer-locks" / f"{THREAD}.lock"
    lock.parent.mkdir(parents=True)
    codexd.answers["codexd/status"] = status(codexd.path, tmp_path / "home")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        pid = holder(str(tmp_path / "home"), THREAD)
        sentence = f"codexctl: {refused}: {ways_out(THREAD, pid)}\n"
        assert said("threads", "archive", THREAD) == (1, "", sentence)
    codexd.answers["codexd/status"] = lambda connection, params: connection.hang_up()
    assert said("threads", "archive", THREAD) == (1, "", f"codexctl: {refused}: {ways_out(THREAD, None)}\n")


def test_a_fork_prints_its_id(codexd, said):
    """For `send -t $(codexctl threads fork ID)`."""
    codexd.answers["thread/fork"] = {"thread": thread(id=OTHER)}
    assert said("threads", "fork", THREAD) == (0, f"{OTHER}\n", "")
    code, out, _ = said("threads", "fork", THREAD, "--json")
    assert (code, json.loads(out)["thread"]["id"]) == (0, OTHER)


def test_what_codex_refuses_is_said_and_fails(codexd, said):
    """Exit 1 with Codex's own words."""
    codexd.answers["thread/delete"] = Refused(-32600, "forked history still references it")
    assert said("threads", "delete", THREAD) == (1, "", "codexctl: forked history still references it\n")
