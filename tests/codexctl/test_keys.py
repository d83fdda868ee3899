import pytest

from codexctl.keys import Key, KeyDecoder

CASES = [
    ("aä漢".encode(), [Key("text", "a"), Key("text", "ä"), Key("text", "漢")]),
    (b"\x1b[A\x1bOB\x1b[C\x1b[D", [Key("up"), Key("down"), Key("right"), Key("left")]),
    (b"\x1b[H\x1b[F\x1b[3~\x1b[1~\x1b[4~", [Key("home"), Key("end"), Key("delete"), Key("home"), Key("end")]),
    (b"\r\n\x7f\x04\x15", [Key("enter"), Key("enter"), Key("backspace"), Key("ctrl-d"), Key("ctrl-u")]),
    (b"\x1b[200~one\r\ntwo\rthree\x1b[A\x1b[201~x", [Key("text", "one\ntwo\nthree\x1b[A"), Key("text", "x")]),
    (b"\x1b[1;5Cx", [Key("text", "x")]),  # Ctrl-Right means nothing here
    (b"\x1bxy", [Key("text", "x"), Key("text", "y")]),  # nor does Alt
    (b"\x00\x1ca\tb", [Key("text", "a"), Key("text", "\t"), Key("text", "b")]),
    (b"\xffa", [Key("text", "\ufffd"), Key("text", "a")]),
]


@pytest.mark.parametrize(("sent", "keys"), CASES)
def test_keys_are_the_same_however_they_arrive(sent, keys):
    """Whole or byte by byte: characters, sequences and pastes are never taken apart."""
    whole, split = KeyDecoder(), KeyDecoder()
    assert whole.feed(sent) == keys
    assert [key for byte in sent for key in split.feed(bytes([byte]))] == keys


def test_what_is_not_complete_waits():
    """Half a sequence is no key; it does not swallow what comes after it is complete."""
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b[20") == []
    assert decoder.feed(b"0~pasted") == []
    assert decoder.feed(b"\x1b[201~!") == [Key("text", "pasted"), Key("text", "!")]
