r"""A long line, checked while it comes, and reduced to what has to be read of it.

To join 126 MiB, to decode them or to splice an id into them takes 50 to 300 ms each, in which nobody else is served. So a
line that grows long is taken in slices. Each is checked as soon as it is there. What lies deep in the message is taken
out (`bulk`), and what is left is a line of some KiB with the same members, which is read like any other.

Slices. A slice ends before a comma, or inside a string that is longer than a slice. What is open around it is known (the
        stack: the brackets before it that have no partner), so a slice becomes a JSON text of its own with brackets
        around it. Before its comma stands `""`, and behind its end another comma and `""`, so that nothing between two
        values is missed: `[1,` and `,2]` are no slices of a good text.
Bulk.   Taken out is what stands in an array, or below `KEPT_LEVELS` objects, or in a string that is longer than a slice.
        An array keeps its first elements and a string its beginning. The members of the outer objects stay, because
        Codex reads them by name, and codexd does.
Flaws.  What is valid JSON but nothing that Codex reads is refused where every line is checked, in the short line. When
        it is in the bulk, an example of it is added to what stands in for that.

Some lines can't be reduced: a name, a number or white space of a MiB. They are joined, and take the others' time.
"""

import re
from collections.abc import Callable, Iterable
from secrets import token_hex

import msgspec
from msgspec import Raw

from codexd.protocol import slices, strictness, surrogates
from codexd.protocol.bulk import Bulk, LongLine, Run
from codexd.protocol.errors import NotJson

MOST_SLICES = 16
"""As much as so many slices is looked through for the end of one before the line is given up."""
KEPT_LEVELS = 4
"""The message, `params`, a member of that, a member of that one: codexd reads no deeper (`config.projects` of a thread)."""

_decode = msgspec.json.Decoder(Raw).decode
_NAME = re.compile(rb'"([^"\\]*)"[ \t\r\n]*:[ \t\r\n]*\Z')
_READ_WHOLE = (b"id", b"method")
"""Strings of the message itself that codexd reads to their end."""
_DEEP = b"[" * (strictness.MAX_DEPTH + 1) + b"]" * (strictness.MAX_DEPTH + 1)
_PRIVATE = b'{"$serde_json::private::Number":0}'
_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_NAME_BYTES = 200
_OTHERS = {b"[": b"[]", b'"': b'""'} | {b"%c" % byte: b"0" for byte in b"-0123456789"}
"""A message is an object. What begins like something else is refused for it, and is not read to its end."""


class _Unfit(Exception):
    """The line can't be reduced."""


class _Decided(Exception):
    """What is wrong with the line is known, so the rest of it need not be."""

    def __init__(self, short: bytes, flaw: NotJson | None = None) -> None:
        super().__init__()
        self.line = LongLine(short, Bulk(b"", ()), flaw)


class _Run:
    """What is being taken out.

    `stack`: what was open when it began. `open_levels`: so many of these brackets stay open all the while; 0: it is the
    rest of a string.
    """

    def __init__(self, stack: bytes, open_levels: int) -> None:
        self.open_levels = open_levels
        self._stack = stack
        self._pieces: list[bytes] = []
        self._flaws: dict[bytes, None] = {}

    def add(self, text: bytes, flaws: Iterable[bytes]) -> None:
        """Takes in another piece, and what Codex could not read in it."""
        self._pieces.append(text)
        self._flaws.update(dict.fromkeys(flaws))

    def taken_out(self, name: bytes) -> Run:
        """The run, and what stands in for it: of the name, and of what was wrong with it."""
        return Run(self._stand_in(name), tuple(self._pieces))

    def _stand_in(self, name: bytes) -> bytes:
        flaws = tuple(self._flaws)
        if not self.open_levels:
            return b" ".join((name, *flaws))  # side by side, two halves would be a pair
        if self._stack.endswith(b"["):
            values = b"".join(b"," + value for value in (b'"%b"' % name, *flaws))
        else:
            values = b',"%b":""' % name + b"".join(b',"":' + flaw for flaw in flaws)
        return values + slices.closing(self._stack[self.open_levels :])


class Reducer:
    """One line: `feed` takes its pieces, `finish` the last one. A slice has `slice_bytes`, or more where it can't be cut."""

    def __init__(self, slice_bytes: int) -> None:
        self._slice_bytes = self._wanted_bytes = slice_bytes
        self._mark = b"codexd-%b-" % token_hex(16).encode()
        self._whole: list[bytes] = []
        self._short: list[bytes] = []
        self._runs: list[Run] = []
        self._run: _Run | None = None
        self._stack = b""
        self._is_in_string = False
        self._is_unfit = False
        self._decided: LongLine | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._done_bytes = 0

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes of the line."""
        if self._decided is not None:
            return
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        if self._pending_bytes >= self._wanted_bytes and not self._is_unfit:
            self._go_on(self._take_slices)

    def finish(self, piece: bytes) -> bytes | LongLine:
        """Takes the last bytes. Returns the line, reduced where that is possible."""
        self.feed(piece)
        if self._decided is None and not self._is_unfit:
            self._go_on(self._take_rest)
        if self._decided is not None:
            return self._decided
        if self._is_unfit:
            return b"".join((*self._whole, *self._pending))
        return LongLine(b"".join(self._short), Bulk(self._mark, tuple(self._runs)))

    def _go_on(self, take: Callable[[bytes], None]) -> None:
        text = b"".join(self._pending)
        done = self._done_bytes
        try:
            take(text)
        except _Unfit:
            self._is_unfit = True
        except _Decided as decided:
            self._decided = decided.line
            self._whole.clear()
            self._short.clear()
            self._runs.clear()
            self._run = None
            text = b""
        rest = text[self._done_bytes - done :]
        self._pending, self._pending_bytes = [rest], len(rest)

    def _take_slices(self, text: bytes) -> None:
        at, size = 0, self._slice_bytes
        while size <= len(text) - at:
            taken = self._slice(text[at : at + size])
            at += taken
            if taken:
                size = self._slice_bytes
            elif size < MOST_SLICES * self._slice_bytes:
                size *= 2
            else:
                raise _Unfit
        self._wanted_bytes = size

    def _take_rest(self, text: bytes) -> None:
        at = 0
        while self._is_in_string:
            taken = self._string(text[at:])
            if not taken:
                self._check(b'"')
            at += taken
        rest = text[at:]
        self._between(rest, slices.masked(rest), b"", is_last=True)

    def _slice(self, text: bytes) -> int:
        """Takes as much of the text as can be taken; returns its length, 0 where more has to come first."""
        if self._is_in_string:
            return self._string(text)
        if not self._done_bytes:
            _check_beginning(text)
        masked = slices.masked(text)
        cut = slices.last_comma(masked)
        if cut > 0:
            self._between(text[:cut], masked[:cut], b"")
            return cut
        quote = masked.rfind(b'"') if masked.count(b'"') % 2 else -1
        if quote < 0 or self._is_name(masked[:quote]):
            return 0
        self._enter_string(text[: quote + 1], masked[:quote])
        return quote + 1

    def _is_name(self, masked: bytes) -> bool:
        """Whether the string behind this text is the name of a member: those are not cut."""
        if masked.rstrip(b" \t\r").endswith(b":"):
            return False
        return self._levels(slices.brackets(masked))[1].endswith(b"{")

    def _enter_string(self, text: bytes, masked: bytes) -> None:
        """Takes a slice that ends with the beginning of a string."""
        self._between(text, masked, b'"')
        self._is_in_string = True
        if self._run is None and (len(self._stack) > 1 or not _is_read_whole(masked)):
            self._run = _Run(b"", 0)

    def _levels(self, brackets: bytes) -> tuple[int, bytes]:
        """How many of the open brackets stay open, and what is open behind these."""
        closed, opened = slices.unpaired(brackets)
        lowest = max(len(self._stack) - closed, 0)
        return lowest, self._stack[:lowest] + opened

    def _between(self, text: bytes, masked: bytes, ending: bytes, *, is_last: bool = False) -> None:
        """Takes a slice that begins behind a value. `ending`: what it needs at its end to be one, if it is cut in a string."""
        before = self._stack
        brackets = slices.brackets(masked)
        lowest, after = self._levels(brackets)
        beginning = slices.beginning(before) if self._done_bytes else b""
        lone = self._check(
            b"".join((beginning, text, ending, b"" if is_last else slices.ending(after))), len(beginning)
        )
        flaws = [] if lone is None else [b'"%b"' % lone]
        if slices.is_too_deep(before, brackets):
            flaws.append(_DEEP)
        if strictness.has_private_name(text):
            flaws.append(_PRIVATE)
        self._stack = after
        self._done(text)
        self._place(text, masked, before, lowest, flaws)
        if self._run is None and not ending:
            self._begin_run()

    def _place(self, text: bytes, masked: bytes, before: bytes, lowest: int, flaws: list[bytes]) -> None:
        """Takes the slice out, or as much of it as belongs to the run, or keeps it. `lowest`: the least that was open in it."""
        run = self._run
        if run is None:
            self._short.append(text)
        elif lowest >= run.open_levels:
            run.add(text, flaws)
        else:
            end = slices.end_of_level(masked, len(before), run.open_levels)
            run.add(text[:end], flaws)
            self._end_run(run)
            self._short.append(text[end:])

    def _string(self, text: bytes) -> int:
        """The same inside a string."""
        masked = slices.masked(text)
        quote = masked.find(b'"')
        part = text[: quote if quote >= 0 else slices.sound_end(text, masked)]
        lone = self._check(b'"%b"' % part, 1)
        taken = text[: quote + 1] if quote >= 0 else part
        flaws = [] if lone is None else [lone]
        run = self._run
        if run is None:
            self._short.append(taken)
        elif run.open_levels:
            run.add(taken, [b'"%b"' % flaw for flaw in flaws])
        else:
            run.add(part, flaws)
        self._done(taken)
        if quote >= 0:
            self._is_in_string = False
            if run is not None and not run.open_levels:
                self._end_run(run)
                self._short.append(b'"')
            if self._run is None:
                self._begin_run()
        return len(taken)

    def _done(self, text: bytes) -> None:
        self._whole.append(text)
        self._done_bytes += len(text)

    def _begin_run(self) -> None:
        array = self._stack.find(b"[")
        open_levels = array + 1 if array >= 0 else KEPT_LEVELS + 1
        if len(self._stack) >= open_levels:
            self._run = _Run(self._stack, open_levels)

    def _end_run(self, run: _Run) -> None:
        taken_out = run.taken_out(self._mark + b"%d." % len(self._runs))
        self._runs.append(taken_out)
        self._short.append(taken_out.stands_in)
        self._run = None

    def _check(self, text: bytes, offset: int = 0) -> bytes | None:
        """Raises `_Decided` for what is no JSON. Returns an escape that is half of a surrogate pair, if there is one.

        `offset`: where in the text the slice begins.
        """
        try:
            if not text.isascii():
                text.decode()
            _decode(text)
        except UnicodeDecodeError:
            raise _Decided(b"", NotJson("the line is not valid UTF-8")) from None
        except (msgspec.DecodeError, RecursionError) as error:
            lone = surrogates.first_lone(text)
            if lone is not None:
                self._check_beside_lone(text, offset)
                return lone.encode()
            moved = self._done_bytes - offset
            why = _BYTE.sub(lambda found: f"(byte {int(found[1]) + moved})", str(error))
            raise _Decided(b"", NotJson(f"the line is not valid JSON: {why}")) from None
        return None

    def _check_beside_lone(self, text: bytes, offset: int) -> None:
        """Raises `_Decided` where more than that is wrong: nobody knows then what is a string and what a bracket."""
        try:
            self._check(surrogates.without_any_lone(text), offset)
        except _Decided:
            raise _Decided(b"".join((*self._short, text[offset:]))) from None


def _is_read_whole(masked: bytes) -> bool:
    """Whether the string behind this text is a member of the message that is read to its end."""
    name = _NAME.search(masked, max(0, len(masked) - _NAME_BYTES))
    return name is None or name[1] in _READ_WHOLE


def _check_beginning(text: bytes) -> None:
    """Raises `_Decided` for a line that is no object."""
    begun = text.lstrip(b" \t\r")[:_NAME_BYTES]
    if begun and not begun.startswith(b"{"):
        raise _Decided(_OTHERS.get(begun[:1], begun))
