import io
import json
import os
import sys
import time

import pytest

from codexctl.carried import config_of
from codexctl.time_limit import TimeLimit
from tests.codexctl.standin import (
    SILENCE,
    THREAD,
    TURN,
    Refused,
    completed,
    event,
    saying,
    started,
    thread,
    turn,
    user_message,
)

HELLO = ({"turn": turn("inProgress")}, started(), *saying("Hello ", "you"), completed())


@pytest.fixture
def send(codexd, codexctl, capsys, monkeypatch):
    """Runs `codexctl send`; its exit code, stdout and stderr. The turn says `Hello you` unless the test says otherwise."""
    codexd.answers["turn/start"] = HELLO
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*argv):
        code = codexctl("send", *argv)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def methods(codexd):
    return [message["method"] for message in codexd.received]


def test_a_prompt_begins_a_thread_and_its_reply_is_stdout(send, codexd, place):
    """The reply alone on stdout, the thread's id on stderr, exit 0."""
    assert send("hello", "there") == (0, "Hello you\n", f"thread {THREAD}\n")
    assert codexd.requests("thread/start") == [{"cwd": f"{place}/project", "config": config_of(os.environ)}]
    (turn_start,) = codexd.requests("turn/start")
    assert turn_start.pop("clientUserMessageId")
    assert turn_start == {"input": [{"type": "text", "text": "hello there"}], "threadId": THREAD}


def test_a_key_that_codex_lacks_is_said(send, codexd, place, monkeypatch):
    """In one line on stderr, for the model provider of the thread; who names no key asks codexd nothing."""
    send("hello")
    assert "codexd/status" not in methods(codexd)
    (place / ".codex").mkdir()
    (place / ".codex" / "config.toml").write_text('[model_providers.mine]\nenv_key = "MINE_KEY"\n')
    monkeypatch.setenv("MINE_KEY", "s3cret")
    codexd.answers["thread/start"] = {"thread": {**thread(), "modelProvider": "mine"}}
    code, out, err = send("hello")
    assert (code, out) == (0, "Hello you\n")
    assert err.startswith("codexctl: Codex does not have MINE_KEY, which its configuration names")
    assert err.endswith(f"\nthread {THREAD}\n")
    assert "s3cret" not in err
    codexd.answers["codexd/status"]["codex"]["environment"].append("MINE_KEY")
    assert send("hello")[2] == f"thread {THREAD}\n"


def test_what_needs_no_answer_leaves_together(send, codexd):
    """One write up to the thread, before anything is answered; a Codex that was left down is tried again first."""
    first_write = ["codexd/codex/start", "initialize", "config/read", "account/read"]

    def slow(connection, params):
        assert connection.buffered() == first_write[1:]
        return {}

    codexd.answers["codexd/codex/start"] = slow
    send("hello")
    assert methods(codexd) == [
        "codexd/codex/start",
        "initialize",
        "config/read",
        "account/read",
        "thread/start",
        "turn/start",
    ]


def test_a_thread_that_only_reads_begins_with_the_first_write(send, codexd):
    """What Codex trusts does not matter then, and is not asked for."""
    send("-s", "read-only", "hello")
    assert methods(codexd)[2:] == ["thread/start", "account/read", "turn/start"]


def test_a_directory_that_is_not_known_to_be_trusted_is_not_written_in(send, codexd, place):
    """Exit 1 with the ways out; each of them works. An old thread needs none: Codex trusts nothing on its account."""
    codexd.answers["config/read"] = {"config": {"sandbox_mode": "workspace-write"}}
    codexd.answers["config/value/write"] = {"status": "ok"}
    code, out, err = send("hello")
    assert (code, out) == (1, "")
    assert f"has not been told whether {place}/project is trusted" in err
    assert "thread/start" not in methods(codexd)
    assert send("-s", "read-only", "hello")[0] == 0
    assert send("--no-trust", "hello")[0] == 0
    assert codexd.requests("config/value/write") == []
    assert send("--trust", "hello")[0] == 0
    assert len(codexd.requests("config/value/write")) == 1
    assert send("-c", "hello")[0] == 0
    assert send("-c", "--trust", "hello")[0] == 2


def test_options_reach_codex(send, codexd, place):
    """For a new thread with the thread, the schema with the turn."""
    (place / "schema.json").write_text('{"type": "object"}')
    send(
        "x",
        "-C",
        "/",
        "-m",
        "gpt",
        "-s",
        "read-only",
        "-a",
        "never",
        "--output-schema",
        f"{place}/schema.json",
    )
    assert codexd.requests("thread/start") == [
        {
            "cwd": "/",
            "model": "gpt",
            "sandbox": "read-only",
            "approvalPolicy": "never",
            "config": config_of(os.environ),
        }
    ]
    assert codexd.requests("turn/start")[0]["outputSchema"] == {"type": "object"}


def test_the_latest_thread_of_the_directory_goes_on(send, codexd, place):
    """Found with the first round trip, resumed with the second; Codex sends no history along."""
    assert send("-c", "more")[:2] == (0, "Hello you\n")
    assert codexd.requests("thread/list")[0]["cwd"] == f"{place}/project"
    assert codexd.requests("thread/resume") == [{"threadId": THREAD, "excludeTurns": True}]
    assert codexd.requests("thread/start") == []
    codexd.answers["thread/list"] = {"data": [], "nextCursor": None}
    assert send("-c", "more") == (
        1,
        "",
        f"codexctl: there is no thread of {place}/project yet; `codexctl send` begins one, "
        "`codexctl threads` lists those of elsewhere\n",
    )


def test_a_named_thread_goes_on_with_what_was_asked_for(send, codexd):
    """Overrides travel with the turn, because a loaded thread ignores them when it is resumed."""
    codexd.answers["config/read"] = {"config": {"sandbox_workspace_write": {"network_access": True}}}
    assert send("-t", THREAD, "-s", "workspace-write", "-m", "gpt", "more")[:2] == (0, "Hello you\n")
    (turn_start,) = codexd.requests("turn/start")
    assert turn_start["model"] == "gpt"
    assert turn_start["sandboxPolicy"] == {"type": "workspaceWrite", "networkAccess": True}
    assert "cwd" not in turn_start


def test_signed_out_is_said_at_once(send, codexd):
    """Exit 4, and no turn that would try for minutes."""
    codexd.answers["account/read"] = {"account": None, "requiresOpenaiAuth": True}
    assert send("hello") == (
        4,
        "",
        "codexctl: Codex is not signed in; `codex login` does that, and so does `codexd-codex login`\n",
    )
    assert codexd.requests("turn/start") == []


def test_wrong_usage_is_known_before_anything_is_started(send, codexd):
    """Exit 2, and codexd hears nothing."""
    assert send("-i", "none.png", "look") == (2, "", "codexctl: there is no image none.png\n")
    assert codexd.received == []


def test_codex_may_not_be_there(send, codexd):
    """Exit 3 with codexd's sentence."""
    codexd.answers["initialize"] = Refused(
        -32050, "Codex is not available: it died five times", {"reason": "x"}
    )
    assert send("hello") == (3, "", "codexctl: Codex is not available: it died five times\n")


def test_codex_may_refuse(send, codexd):
    """Exit 1 with Codex's words, whether it refuses the thread or the turn."""
    codexd.answers["turn/start"] = Refused(-32602, "input too large", {"input_error_code": "input_too_large"})
    assert send("hello")[0::2] == (1, f"thread {THREAD}\ncodexctl: input too large\n")
    codexd.answers["thread/resume"] = Refused(-32600, "no rollout found")
    assert send("-t", THREAD, "hello")[0::2] == (1, "codexctl: no rollout found\n")


def test_nothing_is_started_where_that_is_forbidden(codexctl, capsys):
    """Exit 3 and the way out."""
    assert codexctl("send", "--no-start", "hello") == 3
    assert "`codexd start` starts one" in capsys.readouterr().err


def test_detaching_prints_the_thread_and_leaves(send, codexd):
    """As JSON the turn too."""
    codexd.answers["turn/start"] = {"turn": turn("inProgress")}
    assert send("--detach", "hello") == (0, f"{THREAD}\n", "")
    code, out, _ = send("--detach", "--json", "hello")
    assert (code, json.loads(out)) == (0, {"threadId": THREAD, "turnId": TURN})


def test_the_time_limit_holds_before_the_turn_too(send, codexd):
    """Exit 124, wherever it is waited."""
    codexd.answers["thread/start"] = lambda connection, params: SILENCE
    assert send("--timeout", "0.05", "hello") == (124, "", "codexctl: the time limit has passed\n")


def test_a_time_limit_counts_down():
    """To zero and not below; without one nothing is limited."""
    assert (TimeLimit(None).left(), TimeLimit(None).deadline) == (None, None)
    limit = TimeLimit(1e-9)
    assert limit.left() == 0.0
    deadline = TimeLimit(60).deadline
    assert deadline is not None
    assert 0 < deadline - time.monotonic() <= 60


def test_a_busy_thread_takes_the_prompt_into_its_turn(send, codexd):
    """That is said, and only what is said after it is the reply."""
    codexd.answers["thread/resume"] = {"thread": thread(status={"type": "active", "activeFlags": []})}

    def queue_in(connection, params):
        prompt = {
            "type": "userMessage",
            "id": "u2",
            "clientId": params["clientUserMessageId"],
            "content": params["input"],
        }
        taken = {"method": "item/started", "params": {"threadId": THREAD, "turnId": TURN, "item": prompt}}
        return (
            {"turn": turn("inProgress")},
            *saying("for somebody else"),
            taken,
            *saying("for me", item_id="msg_2"),
            completed(),
        )

    codexd.answers["turn/start"] = queue_in
    assert send("-t", THREAD, "more") == (
        0,
        "for me\n",
        f"thread {THREAD}\na turn runs on this thread already; it takes the prompt in\n",
    )


def test_a_busy_turn_that_shows_no_prompt_has_its_last_word_as_reply(send, codexd):
    """Better than nothing, from a Codex that does not echo who asked."""
    codexd.answers["thread/resume"] = {"thread": thread(status={"type": "active", "activeFlags": []})}
    assert send("-t", THREAD, "more")[:2] == (0, "Hello you\n")


def test_a_prompt_that_came_too_late_gets_a_turn_of_its_own(send, codexd):
    """Codex takes in what comes in a turn's last moments, and does not answer it."""
    codexd.answers["thread/resume"] = {"thread": thread(status={"type": "active", "activeFlags": []})}
    own = "01a1fc06-0e12-7950-b18a-1b319f8f82ff"

    def taken_in(connection, params):
        taken = user_message("more", client_id=params["clientUserMessageId"])
        codexd.answers["turn/start"] = (
            {"turn": turn("inProgress", own)},
            *saying("for me"),
            completed(turn_id=own),
        )
        return {"turn": turn("inProgress")}, event("item/started", item=taken), completed()

    codexd.answers["turn/start"] = taken_in
    code, out, err = send("-t", THREAD, "more")
    assert (code, out) == (0, "for me\n")
    assert err.endswith("the turn ended before it could answer; the prompt is being sent again\n")
    assert len(codexd.requests("turn/start")) == 2


def test_a_directory_that_is_none_is_refused(send, codexd):
    """Codex would open a thread there all the same."""
    assert send("-C", "/no/such/place", "hello") == (
        2,
        "",
        "codexctl: there is no directory /no/such/place\n",
    )
    assert codexd.requests("thread/start") == []
