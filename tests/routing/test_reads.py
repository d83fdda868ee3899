"""Who waits for events that are being read."""

from codexd.routing.reads import Read, Reads

FIRST, SECOND, THIRD = (Read(client, b"1", None, 0, 9) for client in (1, 2, 1))


def test_a_question_is_answered_once() -> None:
    """By its number, which no other has."""
    reads = Reads()
    numbers = [reads.add(read) for read in (FIRST, SECOND, THIRD)]
    assert len(set(numbers)) == 3
    assert (reads.waiting(1), reads.waiting(2), reads.waiting(3)) == (2, 1, 0)
    assert reads.take(numbers[0]) is FIRST
    assert reads.take(numbers[0]) is None
    assert reads.waiting(1) == 1
    assert reads.take_all() == [SECOND, THIRD]
    assert reads.take_all() == []


def test_who_leaves_takes_its_questions_along() -> None:
    """What is read for them is nobody's."""
    reads = Reads()
    numbers = [reads.add(read) for read in (FIRST, SECOND, THIRD)]
    reads.leave(1)
    assert [reads.take(number) for number in numbers] == [None, SECOND, None]
