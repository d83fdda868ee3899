"""What of a long line nobody here has to read, and what stands for it in the short line that is read instead."""

from msgspec import Struct

from codexd.protocol.errors import NotJson


class Run(Struct, frozen=True):
    """A stretch of a long line. `stands_in` is what the short line has in its place."""

    stands_in: bytes
    pieces: tuple[bytes, ...]


class Bulk(Struct, frozen=True):
    """The stretches of one line that were taken out.

    `mark` is a text that the line does not have. Each `stands_in` holds it once, followed by the number of its run and a
    dot.
    """

    mark: bytes
    runs: tuple[Run, ...]

    @property
    def size(self) -> int:
        """How many bytes the long line has more than the short one."""
        return sum(sum(map(len, run.pieces)) - len(run.stands_in) for run in self.runs)

    def restored(self, line: bytes) -> list[bytes]:
        """A line in which the short one was used, or a part of it, with the stretches back in it: its pieces, in order.

        The rest of the line may have been changed; what stands in for a stretch may not.
        """
        pieces: list[bytes] = []
        done = 0
        at = line.find(self.mark)
        while at >= 0:
            number = line[at + len(self.mark) : line.index(b".", at)]
            run = self.runs[int(number)]
            begin = at - run.stands_in.index(self.mark)
            end = begin + len(run.stands_in)
            assert line[begin:end] == run.stands_in, "what stands in for bulk is passed on as it is"
            pieces += [line[done:begin], *run.pieces]
            done = end
            at = line.find(self.mark, end)
        return [*pieces, line[done:]]


class LongLine(Struct, frozen=True):
    """A line that was checked while it came.

    `short` is the same message without the bulk of its values, `flaw` why the line is no JSON: then `short` is empty.
    """

    short: bytes
    bulk: Bulk
    flaw: NotJson | None = None
