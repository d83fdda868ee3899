"""What was taken out of a line comes back wherever its place is now."""

import pytest

from codexd.protocol.bulk import Bulk, Run

BULK = Bulk(b"mark-", (Run(b',"mark-0."', (b",1", b",2")), Run(b"mark-1.", (b"text",))))


def test_it_comes_back_in_its_pieces() -> None:
    """No byte of it is copied."""
    assert BULK.restored(b'[0,"mark-0."],"mark-1."') == [b"[0", b",1", b",2", b'],"', b"text", b'"']


def test_a_line_may_have_lost_it_or_moved_it() -> None:
    """What the rest of the line is does not matter."""
    assert BULK.restored(b"{}") == [b"{}"]
    assert b"".join(BULK.restored(b'"mark-1.",[0,"mark-0."]')) == b'"text",[0,1,2]'


def test_it_weighs_what_the_line_lacks() -> None:
    """The size of a long line is that of the short one and this."""
    assert BULK.size == len(b",1,2") - len(b',"mark-0."') + len(b"text") - len(b"mark-1.")


def test_what_stands_for_it_may_not_be_changed() -> None:
    """Then something would be lost without a word."""
    with pytest.raises(AssertionError, match="passed on as it is"):
        BULK.restored(b'[0, "mark-0."]')
