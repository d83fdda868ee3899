"""Learning from the Codex at hand: its schema in both editions, written once for each binary.

Codex takes about 50 ms for an edition when it is warm (measured, 0.169). That runs beside its start, so the first
handshake does not wait for it; what was learnt is kept in a file, and later starts just read that.
"""

import logging
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import msgspec
import trio
from msgspec import Struct

from codexd.protocol import learnt
from codexd.protocol.learnt import Learnt
from codexd.protocol.program import sentence_of
from codexd.protocol.schema import NoSchema
from codexd.runtime.codex import Launch, environment
from codexd.runtime.private_file import open_private
from codexd.runtime.shortage import is_shortage
from codexd.runtime.threads import in_thread

logger = logging.getLogger(__name__)

SCHEMA_SECONDS = 10.0
"""How long Codex may take for its schema."""
SHORTAGE_SECONDS = 10.0
"""How long it is tried again while the system gives codexd no thread, process, descriptor or memory for it."""
RETRY_SECONDS = 0.1
_PREFIX = "codexd-schema-"
ROOM_BYTES = 32 * 1024 * 1024
"""Both editions take 7 MB (0.171, measured)."""
_IN_MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory, whatever the disks are like."""
_FORMAT = 2
"""The version of the file: counts up when `Learnt` changes its shape or its meaning."""


class _Key(Struct):
    """The file's member that says what it is: its version, and from which binary it was learnt."""

    key: str


class _Kept(_Key):
    """The file."""

    learnt: Learnt


class Schemas:
    """What was learnt from each binary, in memory and in the file of its launch.

    A file that can't be written, because the disk is full, say, costs no knowledge: without the schema nothing that is
    experimental would be held back from anybody.
    """

    def __init__(self) -> None:
        self._learnt: dict[str, Learnt] = {}

    async def learn(self, launch: Launch) -> Learnt | str:
        """What this Codex's schema says, or a sentence that says why it can't be had. Cancelled, it leaves nothing behind."""
        deadline = trio.current_time() + SHORTAGE_SECONDS
        while True:
            try:
                return await self._learn(launch)
            except (OSError, NoSchema, MemoryError) as error:
                cause = error.__cause__ if isinstance(error, NoSchema) else error
                if not is_shortage(cause) or trio.current_time() >= deadline:
                    return f"the schema of Codex {launch.version} can't be had: {str(error) or sentence_of(error)}"
            await trio.sleep(RETRY_SECONDS)

    async def _learn(self, launch: Launch) -> Learnt:
        key = _key(launch)
        found = self._learnt.get(key) or _read(launch.schema_file, key)
        if found is None:
            found = await _asked(launch)
            _keep(launch.schema_file, _Kept(key, found))
        self._learnt[key] = found
        return found


async def _asked(launch: Launch) -> Learnt:
    directory = await in_thread(_directory, launch.schema_file.parent)
    try:
        return await _generated(launch, directory)
    finally:
        with trio.CancelScope(shield=True):
            await _remove(directory)


async def _remove(directory: Path) -> None:
    """What can't be removed now costs no knowledge; the next codexd that learns a schema there removes it."""
    try:
        await in_thread(shutil.rmtree, directory)
    except OSError as error:
        logger.info("%s is of no use and cannot be removed: %s", directory, error)


def _directory(state: Path) -> Path:
    """A new directory to write editions into, where there is room: beside what is kept, else among temporary files.

    A codexd that is killed leaves its own behind, so those of earlier ones go first. Only one codexd uses the place beside
    what is kept, and it learns one schema at a time; of those among the temporary files any may be in use.
    """
    for leftover in state.glob(f"{_PREFIX}*"):
        try:
            shutil.rmtree(leftover)
        except OSError as error:
            logger.info("%s is of no use and cannot be removed: %s", leftover, error)
    places = (state, Path(tempfile.gettempdir()), _IN_MEMORY)
    roomy = [place for place in places if _has_room(place)]
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=roomy[0] if roomy else None))


def _has_room(place: Path) -> bool:
    try:
        return os.access(place, os.W_OK) and shutil.disk_usage(place).free >= ROOM_BYTES
    except OSError:
        return False


def _key(launch: Launch) -> str:
    """The binary's version and inode; its time too, because an update may use an inode again."""
    status = Path(launch.argv[0]).stat()
    return f"{_FORMAT} {launch.version} {status.st_dev}:{status.st_ino}:{status.st_mtime_ns}"


def _read(file: Path, key: str) -> Learnt | None:
    """What was learnt from this binary. The rest of the file is read when the key fits: another version has another rest."""
    try:
        text = file.read_bytes()
        if msgspec.json.decode(text, type=_Key).key != key:
            return None
        return msgspec.json.decode(text, type=_Kept).learnt
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        logger.warning("%s is of no use (%s); the schema is read again", file, error)
        return None


def _keep(file: Path, kept: _Kept) -> None:
    new = file.with_suffix(".new")
    try:
        descriptor = open_private(new, os.O_WRONLY | os.O_CREAT)
        with open(descriptor, "wb") as writing:
            writing.truncate()
            writing.write(msgspec.json.encode(kept))
        new.replace(file)
    except OSError as error:
        logger.info("what was learnt from the schema of Codex is not kept: %s", error)


async def _generated(launch: Launch, directory: Path) -> Learnt:
    """Asks for both editions at once."""
    stable, experimental = directory / "stable", directory / "experimental"
    with trio.move_on_after(SCHEMA_SECONDS) as limit:
        async with trio.open_nursery() as nursery:
            answers = [_Answer(), _Answer()]
            nursery.start_soon(answers[0].ask, launch, stable)
            nursery.start_soon(answers[1].ask, launch, experimental, "--experimental")
    if limit.cancelled_caught:
        raise NoSchema(f"it took more than {SCHEMA_SECONDS:.0f} seconds")
    for answer in answers:
        answer.check()
    return learnt.read(
        [(stable / name).read_bytes() for name in learnt.STABLE_FILES],
        [(experimental / name).read_bytes() for name in learnt.EXPERIMENTAL_FILES],
    )


class _Answer:
    """How one call of Codex has ended."""

    def __init__(self) -> None:
        self._problem: str | None = None
        self._reason: OSError | MemoryError | None = None

    async def ask(self, launch: Launch, directory: Path, *options: str) -> None:
        """Lets Codex write one edition into the directory."""
        try:
            done = await trio.run_process(
                [*launch.argv, "generate-json-schema", "--out", str(directory), *options],
                capture_stderr=True,
                check=False,
                deliver_cancel=_kill,
                stdout=subprocess.DEVNULL,
                process_group=0,
                env=environment(launch.env),
                cwd=launch.cwd,
            )
        except (OSError, MemoryError) as error:
            self._problem = f"it cannot be run: {str(error) or sentence_of(error)}"
            self._reason = error
            return
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            self._problem = f"it exits with {done.returncode}: {said.rpartition(chr(10))[2]}"

    def check(self) -> None:
        """Raises `NoSchema` when Codex could not be asked, or said no."""
        if self._problem is not None:
            raise NoSchema(self._problem) from self._reason


async def _kill(process: trio.Process) -> None:
    """The whole group: what was found as `codex` may be a script that starts it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        logger.debug("it has just ended by itself")
