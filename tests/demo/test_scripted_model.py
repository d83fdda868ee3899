"""The scripted model as a server, without a Codex."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codexd.demo.scripted_model import REQUESTS_KEPT, ScriptedModel


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as serving:
        yield serving


def request_for(prompt: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": prompt}]
    return {"input": [{"type": "message", "role": "user", "content": content}]}


class Exchange:
    """One request and its answer."""

    def __init__(self, port: int, path: str, body: bytes, **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection.request("POST", path, body, headers)
        self.response = self.connection.getresponse()

    def read(self) -> bytes:
        body = self.response.read()
        self.connection.close()
        return body

    def events(self) -> list[dict[str, Any]]:
        blocks = self.read().decode().split("\n\n")[:-1]
        events = [json.loads(block.partition("\ndata: ")[2]) for block in blocks]
        assert [block.partition("\n")[0] for block in blocks] == [
            f"event: {event['type']}" for event in events
        ]
        return events


def prompt(model: ScriptedModel, text: str) -> Exchange:
    return Exchange(model.port, "/v1/responses", json.dumps(request_for(text)).encode())


def test_a_message_is_announced_streamed_and_ended(model: ScriptedModel) -> None:
    """In the order without which Codex drops the deltas, and the end holds all that was streamed."""
    events = prompt(model, "stream 2").events()
    assert [event["type"] for event in events] == [
        "response.created",
        "response.output_item.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_item.done",
        "response.completed",
    ]
    assert events[4]["item"]["content"] == [{"type": "output_text", "text": "1 2 "}]
    assert events[1]["item"]["id"] == events[2]["item_id"] == events[4]["item"]["id"]


def test_calls_carry_their_name_space_where_they_have_one(model: ScriptedModel) -> None:
    """And ids of their own, also in one response."""
    events = prompt(model, "together elicit a // run-free b").events()
    one, other = (event["item"] for event in events if event["type"] == "response.output_item.done")
    assert (one["name"], one["namespace"]) == ("elicit", "mcp__scripted")
    assert json.loads(one["arguments"]) == {"question": "a"}
    assert "namespace" not in other
    assert one["call_id"] != other["call_id"]


def test_requests_of_the_same_instant_are_all_answered(model: ScriptedModel) -> None:
    """Each under names of its own, however the threads take turns."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda _: prompt(model, "hello").events(), range(200)))
    finally:
        sys.setswitchinterval(usual)
    names = {answer[0]["response"]["id"] for answer in answers} | {
        answer[1]["item"]["id"] for answer in answers
    }
    assert len(names) == 400


def test_names_differ_between_models() -> None:
    """A thread outlives the model that served its first turn, and its items' ids must not repeat."""
    with ScriptedModel() as one, ScriptedModel() as other:
        assert prompt(one, "a").events()[0]["response"] != prompt(other, "a").events()[0]["response"]


def test_a_hold_streams_its_first_part_before_it_waits(model: ScriptedModel) -> None:
    """And the rest when it is released, here over HTTP as another process would."""
    exchange = prompt(model, "hold door")
    while b'"delta": "holding door"' not in exchange.response.readline():
        pass
    model.wait_held("door")
    assert json.loads(Exchange(model.port, "/release/door", b"").read()) == {"released": "door"}
    assert b", released door" in exchange.read()


def test_a_pause_delays_and_goes_on(model: ScriptedModel) -> None:
    """Nothing is lost in it."""
    deltas = [event["delta"] for event in prompt(model, "stream 3 1").events() if "delta" in event]
    assert deltas == ["1 ", "2 ", "3 "]


def test_the_end_of_the_model_ends_its_holds() -> None:
    """No client hangs on a model that is gone."""
    with ScriptedModel() as model:
        exchange = prompt(model, "hold door")
        model.wait_held("door")
    assert b"response.completed" not in exchange.read()


def test_who_hangs_up_leaves_the_hold(model: ScriptedModel) -> None:
    """An interrupted turn costs the model nothing."""
    exchange = prompt(model, "hold door")
    model.wait_held("door")
    exchange.response.close()
    exchange.connection.close()
    model.holds.wait_left("door", 30)


def test_a_break_in_the_middle_of_a_stream_is_no_news(
    model: ScriptedModel, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing on stderr: it is an interrupted turn."""
    exchange = prompt(model, "hold door")
    model.wait_held("door")
    flood = prompt(model, "stream 200000")
    flood.response.read(1)
    flood.response.close()
    flood.connection.close()
    model.release("door")
    exchange.read()
    assert capfd.readouterr().err == ""


def test_fail_is_the_status_asked_for(model: ScriptedModel) -> None:
    """With the message in OpenAI's form."""
    exchange = prompt(model, "fail 503 not today")
    assert exchange.response.status == 503
    assert json.loads(exchange.read())["error"]["message"] == "not today"


def test_die_resets_the_connection(model: ScriptedModel) -> None:
    """After the beginning of an answer."""
    exchange = prompt(model, "die")
    assert exchange.response.status == 200
    with pytest.raises(ConnectionResetError):
        exchange.read()


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/responses", 400), ("/v1/chat", 404), ("/x/release/a", 404)]
)
def test_what_it_does_not_understand_is_refused(model: ScriptedModel, path: str, status: int) -> None:
    """With a reason."""
    exchange = Exchange(model.port, path, b"{nonsense")
    assert exchange.response.status == status
    assert json.loads(exchange.read())["error"]["message"]


def test_requests_are_remembered(model: ScriptedModel) -> None:
    """Who asked, and what, in the order they came; the oldest are forgotten."""
    about = json.dumps({"thread_id": "t", "parent_thread_id": "p", "request_kind": "turn"})
    body = {"input": [*request_for("before")["input"], *request_for("hello")["input"]]}
    headers = {"x-codex-turn-metadata": about}
    Exchange(model.port, "/v1/responses", json.dumps(body).encode(), **headers).events()
    Exchange(model.port, "/v1/responses", b'{"input": []}').events()
    one, other = model.requests
    assert (one.thread_id, one.parent_thread_id, one.kind, one.prompt) == ("t", "p", "turn", "hello")
    assert one.body == body
    assert (other.thread_id, other.prompt) == ("", "")
    for _ in range(REQUESTS_KEPT):
        model.answer(one)
    assert model.requests == [one] * REQUESTS_KEPT


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """It writes the Codex home, says where it listens, and ends on SIGTERM."""
    argv = [sys.executable, "-m", "codexd.demo.scripted_model", "--codex-home", str(tmp_path), "--mcp"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        config = (tmp_path / "config.toml").read_text()
        assert f'base_url = "{address}"' in config
        assert "[mcp_servers.scripted]" in config
        port = int(address.removesuffix("/v1").rpartition(":")[2])
        assert Exchange(port, "/v1/responses", b'{"input": []}').response.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
