"""A client's long line: the core reads what is left of it, decides as of the whole one, and Codex gets every byte."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codexd.routing.effects import Effect, ToCodex
from tests.protocol.long_lines import long_values, reduced, reduced_line
from tests.routing.driver import FIRST_SERVER_REQUEST as FIRST, OVERLOADED, Driver, codex, line, to

NUMBERS = [1] * 100
LONG_TEXT = "x" * 100
APPROVAL = "item/commandExecution/requestApproval"


def compact(**members: Any) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def written(effects: list[Effect]) -> list[Effect]:
    """The effects as they are when the bulk is back in what goes to Codex."""
    return [whole(effect) if isinstance(effect, ToCodex) else effect for effect in effects]


def whole(effect: ToCodex) -> ToCodex:
    pieces = [effect.line] if effect.bulk is None else effect.bulk.restored(effect.line)
    return ToCodex(b"".join(pieces))


def sends_long(driver: Driver, client: int, slice_bytes: int = 16, **members: Any) -> list[Effect]:
    """A client sends a long line; it is shown that something was taken out of it."""
    reduced = reduced_line(line(**members), slice_bytes)
    assert reduced.bulk.runs
    return written(driver.sends_bytes(client, reduced))


METHODS = (
    "x", "thread/start", "thread/resume", "thread/unsubscribe", "turn/start", "command/exec", "fs/watch", "skills/list",
    "fuzzyFileSearch", "process/spawn", "thread/sample/cancel", "new/hurry", "initialize", "codexd/status",
    "codexd/approvals/answer",
)  # fmt: skip
NAMES = (
    "threadId",
    "cwd",
    "cwds",
    "roots",
    "config",
    "processId",
    "requestId",
    "all",
    "input",
    "path",
    "dynamicTools",
    "y",
)


@given(
    st.sampled_from(METHODS),
    st.dictionaries(st.sampled_from(NAMES), long_values | st.just("./a") | st.just(LONG_TEXT), max_size=5),
    st.booleans(),
)
def test_the_core_decides_as_of_the_whole_line(
    method: str, params: dict[str, Any], wants_answer: bool
) -> None:
    """Whatever is taken out: the same effects, to the byte."""
    sent = line(**{"id": "me"} if wants_answer else {}, method=method, params=params)
    decided = []
    for text in (sent, reduced(sent, 24)):
        driver = Driver().ready()
        client = driver.client(cwd="/w")
        decided.append(written(driver.sends_bytes(client, text)))
    if method == "initialize" and wants_answer:
        assert len(decided[1]) == 1
    else:
        assert decided[1] == decided[0]


def test_a_long_request_goes_to_codex_whole() -> None:
    """Under codexd's number, and again when Codex had no room for it."""
    driver = Driver().ready()
    client = driver.client()
    assert sends_long(driver, client, id="a", method="x", params={"y": NUMBERS}) == [
        codex(id=2, method="x", params={"y": NUMBERS})
    ]
    assert driver.says(id=2, error=OVERLOADED) == []
    assert written(driver.wait(0.1)) == [codex(id=3, method="x", params={"y": NUMBERS})]
    assert driver.says(id=3, result={}) == [to(client, id="a", result={})]


def test_a_long_notification_goes_to_codex_whole() -> None:
    """It takes the same way."""
    driver = Driver().ready()
    client = driver.client()
    assert sends_long(driver, client, method="x", params={"y": LONG_TEXT}) == [
        codex(method="x", params={"y": LONG_TEXT})
    ]


@pytest.mark.parametrize(
    "answer", [{"result": {"y": LONG_TEXT}}, {"error": {"code": 1, "message": "m", "data": NUMBERS}}]
)
def test_a_long_decision_goes_to_codex_whole(answer: dict[str, Any]) -> None:
    """A result, or an error where nobody else can decide."""
    driver = Driver().ready()
    client = driver.client()
    driver.thread(client)
    driver.says(id="c", method=APPROVAL, params={"threadId": "T"})
    assert sends_long(driver, client, id=FIRST, **answer) == [codex(id="c", **answer)]


def test_so_does_one_that_is_made_by_its_id() -> None:
    """With a method of codexd's own."""
    driver = Driver().ready()
    driver.thread(driver.client())
    driver.says(id="c", method=APPROVAL, params={"threadId": "T"})
    params = {"id": FIRST, "result": {"y": NUMBERS}}
    assert sends_long(driver, driver.connect(), id=1, method="codexd/approvals/answer", params=params)[
        :1
    ] == [codex(id="c", result={"y": NUMBERS})]


def test_what_codexd_adds_stands_beside_what_is_long() -> None:
    """The working directory of the client, for a command whose text is long."""
    driver = Driver().ready()
    client = driver.client(cwd="/w")
    [sent] = sends_long(
        driver, client, id=1, method="thread/start", params={"config": {"y": NUMBERS}, "cwd": "a"}
    )
    assert isinstance(sent, ToCodex)
    assert json.loads(sent.line)["params"] == {"config": {"y": NUMBERS}, "cwd": "/w/a"}


def test_of_a_long_list_of_paths_each_is_read() -> None:
    """Codex would take the relative ones from its own directory on."""
    driver = Driver().ready()
    client = driver.client(cwd="/w")
    [sent] = sends_long(driver, client, id=1, method="skills/list", params={"cwds": ["a"] * 100})
    assert isinstance(sent, ToCodex)
    assert json.loads(sent.line)["params"] == {"cwds": ["/w/a"] * 100}


@pytest.mark.parametrize("id_of_request", [{"id": 9}, {}])
def test_of_a_long_list_of_ids_each_is_read(id_of_request: dict[str, Any]) -> None:
    """Else a client could name another's requests."""
    driver = Driver().ready()
    client = driver.client()
    driver.sends(client, id="a", method="x", params={})
    params, translated = ({"all": [{"requestId": named}] * 50} for named in ("a", 2))
    number = {"id": 3} if id_of_request else {}
    assert sends_long(driver, client, **id_of_request, method="new/hurry", params=params) == [
        codex(**number, method="new/hurry", params=translated)
    ]


def test_files_are_not_looked_for_in_a_long_input() -> None:
    """As they are not in a long line that is whole: to look through it takes time from others."""
    driver = Driver().ready()
    client = driver.client(cwd="/w")
    params = {"input": [{"type": "localImage", "path": "a.png"}], "y": "x" * (1 << 20)}
    assert sends_long(driver, client, 1000, id=1, method="turn/start", params=params) == [
        codex(id=2, method="turn/start", params=params)
    ]


def test_who_unsubscribes_at_length_asks_at_length() -> None:
    """Codex is asked for the thread in its stead, with all that was sent."""
    driver = Driver().ready()
    client = driver.client()
    params = {"threadId": "U", "y": NUMBERS}
    assert sends_long(driver, client, id=1, method="thread/unsubscribe", params=params) == [
        codex(id=2, method="thread/read", params=params)
    ]


def test_an_introduction_is_no_long_line() -> None:
    """What it says is kept, and stands in other messages."""
    driver = Driver().ready()
    client = driver.connect()
    assert sends_long(driver, client, id=1, method="initialize", params={"clientInfo": NUMBERS}) == [
        to(client, error={"code": -32053, "message": "`initialize` may be at most 1 MiB long"}, id=1)
    ]


def test_a_long_line_weighs_what_it_has() -> None:
    """Not what is left of it: for its client's share, and for the time that Codex takes to read it."""
    driver = Driver().ready()
    client = driver.client()
    sent = line(id=1, method="x", params={"y": [1] * 100_000})
    reduced = reduced_line(sent)
    assert len(reduced.short) < 200
    driver.sends_bytes(client, reduced)
    state = driver.router._state
    call = state.requests.get(2)
    assert call is not None
    assert call.size == len(sent)
    before = state.silence._reads_until
    state.tell_codex(reduced.short, reduced.bulk)
    assert state.silence._reads_until == pytest.approx(before + len(sent) / 1_000_000)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"id":"a","method":"x","params":[%b]}' % (b"1,," * 100), -32700),
        (compact(id="a", params=NUMBERS), -32600),
    ],
)
def test_a_bad_long_line_is_answered(text: bytes, code: int) -> None:
    """As a short one is."""
    driver = Driver().ready()
    client = driver.client()
    plain = driver.sends_bytes(client, text)
    [answer] = driver.sends_bytes(client, reduced_line(text))
    assert f'"code":{code}' in str(answer)
    assert f'"code":{code}' in str(plain[0])
