"""The observability log: in order, beside the event loop, and bounded, whatever the disk does."""

import json
import logging
import os
import select
from pathlib import Path
from typing import Any

import pytest

from codexd.routing.effects import Observed
from codexd.runtime import observability, rotated_file
from codexd.runtime.observability import ENTRY_BYTES, ObservabilityLog
from codexd.runtime.redaction import REDACTED

PATIENCE_SECONDS = 90.0
AT = 1795251871.477
FULL = 16 * 1024 * 1024
"""How long a file may be by default."""


@pytest.fixture(autouse=True)
def _enough_time_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a loaded machine the thread may take a while."""
    monkeypatch.setattr(observability, "CLOSE_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "sse_lines.jsonl"


@pytest.fixture
def fifo(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A slow disk: it takes 64 KiB, and more when somebody reads. codexd itself writes to no FIFO."""
    monkeypatch.setattr(rotated_file, "open_private", lambda path, flags: os.open(path, flags))
    os.mkfifo(path)
    return path


def observed(*numbers: int, text: str = "") -> list[Observed]:
    """Notifications with these numbers."""
    line = b'{"method":"m","params":{"text":"%b"}}' % text.encode()
    return [Observed(line, AT, number) for number in numbers]


def lines_in(path: Path) -> list[dict[str, Any]]:
    """What the log says."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def numbers_in(path: Path) -> list[int]:
    """The numbers of the messages in it."""
    return [line["seq"] for line in lines_in(path)]


class Reader:
    """Reads what a slow disk was given."""

    def __init__(self, fifo: Path) -> None:
        self._descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self._rest = b""

    def close(self) -> None:
        """Reads no more."""
        os.close(self._descriptor)

    def line(self) -> dict[str, Any]:
        """The next line, as soon as it is there."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._descriptor], [], [], PATIENCE_SECONDS)
            assert ready, "nothing came"
            self._rest += os.read(self._descriptor, 65536)
        line, _, self._rest = self._rest.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said


def test_it_is_written_in_order(path: Path) -> None:
    """Across bursts and pieces, each message is one line."""
    with ObservabilityLog(path, log_content=False) as log:
        for start in range(0, 1000, 10):
            log.put(observed(*range(start, start + 10)))
    assert numbers_in(path) == list(range(1000))
    assert path.stat().st_mode & 0o777 == 0o600


def test_large_messages_are_written_a_few_at_a_time() -> None:
    """The thread keeps the interpreter from the event loop for one piece; a message that is larger is one by itself."""
    small, large, huge = observed(0), observed(1, text="x" * 20_000), observed(2, text="x" * 200_000)
    entries = [*small * 300, *large * 5, *huge, *large]
    pieces = list(observability._pieces(entries))
    assert [len(piece) for piece in pieces] == [128, 128, 47, 2, 1, 1]
    assert [entry for piece in pieces for entry in piece] == entries
    assert list(observability._pieces([])) == []


def test_it_is_written_while_it_goes_on(fifo: Path) -> None:
    """A message is there a moment after it came, and not only at the end."""
    reader = Reader(fifo)
    with ObservabilityLog(fifo, log_content=False) as log:
        for number in range(3):
            log.put(observed(number))
            assert reader.line()["seq"] == number
    reader.close()


@pytest.mark.parametrize("wanted", [False, True])
def test_content_is_written_when_it_is_wanted(path: Path, wanted: bool) -> None:
    """Never else, and never secrets."""
    with ObservabilityLog(path, log_content=wanted) as log:
        log.put(observed(1, text="hello --token PLANTED"))
    assert b"PLANTED" not in path.read_bytes()
    line = lines_in(path)[0]
    assert line.get("params") == ({"text": f"hello --token {REDACTED}"} if wanted else None)


def test_it_is_bounded(path: Path) -> None:
    """In size and in the number of old files; together they hold the newest lines."""
    with ObservabilityLog(path, log_content=False, max_file_bytes=20_000) as log:
        for number in range(5_000):
            log.put(observed(number))
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["sse_lines.jsonl", *(f"sse_lines.jsonl.{n}" for n in (1, 2, 3))]
    assert all(file.stat().st_size <= 20_000 for file in files)
    kept = [number for file in (*files[:0:-1], files[0]) for number in numbers_in(file)]
    assert kept == list(range(kept[0], 5_000))


@pytest.mark.parametrize(("size", "names"), [(FULL - 1000, [".jsonl"]), (FULL, [".1", ".jsonl"])])
def test_a_file_holds_16_mib_unless_it_is_said(path: Path, size: int, names: list[str]) -> None:
    """Then the next one is begun."""
    with path.open("wb") as file:
        file.seek(size - 1)
        file.write(b"\n")
    with ObservabilityLog(path, log_content=False) as log:
        log.put(observed(1))
    assert sorted(each.suffix for each in path.parent.iterdir()) == names


def test_what_a_slow_disk_does_not_take_is_dropped_and_counted(fifo: Path) -> None:
    """The caller never waits, what waits is bounded, and each gap is a line that says how long it is."""
    reader = Reader(fifo)
    bound, count = 100_000, 20_000
    with ObservabilityLog(fifo, log_content=False, max_queued_bytes=bound) as log:
        for start in range(0, count, 10):
            log.put(observed(*range(start, start + 10)))
            assert log._queued_bytes <= bound + 10 * (len(observed(0)[0].line) + ENTRY_BYTES)
        expected, gaps = 0, 0
        while expected < count:
            line = reader.line()
            if line["kind"] == "dropped":
                expected += line["count"]
                gaps += 1
            else:
                assert line["seq"] == expected
                expected += 1
        assert gaps > 0
        log.put(observed(count))
        assert reader.line()["seq"] == count
    reader.close()


def test_what_was_dropped_is_counted_in_its_place(path: Path) -> None:
    """Between what came before and what came after."""
    log = ObservabilityLog(path, log_content=False, max_queued_bytes=0)
    for burst in ((1,), (2, 3), (4,)):
        log.put(observed(*burst))
    log._queued_bytes = 0  # as when all that waited was written
    log.put(observed(5))
    log.put(observed(6))
    with log:
        pass
    assert [line.get("count", line.get("seq")) for line in lines_in(path)] == [1, 3, 5, 1]


def test_the_end_does_not_wait_for_a_slow_disk(
    fifo: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """codexd has five seconds to be gone."""
    monkeypatch.setattr(observability, "CLOSE_SECONDS", 0.01)
    reader = Reader(fifo)
    with ObservabilityLog(fifo, log_content=False) as log:
        log.put(observed(*range(2_000)))
    assert caplog.messages == [f"{fifo} is not written to its end: the disk is too slow"]
    assert [reader.line()["seq"] for _ in range(2_000)] == list(range(2_000))
    log._thread.join(PATIENCE_SECONDS)
    assert not log._thread.is_alive()
    reader.close()


def test_a_file_that_cannot_be_written_is_tried_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once; what was lost meanwhile is counted in the first line that can be written again."""
    caplog.set_level(logging.INFO)
    path.mkdir()
    log = ObservabilityLog(path, log_content=False)
    log._write(observed(1, 2))
    log._write(observed(3))
    path.rmdir()
    log._write(observed(4))
    log._write(observed(5))
    log._file.close()
    first, *others = lines_in(path)
    assert (first["kind"], first["count"]) == ("dropped", 3)
    assert [line["seq"] for line in others] == [4, 5]
    assert caplog.messages == [
        f"{path} cannot be written, what Codex sends is missing there: Is a directory",
        f"{path} is written again, 3 messages are missing there",
    ]


def test_what_was_dropped_and_could_then_not_be_written_is_counted_once(path: Path) -> None:
    """A slow disk that is then full."""
    path.mkdir()
    log = ObservabilityLog(path, log_content=False)
    log._write([observability._Dropped(AT, 5), *observed(6)])
    path.rmdir()
    log._write(observed(7))
    log._file.close()
    assert [line.get("count", line.get("seq")) for line in lines_in(path)] == [6, 7]


def test_it_can_be_opened_again(path: Path) -> None:
    """After somebody moved the file away, what comes goes to a new one of the old name; nothing is lost between."""
    with ObservabilityLog(path, log_content=False) as log:
        log.put(observed(1))
        while not path.exists() or not path.read_bytes():
            log._thread.join(0.01)
        moved = path.rename(path.with_name("moved"))
        log.put(observed(2))
        log.reopen()
        log.put(observed(3))
    both = [*numbers_in(moved), *numbers_in(path)]
    assert both == [1, 2, 3]
    assert numbers_in(path)[-1] == 3


def test_opened_again_while_nothing_comes(path: Path) -> None:
    """It lets go of the file that was moved away, without waiting for a message."""
    with ObservabilityLog(path, log_content=False) as log:
        log.put(observed(1))
        while log._file._descriptor is None:
            log._thread.join(0.01)
        log.reopen()
        while log._file._descriptor is not None:
            log._thread.join(0.01)
        assert not log._reopening
