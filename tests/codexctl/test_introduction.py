import json

import pytest

from codexctl.introduction import MAX_LINE_BYTES, Introduction

ABOUT = {"cwd": "/here", "config": {"model": "o3"}}


def passed(data: bytes, size: int | None = None) -> bytes:
    """What becomes of a stream that comes in pieces of this size."""
    introduction = Introduction(ABOUT)
    step = size or max(len(data), 1)
    pieces = [introduction.feed(data[at : at + step]) for at in range(0, len(data), step)]
    return b"".join(pieces) + introduction.rest()


def initialize(**params: object) -> bytes:
    return json.dumps({"id": 1, "method": "initialize", "params": params}).encode()


@pytest.mark.parametrize(
    ("given", "capabilities"),
    [
        ({}, {"codexd": ABOUT}),
        ({"capabilities": None}, {"codexd": ABOUT}),
        ({"capabilities": {}}, {"codexd": ABOUT}),
        ({"capabilities": {"experimentalApi": True}}, {"experimentalApi": True, "codexd": ABOUT}),
        ({"capabilities": {"codexd": {"seq": True}}}, {"codexd": {**ABOUT, "seq": True}}),
        ({"capabilities": {"codexd": {"cwd": "/own"}}}, {"codexd": {**ABOUT, "cwd": "/own"}}),
    ],
)  # fmt: skip
def test_initialize_tells_where_the_client_is(given, capabilities):
    """What the client says itself counts more; everything else of the line stays as it was."""
    line = passed(initialize(clientInfo={"name": "ä\ud83d"}, **given) + b"\n")
    expected = {"clientInfo": {"name": "ä\ud83d"}, **given, "capabilities": capabilities}
    assert json.loads(line) == {"id": 1, "method": "initialize", "params": expected}
    assert line.count(b"\n") == 1


WRONG = [
    b'{"id":1,"method":"initialize"}',
    b'{"id":1,"method":"initialize","params":[]}',
    initialize(capabilities=[]),
    initialize(capabilities=False),
    initialize(capabilities={"codexd": 1}),
    b'{"id":1, "method":"initialize","id":2,"params":{}}',
    b'{"id":1, "method":"initialize","params":{}',
    b'\xef\xbb\xbf{"id":1, "method":"initialize","params":{}}',
    b'{"id":1, "method":"initialize","params":{"x":"\xff"}}',
    b'{"id":1, "method":"initialize","params":{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}}",
    b'{"id":1, "method":"initialize","params":{"x":1e999}}',
    b'["initialize"]',
    b'{"id":1,  "method":"turn/start","params":{"text":"\\"method\\": \\"initialize\\", or \\u0022"}}',
    b'{"id":1,  "method":"initialized" , "params":{"x":"initialize"}}',
    b'{"id": 1, "result": "initialize"}',
]


@pytest.mark.parametrize("line", WRONG)
def test_what_is_no_initialize_passes_as_it_is(line):
    """A wrong one included: whoever answers it knows what to say."""
    assert passed(line + b"\n") == line + b"\n"


@pytest.mark.parametrize("size", [1, 7, 100, None])
def test_pieces_make_no_difference(size):
    """Lines around it keep every byte, blanks, carriage returns and an unfinished end included."""
    before, after = b'\n  \r\n{"x" : 1.0}\r\n', b'{"y":\t"\r"}\n\nhalf a li'
    stream = before + initialize() + b"\n" + after
    line = initialize(capabilities={"codexd": ABOUT}).replace(b": ", b":").replace(b", ", b",")
    assert passed(stream, size) == before + line + b"\n" + after


def test_a_second_initialize_is_introduced_too():
    """The first may have been refused."""
    twice = passed(initialize() + b"\n" + initialize() + b"\n")
    assert twice.count(b'"cwd":"/here"') == 2


def test_a_long_line_is_not_held():
    """It passes on as it comes, whatever stands in it; the line behind it is looked at again."""
    introduction = Introduction(ABOUT)
    long = b"x" * MAX_LINE_BYTES
    assert introduction.feed(long) == b""
    assert introduction.feed(b"y") == long + b"y"
    assert introduction.feed(METHOD_IN_IT) == METHOD_IN_IT
    end = introduction.feed(b"\n" + initialize() + b"\n")
    assert end.startswith(b"\n")
    assert json.loads(end)["params"]["capabilities"] == {"codexd": ABOUT}


METHOD_IN_IT = b'"initialize"'
