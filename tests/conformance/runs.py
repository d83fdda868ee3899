"""Plays a script against a Codex of its own, and through codexd beside somebody noisy; says how they differ."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from tests.conformance.codex_itself import Codex
from tests.conformance.compare import Difference, differences
from tests.conformance.noise import MARK, Noise
from tests.conformance.player import NAME, Player, Recording
from tests.conformance.steps import Script, Session
from tests.conformance.transcript import Transcript, transcribe
from tests.e2e.harness import World
from tests.e2e.harness_client import JsonLinesClient

BARE_RUNS = 7
"""Bare Codex is asked so often at most, under load after the first time, which nearly always says it all."""
ATTEMPTS = 3
"""An answer that stands where no bare run has it has to stand there again: Codex swaps some too seldom to be seen."""

_NOWHERE = "http://127.0.0.1:9"  # nobody listens on the port of `discard`
OFFLINE = {"HTTP_PROXY": _NOWHERE, "HTTPS_PROXY": _NOWHERE, "ALL_PROXY": _NOWHERE, "NO_PROXY": "127.0.0.1"}
"""Should a call try to leave the machine after all, it comes to its end at once."""


class Run:
    """Both sides of one script."""

    def __init__(self, script: Script, codex: Codex, bare_runs: int = BARE_RUNS) -> None:
        self.script = script
        self.codex = codex
        self.bare = [self._bare()]
        self.attempts = 1
        self._bare_runs = bare_runs
        self.differences = self._differences(World.connect)

    def differences_of_the_stand_in(self) -> str:
        """How it is when the client has started `codexd-codex` and not connected to the socket itself."""
        return self._differences(World.stand_in)

    def _differences(self, connect: Callable[[World], JsonLinesClient]) -> str:
        for attempt in range(1, ATTEMPTS + 1):
            self.attempts += attempt > 1
            self.through = self._through(connect)
            found = self._compared(self._bare_runs)
            if attempt == ATTEMPTS or not found or not all(one.of_place for one in found):
                break
        return "\n".join(one.text for one in found)

    def _compared(self, bare_runs: int) -> list[Difference]:
        """What is in no bare run, of which there are as many as it takes."""
        asked = 1
        while (found := self._compare()) and asked < bare_runs:
            self.bare.append(self._bare(noisy=True))
            asked += 1
        return found

    def _bare(self, *, noisy: bool = False) -> list[Transcript]:
        """One transcript per session."""
        transcripts = []
        with self._world() as world:
            for session in self.script.sessions:
                client = world.bare_connection()
                noise = Noise(world, client, shared=True)
                with noise if noisy and session.capabilities is not None else nullcontext():
                    recording = self._play(world, client, session, noise)
                client.close()
                transcripts.append(transcribe(recording, str(world.root), noise))
        return transcripts

    def _through(self, connect: Callable[[World], JsonLinesClient]) -> list[Transcript]:
        """The same through codexd."""
        with self._world() as world:
            config = world.config_home / "codexd" / "config.toml"
            config.parent.mkdir()
            config.write_text(f'client_name = "{NAME}"\n')
            world.start_daemon("--cwd", str(world.project))
            with Noise(world, world.client(MARK)) as noise:
                recordings = [self._play(world, connect(world), session) for session in self.script.sessions]
            return [transcribe(recording, str(world.root), noise) for recording in recordings]

    def _play(
        self, world: World, client: JsonLinesClient, session: Session, noise: Noise | None = None
    ) -> Recording:
        player = Player(world, client, frozenset(self.codex.methods), noise)
        player.play(session)
        return player.recording

    def _compare(self) -> list[Difference]:
        return [
            difference
            for number, through in enumerate(self.through)
            for difference in differences([run[number] for run in self.bare], through)
        ]

    @contextmanager
    def _world(self) -> Iterator[World]:
        world = World(self.codex.path)
        world.env.update(OFFLINE)
        left: list[str] = []
        try:
            yield world
        finally:
            left = world.close()
        assert left == [], f"outlived the end of their world: {left}"
