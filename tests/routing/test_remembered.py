"""What is remembered, and for how long."""

from codexd.routing.remembered import Remembered


def test_the_memory_has_an_end() -> None:
    """The oldest is forgotten first; what is added again is the newest."""
    remembered = Remembered(2)
    for name in "ABAC":
        remembered.add(name)
    assert [name in remembered for name in "ABC"] == [True, False, True]
    remembered.discard("A")
    remembered.discard("B")
    assert [name in remembered for name in "ABC"] == [False, False, True]
