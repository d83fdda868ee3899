import json
import os
import signal
import socket
import threading

import pytest

from codexctl.client import Answer, Client, ConnectionLost, Message, RpcError
from codexd.protocol.errors import Unavailable
from tests.codexctl.standin import SILENCE, Refused


def connect(**options):
    return Client.connect(name="test", version="1.0", **options)


def test_the_handshake_says_who_asks_and_that_it_knows_codexd(codexd):
    """A client introduces itself once, with experimental methods and the codexd capability on."""
    with connect(capabilities={"requiredHumanApproval": True}) as client:
        client.request("account/read")
    assert codexd.received[0]["params"] == {
        "clientInfo": {"name": "test", "version": "1.0"},
        "capabilities": {"experimentalApi": True, "codexd": {}, "requiredHumanApproval": True},
    }
    assert codexd.connections[0].received[1] == {"method": "initialized", "params": {}}


def test_queued_requests_leave_together_and_answers_find_their_requests(codexd):
    """Answers may come in any order; each `wait` gets its own."""
    release = threading.Event()

    def slow(connection, params):
        release.wait(10)
        return "slow"

    def quick(connection, params):
        return "quick"

    codexd.answers |= {"slow": slow, "quick": quick}
    with Client.open() as client:
        first, second = client.send("slow"), client.send("quick")
        release.set()
        assert client.wait(second) == "quick"
        assert client.wait(first) == "slow"


def test_a_claimed_answer_is_gone(codexd):
    """What `wait` returned does not come out of `receive` as well."""
    codexd.answers["work"] = "done"
    with Client.open() as client:
        client.request("work")
        assert client.receive(0) is None


def test_what_arrives_meanwhile_is_kept_in_order(codexd):
    """Notifications and server requests that come before an answer come out of `receive` afterwards, in order."""

    def answer(connection, params):
        connection.notify("first", n=1)
        connection.ask("second", {"n": 2})
        connection.notify("third", n=3)
        return "done", {"method": "fourth", "params": {"n": 4}}

    codexd.answers["work"] = answer
    with Client.open() as client:
        assert client.request("work") == "done"
        got = [next(client.messages()) for _ in range(4)]
    assert [message.method for message in got] == ["first", "second", "third", "fourth"]
    assert [message.id is None for message in got] == [True, False, True, True]
    assert [message.params["n"] for message in got] == [1, 2, 3, 4]
    assert json.loads(got[0].line) == {"method": "first", "params": {"n": 1}}


def test_an_answer_nobody_waits_for_comes_out_of_receive(codexd):
    """`send` without `wait` loses nothing: result and error come with the request's id."""
    codexd.answers |= {"good": 1, "bad": Refused(-32600, "no", {"why": "because"})}
    with Client.open() as client:
        good, bad = client.send("good"), client.send("bad")
        first, second = client.receive(10), client.receive(10)
    assert first == Answer(good, 1, None)
    assert isinstance(second, Answer)
    assert second.id == bad
    assert second.error is not None
    assert (second.error.code, second.error.message, second.error.data) == (-32600, "no", {"why": "because"})


def test_an_error_is_raised_with_code_and_data(codexd):
    """`request` raises what the wire said."""
    codexd.answers["bad"] = Refused(-32602, "too large", {"input_error_code": "input_too_large"})
    with Client.open() as client, pytest.raises(RpcError, match="too large") as caught:
        client.request("bad")
    assert (caught.value.code, caught.value.data) == (-32602, {"input_error_code": "input_too_large"})


def test_messages_are_what_comes_unasked(codexd):
    """`messages` leaves answers out and ends with the connection."""
    codexd.answers["work"] = lambda connection, params: ("done", {"method": "news"}, connection.hang_up)
    with Client.open() as client:
        client.send("work")
        messages = client.messages()
        news = next(messages)
        assert (news.method, news.params, news.id) == ("news", {}, None)
        with pytest.raises(ConnectionLost):
            next(messages)


def test_server_requests_can_be_answered_and_left_to_others(codexd):
    """`respond` answers under the request's id, `abstain` answers with an error."""
    answers: list[dict[str, object]] = []

    def answer(connection, params):
        connection.ask("one", {}, answers.append)
        connection.ask("two", {}, answers.append)
        return "asked"

    codexd.answers |= {"work": answer, "sync": "synced"}
    with Client.open() as client:
        client.request("work")
        one, two = client.receive(10), client.receive(10)
        assert isinstance(one, Message)
        assert isinstance(two, Message)
        assert one.id is not None
        assert two.id is not None
        client.respond(one.id, {"decision": "accept"})
        client.abstain(two.id, "cannot")
        client.request("sync")
    assert answers == [
        {"id": one.id, "result": {"decision": "accept"}},
        {"id": two.id, "error": {"code": -32601, "message": "cannot"}},
    ]


def test_waiting_has_a_limit(codexd):
    """`wait` raises `TimeoutError`, `receive` returns None; the connection stays usable."""
    codexd.answers |= {"never": SILENCE, "now": 1}
    with Client.open() as client:
        with pytest.raises(TimeoutError):
            client.request("never", timeout=0.01)
        assert client.receive(0) is None
        assert client.request("now", timeout=60) == 1


def test_a_lost_connection_says_what_codexd_said_last(codexd):
    """A farewell under the id null is the reason that the user gets, also when the loss shows up while sending."""

    def leave(connection, params):
        connection.send({"error": {"code": -32052, "message": "the client reads too slowly"}, "id": None})
        connection.hang_up()
        return SILENCE

    codexd.answers["work"] = leave
    with Client.open() as client:
        with pytest.raises(ConnectionLost, match="closed the connection: the client reads too slowly"):
            client.request("work")
        with pytest.raises(ConnectionLost):
            client.request("more")


def test_who_is_not_served_gets_codexds_sentence_alone(codexd):
    """A command of Codex's is told why; that the connection was closed as well is no news."""

    def refuse(connection, params):
        connection.send({"error": {"code": -32051, "message": "codexd does not serve this"}, "id": None})
        connection.hang_up()
        return SILENCE

    codexd.answers["work"] = refuse
    with Client.open() as client, pytest.raises(ConnectionLost, match=r"^codexd does not serve this$"):
        client.request("work")


def test_a_connection_can_end_without_a_word(codexd):
    """No reason is made up where none was given."""
    codexd.answers["work"] = lambda connection, params: connection.hang_up() or SILENCE
    with Client.open() as client, pytest.raises(ConnectionLost, match=r"^codexd closed the connection$"):
        client.request("work")


def test_large_messages_pass_both_ways(codexd):
    """Lines of many megabytes are ordinary lines."""
    text = "ä" * 5_000_000
    codexd.answers["echo"] = lambda connection, params: params
    with Client.open() as client:
        assert client.request("echo", {"text": text}) == {"text": text}


def test_a_signal_handler_may_send_while_a_request_is_being_written(codexd):
    """What is queued inside a `flush` leaves with that `flush`, never in the middle of its line."""
    codexd.answers["echo"] = lambda connection, params: params["n"]
    with Client.open() as client:

        def handler(number, frame):
            handled.append(client.send("echo", {"n": 2}))
            client.flush()

        handled: list[int] = []
        old = signal.signal(signal.SIGUSR1, handler)
        try:
            with client._writing:
                os.kill(os.getpid(), signal.SIGUSR1)
                while not handled:
                    pass
            first = client.send("echo", {"n": 1})
            assert client.wait(first) == 1
            assert client.wait(handled[0]) == 2
        finally:
            signal.signal(signal.SIGUSR1, old)
    assert [request["n"] for request in codexd.requests("echo")] == [2, 1]


def test_what_is_queued_at_the_very_end_of_a_flush_is_not_forgotten(codexd):
    """Another thread's `flush` found the door closed just then, and relies on this one."""
    codexd.answers["echo"] = lambda connection, params: params["n"]

    class Door:
        """Queues a message when it is about to be opened for others, after everything was sent."""

        def acquire(self, blocking):
            return True

        def release(self):
            if not queued:
                queued.append(client.send("echo", {"n": 2}))

    queued: list[int] = []
    with Client.open() as client:
        client._writing = Door()  # type: ignore[assignment]
        first = client.send("echo", {"n": 1})
        client.flush()
        assert not client._outgoing
        assert [client.wait(request, 10) for request in (first, *queued)] == [1, 2]


def test_it_can_be_waited_for_with_select(codexd):
    """`fileno` is the socket's."""
    with Client.open() as client:
        assert client.fileno() == client._socket.fileno()


def test_nobody_listens(place):
    """Without codexd, and not allowed to start it, the way out is said."""
    with pytest.raises(Unavailable, match=r"no codexd listens at .*codexd\.sock; `codexd start` starts one"):
        connect(start=False)


def test_codexd_is_started_where_none_listens(place, monkeypatch):
    """The first client starts codexd and then connects; when there is still none, it says so."""
    started: list[str | None] = []
    monkeypatch.setattr("codexctl.start.start_codexd", started.append)
    with pytest.raises(Unavailable, match="no codexd listens"):
        connect()
    assert started == [None]


def test_another_codex_home_is_refused(codexd, place, monkeypatch):
    """A prompt never goes to a Codex with another home than the one that is meant."""
    codexd.answers["initialize"]["codexHome"] = "/somewhere/else"
    with pytest.raises(Unavailable, match=f"serves CODEX_HOME /somewhere/else, and yours is {place}/.codex"):
        connect()
    monkeypatch.setenv("CODEXD_SOCKET", str(codexd.path))
    connect().close()
    monkeypatch.setenv("CODEX_HOME", str(place / ".codex"))
    with pytest.raises(Unavailable, match="serves CODEX_HOME"):
        connect(path=str(codexd.path))


def test_a_failed_handshake_closes_the_connection(codexd):
    """-32050 is an error of the handshake like any other, and leaves nothing open."""
    codexd.answers["initialize"] = Refused(-32050, "Codex is not available: it died")
    with pytest.raises(RpcError, match="it died"):
        connect()


def test_text_that_is_no_unicode_is_refused_loudly(codexd):
    """Codex would drop the whole line without a word."""
    with Client.open() as client, pytest.raises(UnicodeEncodeError):
        client.request("echo", {"text": "\ud83d"})


def test_a_request_that_a_mute_codexd_does_not_take_is_given_up(codexd, monkeypatch):
    """One that is longer than what the kernel keeps for a stopped process; what is taken slowly is no sign of that."""
    path = str(codexd.path) + "2"
    with monkeypatch.context() as patch, socket.socket(socket.AF_UNIX) as mute:
        patch.setattr("codexctl.client.ANSWER_SECONDS", 0.05)
        patch.setattr("codexctl.patience.ANSWER_SECONDS", 0.1)
        patch.setattr("codexctl.patience.START_SECONDS", 0.2)
        mute.bind(path)
        mute.listen()
        with Client.open(path) as client, pytest.raises(Unavailable, match="has not answered within"):
            client.request("work", {"text": "x" * 10_000_000})
    codexd.answers["work"] = "done"
    with Client.open() as client:
        assert client.request("work", {"text": "x" * 10_000_000}) == "done"


def test_a_time_limit_may_be_shorter_than_the_patience(codexd):
    """`--timeout` holds for a codexd that says nothing, too."""
    codexd.is_mute = True
    codexd.answers["work"] = SILENCE
    with Client.open() as client, pytest.raises(TimeoutError):
        client.request("work", timeout=0.05)


def test_who_connects_and_asks_later_is_not_taken_for_mute(codexd, monkeypatch):
    """The time begins with the first request, not with the connection."""
    monkeypatch.setattr("codexctl.patience.ANSWER_SECONDS", 0.0)
    monkeypatch.setattr("codexctl.patience.START_SECONDS", 60.0)
    codexd.answers["work"] = "done"
    with Client.open() as client:
        assert client.request("work") == "done"
