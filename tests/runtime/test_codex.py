"""The child, seen from its pipes: everything it says is heard, and its end is told in one sentence."""

import dataclasses
import json
import logging
import os
import select
import signal

import psutil
import pytest
import trio

from codexd.protocol.errors import Code
from codexd.protocol.framing import LineSplitter
from codexd.protocol.sandbox import MARK_VARIABLE
from codexd.runtime import memory
from codexd.runtime.codex import Codex, CodexUnavailable, environment
from codexd.runtime.memory import HEADROOM_BYTES
from tests.fakes import MARK, PATIENCE_SECONDS, fake_codex
from tests.runtime.shortage import limited_memory

MEGABYTE = 1024 * 1024
UP = b'"up"\n'


LOOK_SECONDS = 0.2
"""How long the look at what is Codex's own takes here: a Codex that was killed has ended by then."""


class Running:
    """A Codex whose `run` is under way: what it has said so far, and how it ended."""

    def __init__(self, codex):
        self.codex = codex
        self.lines: list[bytes] = []
        self.sentence: str | None = None
        self.was_looked_at_alive: bool | None = None
        self._heard = trio.Event()

    async def run(self):
        """Runs it to its end."""
        self.sentence = await self.codex.run(self._receive, self._look)
        self._heard.set()

    async def _look(self):
        with trio.move_on_after(LOOK_SECONDS) as scope:
            await self.codex._process.wait()
        self.was_looked_at_alive = scope.cancelled_caught

    def _receive(self, lines):
        assert lines
        self.lines += lines
        self._heard.set()
        self._heard = trio.Event()

    def tell(self, method, params=None, number=1):
        """Sends a request."""
        message = {"id": number, "method": method, "params": {} if params is None else params}
        self.codex.write(json.dumps(message).encode() + b"\n")

    async def heard(self, count):
        """Waits until this many lines have come, and returns them."""
        while len(self.lines) < count and self.sentence is None:
            await self._heard.wait()
        return self.lines

    async def ended(self):
        """Waits for its end, and returns the sentence."""
        while self.sentence is None:
            await self._heard.wait()
        return self.sentence


@pytest.fixture
async def run(nursery):
    """Starts a fake Codex with these manners."""

    async def start(**manners):
        running = Running(await Codex.spawn(fake_codex(**manners)))
        nursery.start_soon(running.run)
        return running

    with trio.fail_after(PATIENCE_SECONDS):
        yield start
        nursery.cancel_scope.cancel()


async def test_what_is_written_arrives_and_what_it_answers_is_heard(run):
    """Several lines in one write, several answers."""
    running = await run()
    running.codex.write(b'{"id":1,"method":"a","params":{"x":1}}\n{"id":2,"method":"b","params":{}}\n')
    assert [json.loads(line) for line in await running.heard(2)] == [
        {"id": 1, "result": {"x": 1}},
        {"id": 2, "result": {}},
    ]


@pytest.mark.parametrize("size", [70_000, MEGABYTE, 100 * MEGABYTE])
async def test_large_lines_in_both_ways(run, size):
    """A line of any size passes, to Codex and from it.

    Regression T7: Python's readers stop at 64 KiB by default; agm and acodex died of the first large answer.
    """
    running = await run()
    text = "x" * size
    running.tell("echo", {"text": text})
    (line,) = await running.heard(1)
    assert json.loads(line) == {"id": 1, "result": {"text": text}}


async def test_without_memory_it_waits(run):
    """Nothing of what it says is read until there is some again."""
    running = await run()
    with limited_memory(0) as limited:
        running.tell("echo")
        assert select.select([running.codex._stdout], [], [], PATIENCE_SECONDS)[0]
        await trio.sleep(2 * memory.RETRY_SECONDS)
        assert running.lines == []
        limited.free = HEADROOM_BYTES
        assert len(await running.heard(1)) == 1


async def test_an_answer_for_which_there_is_no_memory_is_an_error(run, caplog):
    """Who asked for it is told; what comes behind it is heard, and what belongs to nobody is only logged."""
    running = await run()
    with limited_memory(HEADROOM_BYTES + 20 * MEGABYTE):
        running.tell("echo", {"text": "x" * (5 * MEGABYTE)}, 7)
        running.tell("fake/flood", {"count": 1, "message": {"method": "x" * (5 * MEGABYTE)}})
        running.tell("echo", number=8)
        refused, answered = map(json.loads, await running.heard(2))
    assert (refused["id"], refused["error"]["code"]) == (7, Code.TOO_LARGE)
    assert answered["id"] == 8
    assert [record.levelname for record in caplog.records].count("WARNING") == 2


async def test_one_whose_words_are_lost_for_want_of_memory_is_ended(run):
    """Nobody can tell what it was, so everybody hears that this Codex has ended, and not codexd."""
    running = await run()

    class Splitter(LineSplitter):
        def feed(self, chunk):
            raise MemoryError

    running.codex._splitter = Splitter()
    running.tell("fake/flood", {"count": 10_000, "message": {"method": "m", "params": "x" * 100}})
    assert await running.ended() == "codexd had no memory for a message of Codex"
    assert running.lines == []


async def test_flood_is_heard_completely(run):
    """Codex's stdout is drained however fast it writes, and nothing is lost."""
    running = await run()
    message = {"method": "m", "params": {"delta": "x" * 100}}
    running.tell("fake/flood", {"count": 30_500, "message": message})
    lines = await running.heard(30_500)
    assert set(lines) == {json.dumps(message).encode()}
    assert len(lines) == 30_500


async def test_what_a_codex_wrote_before_it_died_is_heard(run):
    """A process is gone at once, what it wrote is still in the pipe, more than one read takes."""
    running = await run()
    message = {"method": "m", "params": {"delta": "x" * 100}}
    flood = {"id": 1, "method": "fake/flood", "params": {"count": 5_000, "message": message}}
    death = {"id": 2, "method": "fake/die", "params": {"signal": signal.SIGKILL}}
    running.codex.write(b"".join(json.dumps(each).encode() + b"\n" for each in (flood, death)))
    assert await running.ended() == "Codex was killed by SIGKILL"
    assert len(running.lines) == 5_000


async def test_characters_and_lines_split_between_reads(run):
    """Lines are whole however they come.

    Regression T14: codex-manager and codex-acp decoded each read by itself and broke what was split.
    """
    running = await run()
    expected = '{"method":"grün 🙂"}'.encode()
    stream = expected + b"\n" + expected + b"\n"
    running.tell("fake/write", {"pieces": [f"{byte:02x}" for byte in stream], "pause": 0.001})
    assert await running.heard(2) == [expected, expected]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"signal": signal.SIGKILL}, "Codex was killed by SIGKILL"),
        ({"signal": signal.SIGRTMIN + 1}, f"Codex was killed by signal {signal.SIGRTMIN + 1}"),
        ({"status": 0}, "Codex exited with status 0"),
        ({"status": 3}, "Codex exited with status 3"),
    ],
)
async def test_its_end_is_told_in_a_sentence(run, params, sentence):
    """Killed or exited, and by what; what it said before is heard first."""
    running = await run()
    running.tell("hello", number=7)
    await running.heard(1)
    running.tell("fake/die", params | {"last": b'{"method":"last"}\nhalf a li'.hex()})
    assert await running.ended() == sentence
    assert running.lines == [b'{"id": 7, "result": {}}', b'{"method":"last"}']


async def test_who_exits_while_starting_is_quoted(run, caplog):
    """A Codex that does not get as far as to speak says on stderr why; all of it is in the log."""
    caplog.set_level(logging.INFO, "codexd.codex")
    said = "WARNING: paths\nError: CODEX_HOME points to nowhere\n\nStack backtrace:\n   0: <unknown>"
    running = await run(start=[["say", {"text": said}], ["die", {"status": 1}]])
    assert await running.ended() == "Codex exited with status 1: Error: CODEX_HOME points to nowhere"
    logged = [record.getMessage() for record in caplog.records if record.name == "codexd.codex"]
    assert logged == [
        "WARNING: paths",
        "Error: CODEX_HOME points to nowhere",
        "Stack backtrace:",
        "0: <unknown>",
    ]


async def test_who_exits_while_starting_without_a_word(run):
    """Then its status must do."""
    running = await run(start=[["die", {"status": 4}]])
    assert await running.ended() == "Codex exited with status 4"


async def test_who_exits_later_is_not_quoted(run):
    """What a Codex that has worked for hours said last on stderr need not be why it ended."""
    running = await run(start=[["say", {"text": "Error: of long ago\n"}], ["write", {"pieces": [UP.hex()]}]])
    await running.heard(1)
    running.tell("fake/die", {"status": 1})
    assert await running.ended() == "Codex exited with status 1"


async def test_stop_closes_its_stdin_and_that_is_enough(run, caplog):
    """An orderly end needs no signal."""
    running = await run()
    running.codex.stop()
    running.codex.stop()
    assert await running.ended() == "Codex was stopped"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    running.codex.write(b"dropped\n")


@pytest.mark.parametrize(
    ("ignored", "signals"), [(["EOF"], ["SIGTERM"]), (["EOF", "SIGTERM"], ["SIGTERM", "SIGKILL"])]
)
async def test_stop_is_heeded_in_the_end(run, caplog, ignored, signals):
    """Who does not mind its stdin is told by SIGTERM, who does not mind that is killed."""
    running = await run(ignore=ignored, start=[["write", {"pieces": [UP.hex()]}]])
    await running.heard(1)
    running.codex.stop()
    assert await running.ended() == "Codex was stopped"
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [text.rpartition(" ")[2] for text in warnings] == signals


async def test_one_that_is_halted_can_be_ended_at_once(run, caplog):
    """It would notice neither the end of its stdin nor SIGTERM; nothing is tried that takes time."""
    running = await run(start=[["write", {"pieces": [UP.hex()]}]])
    await running.heard(1)
    os.kill(running.codex.pid, signal.SIGSTOP)
    running.codex.stop(at_once=True)
    assert await running.ended() == "Codex was stopped"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert running.was_looked_at_alive, "its children seem to have left a Codex that is dying"


async def test_who_closes_its_output_and_lives_on_is_ended(run):
    """A Codex that can't be heard is as good as dead."""
    running = await run(ignore=["EOF"], start=[["close", {"stream": 1}]])
    assert await running.ended() == "Codex closed its output while it was running"
    assert not psutil.pid_exists(running.codex.pid)


async def test_who_closes_its_input_and_lives_on_is_ended(run):
    """A Codex that can't be spoken to is as good as dead: it is noticed with the next request."""
    running = await run(ignore=["EOF"], start=[["close", {"stream": 0}], ["write", {"pieces": [UP.hex()]}]])
    await running.heard(1)
    running.tell("hello")
    assert await running.ended() == "Codex closed its input while it was running"
    assert not psutil.pid_exists(running.codex.pid)


async def test_child_that_holds_its_pipes_does_not_keep_it(run):
    """Its end is seen by its exit, whoever has inherited its stdout and goes on writing there."""
    running = await run()
    chatter = "while True: print('x' * 1000, flush=True)"
    running.tell("fake/spawn", {"program": chatter, "share": True})
    while not (answers := [line for line in running.lines if b"pid" in line]):
        await running.heard(len(running.lines) + 1)
    running.tell("fake/die", {"signal": signal.SIGKILL})
    assert await running.ended() == "Codex was killed by SIGKILL"
    assert json.loads(answers[0])["result"]["pid"] != running.codex.pid


async def test_it_has_a_session_of_its_own_and_nothing_of_the_service_manager():
    """Signals of codexd's terminal pass it by; it can't speak to systemd in codexd's name, and bears the mark."""
    launch = fake_codex()
    private = {
        "NOTIFY_SOCKET": "/n",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
    }
    launch = dataclasses.replace(launch, env=launch.env | private | {"HARMLESS": "1"})
    assert launch.mark == MARK
    with trio.fail_after(PATIENCE_SECONDS):
        running = Running(await Codex.spawn(launch))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.run)
            assert os.getsid(running.codex.pid) == os.getpgid(running.codex.pid) == running.codex.pid
            running.tell("fake/environ")
            (line,) = await running.heard(1)
            running.codex.stop()
    found = json.loads(line)["result"]
    assert {"HARMLESS": "1", MARK_VARIABLE: MARK}.items() <= found.items()
    assert private.keys() & found.keys() == set()


def test_only_what_is_the_service_managers_is_withheld():
    """Everything else in the environment reaches Codex as it is."""
    assert environment({"PATH": "/bin", "LISTEN_FDS": "1", "WATCHDOG_PID": "1", "NOTIFY_SOCKET": "/n"}) == {
        "PATH": "/bin"
    }


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"argv": ["/nowhere/codex"]}, "/nowhere/codex: No such file or directory"),
        ({"argv": ["/etc/passwd"]}, "/etc/passwd: Permission denied"),
        ({"cwd": "/nowhere"}, "/nowhere: No such file or directory"),
    ],
)
async def test_codex_that_cannot_be_started_is_a_sentence(change, culprit):
    """The sentence names what is in the way, and no descriptor stays open."""
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(CodexUnavailable) as caught:
        await Codex.spawn(dataclasses.replace(fake_codex(), **change))
    assert str(caught.value) == f"Codex could not be started: {culprit}"
    assert len(os.listdir("/dev/fd")) == before


async def test_run_that_is_cancelled_leaves_no_codex():
    """Whatever ends codexd: the process is gone and its exit status taken when `run` has been left."""
    with trio.fail_after(PATIENCE_SECONDS):
        running = Running(await Codex.spawn(fake_codex(ignore=["EOF", "SIGTERM"])))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.run)
            running.tell("hello")
            await running.heard(1)
            nursery.cancel_scope.cancel()
    assert not psutil.pid_exists(running.codex.pid)
