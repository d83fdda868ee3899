import pytest

from codexctl.arguments import parse
from codexctl.client import Client
from codexctl.exits import Exit, Failure
from codexctl.session import all_threads, check_signed_in, connect_to_codexd, full_id, latest_thread
from codexd.protocol.errors import Unavailable
from tests.codexctl.standin import THREAD, thread


@pytest.fixture
def client(codexd):
    with Client.connect(name="test", version="1") as client:
        yield client


def pages(*ids):
    """Answers to `thread/list`: one thread a page; the archive has one more."""

    def answer(connection, params):
        if params.get("archived"):
            return {"data": [thread(id="archived-1")], "nextCursor": None}
        at = int(params["cursor"] or 0)
        return {"data": [thread(id=ids[at])], "nextCursor": str(at + 1) if at + 1 < len(ids) else None}

    return answer


def test_a_whole_id_is_taken_as_it_is(client, codexd):
    """It costs no request, in whichever of the spellings that Codex takes; Codex says if there is no such thread."""
    assert full_id(client, THREAD) == THREAD
    for spelling in (THREAD.upper(), THREAD.replace("-", ""), "{" + THREAD + "}", "urn:uuid:" + THREAD):
        assert full_id(client, spelling) == THREAD
    assert codexd.requests("thread/list") == []


def test_the_beginning_of_an_id_is_enough_if_it_is_the_only_one(client, codexd):
    """Looked for on all pages and in the archive."""
    codexd.answers["thread/list"] = pages("abc-1", "abd-2")
    assert full_id(client, "abd") == "abd-2"
    assert full_id(client, "ABD") == "abd-2"
    assert full_id(client, "arch") == "archived-1"
    with pytest.raises(Failure, match=r"several ids begin with ab:\n  abc-1\n  abd-2"):
        full_id(client, "ab")
    with pytest.raises(Failure, match="no thread's id begins with x"):
        full_id(client, "x")


def test_all_pages_are_one_list(client, codexd):
    """Every provider's threads, as Codex has them."""
    codexd.answers["thread/list"] = pages("a", "b", "c")
    assert [one["id"] for one in all_threads(client, {"cwd": "/d"})] == ["a", "b", "c"]
    assert codexd.requests("thread/list")[1] == {
        "limit": 100,
        "modelProviders": [],
        "cwd": "/d",
        "cursor": "1",
    }


def test_the_latest_thread_is_codexs_first(client, codexd):
    """Of one directory, by its last use."""
    latest = latest_thread(client, "/d")
    assert latest is not None
    assert latest["id"] == THREAD
    assert codexd.requests("thread/list") == [
        {"cwd": "/d", "limit": 1, "sortKey": "updated_at", "modelProviders": []}
    ]
    codexd.answers["thread/list"] = {"data": [], "nextCursor": None}
    assert latest_thread(client, "/d") is None


def test_signed_out_is_known_before_a_turn_tries_for_minutes():
    """Only where the provider needs the sign-in."""
    check_signed_in({"account": None, "requiresOpenaiAuth": False})
    check_signed_in({"account": {"type": "apiKey"}, "requiresOpenaiAuth": True})
    with pytest.raises(Failure, match="`codex login`") as caught:
        check_signed_in({"account": None, "requiresOpenaiAuth": True})
    assert caught.value.code == Exit.SIGNED_OUT


def test_codexd_is_asked_without_a_handshake(codexd):
    """So it answers in every state of Codex; a foreign CODEX_HOME is refused here too."""
    client, status = connect_to_codexd(parse(["status"]))
    client.close()
    assert status["codex"]["state"] == "ready"
    assert [request["method"] for request in codexd.received] == ["codexd/status"]
    codexd.answers["codexd/status"]["codexd"]["codexHome"] = "/else"
    with pytest.raises(Unavailable, match="serves CODEX_HOME /else"):
        connect_to_codexd(parse(["status"]))
