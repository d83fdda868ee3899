"""Lines as clients get them, and how a client that speaks them is taken leave of."""

import json

from codexd.runtime.lines import LINES, Lines


def test_a_burst_is_its_lines_with_their_line_feeds() -> None:
    """What is put for many clients is made once."""
    assert LINES.chunk([b"one"]) == b"one\n"
    assert LINES.chunk([b"one", b"two"]) == b"one\ntwo\n"


def test_a_line_has_begun_until_its_line_feed_is_sent() -> None:
    """Where a chunk was cut in a line, the line is to be completed; between two lines nothing is."""
    chunk = b"one\ntwo\n"
    assert [LINES.end_of_begun(chunk, at) for at in range(1, 8)] == [4, 4, 4, 4, 8, 8, 8]


def test_who_is_too_slow_gets_one_error_line() -> None:
    """It belongs to no request, and says why."""
    line = LINES.too_slow("why")
    assert line.endswith(b"\n")
    assert json.loads(line) == {"error": {"code": -32052, "message": "why"}, "id": None}


def test_a_client_of_lines_is_told_nothing_at_the_end() -> None:
    """Nor does anything that it sends end the connection."""
    lines = Lines(100)
    assert lines.feed(b"one\n") == [b"one"]
    assert (lines.going_away(), lines.farewell) == (b"", None)
