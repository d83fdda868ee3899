"""What has no number is told from what has one, wherever it stands in the queue."""

from hypothesis import given, strategies as st

from codexd.runtime.unnumbered import UnnumberedBytes

STEPS = st.lists(st.tuples(st.sampled_from(["numbered", "plain", "taken"]), st.integers(1, 50)), max_size=40)


@given(STEPS)
def test_it_counts_what_is_left_of_each_chunk(steps):
    """Against a queue of single bytes."""
    counted = UnnumberedBytes()
    queue: list[str] = []
    for what, length in steps:
        if what == "taken":
            del queue[:length]
        else:
            queue += [what] * length
            if len(queue) == length:  # the kernel has taken some of the first one at once
                del queue[: length // 2]
            counted.put(length, len(queue), numbered=what == "numbered")
        assert counted.count(len(queue)) == queue.count("plain")


def test_what_the_kernel_takes_at_once_leaves_no_trace():
    """So a client that keeps up costs nothing."""
    counted = UnnumberedBytes()
    for _ in range(5):
        counted.put(100, 0, numbered=False)
    assert counted.count(0) == 0
